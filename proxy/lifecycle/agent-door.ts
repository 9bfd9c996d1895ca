import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import type { AgentConfig, ReverseListenerConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { ArrivalGate, Arrivals, type ArrivalOutcome, type GateHooks } from '../decisions/index.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import { LocalRates } from '../state/index.ts'
import { reverseKey } from './reverse-sockets.ts'
import { LoadError } from './seam.ts'
import { tokenDigest } from './token-digest.ts'

type Expected = ReadonlyMap<string, readonly Buffer[]>

/** What a configuration changes about who comes in, made ready. */
export interface DoorChange {
  commit (): void
  abort (): void
}

/** Lines about strangers in a second; all of them are counted. */
const maxToldPerSecond = 10

/** Agents that connect to the proxy, across configurations: their connections belong to those who ask them, and stay. */
export class AgentDoor {
  readonly arrivals = new Arrivals()
  readonly #log: Log
  readonly #metrics: Metrics
  readonly #room = new LocalRates({ perSecond: maxToldPerSecond, burst: maxToldPerSecond - 1, maxKeys: 1 })
  #gates: ReadonlyMap<string, ArrivalGate> = new Map()
  /** Of earlier configurations, at which somebody is still being met. */
  #earlier: readonly ArrivalGate[] = []
  #expected: Expected = new Map()
  /** Of a configuration that is made ready: an agent that comes by then is there when it is served. */
  #coming: Expected = new Map()
  #comingGates: ReadonlyMap<string, ArrivalGate> = new Map()

  constructor (log: Log, metrics: Metrics) {
    this.#log = log.child({ component: 'agent-door' })
    this.#metrics = metrics
  }

  /** Reads certificates. Rejects with a `LoadError`, and nothing has changed. */
  async prepare ({ agents, reverseListeners }: Pick<SentinelConfig, 'agents' | 'reverseListeners'>): Promise<DoorChange> {
    const gates = new Map<string, ArrivalGate>()
    for (const listener of reverseListeners) gates.set(reverseKey(listener), await this.#gate(listener))
    const next = this.#coming = expectedOf(agents)
    this.#comingGates = gates
    // Whoever was let in by a token that counts no more must not get to an agent's new places.
    this.arrivals.turnAway((agent) => isSame(next.get(agent), this.#expected.get(agent)))
    return {
      commit: () => {
        const before = [...this.#gates.values()]
        this.#gates = gates
        this.#expected = next
        this.#coming = new Map()
        this.#comingGates = new Map()
        for (const gate of before) gate.close()
        this.#earlier = [...this.#earlier, ...before].filter((gate) => gate.isMeeting)
      },
      abort: () => {
        this.#coming = new Map()
        this.#comingGates = new Map()
        for (const gate of gates.values()) gate.close()
      },
    }
  }

  /** A connection that nothing was read from yet. */
  accept (listener: string, socket: Socket): void {
    const gate = this.#gates.get(listener) ?? this.#comingGates.get(listener)
    if (gate === undefined) socket.destroy()
    else gate.accept(socket)
  }

  close (): void {
    for (const gate of [...this.#gates.values(), ...this.#comingGates.values(), ...this.#earlier]) gate.end()
    this.arrivals.turnAway()
  }

  async #gate ({ address, tls, handshakeTimeout, maxHandshakes }: ReverseListenerConfig): Promise<ArrivalGate> {
    const hooks: GateHooks = {
      expected: (agent) => this.#coming.get(agent) ?? this.#expected.get(agent),
      digest: tokenDigest,
      onOutcome: (outcome, about) => this.#tell(address.text, outcome, about),
    }
    try {
      const files = tls === undefined ? undefined : {
        cert: await readFile(tls.certFile), key: await readFile(tls.keyFile), ...tls.caFile === undefined ? {} : { ca: await readFile(tls.caFile) },
      }
      return new ArrivalGate({ tls: files, handshakeTimeoutMs: handshakeTimeout, maxHandshakes }, this.arrivals, hooks)
    } catch (error) {
      throw new LoadError(`the certificate of reverse-listener ${address.text} cannot be used: ${error instanceof Error ? error.message : String(error)}`, error)
    }
  }

  #tell (listener: string, outcome: ArrivalOutcome, { peer, agent, why }: { readonly peer: string, readonly agent?: string, readonly why?: string }): void {
    this.#metrics.table.agentArrivals.cell(outcome).add()
    const known = outcome === 'accepted' || outcome === 'waits' || outcome === 'enough'
    const facts = { listener, peer, ...agent === undefined ? {} : { [known ? 'agent' : 'claimed']: agent.slice(0, 128) } }
    if (outcome === 'accepted') return this.#log.info('the agent has connected', { event: 'agent-connected', ...facts })
    if (outcome === 'waits') return this.#log.debug('one more connection of the agent waits until there is room', { event: 'agent-waits', ...facts })
    if (outcome === 'enough') return this.#log.debug('the agent has as many connections as are wanted', { event: 'agent-enough', ...facts })
    if (outcome === 'closing') return
    if (!this.#room.take('', performance.now(), 0).allowed) return
    this.#log.warn(`a connection was refused: ${why ?? reasons[outcome]}`, { event: outcome === 'denied' ? 'agent-denied' : 'agent-refused-connection', outcome, ...facts })
  }
}

const reasons: Readonly<Record<Exclude<ArrivalOutcome, 'accepted' | 'waits' | 'enough' | 'closing'>, string>> = {
  denied: 'it is not known', malformed: 'it does not speak as an agent does', late: 'it did not say in time who it is', crowded: 'there are as many strangers as may be',
  no_tls: 'the handshake of TLS failed', gone: 'it left before it said who it is',
}

function expectedOf (agents: readonly AgentConfig[]): Expected {
  return new Map(agents.flatMap(({ id, transport }) => transport.kind === 'reverse' ? [[id, transport.tokens.map(tokenDigest)] as const] : []))
}

function isSame (some: readonly Buffer[] | undefined, others: readonly Buffer[] | undefined): boolean {
  return some !== undefined && others !== undefined && some.length === others.length && some.every((digest, i) => digest.equals(others[i]!))
}
