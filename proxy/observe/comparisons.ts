import type { DecisionRecord, Exchange } from '../pipeline/exchange.ts'

export interface Difference {
  readonly agent: string
  readonly against: string
  readonly phase: DecisionRecord['phase']
  /** "block 403", "allow". */
  readonly said: string
  readonly otherSaid: string
}

/** `difference`: there is one. */
export type ComparisonReport = (x: Exchange, pair: Pick<Difference, 'agent' | 'against' | 'phase'>, difference: Difference | undefined) => void

type Phase = DecisionRecord['phase']

/** What came in late, and what was compared by now. */
interface Late {
  readonly records: DecisionRecord[]
  readonly compared: Set<string>
}

/**
 * Holds the decisions of two agents about one exchange against each other, phase by phase: each once, when both are there. Those of an agent
 * in shadow mode may come after the exchange is over.
 */
export class Comparisons {
  /** Agents, and whom each is compared with. */
  readonly #pairs: ReadonlyMap<string, string>
  readonly #report: ComparisonReport
  readonly #late = new WeakMap<Exchange, Late>()

  constructor (pairs: ReadonlyMap<string, string>, report: ComparisonReport) {
    this.#pairs = pairs
    this.#report = report
  }

  /** The exchange is over. */
  over (x: Exchange): void {
    if (x.decisions !== undefined) this.#compare(x, x.decisions)
  }

  /** A decision came after that. */
  late (x: Exchange, record: DecisionRecord): void {
    if (record.phase === 'websocket-message') return
    const late = this.#lateOf(x)
    late.records.push(record)
    this.#compare(x, [...x.decisions ?? [], ...late.records])
  }

  #lateOf (x: Exchange): Late {
    let late = this.#late.get(x)
    if (late === undefined) this.#late.set(x, late = { records: [], compared: new Set() })
    return late
  }

  #compare (x: Exchange, records: readonly DecisionRecord[]): void {
    for (const [agent, against] of this.#pairs) {
      for (const [phase, own] of lastOf(records, agent)) {
        const other = lastOf(records, against).get(phase)
        if (other === undefined) continue
        const { compared } = this.#lateOf(x)
        const key = `${agent} ${against} ${phase}`
        if (compared.has(key)) continue
        compared.add(key)
        const [said, otherSaid] = [sayingOf(own), sayingOf(other)]
        this.#report(x, { agent, against, phase }, said === otherSaid ? undefined : { agent, against, phase, said, otherSaid })
      }
    }
  }
}

/** Of a body in pieces the last decision counts. Messages of a WebSocket are many, and not all of them leave a record. */
function lastOf (records: readonly DecisionRecord[], agent: string): Map<Phase, DecisionRecord> {
  return new Map(records.filter((record) => record.agent === agent && record.phase !== 'websocket-message').map((record) => [record.phase, record]))
}

function sayingOf ({ verdict, status }: DecisionRecord): string {
  return status > 0 ? `${verdict} ${status}` : verdict
}
