import { Piscina } from 'piscina'
import { decodeConfigureResponse, encodeConfigureRequest, type ConfigureRequest, type ConfigureResponse, type FromAgent } from '../../proto/codec/index.ts'
import type { Configuration, ConfigurationSet } from '../configuration.ts'
import type { Agent, WorkerSettings } from '../definition.ts'
import type { Log } from '../log.ts'
import type { Part, Program } from '../program.ts'
import type { OwnedStore } from '../store/store.ts'
import type { Vitals } from '../vitals.ts'
import { handedOver } from './messages.ts'
import { callStore, storeError } from './remote-store.ts'
import { RoutedStream } from './routed-stream.ts'
import { Worker, type Heard } from './worker.ts'

/** Between two questions to workers that have something to do. */
const probeMs = 1000
const longestPauseMs = 5000
/** A worker that has lived so long does not count among those that end at once. */
const steadyMs = 30_000

/** Starts the threads. Rejects when one of them cannot load the agent. */
export async function startWorkers (agent: Agent, settings: WorkerSettings, store: OwnedStore, log: Log): Promise<WorkerPool> {
  const pool = new WorkerPool(agent, settings, store, log)
  try {
    await pool.begin()
  } catch (error) {
    await pool.close()
    throw error
  }
  return pool
}

/** Threads that run the handlers of one agent. One that ends takes its own exchanges with it and is replaced. */
export class WorkerPool implements Part {
  readonly #agent: Agent
  readonly #settings: WorkerSettings
  readonly #store: OwnedStore
  readonly #log: Log
  readonly #threads: Piscina
  readonly #workers = new Set<Worker>()
  readonly #streams = new Map<number, RoutedStream>()
  #lastStream = 0
  #active: { readonly bytes: Uint8Array, readonly configuration: Configuration } | undefined
  /** One change of the configuration at a time, those of new workers among them. */
  #turn: Promise<unknown> = Promise.resolve()
  #vitals: Vitals | undefined = undefined
  #crashes = 0
  #closed = false
  readonly #probing: NodeJS.Timeout

