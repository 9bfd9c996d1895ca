import { availableParallelism } from 'node:os'
import { AgentFailure, type Context } from 'sentinel/sdk'
import type { Call } from './realm/realm.ts'
import { Runner, type Answered, type Question, type RunnerOptions } from './runner.ts'

export interface DeploymentOptions extends Omit<RunnerOptions, 'onGone'> {
  readonly workers: number
  /** Calls that wait for a worker at the most. */
  readonly queue: number
}

interface Waiting {
  readonly question: Question
  /** On the clock of `performance.now()`. */
  readonly deadlineAt: number
  /** Aborted when nobody awaits the answer any longer. */
  readonly signal: AbortSignal
  readonly resolve: (answered: Answered) => void
  readonly reject: (error: Error) => void
}

const firstPauseMs = 50
const longestPauseMs = 5000

/** One version of a script under one configuration, and the workers that run it. */
export class Deployment {
  readonly #options: DeploymentOptions
  readonly #idle: Runner[] = []
  readonly #all = new Set<Runner>()
  #waiting: Waiting[] = []
  #hooks: ReadonlySet<string> = new Set()
  #pauseMs = 0
  #started = false
  #retired = false
  #closed = false
  readonly #pausing = new Set<NodeJS.Timeout>()

  constructor (options: DeploymentOptions) {
    this.#options = options
  }

  /** Starts its workers. Rejects with `AgentFailure`, and has left nothing behind, when one of them cannot run the script. */
  async start (): Promise<void> {
    const runners: Runner[] = []
    // As many at once as there are processors: dozens that start together would all be late.
    const startSome = async (): Promise<void> => {
      while (runners.length < this.#options.workers && !this.#closed) {
        const runner = this.#newRunner()
        runners.push(runner)
        this.#hooks = new Set(await runner.ready)
      }
    }
    try {
      await Promise.all(Array.from({ length: availableParallelism() }, startSome))
    } catch (error) {
      this.close()
      throw error
    }
    this.#started = true
    for (const runner of runners) {
      // One may have ended while the others were starting.
      if (runner.gone) this.#replace()
      else this.#free(runner)
    }
  }

  /** Whether the script has this handler. */
  has (hook: Call['hook']): boolean {
    return this.#hooks.has(hook)
  }

  get hasAny (): boolean {
    return this.#hooks.size > 0
  }

  /** Rejects with `AgentFailure`. */
  call (question: Question, awaited: Pick<Context<unknown, unknown>, 'deadlineMs' | 'signal'>): Promise<Answered> {
    const runner = this.#idle.pop()
    if (runner !== undefined) return this.#run(runner, question)
    if (this.#waiting.length >= this.#options.queue) this.#forget()
    if (this.#waiting.length >= this.#options.queue) {
      const all = this.#options.workers === 1 ? 'its worker is' : `all ${this.#options.workers} workers are`
      return Promise.reject(new AgentFailure('script_busy', `${all} busy, and ${this.#waiting.length} calls wait already: see 'workers' and 'queue' of its config`, { retryable: true }))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, deadlineAt: performance.now() + awaited.deadlineMs, signal: awaited.signal, resolve, reject })
    })
  }

  /** Another version is in use: what it has begun and what waits is done, then its workers end. */
  retire (): void {
    this.#retired = true
    this.#endIfThrough()
  }

  close (): void {
    this.#closed = true
    for (const timer of this.#pausing) clearTimeout(timer)
    for (const runner of this.#all) runner.kill(new AgentFailure('script_worker', 'the agent ends'))
  }

  async #run (runner: Runner, question: Question): Promise<Answered> {
    try {
      return await runner.call(question)
    } finally {
      if (!runner.gone) this.#free(runner)
    }
  }

  #free (runner: Runner): void {
    if (runner.gone) return
    if (runner.isFat()) {
      // No call fails by it, so nobody else tells why variables and state begin anew.
      this.#options.onLine('warn', 'script_memory: a worker kept more than its memory from call to call: it is ended, and another one started')
      return runner.kill(new AgentFailure('script_memory', 'the worker kept more than its memory'))
    }
    const next = this.#next()
    if (next === undefined) {
      this.#idle.push(runner)
      this.#endIfThrough()
    } else {
      this.#run(runner, next.question).then(next.resolve, next.reject)
    }
  }

  /** Those whose client is gone leave their places to others. */
  #forget (): void {
    const gone = this.#waiting.filter(({ signal }) => signal.aborted)
    this.#waiting = this.#waiting.filter(({ signal }) => !signal.aborted)
    for (const { reject } of gone) reject(new AgentFailure('script_busy', 'nobody awaits the answer'))
  }

  /** Nobody awaits what waited for too long, or was asked for a client that is gone. */
  #next (): Waiting | undefined {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.deadlineAt > performance.now() && !next.signal.aborted) return next
      next.reject(new AgentFailure('script_busy', 'no worker was free in time: see \'workers\' of its config'))
    }
    return undefined
  }

  #newRunner (): Runner {
    const runner = new Runner({ ...this.#options, onGone: (gone) => this.#lost(gone) })
    this.#all.add(runner)
    return runner
  }

  #lost (runner: Runner): void {
    this.#all.delete(runner)
    const at = this.#idle.indexOf(runner)
    if (at >= 0) this.#idle.splice(at, 1)
    const over = this.#closed || (this.#retired && this.#waiting.length === 0)
    if (this.#started && !over) this.#replace()
    // It may have been the last that was busy.
    this.#endIfThrough()
  }

  /** At once; one that does not even start is tried again after a pause that grows. */
  #replace (): void {
    if (this.#pauseMs === 0) return this.#startAnother()
    const timer = setTimeout(() => {
      this.#pausing.delete(timer)
      this.#startAnother()
    }, this.#pauseMs)
    this.#pausing.add(timer)
  }

  #startAnother (): void {
    const failed = (error: unknown): void => {
      if (this.#closed) return
      this.#pauseMs = Math.min(longestPauseMs, Math.max(firstPauseMs, this.#pauseMs * 2))
      this.#options.onLine('error', `a worker does not start: ${error instanceof Error ? error.message : String(error)}`)
    }
    let runner: Runner
    try {
      runner = this.#newRunner()
    } catch (error) {
      failed(error)
      return this.#replace()
    }
    const ready = (): void => {
      this.#pauseMs = 0
      this.#free(runner)
    }
    runner.ready.then(ready, (error: Error) => {
      failed(error)
      if (!runner.gone) runner.kill(new AgentFailure('script_worker', error.message))
    })
  }

  #endIfThrough (): void {
    if (this.#retired && !this.#closed && this.#waiting.length === 0 && this.#idle.length === this.#all.size) this.close()
  }
}
