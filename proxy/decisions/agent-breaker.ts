import { Breaker, type BreakerSettings, type BreakerState } from '../pipeline/breaker.ts'
import { Fault, type FaultCode } from '../pipeline/faults.ts'
import { Probation } from '../pipeline/probation.ts'

/** What an agent itself is to blame for. Who is not connected is not asked anyway. */
const failures: ReadonlySet<FaultCode> = new Set(['AGENT_TIMEOUT', 'AGENT_STREAM_RESET', 'AGENT_BAD_REPLY', 'AGENT_ERROR'])

/** Leaves an agent alone that keeps failing: its failure mode counts at once, and nobody waits for a deadline. */
export class AgentBreaker {
  readonly #id: string
  readonly #breaker: Breaker
  readonly #onChange: (state: BreakerState) => void
  #probation: Probation | undefined = undefined

  constructor (id: string, settings: BreakerSettings, onChange: (state: BreakerState) => void) {
    this.#id = id
    this.#breaker = new Breaker(settings)
    this.#onChange = onChange
  }

  get state (): BreakerState {
    return this.#breaker.state
  }

  /** Before each question, and before its time begins. Throws AGENT_BREAKER_OPEN. */
  enter (): void {
    const breaker = this.#breaker
    if (breaker.state === 'closed') return
    const nowMs = performance.now()
    if (breaker.wake(nowMs)) this.#changed()
    if (breaker.state === 'open') throw new Fault('AGENT_BREAKER_OPEN', `${this.#id} failed too often; it is asked again in ${Math.ceil((breaker.dueMs - nowMs) / 1_000)} s`)
    if (this.#probation?.isFull === true) throw new Fault('AGENT_BREAKER_OPEN', `${this.#id} is being tried again`)
    this.#probation?.begin()
  }

  /** After each question that entered, however it ended. */
  leave (durationMs: number, fault: Fault | undefined): void {
    const probe = this.#probation?.end(durationMs) === true
    const failed = fault !== undefined && failures.has(fault.code)
    // A question that was given up, or that found no place, says nothing.
    if (fault !== undefined && !failed || this.#breaker.state !== 'closed' && !probe) return
    if (this.#breaker.note({ ok: failed ? 0 : 1, failed: failed ? 1 : 0 }, performance.now())) this.#changed()
  }

  #changed (): void {
    const { state, settings } = this.#breaker
    this.#probation = state === 'half-open' ? new Probation(settings.halfOpenMaxRequests) : undefined
    this.#onChange(state)
  }
}
