import {
  emptyComplete, emptyRequestHeaders, emptyResponseHeaders, type BodyChunk, type Event, type EventOneOf, type RequestHeaders,
} from '../../../proto/codec/index.ts'
import { readPath } from '../../pipeline/path.ts'

/** A request somebody made up, as a proxy would tell of it. */
export interface MadeUp {
  readonly method: string
  /** Path and query as a client sends them. */
  readonly target: string
  /** Flat: name, value, name, value; one character for each byte. */
  readonly headers: readonly string[]
  readonly body?: Buffer | undefined
}

/** For documentation and examples (RFC 5737): nobody's address. */
const nobody = '192.0.2.1'

export function requestHead ({ method, target, headers, body }: MadeUp, more: Partial<RequestHeaders> = {}): EventOneOf & { kind: 'request_headers' } {
  const mark = target.indexOf('?')
  const rawPath = mark < 0 ? target : target.slice(0, mark)
  const host = headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === 'host')
  const authority = host < 0 ? 'agent.test' : headers[host + 1]!.toLowerCase()
  return {
    kind: 'request_headers',
    value: {
      ...emptyRequestHeaders,
      requestId: 'by-hand-1', method, scheme: 'http', authority, rawPath, path: readPath(rawPath).path, query: mark < 0 ? '' : target.slice(mark + 1),
      httpVersion: '1.1', headers: host < 0 ? ['host', authority, ...headers] : headers, clientIp: nobody, clientPort: 50_000, route: 'by-hand', listener: 'by-hand',
      hasBody: body !== undefined && body.length > 0, contentLength: body === undefined || body.length === 0 ? undefined : body.length, ...more,
    },
  }
}

export function responseHead (status: number, headers: readonly string[], body?: Buffer): EventOneOf & { kind: 'response_headers' } {
  const length = body?.length ?? 0
  return { kind: 'response_headers', value: { ...emptyResponseHeaders, status, headers, upstream: 'by-hand', target: '192.0.2.2:80', hasBody: length > 0, contentLength: length } }
}

export function chunk (kind: 'request_body' | 'response_body', data: Buffer, end: boolean): EventOneOf {
  const value: BodyChunk = { data, end, truncated: false }
  return { kind, value }
}

export function over (status = 200): EventOneOf {
  return { kind: 'complete', value: { ...emptyComplete, status } }
}

export function numbered (exchange: number, sequence: number, timeoutMs: number, event: EventOneOf): Event {
  return { exchange, sequence, timeoutMs, ...event }
}
