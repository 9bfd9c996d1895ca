import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import { patienceMs } from './patience.ts'

/** A client that sends the very bytes a test wants to send. Text is latin1: one character, one byte. */
export interface RawClient {
  readonly socket: Socket
  /** Everything received so far. */
  readonly received: string
  send (text: string | Buffer): void
  /** Waits until what was received matches, and gives it; rejects when the connection ends or the time is over before. */
  until (pattern: RegExp | string, ms?: number): Promise<string>
  /** Everything received until the other side closed (or reset) the connection. */
  ended (ms?: number): Promise<string>
  /** One answer with Content-Length or chunked framing; what follows stays for the next call. */
  answer (ms?: number): Promise<RawAnswer>
}

export interface RawAnswer {
  readonly status: number
  /** Field lines as received. */
  readonly fields: readonly string[]
  readonly body: string
  header (name: string): string | undefined
}

export async function rawClient (t: TestContext, port: number, first = ''): Promise<RawClient> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  atEnd(t, () => socket.destroy())
  let received = ''
  let taken = 0
  let over = false
  const checks = new Set<() => void>()
  const run = (): void => { for (const check of checks) check() }
  socket.on('data', (chunk) => { received += chunk.toString('latin1'); run() })
  const end = (): void => { over = true; run() }
  socket.on('end', end).on('close', end).on('error', end)
  await new Promise<void>((resolve, reject) => { socket.once('connect', resolve).once('error', reject) })
  if (first !== '') socket.write(first, 'latin1')

  const wait = <T>(what: string, ms: number, probe: () => T | undefined): Promise<T> => new Promise((resolve, reject) => {
    const settle = (act: () => void): void => { clearTimeout(timer); checks.delete(check); act() }
    const check = (): void => {
      const found = probe()
      if (found !== undefined) settle(() => resolve(found))
      else if (over) settle(() => reject(new Error(`closed before ${what}; received:\n${received}`)))
    }
    const timer = setTimeout(() => settle(() => reject(new Error(`no ${what} in ${ms} ms; received:\n${received}`))), ms)
    checks.add(check)
    check()
  })

  return {
    socket,
    get received () { return received },
    send: (text) => { socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text) },
    until: (pattern, ms = patienceMs) => wait(String(pattern), ms, () => {
      const found = typeof pattern === 'string' ? received.includes(pattern) : pattern.test(received)
      return found ? received : undefined
    }),
    ended: (ms = patienceMs) => wait('end', ms, () => over ? received : undefined),
    answer: (ms = patienceMs) => wait('whole answer', ms, () => {
      const read = readAnswer(received.slice(taken))
      if (read === undefined) return undefined
      taken += read.bytes
      return read.answer
    }),
  }
}

function readAnswer (text: string): { answer: RawAnswer, bytes: number } | undefined {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [statusLine = '', ...fields] = text.slice(0, headEnd).split('\r\n')
  const status = Number(statusLine.split(' ')[1])
  const header = (name: string): string | undefined => fields.find((line) => line.toLowerCase().startsWith(`${name}:`))?.slice(name.length + 1).trim()
  const start = headEnd + 4
  const make = (body: string, bytes: number): { answer: RawAnswer, bytes: number } => ({ answer: { status, fields, body, header }, bytes })
  if (status < 200 || status === 204 || status === 304) return make('', start)
  if (header('transfer-encoding') === 'chunked') return readChunked(text, start, make)
  const length = Number(header('content-length') ?? 0)
  return text.length < start + length ? undefined : make(text.slice(start, start + length), start + length)
}

function readChunked<T> (text: string, start: number, make: (body: string, bytes: number) => T): T | undefined {
  let body = ''
  let at = start
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    at = lineEnd + 2
    if (size === 0) {
      const end = text.startsWith('\r\n', at) ? at : text.indexOf('\r\n\r\n', at) + 2
      return end < at || text.length < end + 2 ? undefined : make(body, end + 2)
    }
    if (text.length < at + size + 2) return undefined
    body += text.slice(at, at + size)
    at += size + 2
  }
}
