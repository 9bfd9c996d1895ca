import type { Exchange } from '../../pipeline/exchange.ts'
import { Fault } from '../../pipeline/faults.ts'
import type { Target } from '../target.ts'
import type { Asking } from '../upstream.ts'
import type { Replay } from './replay.ts'
import type { Ended } from './trial.ts'

/** What is known of one exchange that may be tried several times. */
export class Course {
  readonly x: Exchange
  readonly asking: Asking
  /** Its body, when it is kept. */
  readonly replay: Replay | undefined
  /** Tries one after the other; hedges, and what HTTP itself wants said again, are not counted. */
  tries = 1
  /** Repetitions that HTTP itself asks for. */
  repeated = 0
  /** All that were asked, where it is more than one. */
  asked: Set<Target> | undefined = undefined
  last: Target | undefined = undefined
  /** Whom to ask next, when that is decided. */
  next: Target | undefined = undefined

  constructor (x: Exchange, asking: Asking, replay: Replay | undefined) {
    this.x = x
    this.asking = asking
    this.replay = replay
  }

  /** Whether everything that a target would be sent is there. */
  canBeSaidAgain ({ trial }: Ended): boolean {
    const { requestBody } = this.x
    if (requestBody === undefined || this.replay?.whole === true) return true
    return trial.attempt === undefined || !trial.attempt.begun || trial.attempt.refused
  }

  /** Puts the body back to its beginning. */
  rewind (): void {
    if (this.replay !== undefined) this.x.requestBody = this.replay.again()
  }

  /** Keeps what became of a try that was not the last one. `reason`: why there is another. */
  record ({ trial, reply, error }: Ended, reason: string | undefined): void {
    const { target: { name: target }, hedge, startedMs } = trial
    const fault = error instanceof Fault ? error.code : undefined
    ;(this.x.attempts ??= []).push({ target, hedge, status: reply?.status ?? 0, fault, ms: performance.now() - startedMs, reason })
  }
}
