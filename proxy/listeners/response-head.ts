import { STATUS_CODES } from 'node:http'
import { isFieldValue, isToken } from '../http1/characters.ts'
import type { Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { acceptOf } from '../websocket/handshake.ts'
import { httpDate } from './date.ts'

/** How an answer is delimited (RFC 9112 section 6.3). */
export type ResponseFraming = 'none' | 'length' | 'chunked' | 'close'

export interface ResponseHead {
  /** As it goes out: status line, fields in the sender's order and spelling, framing at the end, empty line. */
  readonly text: string
  readonly framing: ResponseFraming
}

/** The head of an answer for one request. The fields of `reply` stay as they are. */
export function responseHead (reply: Reply, request: { method: string, version: string }, close: boolean): ResponseHead {
  const { status } = reply
  const framing = framingOf(reply, request)
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${fieldLines(reply.headers.raw(), framing === 'chunked')}`
  const length = framing === 'length' ? reply.body?.length ?? 0 : reply.body?.length
  // RFC 9110 section 8.6: the answer to HEAD may tell the length the body would have; 304 likewise.
  if (framing === 'length' || framing === 'none' && length !== undefined && status !== 204) text += `Content-Length: ${length}\r\n`
  else if (framing === 'chunked') text += 'Transfer-Encoding: chunked\r\n'
  if (close || framing === 'close') text += 'Connection: close\r\n'
  // Clients of 1.0 keep a connection only when they are told that they may.
  else if (request.version === '1.0') text += 'Connection: keep-alive\r\n'
  return { text: `${text}\r\n`, framing }
}

/** The head of a switch to WebSocket. The proof is for the key of this client, whatever the upstream was asked with. */
export function switchHead (raw: readonly string[], key: string): string {
  const fields: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const lower = raw[i]!.toLowerCase()
    if (lower !== 'upgrade' && lower !== 'sec-websocket-accept') fields.push(raw[i]!, raw[i + 1]!)
  }
  return `HTTP/1.1 101 ${STATUS_CODES[101]}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n${fieldLines(fields, false)}\r\n`
}

/** An interim answer as it came; nothing about a body, or about the time, is said in it. */
export function interimHead (status: number, raw: readonly string[]): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${fieldLines(raw, false, true)}\r\n`
}

function framingOf ({ status, body }: Reply, { method, version }: { method: string, version: string }): ResponseFraming {
  if (method === 'HEAD' || status === 204 || status === 304) return 'none'
  if (body === undefined || body.length !== undefined) return 'length'
  return version === '1.0' ? 'close' : 'chunked'
}

/** Without the fields the listener writes itself, with a Date. Only names of their lengths are worth lower-casing. */
function fieldLines (raw: readonly string[], chunked: boolean, dated = false): string {
  let text = ''
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    switch (name.length) {
      case 4:
        dated ||= name.toLowerCase() === 'date'
        break
      case 7:
        if (!chunked && name.toLowerCase() === 'trailer') continue
        break
      case 10:
        if (name.toLowerCase() === 'connection' || name.toLowerCase() === 'keep-alive') continue
        break
      case 14:
        if (name.toLowerCase() === 'content-length') continue
        break
      case 17:
        if (name.toLowerCase() === 'transfer-encoding') continue
        break
    }
    // Agents and filters write fields as well: a line break in one would be another field, or another answer.
    if (!isToken(name) || !isFieldValue(value)) throw new Fault('INTERNAL', `the head of the answer is not valid HTTP: the field ${JSON.stringify(name)}`)
    text += `${name}: ${value}\r\n`
  }
  return dated ? text : `${text}Date: ${httpDate()}\r\n`
}
