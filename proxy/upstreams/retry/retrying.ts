import type { Exchange, Reply, Responder } from '../../pipeline/exchange.ts'
import { Fault, type FaultCode } from '../../pipeline/faults.ts'
import type { AttemptSettings } from '../attempt.ts'
import type { TargetSet } from '../target-set.ts'
import type { Target } from '../target.ts'
import type { Asking } from '../upstream.ts'
import { backOffMs, pause, retryAfterMs } from './back-off.ts'
import type { RetryBudget } from './budget.ts'
import { Course } from './course.ts'
import { discard } from './discard.ts'
import { idempotent, mayAskSameTarget, reasonOfFault, reasonOfReply, type TriesPolicy } from './policy.ts'
import { firstGood, type Running } from './hedging.ts'
import type { Refusals } from './refusals.ts'
import { Replay } from './replay.ts'
import { Trial, type Ended } from './trial.ts'

/** What an upstream gives to whoever tries more than once. */
export interface Tries {
  readonly name: string
  readonly set: TargetSet
  readonly refusals: Refusals
  /** A fault when nobody can be asked this. */
  asking (x: Exchange, settings: AttemptSettings): Asking | Fault
  choose (asking: Asking): Target | undefined
  /** Rejects when no answer comes of it. */
  put (asking: Asking, trial: Trial): Promise<Reply>
  /** Tells the client who its session is with, where there are any. */
  inSession (asking: Asking, reply: Reply): Reply
  respondWith (x: Exchange, settings: AttemptSettings): Promise<Reply>
}

/** Repetitions of one exchange that HTTP itself asks for: requests that crossed the end of a connection, or want another version. */
const mostRepeated = 2

/** Of a try of which nothing was sent. */
const saysUnreachable: ReadonlySet<FaultCode> = new Set(['UPSTREAM_CONNECT', 'UPSTREAM_TLS', 'UPSTREAM_TIMEOUT'])

/** One that goes the way of its exchange, one that can be given up, and one beside another. */
const plain = { onItsOwn: false, hedge: false }
const apart = { onItsOwn: true, hedge: false }
const beside = { onItsOwn: true, hedge: true }

/** An upstream as a route with a policy of its own sees it: what fails is tried again, within bounds. */
export class Retrying implements Responder {
  readonly name: string
  readonly #upstream: Tries
  readonly #settings: AttemptSettings
  readonly #policy: TriesPolicy
  readonly #budget: RetryBudget
  readonly #hasClock: boolean

  constructor (upstream: Tries, settings: AttemptSettings, policy: TriesPolicy, budget: RetryBudget) {
    this.name = upstream.name
    this.#upstream = upstream
    this.#settings = settings
    this.#policy = policy
    this.#budget = budget
    this.#hasClock = policy.retry.attemptTimeoutMs !== Infinity
  }

