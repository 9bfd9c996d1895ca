import type { Socket } from 'node:net'
import type { HeldSocket } from '../../listeners/index.ts'
import type { Log } from '../../observe/log.ts'
import type { Load } from '../seam.ts'
import type { Introduction, Question, Result, ToMain, ToWorker } from './messages.ts'
import { afterDeath, neverDied, type RespawnState } from './respawn.ts'
import { mergeLines, wholeLines } from './worker-lines.ts'
import { WorkerProcess } from './worker-process.ts'

export interface SlotHooks {
  /** What the worker of this slot has to run now; `undefined` before there is anything. */
  readonly wanted: () => Load | undefined
  /** Has a process prepare a configuration. */
  readonly send: (process: WorkerProcess, load: Load) => Promise<void>
  readonly message: (message: Exclude<ToMain, { from: 'done' | 'loaded' }>) => void
  readonly output: (lines: string) => void
  /** A process takes the place of another one. */
  readonly comes: () => void
  /** Nothing of it came to be here. */
  readonly unused: (generation: number) => void
  /** The process is gone, with all that it held. */
  readonly gone: (reason: DeathReason, generations: ReadonlySet<number>) => void
}

export type DeathReason = 'ended' | 'silent'

/** Between two pings, and how long an answer may take. A worker that is only busy turns many times in this. */
const pingEveryMs = 1_000
const silentMs = 5_000
/** A process that is being loaded cannot answer yet, and to kill it for that makes a small or busy machine no faster. */
const loadingMs = 60_000

/** A worker that was told to end has so much longer than its exchanges. */
const slowEndMs = 2_000

interface Death {
  readonly livedMs: number
  /** For a sign of life. */
  readonly waitedMs: number
  readonly code: number | null
  readonly signal: string | null
  readonly error: string | undefined
}

/** One of the workers: a process, and another in its place when it ends. */
export class WorkerSlot {
  readonly number: number
  readonly #introduction: () => Introduction
  readonly #log: Log
  readonly #hooks: SlotHooks
  #process: WorkerProcess | undefined
  /** Generations that the process may use something of. */
  #generations = new Set<number>()
  /** What it runs; 0 while it is being started. */
  #running = 0
  /** Has prepared for something, and waits for the word. */
  #prepared: WorkerProcess | undefined
  #catching: Promise<void> | undefined
  #state: RespawnState = neverDied
  #timer: NodeJS.Timeout | undefined
  #pings: NodeJS.Timeout | undefined
  #stopping: Promise<void> | undefined
  #onGone: (() => void) | undefined

  constructor (introduction: () => Introduction, log: Log, hooks: SlotHooks) {
    this.#introduction = introduction
    this.number = introduction().number
    this.#log = log.child({ component: 'worker', worker: this.number })
    this.#hooks = hooks
  }

  get serving (): boolean {
    return this.#running > 0
  }

  /** It takes over what the others run, and serves it soon. */
  get comes (): boolean {
    return this.#catching !== undefined && !this.serving
  }

  get pid (): number | undefined {
    return this.#process?.pid
  }

  /** Starts the first process. */
  start (): void {
    this.#spawn()
  }

  /** Rejects when it cannot be, and when the process ends meanwhile. */
  async prepare (load: Load): Promise<void> {
    const process = this.#process
    if (process === undefined) throw new Error(`worker ${this.number} ended`)
    this.#generations.add(load.generation)
    await this.#hooks.send(process, load)
    this.#prepared = process
  }

