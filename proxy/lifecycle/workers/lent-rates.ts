import type { MaybePromise } from '../../pipeline/body.ts'
import { roomIn, verdictOf, type RateLedgers, type Rates, type RateSettings, type RateVerdict } from '../../pipeline/rates.ts'
import { LocalRates } from '../../state/index.ts'
import type { RateAsk, RateBack, RateGrant, RateMessage } from './rate-messages.ts'

/** A key that is asked for again within this time gets twice as many for later as before. */
const soonMs = 1_000
const mostForLater = 1_024
/** Main is waited for no longer: this worker counts for itself then, with its part of the limit. */
const patienceMs = 1_000
const lookEveryMs = 250
/** What nobody used for so long is given back. */
const unusedMs = 1_000

/** Limits of requests in a time that main keeps for all workers. What is asked for in one turn of the event loop is one message. */
export class LentRates implements RateLedgers {
  readonly #send: (message: RateMessage) => void
  readonly #workers: number
  readonly #open = new Map<number, LentRate>()
  #opened = 0
  #asks: Array<() => RateAsk> = []

  constructor (send: (message: RateMessage) => void, workers: number) {
    this.#send = send
    this.#workers = workers
    setInterval(() => { for (const rate of this.#open.values()) rate.look() }, lookEveryMs).unref()
  }

  open (name: string, settings: RateSettings, label: readonly [string, string]): Rates {
    const number = ++this.#opened
    const rate = new LentRate(number, settings, this.#workers, {
      ask: (make) => this.#ask(make),
      back: (backs) => this.#send({ backs }),
      close: () => {
        this.#open.delete(number)
        this.#send({ close: number })
      },
    })
    this.#open.set(number, rate)
    this.#send({ open: number, name, settings, label })
    return rate
  }

  granted (grants: readonly RateGrant[]): void {
    for (const grant of grants) this.#open.get(grant[0])?.granted(grant)
  }

  recall (limit: number, key: string): void {
    this.#open.get(limit)?.recall(key)
  }

  #ask (make: () => RateAsk): void {
    if (this.#asks.push(make) > 1) return
    setImmediate(() => {
      const asks = this.#asks.map((one) => one())
      this.#asks = []
      this.#send({ asks })
    })
  }
}

interface Desk {
  /** Called when the message goes: until then, others may join. */
  ask (make: () => RateAsk): void
  back (backs: readonly RateBack[]): void
  close (): void
}

interface Waiting {
  readonly maxWaitMs: number
  readonly resolve: (verdict: RateVerdict) => void
}

/** What this worker knows of one key. */
interface Known {
  readonly key: string
  /** Lent and not used. */
  spare: number
  /** Used since main was told. */
  used: number
  /** How many for later to ask for. */
  want: number
  askedMs: number
  asking: boolean
  /** In the question that is under way, and for the next one. */
  asked: Waiting[]
  waiting: Waiting[]
  /** When as many may come at once as ever. */
  resetMs: number
  /** Nothing is granted before. */
  nextMs: number
  touched: boolean
}

class LentRate implements Rates {
  readonly keys = 0
  readonly evicted = 0
  readonly #number: number
  readonly #desk: Desk
  readonly #intervalMs: number
  readonly #capacityMs: number
  readonly #maxKeys: number
  readonly #known = new Map<string, Known>()
  readonly #asking = new Set<Known>()
  readonly #ownPart: RateSettings
  #alone: LocalRates | undefined
  #lookedMs = 0

  constructor (number: number, { perSecond, burst, maxKeys }: RateSettings, workers: number, desk: Desk) {
    this.#number = number
    this.#desk = desk
    this.#intervalMs = 1000 / perSecond
    this.#capacityMs = this.#intervalMs * (burst + 1)
    this.#maxKeys = maxKeys
    this.#ownPart = { perSecond: perSecond / workers, burst: Math.floor(burst / workers), maxKeys }
  }

  take (key: string, nowMs: number, maxWaitMs: number): MaybePromise<RateVerdict> {
    const known = this.#known.get(key) ?? this.#add(key)
    known.touched = true
    if (known.spare > 0 && known.waiting.length === 0) return this.#spend(key, known, nowMs)
    if (known.nextMs - nowMs > maxWaitMs) {
      return { allowed: false, remaining: 0, waitMs: known.nextMs - nowMs, resetMs: Math.max(0, known.resetMs - nowMs) }
    }
    return new Promise((resolve) => {
      known.waiting.push({ maxWaitMs, resolve })
      this.#ask(key, known)
    })
  }

  granted ([, key, granted, more, firstWaitMs, resetMs]: RateGrant): void {
    const known = this.#known.get(key)
    if (known === undefined) return void (more > 0 && this.#desk.back([[this.#number, key, 0, more]]))
    const nowMs = performance.now()
    const asked = known.asked
    known.asked = []
    known.asking = false
    this.#asking.delete(known)
    known.spare += more
    known.resetMs = nowMs + resetMs
    asked.forEach(({ resolve }, at) => resolve(verdictOf({ granted, firstWaitMs, resetMs }, Math.min(at, granted), this.#intervalMs, this.#capacityMs)))
    if (granted < asked.length) known.nextMs = nowMs + firstWaitMs + granted * this.#intervalMs
    while (known.waiting.length > 0 && known.spare > 0) known.waiting.shift()!.resolve(this.#spend(key, known, nowMs))
    if (known.waiting.length > 0) this.#ask(key, known)
  }

  /** Others need it. */
  recall (key: string): void {
    const known = this.#known.get(key)
    if (known === undefined || known.spare + known.used === 0) return
    this.#desk.back([[this.#number, key, known.used, known.spare]])
    known.used = known.spare = known.want = 0
  }

  close (): void {
    this.#desk.close()
  }

  /** Asked once in a while. */
  look (): void {
    const nowMs = performance.now()
    for (const known of this.#asking) if (nowMs - known.askedMs > patienceMs) this.#goOnAlone(known, nowMs)
    if (nowMs - this.#lookedMs < unusedMs) return
    this.#lookedMs = nowMs
    const backs: RateBack[] = []
    for (const [key, known] of this.#known) {
      if (known.touched || known.asking) known.touched = false
      else this.#forget(key, known, backs)
    }
    if (backs.length > 0) this.#desk.back(backs)
  }

  #spend (key: string, known: Known, nowMs: number): RateVerdict {
    known.spare--
    known.used++
    known.resetMs = Math.max(known.resetMs, nowMs) + this.#intervalMs
    // The next ones should not have to wait.
    if (known.spare * 2 < known.want) this.#ask(key, known)
    const resetMs = known.resetMs - nowMs
    return { allowed: true, remaining: roomIn(this.#capacityMs - resetMs, this.#intervalMs), waitMs: 0, resetMs }
  }

  #ask (key: string, known: Known): void {
    if (known.asking) return
    const nowMs = performance.now()
    known.want = nowMs - known.askedMs < soonMs ? Math.min(mostForLater, Math.max(1, known.want * 2)) : known.want >> 1
    known.askedMs = nowMs
    known.asking = true
    this.#asking.add(known)
    this.#desk.ask(() => {
      const { used, waiting } = known
      known.asked = waiting
      known.waiting = []
      known.used = 0
      return [this.#number, key, waiting.length, known.want, used, waiting[0]?.maxWaitMs ?? 0]
    })
  }

  #goOnAlone (known: Known, nowMs: number): void {
    const alone = this.#alone ??= new LocalRates(this.#ownPart)
    for (const { resolve, maxWaitMs } of [...known.asked.splice(0), ...known.waiting.splice(0)]) resolve(alone.take(known.key, nowMs, maxWaitMs))
  }

  #add (key: string): Known {
    if (this.#known.size >= this.#maxKeys) {
      const [oldest] = this.#known
      const backs: RateBack[] = []
      if (oldest !== undefined && !oldest[1].asking) this.#forget(...oldest, backs)
      if (backs.length > 0) this.#desk.back(backs)
    }
    const known: Known = {
      key, spare: 0, used: 0, want: 0, askedMs: -Infinity, asking: false, asked: [], waiting: [], resetMs: 0, nextMs: -Infinity, touched: true,
    }
    this.#known.set(key, known)
    return known
  }

  #forget (key: string, { used, spare }: Known, backs: RateBack[]): void {
    this.#known.delete(key)
    if (used + spare > 0) backs.push([this.#number, key, used, spare])
  }
}