  respond (x: Exchange): Promise<Reply> {
    // A handshake is cheap, and what it leads to cannot be said twice.
    if (x.upgrade !== undefined) return this.#upstream.respondWith(x, this.#settings)
    const asking = this.#upstream.asking(x, this.#settings)
    if (asking instanceof Fault) return Promise.reject(asking)
    const nowMs = performance.now()
    this.#budget.deposit(nowMs)
    const course = new Course(x, asking, this.#kept(x))
    const reply = this.#once(course, nowMs).then((ended) => {
      const waitMs = this.#waitBeforeNext(course, ended)
      return waitMs === undefined ? this.#result(course, ended) : this.#goOn(course, waitMs)
    })
    return course.replay === undefined ? reply : reply.finally(() => course.replay?.settle())
  }

  /** The first try was not enough. */
  async #goOn (course: Course, firstWaitMs: number): Promise<Reply> {
    let waitMs: number | undefined = firstWaitMs
    for (;;) {
      if (waitMs > 0) await pause(waitMs, course.x.ending)
      course.rewind()
      const ended = await this.#once(course, performance.now())
      waitMs = this.#waitBeforeNext(course, ended)
      if (waitMs === undefined) return this.#result(course, ended)
    }
  }

  /** The last try is what the exchange comes to. */
  #result (course: Course, ended: Ended): Reply {
    const { x, asking } = course
    const { trial, reply, error } = ended
    // Several may have written theirs.
    x.target = trial.target.name
    if (x.attempts !== undefined) course.record(ended, undefined)
    if (reply === undefined) throw error!
    if (trial.ms > 0) x.upstreamMs = trial.ms
    return this.#upstream.inSession(asking, reply)
  }

  /** Its body, kept beside its way when it may have to be sent again. */
  #kept (x: Exchange): Replay | undefined {
    const { requestBody } = x
    const { maxBytes } = this.#policy.replay
    if (requestBody === undefined || !this.#mayRepeat(x) || (requestBody.length ?? 0) > maxBytes) return undefined
    const replay = new Replay(requestBody, this.#policy.replay)
    x.requestBody = replay.current
    return replay
  }

  /** Asks one target, or several at a time where the policy says so. */
  #once (course: Course, nowMs: number): Promise<Ended> {
    const { x, asking } = course
    const { hedge, retry } = this.#policy
    const target = course.next ?? this.#another(course)
    course.next = undefined
    if (target === undefined) return Promise.reject(asking.last ?? this.#upstream.set.whyNobody())
    if (hedge === undefined || x.requestBody !== undefined || !idempotent.has(x.request.method)) return this.#try(course, target, nowMs).ended
    return firstGood({
      delayMs: hedge.delayMs,
      atOnce: hedge.maxAttempts,
      first: () => this.#try(course, target, nowMs, apart),
      further: () => {
        const hereMs = performance.now()
        const other = this.#fresh(course, hereMs)
        return other !== undefined && this.#budget.withdraw(hereMs) ? this.#try(course, other, hereMs, beside) : undefined
      },
      isGood: ({ reply }) => reply !== undefined && reasonOfReply(retry, reply) === undefined,
      dropped: (ended) => {
        course.record(ended, undefined)
        this.#drop(course, ended)
      },
    })
  }

  #try (course: Course, target: Target, nowMs: number, kind = course.replay === undefined && !this.#hasClock ? plain : apart): Running {
    const trial = new Trial(course.x, target, nowMs, kind)
    if (this.#hasClock) trial.endIn(this.#policy.retry.attemptTimeoutMs)
    if (course.last !== undefined) (course.asked ??= new Set([course.last])).add(target)
    course.last = target
    const ended = this.#upstream.put(course.asking, trial).then((reply) => ({ trial, reply, error: undefined }), (thrown: unknown) => {
      trial.detach()
      const error = thrown instanceof Error ? thrown : new Error(String(thrown))
      if (error instanceof Fault && trial.unsent && saysUnreachable.has(error.code)) this.#upstream.refusals.note(target, performance.now())
      return { trial, reply: undefined, error }
    })
    return { trial, ended }
  }

  /** How long to wait before the next try; `undefined` when there is none, and this is what the client gets. */
  #waitBeforeNext (course: Course, ended: Ended): number | undefined {
    const { x, asking } = course
    const { reply, error, trial } = ended
    if (x.ending.reason !== undefined) return undefined
    if (this.#mustRepeat(course, ended)) return 0
    const reason = this.#reasonToRetry(ended)
    if (reason === undefined || (reply !== undefined || !trial.unsent) && !this.#mayRepeat(x)) return undefined
    const waitMs = this.#allowedAfter(course, ended)
    if (waitMs === undefined) return undefined
    course.tries++
    if (error instanceof Fault) asking.last = error
    course.record(ended, reason)
    this.#drop(course, ended)
    return waitMs
  }

  #reasonToRetry ({ reply, error, trial }: Ended): string | undefined {
    const { retry } = this.#policy
    if (reply !== undefined) return reasonOfReply(retry, reply)
    const reason = error instanceof Fault ? reasonOfFault(error, trial.unsent) : undefined
    return reason !== undefined && retry.on.has(reason) ? reason : undefined
  }

  /** What HTTP says has to be sent again: nothing came of it, and the target has no part in that. It is no failure that a policy could judge. */
  #mustRepeat (course: Course, ended: Ended): boolean {
    const { error, trial: { attempt, target } } = ended
    if (!(error instanceof Fault) || attempt === undefined || course.repeated === mostRepeated || !course.canBeSaidAgain(ended)) return false
    // RFC 9112 section 9.3.1: the target closed an unused connection at the same moment.
    const stale = error.code === 'UPSTREAM_RESET' && attempt.onUsedConnection && !attempt.answered && idempotent.has(course.x.request.method)
    if (!attempt.refused && !stale) return false
    course.repeated++
    course.record(ended, 'connection-closed')
    if (stale) target.connections.closeIdle()
    if (error.code === 'UPSTREAM_HTTP_VERSION') {
      course.asking.need = 'http/1.1'
      course.next = target
    }
    return true
  }

  /** What the bounds of the policy make of a failure that may be tried again. */
  #allowedAfter (course: Course, ended: Ended): number | undefined {
    const { x, asking, tries } = course
    const { retry } = this.#policy
    const nowMs = performance.now()
    const endMs = x.startedMs + asking.settings.requestTimeoutMs
    if (tries >= (retry.maxAttempts ?? this.#upstream.set.targets.length)) return undefined
    if (nowMs >= endMs) return this.#notRetried(x, 'time')
    if (!course.canBeSaidAgain(ended)) return this.#notRetried(x, 'body')
    // Whoever was not reached is simply the wrong one to ask: nobody has more to do when another one is.
    const other = this.#fresh(course, nowMs)
    if (ended.error !== undefined && ended.trial.unsent && other !== undefined) {
      course.next = other
      return 0
    }
    if (ended.error instanceof Fault && !mayAskSameTarget(ended.error) && other === undefined) return undefined
    const waitMs = this.#waitMs(tries, ended.reply)
    if (nowMs + waitMs >= endMs) return this.#notRetried(x, 'time')
    return this.#budget.withdraw(nowMs) ? waitMs : this.#notRetried(x, 'budget')
  }

  #waitMs (retry: number, reply: Reply | undefined): number {
    const { backOff } = this.#policy.retry
    const ownMs = backOffMs(backOff, retry, Math.random())
    return reply === undefined ? ownMs : Math.max(ownMs, Math.min(backOff.mostMs, retryAfterMs(reply.headers.get('retry-after'), new Date().getTime())))
  }

  #notRetried (x: Exchange, why: 'body' | 'budget' | 'time'): undefined {
    x.notRetried = why
  }

  #mayRepeat ({ request }: Exchange): boolean {
    return this.#policy.retry.nonIdempotent || idempotent.has(request.method)
  }

  /** An answer that goes nowhere. Where the request is still on its way to who gave it, that ends, too. */
  #drop (course: Course, { reply, trial }: Ended): void {
    if (reply === undefined) return
    trial.detach()
    if (course.replay?.sent === false) trial.giveUp()
    else void discard(reply.body)
  }

  /** One that was not asked yet, and was not unreachable a moment ago. */
  #fresh ({ asking, asked, last }: Course, nowMs: number): Target | undefined {
    const { set, refusals } = this.#upstream
    asking.skip = new Set(set.targets.filter((target) => target === last || asked?.has(target) === true || refusals.has(target, nowMs)))
    return this.#upstream.choose(asking)
  }

  /** Whom to ask: another one if there is any. */
  #another (course: Course): Target | undefined {
    const { asking, asked, last } = course
    if (last === undefined) return this.#upstream.choose(asking)
    for (const skip of [asked ?? [last], [last], undefined]) {
      asking.skip = skip === undefined ? undefined : new Set(skip)
      const target = this.#upstream.choose(asking)
      if (target !== undefined) return target
    }
    return undefined
  }
}
