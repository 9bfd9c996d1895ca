import { getSystemErrorMap } from 'node:util'
import * as net from 'node:net'
import type { Server } from 'node:net'
import { give, makeUnixSocket } from './bind.ts'
import { OwnFile } from './own-file.ts'
import type { ListenerSettings } from './listener.ts'

export type Binding = Pick<ListenerSettings, 'host' | 'port' | 'unix' | 'backlog' | 'ipv6Only' | 'reusePort'>

/** What Node.js has of a socket. It goes through the channel to a child process as it is. */
export interface SocketHandle {
  readonly fd: number
  listen (backlog: number): number
  getsockname? (into: { address?: string, family?: string, port?: number }): number
  close (): void
}

/**
 * Node's `cluster` binds with this, and there is nothing else that binds an address without accepting from it at once. A number is the
 * system's error.
 */
type CreateHandle = (address: string | null, port: number | null, type: 4 | 6 | -1 | null, fd: number | undefined, flags: number) => SocketHandle | number
const createHandle = (net as unknown as { readonly _createServerHandle: CreateHandle })._createServerHandle

/** Bits of libuv. */
const ipv6OnlyFlag = 1
const reusePortFlag = 2

const defaultBacklog = 1024

/** A socket that is bound. Whoever calls `listen` accepts from it; this process, others, or nobody for a while. */
export class HeldSocket {
  /** `host:port` or `unix:/path`. */
  readonly address: string
  readonly handle: SocketHandle
  /** Of the process whose business its file is. */
  #file: OwnFile | undefined
  #binding: Binding | undefined

  constructor (handle: SocketHandle, address: string, binding?: Binding) {
    this.handle = handle
    this.address = address
    this.#binding = binding
  }

  /** Rejects with the system's error. */
  static async bind (binding: Binding): Promise<HeldSocket> {
    const { host, port, unix, ipv6Only = false, reusePort = false } = binding
    if (unix !== undefined) {
      const handle = await makeUnixSocket(unix, (path) => valid(createHandle(path, -1, -1, undefined, 0), path))
      const socket = new HeldSocket(handle, `unix:${unix.path}`, binding)
      socket.own()
      return socket
    }
    const isIpv6 = host.includes(':')
    const where = isIpv6 ? `[${host}]:${port}` : `${host}:${port}`
    const flags = (isIpv6 && ipv6Only ? ipv6OnlyFlag : 0) | (reusePort ? reusePortFlag : 0)
    const handle = valid(createHandle(host, port, isIpv6 ? 6 : 4, undefined, flags), where)
    return new HeldSocket(handle, nameOf(handle, where), binding)
  }

  /** One that another process has bound, by its descriptor here; whose the file of a Unix socket is does not change. Throws the system's error. */
  static adopt (descriptor: number, binding: Binding): HeldSocket {
    const { unix } = binding
    const where = `descriptor ${descriptor}`
    const handle = valid(createHandle(null, null, -1, descriptor, 0), where)
    return new HeldSocket(handle, unix === undefined ? nameOf(handle, where) : `unix:${unix.path}`, binding)
  }

  /** Of a Unix socket: its file goes when it is closed. */
  get isOwner (): boolean {
    return this.#file !== undefined
  }

  /** The file of a Unix socket is the business of this process from now on. */
  own (): void {
    const { unix } = this.#binding ?? {}
    if (unix !== undefined) this.#file = new OwnFile(unix.path)
  }

  /** Who may use the file of a Unix socket. Throws what the system says. */
  adapt (binding: Binding): void {
    const { unix } = binding
    if (unix !== undefined && JSON.stringify(unix) !== JSON.stringify(this.#binding?.unix)) give(unix.path, unix)
    this.#binding = binding
  }

  /** The same address, after it was closed. Rejects with the system's error. */
  again (): Promise<HeldSocket> {
    return HeldSocket.bind(this.#binding!)
  }

  /** Whoever listened goes on with the connections that it has. The file of a Unix socket goes, unless another process `servesOn`. */
  close (servesOn = false): void {
    this.handle.close()
    if (!servesOn) this.#file?.remove()
  }
}

/** Lets a server accept from the socket. Rejects with the system's error. */
export function listenOn (server: Server, { handle }: HeldSocket, backlog = defaultBacklog): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => {
      server.off('error', reject)
      resolve()
    })
    // `server.listen` would open a second handle for the descriptor of a Unix socket, and both would close it.
    const bare = server as Server & { _handle?: SocketHandle, _listen2? (address: null, port: number, type: number, backlog: number): void }
    bare._handle = handle
    bare._listen2!(null, -1, -1, backlog)
  })
}

/** The system says only now that the address is taken. */
function nameOf (handle: SocketHandle, where: string): string {
  const out: { address?: string, family?: string, port?: number } = {}
  const error = handle.getsockname?.(out) ?? 0
  if (error !== 0) {
    handle.close()
    throw systemError(error, where)
  }
  return out.family === 'IPv6' ? `[${out.address}]:${out.port}` : `${out.address}:${out.port}`
}

function valid (handle: SocketHandle | number, where: string): SocketHandle {
  if (typeof handle === 'number') throw systemError(handle, where)
  return handle
}

function systemError (errno: number, where: string): Error {
  const [code, text] = getSystemErrorMap().get(errno) ?? [`E${errno}`, 'unknown error']
  return Object.assign(new Error(`listen ${code}: ${text} ${where}`), { code })
}
