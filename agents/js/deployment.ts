import { AgentFailure } from 'sentinel/sdk'
import type { Call, Result } from './realm/realm.ts'
import { Runner, type Question, type RunnerOptions } from './runner.ts'

export interface DeploymentOptions extends Omit<RunnerOptions, 'onGone'> {
  readonly workers: number
  /** Calls that wait for a worker at the most. */
  readonly queue: number
}

interface Waiting {
  readonly question: Question
  /** On the clock of `performance.now()`. */
  readonly deadlineAt: number
  readonly resolve: (result: Result) => void
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
  #pausing: NodeJS.Timeout | undefined

  constructor (options: DeploymentOptions) {
    this.#options = options
  }

  /** Starts its workers. Rejects with `AgentFailure`, and has left nothing behind, when one of them cannot run the script. */
  async start (): Promise<void> {
    const runners = Array.from({ length: this.#options.workers }, () => this.#newRunner())
    try {
      const [hooks = []] = await Promise.all(runners.map((runner) => runner.ready))
      this.#hooks = new Set(hooks)
    } catch (error) {
      this.close()
      throw error
    }
    this.#started = true
    for (const runner of runners) this.#free(runner)
  }

  /** Whether the script has this handler. */
  has (hook: Call['hook']): boolean {
    return this.#hooks.has(hook)
  }

  get hasAny (): boolean {
    return this.#hooks.size > 0
  }

  /** Rejects with `AgentFailure`. */
  call (question: Question, deadlineMs: number): Promise<Result> {
    const runner = this.#idle.pop()
    if (runner !== undefined) return this.#run(runner, question)
    if (this.#waiting.length >= this.#options.queue) {
      const all = this.#options.workers === 1 ? 'its worker is' : `all ${this.#options.workers} workers are`
      return Promise.reject(new AgentFailure('script_busy', `${all} busy, and ${this.#waiting.length} calls wait already: see 'workers' and 'queue' of its config`, { retryable: true }))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, deadlineAt: performance.now() + deadlineMs, resolve, reject })
    })
  }

  /** Another version is in use: what it has begun and what waits is done, then its workers end. */
  retire (): void {
    this.#retired = true
    this.#endIfThrough()
  }

  close (): void {
    this.#closed = true
    clearTimeout(this.#pausing)
    for (const runner of this.#all) runner.kill(new AgentFailure('script_worker', 'the agent ends'))
  }

  async #run (runner: Runner, question: Question): Promise<Result> {
    try {
      return await runner.call(question)
    } finally {
      if (!runner.gone) this.#free(runner)
    }
  }

  #free (runner: Runner): void {
    if (runner.gone) return
    this.#pauseMs = 0
    if (runner.isFat()) return runner.kill(new AgentFailure('script_memory', 'the worker kept more than its memory'))
    const next = this.#next()
    if (next === undefined) {
      this.#idle.push(runner)
      this.#endIfThrough()
    } else {
      this.#run(runner, next.question).then(next.resolve, next.reject)
    }
  }

  /** Nobody awaits what waited for too long. */
  #next (): Waiting | undefined {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.deadlineAt > performance.now()) return next
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
  }

  /** At once; one that does not even start is tried again after a pause that grows. */
  #replace (): void {
    const start = (): void => {
      const runner = this.#newRunner()
      runner.ready.then(() => this.#free(runner), (error: Error) => {
        if (this.#closed) return
        this.#pauseMs = Math.min(longestPauseMs, Math.max(firstPauseMs, this.#pauseMs * 2))
        this.#options.onLine('error', `a worker does not start: ${error.message}`)
        if (runner.gone) return
        runner.kill(new AgentFailure('script_worker', error.message))
      })
    }
    if (this.#pauseMs === 0) return start()
    this.#pausing = setTimeout(start, this.#pauseMs)
  }

  #endIfThrough (): void {
    if (this.#retired && this.#waiting.length === 0 && this.#idle.length === this.#all.size) this.close()
  }
}