  /** Never rejects: a process that does not do what it has prepared for is replaced by one that does. */
  async commit (load: Load): Promise<void> {
    const process = this.#process
    if (process === undefined || process !== this.#prepared) return this.catchUp()
    try {
      await process.ask({ ask: 'commit' })
      if (process === this.#process) this.#running = load.generation
    } catch (error) {
      if (process.ended) return
      this.#log.error('the worker could not take over what it had prepared for', { event: 'worker-failed', code: 'INTERNAL', error })
      process.kill()
    }
  }

  async abort (generation: number): Promise<void> {
    await this.ask({ ask: 'abort' })
    this.#generations.delete(generation)
  }

  /** Goes on to what is wanted now, unless it is on the way already. Resolves when it is there, or gone. */
  catchUp (): Promise<void> {
    const process = this.#process
    if (process === undefined) return Promise.resolve()
    if (this.#catching !== undefined) return this.#catching
    const catching = this.#catchUp(process).finally(() => { if (this.#catching === catching) this.#catching = undefined })
    return this.#catching = catching
  }

  /** What is asked of a process that is gone has happened. */
  async ask (question: Question): Promise<Result | undefined> {
    const process = this.#process
    if (process === undefined) return undefined
    try {
      return await process.ask(question)
    } catch (error) {
      if (process.ended) return undefined
      throw error
    }
  }

  async resume (sockets: ReadonlyMap<string, HeldSocket>): Promise<void> {
    const process = this.#process
    if (process === undefined) return
    await this.ask({ ask: 'resume', sockets: await process.giveAll(sockets) })
  }

  hand (message: ToWorker, socket: Socket): void {
    if (this.#process === undefined) socket.destroy()
    else this.#process.hand(message, socket)
  }

  tell (message: ToWorker): void {
    this.#process?.tell(message)
  }

  retired (generation: number): boolean {
    return this.#generations.delete(generation)
  }

  uses (generation: number): boolean {
    return this.#generations.has(generation)
  }

  /** Finishes what is open for at most `graceMs`; then the process ends, one way or the other. Again, when it is to be over sooner. */
  async stop (graceMs: number): Promise<void> {
    clearTimeout(this.#timer)
    clearInterval(this.#pings)
    const process = this.#process
    if (process === undefined) return void (this.#stopping = Promise.resolve())
    this.#stopping ??= new Promise((resolve) => { this.#onGone = resolve })
    const late = setTimeout(() => process.kill(), graceMs + slowEndMs)
    void process.ask({ ask: 'close', graceMs }).catch(() => {}) // It ended instead.
    await this.#stopping
    clearTimeout(late)
  }

  #spawn (): void {
    const startedMs = performance.now()
    let reason: DeathReason = 'ended'
    let waitedMs = 0
    const process = this.#process = new WorkerProcess(this.#introduction(), {
      message: (message) => this.#hooks.message(message),
      output: wholeLines(this.#hooks.output),
      logged: wholeLines(mergeLines(this.#log, this.number)),
      ended: (how) => this.#ended(reason, { livedMs: performance.now() - startedMs, waitedMs, ...how }),
    })
    if (process.pid !== undefined) this.#log.info('started', { event: 'worker-started', pid: process.pid })
    this.#pings = setInterval(() => {
      const patienceMs = process.loaded ? silentMs : loadingMs
      const late = setTimeout(() => {
        reason = 'silent'
        waitedMs = patienceMs
        process.kill()
      }, patienceMs)
      process.ask({ ask: 'ping' }).finally(() => clearTimeout(late)).catch(() => {}) // Its end tells.
    }, pingEveryMs)
    if (this.#hooks.wanted() === undefined) return
    void this.catchUp()
    this.#hooks.comes()
  }

  /** A process that was started in place of another takes over what the others run, and what they changed to meanwhile. */
  async #catchUp (process: WorkerProcess): Promise<void> {
    const startedMs = performance.now()
    try {
      for (let load = this.#hooks.wanted()!; this.#running !== load.generation; load = this.#hooks.wanted()!) {
        this.#generations.add(load.generation)
        await this.#hooks.send(process, { ...load, agentStartMs: 500, strict: false })
        // What was replaced meanwhile is not served for a moment.
        if (this.#hooks.wanted() !== load) {
          await process.ask({ ask: 'abort' })
          this.#generations.delete(load.generation)
          this.#hooks.unused(load.generation)
          continue
        }
        await process.ask({ ask: 'commit' })
        if (process.ended) return
        this.#running = load.generation
      }
      this.#log.info(`serves in place of the one that ended, ${Math.round(performance.now() - startedMs)} ms after its start`, { event: 'worker-replaced', pid: process.pid })
    } catch (error) {
      if (process.ended) return
      this.#log.error('the worker could not take over what the others run', { event: 'worker-failed', code: 'INTERNAL', error })
      process.kill()
    }
  }

  #ended (reason: DeathReason, { livedMs, waitedMs, code, signal, error }: Death): void {
    clearInterval(this.#pings)
    const generations = this.#generations
    this.#process = undefined
    this.#prepared = undefined
    this.#catching = undefined
    this.#generations = new Set()
    this.#running = 0
    this.#hooks.gone(reason, generations)
    if (this.#stopping !== undefined) return this.#onGone?.()
    this.#state = afterDeath(this.#state, livedMs, Math.random())
    const { pauseMs, inARow } = this.#state
    const why = reason === 'silent' ? `did not answer for ${waitedMs} ms and was killed` : `ended${error === undefined ? '' : `: ${error}`}`
    this.#log.error(`worker ${this.number} ${why}; another takes its place in ${pauseMs} ms`, {
      event: 'worker-ended', code: 'WORKER_ENDED', exit_code: code, signal, in_a_row: inARow,
    })
    this.#timer = setTimeout(() => this.#spawn(), pauseMs)
  }
}
