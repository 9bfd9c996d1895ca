import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { HpackDecoder } from '../../proxy/http2/hpack-decoder.ts'
import { errorName, preface } from '../../proxy/http2/protocol.ts'
import { atEnd } from './at-end.ts'
import { patienceMs } from './patience.ts'

export interface H2Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
  /** Of HEADERS: what is in them. */
  readonly fields: readonly string[]
}

/** A client of HTTP/2 that sends the very frames a test wants to send, allowed or not. */
export interface H2Client {
  readonly socket: Socket
  readonly frames: readonly H2Frame[]
  readonly closed: boolean
  send (...frames: readonly Buffer[]): void
  /** Waits until what was received has a frame like this, and gives it; rejects when the connection ends or the time is over before. */
  until (what: string, test: (frame: H2Frame) => boolean, ms?: number): Promise<H2Frame>
  /** The status of the answer on a stream, without interim ones. */
  status (stream: number, ms?: number): Promise<number>
  /** The name of the error that the stream was reset with. */
  reset (stream: number, ms?: number): Promise<string>
  /** The name of the error of GOAWAY, once the connection is closed. */
  gone (ms?: number): Promise<string>
  /** Resolves once the other side has seen everything that was sent before. */
  ping (ms?: number): Promise<void>
}

export const types = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, push: 5, ping: 6, goAway: 7, window: 8, continuation: 9 } as const

export function frame (type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const head = Buffer.alloc(9)
  head.writeUIntBE(body.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, body])
}

export function u32 (...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, at) => bytes.writeUInt32BE(value >>> 0, at * 4))
  return bytes
}

export function setting (...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  return frame(types.settings, 0, 0, Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 255]), u32(value)]))))
}

/** A header block of literals, whatever they are made of: `[name, value, …]`, latin1. */
export function block (fields: readonly string[]): Buffer {
  return Buffer.concat(fields.map((text, at) => Buffer.concat([
    Buffer.from(at % 2 === 0 ? [0] : []), number(text.length), Buffer.from(text, 'latin1'),
  ])))
}

function number (value: number): Buffer {
  if (value < 127) return Buffer.from([value])
  const bytes = [127]
  let rest = value - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(rest % 128 + 128)
  return Buffer.from([...bytes, rest])
}

/** The pseudo-fields of a GET; `more` behind them. */
export function get (path = '/', ...more: readonly string[]): string[] {
  return [':method', 'GET', ':scheme', 'http', ':authority', 'shop.test', ':path', path, ...more]
}

export function post (path = '/', ...more: readonly string[]): string[] {
  return [':method', 'POST', ':scheme', 'http', ':authority', 'shop.test', ':path', path, ...more]
}

/** HEADERS that are all there. `end`: so is the request. */
export function headers (stream: number, fields: readonly string[], end = true): Buffer {
  return frame(types.headers, end ? 0x5 : 0x4, stream, block(fields))
}

export function data (stream: number, bytes: Buffer | string, end = false): Buffer {
  return frame(types.data, end ? 1 : 0, stream, bytes)
}

export interface H2Options {
  /** Sent behind the preface; an empty SETTINGS frame unless something else is wanted. */
  readonly first?: readonly Buffer[]
  /** Nothing is sent by itself: no preface, no acknowledgement. */
  readonly silent?: boolean
}

export async function h2Client (t: TestContext | undefined, port: number, options: H2Options = {}): Promise<H2Client> {
  const socket = connect({ host: '127.0.0.1', port })
  if (t !== undefined) atEnd(t, () => socket.destroy())
  const decoder = new HpackDecoder(4096, { maxBytes: 1_000_000, maxFields: 10_000 })
  const frames: H2Frame[] = []
  const checks = new Set<() => void>()
  const run = (): void => { for (const check of checks) check() }
  let rest: Buffer = Buffer.alloc(0)
  let closed = false
  let pings = 0
  socket.on('data', (bytes) => {
    rest = Buffer.concat([rest, bytes])
    for (let size; rest.length >= 9 && rest.length >= (size = 9 + rest.readUIntBE(0, 3)); rest = rest.subarray(size)) {
      const payload = Buffer.from(rest.subarray(9, size))
      const type = rest.readUInt8(3)
      const decoded = type === types.headers ? decoder.decode(payload, 0, payload.length) : undefined
      const one = { type, flags: rest.readUInt8(4), stream: rest.readUInt32BE(5) & 0x7fffffff, payload, fields: typeof decoded === 'object' ? decoded.fields : [] }
      frames.push(one)
      if (type === types.settings && (one.flags & 1) === 0 && options.silent !== true) socket.write(frame(types.settings, 1, 0))
    }
    run()
  })
  const end = (): void => { closed = true; run() }
  socket.on('end', end).on('close', end).on('error', end)
  await new Promise<void>((resolve, reject) => { socket.once('connect', resolve).once('error', reject) })
  if (options.silent !== true) socket.write(Buffer.concat([Buffer.from(preface, 'latin1'), ...options.first ?? [setting()]]))

  const seen = (): string => frames.map((one) => `${one.type}:${one.flags}:${one.stream}:${one.payload.length}`).slice(-20).join(' ')
  const wait = <T>(what: string, ms: number, probe: () => T | undefined): Promise<T> => new Promise((resolve, reject) => {
    const settle = (act: () => void): void => { clearTimeout(timer); checks.delete(check); act() }
    const check = (): void => {
      const found = probe()
      if (found !== undefined) settle(() => resolve(found))
      else if (closed) settle(() => reject(new Error(`closed before ${what}; received: ${seen()}`)))
    }
    const timer = setTimeout(() => settle(() => reject(new Error(`no ${what} in ${ms} ms; received: ${seen()}`))), ms)
    checks.add(check)
    check()
  })

  return {
    socket, frames,
    get closed () { return closed },
    send: (...parts) => { socket.write(Buffer.concat(parts)) },
    until: (what, test, ms = patienceMs) => wait(what, ms, () => frames.find(test)),
    status: async (stream, ms = patienceMs) => {
      const final = (one: H2Frame): boolean => one.type === types.headers && one.stream === stream && one.fields[0] === ':status' && !one.fields[1]!.startsWith('1')
      return Number((await wait(`answer on ${stream}`, ms, () => frames.find(final))).fields[1])
    },
    reset: async (stream, ms = patienceMs) => errorName((await wait(`RST_STREAM on ${stream}`, ms, () => frames.find((one) => one.type === types.reset && one.stream === stream))).payload.readUInt32BE(0)),
    gone: (ms = patienceMs) => wait('GOAWAY and the end', ms, () => {
      const found = frames.find((one) => one.type === types.goAway)
      return found === undefined || !closed ? undefined : errorName(found.payload.readUInt32BE(4))
    }),
    ping: async (ms = patienceMs) => {
      const mark = u32(++pings, 0x70696e67)
      socket.write(frame(types.ping, 0, 0, mark))
      await wait('answer to PING', ms, () => frames.find((one) => one.type === types.ping && (one.flags & 1) === 1 && one.payload.equals(mark)))
    },
  }
}
