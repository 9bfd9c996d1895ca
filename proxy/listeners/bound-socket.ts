import { lstatSync, unlinkSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { addressOfServer, adopt, bind, type Binding } from './bind.ts'

/** Whoever serves what comes in through a socket. */
export interface Taker {
  take (socket: Socket): void
  /** The system could not give one that was there: there are no descriptors left, for example. */
  trouble (error: Error): void
  /** One more than may be. */
  dropped (peer: string): void
}

/** As many may wait for somebody to serve them, while everything else is made ready. */
const mostWaiting = 1024

/**
 * An address that is listened on. It outlives configurations, and with `descriptor` the process: who serves what comes in through it may
 * change at any time, and nobody who connects meets a closed door.
 */
export class BoundSocket {
  readonly address: string
  readonly #server: Server
  readonly #file: OwnFile | undefined
  #taker: Taker | undefined = undefined
  readonly #waiting: Socket[] = []

  private constructor (server: Server, { unix }: Binding) {
    this.#server = server
    this.address = unix === undefined ? addressOfServer(server) : `unix:${unix.path}`
    this.#file = unix === undefined ? undefined : new OwnFile(unix.path)
    server.on('connection', (socket: Socket) => this.#accept(socket))
    server.on('error', (error) => this.#taker?.trouble(error))
    server.on('drop', (drop?: { remoteAddress?: string }) => this.#taker?.dropped(drop?.remoteAddress ?? ''))
  }

  /** Rejects with the system's error when the address cannot be had. */
  static async bind (binding: Binding): Promise<BoundSocket> {
    const server = newServer()
    await bind(server, binding)
    return new BoundSocket(server, binding)
  }

  /** A socket that another process has bound, by its descriptor here. */
  static async adopt (descriptor: number, binding: Binding): Promise<BoundSocket> {
    const server = newServer()
    await adopt(server, descriptor, binding.backlog)
    return new BoundSocket(server, binding)
  }

  /** For a process that is to serve the same address; valid until it is closed here. */
  get descriptor (): number {
    const { _handle: handle } = this.#server as Server & { readonly _handle?: { readonly fd: number } }
    return handle?.fd ?? -1
  }

  /** More are closed as soon as they are accepted. */
  limit (maxConnections: number): void {
    this.#server.maxConnections = maxConnections
  }

  /** From now on `taker` gets what comes in, and what has come and waits. */
  serve (taker: Taker): void {
    this.#taker = taker
    for (const socket of this.#waiting.splice(0)) if (!socket.destroyed) taker.take(socket)
  }

  /** Nobody comes in any more, at once. The file of a Unix socket goes, unless another process `servesOn`. Resolves when all are gone who came in. */
  close (servesOn = false): Promise<void> {
    const closed = new Promise<void>((resolve) => { this.#server.close(() => resolve()) })
    if (!servesOn) this.#file?.remove()
    for (const socket of this.#waiting.splice(0)) socket.destroy()
    return closed
  }

  #accept (socket: Socket): void {
    if (this.#taker !== undefined) return this.#taker.take(socket)
    if (this.#waiting.length >= mostWaiting) return void socket.destroy()
    socket.on('error', ignore)
    this.#waiting.push(socket)
  }
}

function newServer (): Server {
  // A client that ends its side first still gets what is on its way; where that must not be, whoever serves it says so.
  return createServer({ noDelay: true, highWaterMark: 64 * 1024, allowHalfOpen: true })
}

/** The file of a Unix socket, for as long as it is the one that was there at first: another process may put its own in the same place. */
class OwnFile {
  readonly #path: string
  readonly #inode: number | undefined

  constructor (path: string) {
    this.#path = path
    this.#inode = lstatSync(path, { throwIfNoEntry: false })?.ino
  }

  remove (): void {
    try {
      if (lstatSync(this.#path).ino === this.#inode) unlinkSync(this.#path)
    } catch {
      // It is gone, or not ours to remove: nothing is to be done about it.
    }
  }
}

/** 'close' follows. */
function ignore (): void {}
