import { lstatSync, unlinkSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { addressOfServer, adopt, bind, defaultBacklog, give, type Binding } from './bind.ts'

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
  #binding: Binding
  #server: Server
  #file: OwnFile | undefined
  #taker: Taker | undefined = undefined
  readonly #waiting: Socket[] = []
  readonly #closing: Array<Promise<void>> = []

  private constructor (server: Server, binding: Binding) {
    const { unix } = binding
    this.#binding = binding
    this.#server = server
    this.address = unix === undefined ? addressOfServer(server) : `unix:${unix.path}`
    this.#file = fileOf(binding)
    this.#attend(server)
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

  /** For a process that is to serve the same address; valid until it is closed here, and -1 then. */
  get descriptor (): number {
    return handleOf(this.#server)?.fd ?? -1
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

  /** What can change about a socket that is bound: its backlog, and who may use the file of a Unix socket. Throws what the system says. */
  adapt (binding: Binding): void {
    const { unix, backlog } = binding
    if (backlog !== this.#binding.backlog) handleOf(this.#server)?.listen(backlog ?? defaultBacklog)
    if (unix !== undefined && JSON.stringify(unix) !== JSON.stringify(this.#binding.unix)) give(unix.path, unix)
    this.#binding = binding
  }

  /** Makes room for another socket on the same port. Who came in stays; nobody else does before `resume`. */
  suspend (): void {
    this.#closing.push(closed(this.#server))
    this.#file?.remove()
  }

  /** Rejects when the address cannot be had again. */
  async resume (): Promise<void> {
    const server = newServer()
    server.maxConnections = this.#server.maxConnections
    await bind(server, this.#binding)
    this.#server = server
    this.#file = fileOf(this.#binding)
    this.#attend(server)
  }

  /** Nobody comes in any more, at once. The file of a Unix socket goes, unless another process `servesOn`. Resolves when all are gone who came in. */
  async close (servesOn = false): Promise<void> {
    this.#closing.push(closed(this.#server))
    if (!servesOn) this.#file?.remove()
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

/** What Node.js itself listens with. */
interface Handle {
  readonly fd: number
  listen (backlog: number): number
}

function handleOf (server: Server): Handle | undefined {
  return (server as Server & { readonly _handle?: Handle | null })._handle ?? undefined
}

/** Stops listening now; resolves when the connections of the server are gone, also when it was closed before. */
function closed (server: Server): Promise<void> {
  return new Promise((resolve) => { server.close(() => resolve()) })
}

function fileOf ({ unix }: Binding): OwnFile | undefined {
  return unix === undefined ? undefined : new OwnFile(unix.path)
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
