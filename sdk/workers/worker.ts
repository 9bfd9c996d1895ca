import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { threadHooks } from './hosted.ts'
import type { FromWorker, ThreadTask, ToWorker } from './messages.ts'

/** Silence with something to do that tells a worker that computes from one that waits for answers of others. */
const quietMs = 20

/** What concerns others than the one who asked for it. */
export type Heard = Extract<FromWorker, { readonly kind: 'replies' | 'forgotten' | 'store' | 'log' | 'vitals' }>

export interface Listener {
  /** It has loaded the agent. */
  ready (): void
  hear (message: Heard): void
}

/** One thread as the pool sees it. */
export class Worker {
  readonly task: ThreadTask
  /** Aborted, it ends the thread, whatever the thread does. */
  readonly stop = new AbortController()
  /** It has the agent and the active configuration. */
  isUsable = false
  isGone = false
  /** Events that it owes an answer to. */
  owed = 0
  /** When the question that it has not answered was put, of `performance.now()`. */
  askedAt: number | undefined
  readonly #port: MessagePort
  #calls = 0
  readonly #waiting = new Map<number, { resolve: (bytes: Uint8Array) => void, reject: (error: Error) => void }>()
  #heardAt = 0
  #whenDrained: (() => void) | undefined

  constructor (module: string, agent: string, { ready, hear }: Listener) {
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    this.task = { port: port2, module, agent, hooks: threadHooks() }
    port1.on('message', (message: FromWorker) => {
      this.#heardAt = performance.now()
      switch (message.kind) {
        case 'ready': return ready()
        case 'configured': return this.#take(message.call)?.resolve(message.bytes)
        case 'pong':
          this.askedAt = undefined
          return
        case 'drained': return this.#whenDrained?.()
        default: return hear(message)
      }
    })
  }

  post (message: ToWorker): void {
    if (this.isGone) return
    this.#port.postMessage(message, 'bytes' in message ? [message.bytes.buffer as ArrayBuffer] : [])
  }

  /** More to answer. */
  owes (events: number): void {
    // Before this it had nothing to say.
    if (this.owed === 0 && this.askedAt === undefined) this.#heardAt = performance.now()
    this.owed += events
  }

  /** Nobody awaits these answers any more. It may be computing one of them all the same: until it says that it hears, it is not one that has nothing to do. */
  excuse (events: number): void {
    this.owed -= events
    if (events > 0) this.probe(performance.now())
  }

  /** The smaller, the sooner a new exchange will be looked at. */
  load (now: number): number {
    const due = this.owed + (this.askedAt === undefined ? 0 : 1)
    return due > 0 && now - this.#heardAt > quietMs ? due + 1e9 : due
  }

  /** Later means that it is more likely to hear the next message at once. */
  get heardAt (): number {
    return this.#heardAt
  }

  /** Rejects when the thread ends first. */
  configure (bytes: Uint8Array): Promise<Uint8Array> {
    const call = ++this.#calls
    return new Promise((resolve, reject) => {
      if (this.isGone) return reject(new Error('the worker has ended'))
      this.#waiting.set(call, { resolve, reject })
      this.post({ kind: 'configure', call, bytes })
    })
  }

  /** Resolves when nothing goes on in it any more, or when it has ended. */
  drain (): Promise<void> {
    if (this.isGone) return Promise.resolve()
    this.post({ kind: 'drain' })
    return new Promise((resolve) => { this.#whenDrained = resolve })
  }

  /** Asks whether it is alive, unless it was asked already. Gives for how long it has said nothing. */
  probe (now: number): number {
    if (this.askedAt !== undefined) return now - this.askedAt
    this.askedAt = now
    this.post({ kind: 'ping' })
    return 0
  }

  /** The thread is no more. */
  gone (): void {
    this.isGone = true
    this.isUsable = false
    this.#port.close()
    for (const { reject } of this.#waiting.values()) reject(new Error('the worker has ended'))
    this.#waiting.clear()
    this.#whenDrained?.()
  }

  #take (call: number): { resolve: (bytes: Uint8Array) => void } | undefined {
    const waiting = this.#waiting.get(call)
    this.#waiting.delete(call)
    return waiting
  }
}
