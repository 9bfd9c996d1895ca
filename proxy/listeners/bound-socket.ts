import { createServer, type Server, type Socket } from 'node:net'
import { HeldSocket, listenOn, type Binding } from './held-socket.ts'

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

/** An address that is listened on. It outlives configurations: who serves what comes in may change, and nobody who connects meets a closed door. */
export class BoundSocket {
  #server: Server
  #held: HeldSocket
  #taker: Taker | undefined = undefined
  #backlog: number | undefined
  readonly #waiting: Socket[] = []
  readonly #closing: Array<Promise<void>> = []

  private constructor (server: Server, held: HeldSocket, backlog: number | undefined) {
    this.#server = server
    this.#held = held
    this.#backlog = backlog
    this.#attend(server)
  }

  /** Rejects with the system's error when the address cannot be had. */
  static async bind (binding: Binding): Promise<BoundSocket> {
    return BoundSocket.listen(await HeldSocket.bind(binding), binding.backlog)
  }

  /** Accepts from now on. Rejects with the system's error. */
  static async listen (held: HeldSocket, backlog: number | undefined): Promise<BoundSocket> {
    const server = newServer()
    await listenOn(server, held, backlog)
    return new BoundSocket(server, held, backlog)
  }

  get address (): string {
    return this.#held.address
  }

  /** More are closed as soon as they are accepted. */
  limit (maxConnections: number): void {
    this.#server.maxConnections = maxConnections
  }

  /** Connections that wait to be accepted. */
  queue (backlog: number | undefined): void {
    if (backlog !== undefined && backlog !== this.#backlog) this.#held.handle.listen(backlog)
    this.#backlog = backlog
  }

  /** From now on `taker` gets what comes in, and what has come and waits. */
  serve (taker: Taker): void {
    this.#taker = taker
    for (const socket of this.#waiting.splice(0)) if (!socket.destroyed) taker.take(socket)
  }

  /** Makes room for another socket on the same port. Who came in stays; nobody else does before `resume`. */
  suspend (): void {
    this.#closing.push(closed(this.#server))
  }

  /** The address was had again. Rejects with the system's error. */
  async resume (held: HeldSocket): Promise<void> {
    const server = newServer()
    server.maxConnections = this.#server.maxConnections
    await listenOn(server, held, this.#backlog)
    this.#server = server
    this.#held = held
    this.#attend(server)
  }

  /** Nobody comes in any more, at once. Resolves when all are gone who came in. */
  async close (): Promise<void> {
    this.#closing.push(closed(this.#server))
    for (const socket of this.#waiting.splice(0)) socket.destroy()
    await Promise.all(this.#closing)
  }

  #attend (server: Server): void {
    server.on('connection', (socket: Socket) => this.#accept(socket))
    server.on('error', (error) => this.#taker?.trouble(error))
    server.on('drop', (drop?: { remoteAddress?: string }) => this.#taker?.dropped(drop?.remoteAddress ?? ''))
  }

  #accept (socket: Socket): void {
    if (this.#taker !== undefined) return this.#taker.take(socket)
    if (this.#waiting.length >= mostWaiting) return void socket.destroy()
    socket.on('error', ignore)
    this.#waiting.push(socket)
  }
}

/** Stops listening now; resolves when the connections of the server are gone, also when it was closed before. */
function closed (server: Server): Promise<void> {
  return new Promise((resolve) => { server.close(() => resolve()) })
}

function newServer (): Server {
  // A client that ends its side first still gets what is on its way; where that must not be, whoever serves it says so.
  return createServer({ noDelay: true, highWaterMark: 64 * 1024, allowHalfOpen: true })
}

/** 'close' follows. */
function ignore (): void {}
