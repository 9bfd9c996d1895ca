import type { TargetSettings } from '../target.ts'
import { nameOf } from '../target.ts'
import { againIn, retryIn } from './schedule.ts'
import { DiscoveryError, type Source } from './source.ts'
import { contentOf, maxTargets } from './target-list.ts'

export interface DiscoverySettings {
  readonly intervalMs: number
  /** An answer without targets is taken over; else the last ones stay. */
  readonly allowEmpty: boolean
  /** What was found before, by somebody who asked the same. */
  readonly before?: readonly TargetSettings[]
}

/** Something worth a line in the log. */
export type DiscoveryEvent =
  | { readonly event: 'changed', readonly total: number, readonly added: readonly string[], readonly removed: readonly string[] }
  | { readonly event: 'kept' | 'skipped', readonly why: string }
  | { readonly event: 'failed', readonly why: string }
  | { readonly event: 'recovered' }

export interface DiscoveryListener {
  found (targets: readonly TargetSettings[]): void
  asked (success: boolean): void
  told (event: DiscoveryEvent): void
}

export interface DiscoveryState {
  /** "waiting": nothing was found yet. "kept": the last answer had no targets. */
  readonly state: 'waiting' | 'found' | 'kept' | 'failing'
  readonly targets: readonly TargetSettings[]
  /** Milliseconds since the last answer that made sense; `undefined`: there was none. */
  readonly ageMs: number | undefined
  readonly problem: string | undefined
}

/** Asks a source for ever: after an interval, when it says that something changed, and less often while it fails. The last good list stays. */
export class Discovery {
  readonly #source: Source
  readonly #settings: DiscoverySettings
  readonly #listener: DiscoveryListener
  readonly #end = new AbortController()
  readonly #unwatch: (() => void) | undefined
  #targets: readonly TargetSettings[]
  #content: string | undefined
  #answeredMs: number | undefined = undefined
  #problem: string | undefined = undefined
  #state: DiscoveryState['state'] = 'waiting'
  #failures = 0
  #skips = ''
  #timer: NodeJS.Timeout | undefined = undefined
  #asking = false
  /** Something changed while it was being asked. */
  #stale = false
  #settle: () => void = () => {}
  /** Resolves with the first answer, good or bad. */
  readonly first = new Promise<void>((resolve) => { this.#settle = resolve })

  constructor (source: Source, settings: DiscoverySettings, listener: DiscoveryListener) {
    this.#source = source
    this.#settings = settings
    this.#listener = listener
    this.#targets = settings.before ?? []
    this.#content = settings.before === undefined ? undefined : contentOf(settings.before)
    this.#unwatch = source.watch?.(() => this.#changed())
    void this.#ask()
  }

  get state (): DiscoveryState {
    const ageMs = this.#answeredMs === undefined ? undefined : performance.now() - this.#answeredMs
    return { state: this.#state, targets: this.#targets, ageMs, problem: this.#problem }
  }

  close (): void {
    this.#end.abort()
    this.#unwatch?.()
    clearTimeout(this.#timer)
    this.#settle()
  }

  /** Several changes in a row are one. */
  #changed (): void {
    if (this.#asking) this.#stale = true
    else this.#askIn(burstMs)
  }

  #askIn (ms: number): void {
    if (this.#end.signal.aborted) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#ask(), ms).unref()
  }

  async #ask (): Promise<void> {
    this.#asking = true
    this.#stale = false
    let againMs: number
    try {
      againMs = await this.#askOnce()
    } catch (error) {
      if (this.#end.signal.aborted) return
      this.#failed(error)
      againMs = retryIn(++this.#failures, this.#settings.intervalMs, Math.random())
    }
    this.#asking = false
    this.#settle()
    this.#askIn(this.#stale && this.#failures === 0 ? burstMs : againMs)
  }

  async #askOnce (): Promise<number> {
    const late = AbortSignal.timeout(this.#source.patienceMs)
    const { targets, againMs, problems = [] } = await answered(this.#source.ask(AbortSignal.any([this.#end.signal, late])), late, this.#source.patienceMs)
    if (this.#end.signal.aborted) return 0
    if (targets.length > maxTargets) throw new DiscoveryError(`an answer has ${targets.length} targets, more than ${maxTargets}`)
    this.#take(targets)
    this.#skipped(problems)
    this.#listener.asked(true)
    // A source that answers at once, however often it is asked, is not asked in circles.
    return againMs === undefined ? againIn(this.#settings.intervalMs, Math.random()) : Math.max(burstMs, againMs)
  }

  #take (targets: readonly TargetSettings[]): void {
    this.#answeredMs = performance.now()
    if (this.#failures > 0) this.#listener.told({ event: 'recovered' })
    this.#failures = 0
    if (targets.length === 0 && this.#targets.length > 0 && !this.#settings.allowEmpty) {
      const why = `the answer has no targets: the last ${this.#targets.length} stay`
      if (this.#state !== 'kept') this.#listener.told({ event: 'kept', why })
      this.#state = 'kept'
      this.#problem = why
      return
    }
    this.#state = 'found'
    this.#problem = undefined
    const content = contentOf(targets)
    if (content === this.#content) return
    const before = new Set(this.#targets.map(nameOf))
    const after = new Set(targets.map(nameOf))
    this.#content = content
    this.#targets = targets
    this.#listener.found(targets)
    this.#listener.told({
      event: 'changed', total: targets.length,
      added: [...after].filter((name) => !before.has(name)), removed: [...before].filter((name) => !after.has(name)),
    })
  }

  /** Entries that were left out, once for each that is wrong in another way. */
  #skipped (problems: readonly string[]): void {
    const why = problems.slice(0, 3).join('; ') + (problems.length > 3 ? `; and ${problems.length - 3} more` : '')
    if (why !== '' && why !== this.#skips) this.#listener.told({ event: 'skipped', why })
    this.#skips = why
    if (why !== '') this.#problem ??= why
  }

  #failed (error: unknown): void {
    const why = error instanceof Error ? error.message : String(error)
    // The same trouble again is no news.
    if (this.#state !== 'failing' || why !== this.#problem) this.#listener.told({ event: 'failed', why })
    this.#state = 'failing'
    this.#problem = why
    this.#listener.asked(false)
  }
}

/** Time in which several changes count as one. */
const burstMs = 50

/** A source that does not hear its signal is not waited for. */
function answered<T> (answer: Promise<T>, late: AbortSignal, patienceMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(new DiscoveryError(`no answer within ${Math.round(patienceMs)} ms`))
    late.addEventListener('abort', giveUp, { once: true })
    answer.then(resolve, (error: unknown) => late.aborted ? giveUp() : reject(error instanceof Error ? error : new Error(String(error)))).finally(() => {
      late.removeEventListener('abort', giveUp)
    })
  })
}