  constructor (agent: Agent, settings: WorkerSettings, store: OwnedStore, log: Log) {
    this.#agent = agent
    this.#settings = settings
    this.#store = store
    this.#log = log
    this.#threads = new Piscina({
      filename: new URL('./thread.js', import.meta.url).href,
      name: 'runThread',
      minThreads: settings.threads,
      maxThreads: settings.threads,
      concurrentTasksPerWorker: 1,
      // A worker is one task for as long as it lives, and must hear its port meanwhile.
      atomics: 'disabled',
    })
    this.#threads.on('error', (error) => log.error({ error }, 'a worker failed while it started'))
    this.#probing = setInterval(() => this.#probe(), probeMs).unref()
  }

  async begin (): Promise<void> {
    await Promise.all(Array.from({ length: this.#settings.threads }, () => this.#start()))
  }

  get configurations (): ConfigurationSet {
    const active = (): Configuration | undefined => this.#active?.configuration
    return { get active () { return active() }, at: active, configure: (request) => this.#inTurn(() => this.#configure(request)) }
  }

  /** Who is told what the threads count, and how they are. */
  reportTo (vitals: Vitals): void {
    this.#vitals = vitals
  }

  openStream (program: Program, send: (message: FromAgent) => void): RoutedStream {
    const stream = new RoutedStream(++this.#lastStream, program, this, send)
    this.#streams.set(stream.id, stream)
    return stream
  }

  closed (stream: RoutedStream): void {
    this.#streams.delete(stream.id)
  }

  /** The worker that will be the first to look at something new; undefined when all have too much to do. */
  pick (): Worker | undefined {
    const now = performance.now()
    let best: Worker | undefined
    for (const worker of this.#workers) {
      if (!worker.isUsable || worker.owed >= this.#settings.maxWaiting) continue
      const difference = best === undefined ? -1 : worker.load(now) - best.load(now)
      if (best === undefined || difference < 0 || (difference === 0 && worker.heardAt > best.heardAt)) best = worker
    }
    return best
  }

  async drain (): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.drain()))
  }

  async close (): Promise<void> {
    this.#closed = true
    clearInterval(this.#probing)
    for (const worker of this.#workers) worker.gone()
    await this.#threads.destroy()
  }

  /** Resolves when the worker is ready, and rejects when it ends before. */
  #start (): Promise<void> {
    const began = performance.now()
    return new Promise((resolve, reject) => {
      const worker = new Worker(this.#settings.module, this.#agent.definition.name, {
        ready: () => void this.#inTurn(() => this.#ready(worker)).then(resolve, reject),
        hear: (message) => this.#hear(worker, message),
      })
      this.#workers.add(worker)
      const { task, stop } = worker
      this.#threads.run(task, { transferList: [task.port], signal: stop.signal }).then(() => undefined, (error: unknown) => error).then((error) => {
        reject(error instanceof Error ? error : new Error('the worker has ended'))
        this.#ended(worker, error, performance.now() - began)
      }).catch(reject)
    })
  }

  async #ready (worker: Worker): Promise<void> {
    if (this.#active) await worker.configure(handedOver(this.#active.bytes))
    worker.isUsable = !worker.isGone
  }

  #ended (worker: Worker, error: unknown, livedMs: number): void {
    const code = worker.stop.signal.aborted ? 'worker_stuck' : 'worker_crashed'
    const wasUsed = worker.isUsable
    this.#workers.delete(worker)
    this.#vitals?.forget(worker)
    worker.gone()
    if (this.#closed) return
    for (const stream of this.#streams.values()) stream.lost(worker, code)
    // One that never was ready is the news of whoever started it.
    if (wasUsed) this.#log.error({ error, code }, 'a worker has ended; its exchanges fail, and another one is started')
    if (wasUsed || this.#active !== undefined) this.#startAgain(livedMs)
  }

  #startAgain (livedMs: number): void {
    this.#crashes = livedMs > steadyMs ? 0 : this.#crashes + 1
    const pauseMs = this.#crashes < 2 ? 0 : Math.min(longestPauseMs, 50 * 2 ** this.#crashes)
    setTimeout(() => {
      if (this.#closed) return
      this.#start().catch((error: unknown) => { if (!this.#closed) this.#log.error({ error }, 'a worker could not be started') })
    }, pauseMs).unref()
  }

  #hear (worker: Worker, message: Heard): void {
    switch (message.kind) {
      case 'replies': return this.#streams.get(message.stream)?.replied(message.bytes)
      case 'forgotten': return this.#streams.get(message.stream)?.forgotten(message.exchange)
      case 'vitals': return this.#vitals?.absorb(worker, message.vitals)
      case 'log': return this.#log[message.record.level](message.record.fields, message.record.message)
      case 'store': {
        const { call, what } = message
        callStore(this.#store, what).then(
          (value) => worker.post({ kind: 'stored', call, value }),
          (error: unknown) => worker.post({ kind: 'not-stored', call, error: storeError(error) }),
        )
      }
    }
  }

  /** A worker that computes without end hears nothing, not even that its exchange was cancelled. */
  #probe (): void {
    const now = performance.now()
    for (const worker of this.#workers) {
      if (worker.isUsable && (worker.owed > 0 || worker.askedAt !== undefined) && worker.probe(now) > this.#settings.stuckMs) worker.stop.abort()
    }
  }

  #inTurn<T> (change: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(change)
    this.#turn = done.catch(() => {})
    return done
  }

  /** One worker judges for all; those that disagree afterwards are replaced. */
  async #configure (request: ConfigureRequest): Promise<ConfigureResponse> {
    const [judge, ...others] = [...this.#workers].filter(({ isUsable }) => isUsable)
    if (judge === undefined) return refused('no worker is ready')
    const judged = await ask(judge, request)
    if (!judged.accepted || request.validateOnly) return judged
    this.#active = { bytes: encodeConfigureRequest(request), configuration: { version: request.version, config: undefined, state: undefined } }
    await Promise.all(others.map(async (worker) => {
      const { accepted, problems } = await ask(worker, request)
      if (accepted || worker.isGone) return
      this.#log.error({ problems }, 'a worker refuses what another one accepted; it is replaced')
      worker.stop.abort()
    }))
    return judged
  }
}

async function ask (worker: Worker, request: ConfigureRequest): Promise<ConfigureResponse> {
  try {
    return decodeConfigureResponse(Buffer.from((await worker.configure(handedOver(encodeConfigureRequest(request)))).buffer))
  } catch (error) {
    return refused(error instanceof Error ? error.message : String(error))
  }
}

function refused (message: string): ConfigureResponse {
  return { accepted: false, problems: [{ path: [], message, hint: '' }] }
}
