/**
 * The whole way of HTTP/1.1 without sockets: the bytes of a client go through listener, pipeline, pool and target's connection, and the bytes that
 * leave at both ends are there to be read. Real code everywhere but where the system would be, and fast enough for a million inputs.
 */
import { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import { http1 } from '../../proxy/listeners/http1.ts'
import type { ListenerSettings } from '../../proxy/listeners/listener.ts'
import type { Exchange } from '../../proxy/pipeline/exchange.ts'
import { readPath } from '../../proxy/pipeline/path.ts'
import { serve, type Site } from '../../proxy/pipeline/serve.ts'
import { parsedByLlhttp } from './llhttp.ts'
import { Attempt } from '../../proxy/upstreams/attempt.ts'
import type { Reading } from '../../proxy/upstreams/dial.ts'
import { Link } from '../../proxy/upstreams/link.ts'
import { requestHead } from '../../proxy/upstreams/request-head.ts'

/** What the proxy takes for a socket: bytes are handed to it with `arrive`, and what it writes is kept. */
class Wire extends Duplex {
  readonly remoteAddress = '192.0.2.1'
  readonly remotePort = 40_000
  readonly out: Buffer[] = []
  /** Ended by a reset: who reads it knows that something is missing. */
  reset = false
  onWrite: (() => void) | undefined = undefined
  /** Where bytes go that arrive, when they are not events. */
  reading: Reading | undefined = undefined

  override _read (): void { /* bytes arrive by themselves */ }

  override _write (chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.out.push(chunk)
    done()
    this.onWrite?.()
  }

  setNoDelay (): this { return this }
  setTimeout (): this { return this }
  resetAndDestroy (): this {
    this.reset = true
    return this.destroy()
  }


  arrive (bytes: Buffer): void {
    if (this.destroyed || bytes.length === 0) return
    if (this.reading === undefined) return void this.emit('data', bytes)
    for (let at = 0; at < bytes.length && !this.destroyed;) {
      const room = this.reading.buffer()
      const length = bytes.copy(room, 0, at)
      this.reading.callback(length, room)
      at += length
    }
  }

  get text (): string {
    return Buffer.concat(this.out).toString('latin1')
  }

  socket (): Socket {
    return this as unknown as Socket
  }
}

/** What went to the target for one exchange. */
export interface Sent {
  readonly bytes: string
  /** The request is whole: its last byte was written. */
  readonly complete: boolean
  /** The connection to the target may carry another request. */
  readonly reusable: boolean
  /** As the pipeline had it when it was sent. */
  readonly method: string
  readonly target: string
  readonly version: string
  readonly fields: readonly string[]
}

export interface Passage {
  /** In the order they were sent. */
  readonly sent: readonly Sent[]
  /** Everything the client got. */
  readonly answered: string
  /** The proxy ended the client's connection. */
  readonly closed: boolean
  /** It did so by a reset, which says that the answer is not whole. */
  readonly reset: boolean
  /** Codes of refusals and faults, in order. */
  readonly faults: readonly string[]
}

export interface PassageGiven {
  /** What the client sends, in these pieces. */
  readonly pieces: readonly Buffer[]
  /** What the target answers to a whole request, in these pieces; default: a small answer. */
  readonly answer?: (request: string) => readonly Buffer[]
  /** The target ends its side behind its answer. */
  readonly answerEnds?: boolean
  readonly settings?: Partial<ListenerSettings>
}

const listenerSettings: ListenerSettings = {
  id: 'main', host: '', port: 0, requestTimeoutMs: 60_000, bodyIdleTimeoutMs: 60_000, keepaliveTimeoutMs: 60_000, maxHeaderBytes: 16 * 1024, maxHeaderCount: 100, maxConnections: 1,
}
const small = [Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')]
const attemptSettings = { secure: false, connectTimeoutMs: 60_000, firstByteTimeoutMs: 60_000, readTimeoutMs: 60_000, writeTimeoutMs: 60_000, requestTimeoutMs: Infinity }
const nobody = { answered: () => { /* not asked */ }, failed: () => { /* not asked */ }, broke: () => { /* not asked */ }, tunnelled: () => { /* not asked */ }, over: () => { /* not asked */ } }
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

/** Sends the pieces, waits until nothing moves any more, then ends the client's connection. */
export async function pass ({ pieces, answer = () => small, answerEnds = false, settings }: PassageGiven): Promise<Passage> {
  const sent: Array<{ -readonly [K in keyof Sent]: Sent[K] }> = []
  const faults: string[] = []
  const targets: Wire[] = []
  let moved = 0

  const respond = async (x: Exchange): ReturnType<Attempt['run']> => {
    const record = { bytes: '', complete: false, reusable: false, method: x.request.method, target: x.request.upstreamPath + (x.request.query && `?${x.request.query}`), version: x.request.version, fields: [] as string[] }
    const head = requestHead(x)
    record.fields = x.request.headers.raw().slice()
    sent.push(record)
    const wire = new Wire()
    targets.push(wire)
    const link = new Link((_greeting, ready, reading) => {
      queueMicrotask(() => ready(0))
      wire.reading = reading
      return wire.socket()
    }, {
      idleMs: 60_000, maxAgeMs: Infinity, returned: () => { record.reusable = true }, lost: () => { record.reusable = false }, tunnelled: () => { record.reusable = false },
    }, '')
    let asked = false
    let continued = false
    wire.onWrite = () => {
      moved++
      record.bytes = wire.text
      if (!continued && isAskingToContinue(record.bytes)) {
        continued = true
        setImmediate(() => { wire.arrive(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')) })
      }
      if (asked || !isWhole(record.bytes)) return
      asked = record.complete = true
      // The answer of a real target is never there before the write is over.
      setImmediate(() => {
        for (const piece of answer(record.bytes)) wire.arrive(piece)
        if (answerEnds) wire.emit('end')
        moved++
      })
    }
    return new Attempt(x, link, head, attemptSettings, nobody).run((error) => Promise.reject(error))
  }

  const route = { name: 'all', filters: [], responder: { name: 'app', respond }, maxBodyBytes: Infinity }
  const site: Site = {
    isTrusted: () => false,
    guardedHeaders: () => guarded,
    match: (x) => {
      Object.assign(x.request, readPath(x.request.rawPath))
      return route
    },
    admit: () => undefined,
    release: () => { /* nothing is counted */ },
    observe: (x) => { if (x.fault !== undefined) faults.push(x.fault.code) },
  }
  const client = new Wire()
  client.onWrite = () => { moved++ }
  http1({ settings: { ...listenerSettings, ...settings } }, {
    serve: (x, to) => { moved++; return serve(x, site, to) }, log: (code) => { faults.push(code) }, isClosing: () => false,
  })(client.socket())
  for (const piece of pieces) client.arrive(piece)
  for (let still = 0, seen = -1; still < 3; still++) {
    await turn()
    if (seen !== moved) still = 0
    seen = moved
  }
  const atEnd = sent.map((record) => ({ ...record }))
  const closed = client.writableEnded || client.destroyed
  client.destroy()
  for (const target of targets) target.destroy()
  await turn()
  return { sent: atEnd, answered: client.text, closed, reset: client.reset, faults }
}

const guarded: ReadonlySet<string> = new Set(['x-user'])

function isAskingToContinue (bytes: string): boolean {
  return /^(?:[^\r]+\r\n)+Expect: 100-continue\r\n(?:[^\r]+\r\n)*\r\n/.test(bytes)
}

/** Whether the bytes the proxy wrote are a whole request, going by what it wrote itself about its framing. */
function isWhole (bytes: string): boolean {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return false
  const framing = /(?:\r\nContent-Length: (\d+)|(\r\nTransfer-Encoding: chunked))\r\n/.exec(bytes.slice(0, headEnd + 4))
  if (framing === null) return true
  if (framing[2] === undefined) return bytes.length >= headEnd + 4 + Number(framing[1])
  for (let at = headEnd + 4; ;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd === -1) return false
    const size = Number.parseInt(bytes.slice(at, lineEnd), 16)
    if (size === 0) return bytes.startsWith('\r\n', lineEnd + 2) || bytes.includes('\r\n\r\n', lineEnd + 2)
    at = lineEnd + 2 + size + 2
  }
}

/** Method and body of every whole request that is sent when `bytes` come. */
export async function seenFirst (bytes: Buffer): Promise<string[]> {
  const { sent } = await pass({ pieces: [bytes] })
  return sent.filter(({ complete }) => complete).map(({ bytes: text, method }) => {
    const { messages } = parsedByLlhttp(Buffer.from(text.replace(/^\S+/, 'PATCH'), 'latin1'))
    return `${method} ${JSON.stringify(messages[0]?.body ?? '')}`
  })
}
