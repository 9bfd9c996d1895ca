import type { Exchange, Reply, Responder } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { breakerFault } from '../pipeline/breaker.ts'
import type { GateEvidence, GateOrder } from './health/evidence.ts'
import { outcomeOf } from './health/judgement.ts'
import type { StatusRange } from './health/settings.ts'
import { Probation } from '../pipeline/probation.ts'

export interface GateSettings {
  /** "upstream NAME" or "route NAME". */
  readonly gate: string
  readonly failureStatus: readonly StatusRange[]
}

/** A breaker in front of all that an upstream does, or does for one route. It is told when it is open, and tells how exchanges end. */
export class Gate {
  readonly #tell: (evidence: GateEvidence) => void
  #settings: GateSettings
  #attentive = false
  #open = false
  #probation: Probation | undefined = undefined
  #retryAtMs = 0
  /** Good exchanges that nobody has heard of. */
  #ok = 0

  constructor (settings: GateSettings, tell: (evidence: GateEvidence) => void) {
    this.#settings = settings
    this.#tell = tell
  }

  configure (settings: GateSettings): void {
    this.#settings = settings
  }

  obey ({ open, probes, attentive, retryMs }: GateOrder): void {
    this.#open = open
    if (probes !== this.#probation?.places) this.#probation = probes === undefined ? undefined : new Probation(probes)
    this.#attentive = attentive
    this.#retryAtMs = performance.now() + retryMs
  }

  /** Asks `inner`, or refuses without asking. */
  async pass (x: Exchange, inner: Responder): Promise<Reply> {
    if (this.#open) throw this.#refusal(Math.max(0, this.#retryAtMs - performance.now()))
    if (this.#probation?.isFull === true) throw this.#refusal(0)
    this.#probation?.begin()
    const startedMs = performance.now()
    let reply: Reply
    try {
      reply = await inner.respond(x)
    } catch (error) {
      this.#note({ status: 0, fault: error instanceof Fault ? error : undefined }, startedMs)
      throw error
    }
    this.#note({ status: reply.status, fault: undefined }, startedMs)
    return reply
  }

  #refusal (waitMs: number): Fault {
    return breakerFault(waitMs > 0 ? `${this.#settings.gate}: too many failures` : `${this.#settings.gate} is being tried again`, waitMs)
  }

  #note (outcome: { readonly status: number, readonly fault: Fault | undefined }, startedMs: number): void {
    const probe = this.#probation?.end(performance.now() - startedMs) === true
    const kind = outcomeOf(outcome, this.#settings.failureStatus)
    if (kind === 'nothing') return
    if (kind === 'ok') this.#ok = 1
    if (kind === 'ok' && !probe && !this.#attentive) return
    const ok = this.#ok
    this.#ok = 0
    this.#tell({ gate: this.#settings.gate, probe, ok, failed: kind === 'ok' ? 0 : 1 })
  }
}

/** A responder behind gates, the outermost first. */
export function behind (gates: readonly Gate[], inner: Responder): Responder {
  return gates.reduceRight<Responder>((next, gate) => ({ name: next.name, respond: (x) => gate.pass(x, next) }), inner)
}
