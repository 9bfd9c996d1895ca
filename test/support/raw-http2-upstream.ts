import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { HpackDecoder } from '../../proxy/http2/hpack-decoder.ts'
import { preface } from '../../proxy/http2/protocol.ts'
import { frame, setting, types, type H2Frame } from './h2-client.ts'

export interface RawHttp2Connection {
  readonly socket: Socket
  /** How many connections there were before this one. */
  readonly index: number
  /** Everything that came so far. */
  readonly frames: readonly H2Frame[]
  readonly closed: boolean
  send (...frames: readonly Buffer[]): void
}

export interface RawHttp2Upstream {
  readonly port: number
  readonly connections: readonly RawHttp2Connection[]
}

export interface RawHttp2Options {
  /** What a connection is greeted with; an empty SETTINGS frame unless something else is wanted. */
  readonly first?: readonly Buffer[]
}

/** A target that speaks HTTP/2 in the very frames a test wants; `onFrame` is called for each that came. It acknowledges SETTINGS and PING by itself. */
export async function rawHttp2Upstream (t: TestContext, onFrame: (connection: RawHttp2Connection, frame: H2Frame) => void, { first = [setting()] }: RawHttp2Options = {}): Promise<RawHttp2Upstream> {
  const connections: RawHttp2Connection[] = []
  const server = createServer({ noDelay: true }, (socket) => {
    const frames: H2Frame[] = []
    const decoder = new HpackDecoder(4096, { maxBytes: 1_000_000, maxFields: 10_000 })
    const connection = {
      socket, frames, index: connections.length, closed: false, send: (...parts: readonly Buffer[]) => { if (!socket.destroyed) socket.write(Buffer.concat(parts)) },
    }
    connections.push(connection)
    let rest: Buffer = Buffer.alloc(0)
    let greeted = false
    socket.on('error', () => { /* a test may cut it */ }).on('close', () => { connection.closed = true })
    connection.send(...first)
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes])
      if (!greeted) {
        if (rest.length < preface.length) return
        if (rest.toString('latin1', 0, preface.length) !== preface) return void socket.destroy()
        greeted = true
        rest = rest.subarray(preface.length)
      }
      for (let size; rest.length >= 9 && rest.length >= (size = 9 + rest.readUIntBE(0, 3)); rest = rest.subarray(size)) {
        const payload = Buffer.from(rest.subarray(9, size))
        const type = rest.readUInt8(3)
        const decoded = type === types.headers ? decoder.decode(payload, 0, payload.length) : undefined
        const one = { type, flags: rest.readUInt8(4), stream: rest.readUInt32BE(5) & 0x7fffffff, payload, fields: typeof decoded === 'object' ? decoded.fields : [] }
        frames.push(one)
        if (type === types.settings && (one.flags & 1) === 0) connection.send(frame(types.settings, 1, 0))
        if (type === types.ping && (one.flags & 1) === 0) connection.send(frame(types.ping, 1, 0, payload))
        onFrame(connection, one)
      }
    })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => {
    server.close()
    for (const { socket } of connections) socket.destroy()
  })
  return { port: (server.address() as AddressInfo).port, connections } // It listens on a port.
}

/** The value of a field of a head that came. */
export function fieldOf ({ fields }: H2Frame, name: string): string | undefined {
  const at = fields.findIndex((text, i) => i % 2 === 0 && text === name)
  return at === -1 ? undefined : fields[at + 1]
}
