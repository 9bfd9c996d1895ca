import { spawn, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { packageFile } from '../package-file.ts'
import type { HeldSocket } from '../../listeners/index.ts'
import type { Introduction, Question, Result, ToMain, ToWorker } from './messages.ts'

export interface ProcessHooks {
  readonly message: (message: Exclude<ToMain, { from: 'done' | 'loaded' }>) => void
  readonly output: (chunk: Buffer) => void
  readonly logged: (chunk: Buffer) => void
  /** Once, whatever it was that ended it. Sockets, answers and messages are over then. */
  readonly ended: (how: { readonly code: number | null, readonly signal: string | null, readonly error: string | undefined }) => void
}

interface Waiting {
  readonly resolve: (result: Result | undefined) => void
  readonly reject: (error: Error) => void
}

/** One worker process and the private channel to it. It is never started anew: another one takes its place. */
export class WorkerProcess {
  /** Its program runs: it can answer. */
  loaded = false
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  readonly #sockets = new Map<HeldSocket, number>()
  readonly #loaded: Promise<void>
  #asked = 0
  #ended = false

  constructor (introduction: Introduction, hooks: ProcessHooks) {
    const child = this.#child = spawn(process.execPath, [...process.execArgv, packageFile('dist', 'proxy', 'lifecycle', 'workers', 'child.js')], {
      argv0: `sentinel: worker ${introduction.number}`,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    })
    let error: string | undefined
    child.on('error', (cause) => {
      error = cause.message
      if (child.pid === undefined) over(null, null)
    })
    child.stdout!.on('data', hooks.output)
    child.stderr!.on('data', hooks.logged)
    let loaded = (): void => {}
    this.#loaded = new Promise<void>((resolve) => { loaded = resolve }).then(() => { this.loaded = true })
    const over = (code: number | null, signal: string | null): void => {
      if (this.#ended) return
      this.#ended = true
      // Whatever waits to be said is let go of.
      loaded()
      const gone = new Error('the worker ended')
      for (const { reject } of this.#waiting.values()) reject(gone)
      this.#waiting.clear()
      hooks.ended({ code, signal, error })
    }
    // What it said before it ended has come by then.
    child.on('close', over)
    child.on('message', (message: ToMain) => {
      if (message.from === 'loaded') loaded()
      else if (message.from === 'done') this.#done(message)
      else hooks.message(message)
    })
    void this.#loaded.then(() => this.tell({ to: 'begin', introduction }))
  }

  get pid (): number | undefined {
    return this.#child.pid
  }

  get ended (): boolean {
    return this.#ended
  }

  /** Resolves when it is done. Rejects with its reason, and when it ends. */
  ask (question: Question): Promise<Result | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(new Error('the worker ended'))
      const id = ++this.#asked
      this.#waiting.set(id, { resolve, reject })
      void this.#loaded.then(() => this.tell({ to: 'answer', id, question }))
    })
  }

  tell (message: ToWorker): void {
    // A channel that broke ends with the process, which tells.
    if (!this.#ended && this.#child.connected) this.#child.send(message, ignore)
  }

  /** Hands over a connection: it is closed here. */
  hand (message: ToWorker, socket: Socket): void {
    stopReading(socket)
    void this.#loaded.then(() => {
      if (this.#ended || !this.#child.connected) socket.destroy()
      else this.#child.send(message, socket, {}, (error) => { if (error !== null) socket.destroy() })
    })
  }

  /** Sends sockets ahead of what names them, by the number that each has there. */
  async giveAll (sockets: ReadonlyMap<string, HeldSocket>): Promise<Array<readonly [name: string, socket: number]>> {
    await this.#loaded
    return [...sockets].map(([name, socket]) => [name, this.#give(socket)] as const)
  }

  /** It goes there once. */
  #give (socket: HeldSocket): number {
    const known = this.#sockets.get(socket)
    if (known !== undefined) return known
    const number = this.#sockets.size + 1
    this.#sockets.set(socket, number)
    const message: ToWorker = { to: 'socket', socket: number, address: socket.address }
    // The types know of no handle that is not wrapped; the program does.
    if (!this.#ended && this.#child.connected) this.#child.send(message, socket.handle as never, { keepOpen: true }, ignore)
    return number
  }

  kill (): void {
    this.#child.kill('SIGKILL')
  }

  #done ({ id, error, result }: Extract<ToMain, { from: 'done' }>): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(error))
  }
}

function ignore (): void {}

/** A connection that came through a channel itself is being read from its first moment on: what is read here would be missing there. */
function stopReading (socket: Socket): void {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { reading: boolean, readStop (): number } | null }
  if (handle?.reading !== true) return
  handle.reading = false
  handle.readStop()
}
