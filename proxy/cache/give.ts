import type { Body } from '../pipeline/body.ts'
import type { Exchange, Reply } from '../pipeline/exchange.ts'
import { HeaderList } from '../pipeline/headers.ts'
import { isKnown, rangeOf } from './conditions.ts'
import { ageMsOf, type Kept, type KeptBody, type Stored } from './stored.ts'

export interface Given extends Reply {
  body: KeptBody | undefined
}

/** Fields of a 304: what tells a client which of its answers it is about, and how long it is good (RFC 9110 section 15.4.5). */
const notOf304 = new Set(['content-type', 'content-encoding', 'content-language', 'content-range', 'content-md5', 'accept-ranges'])

/** A kept answer for this request: all of it, a part, or only that the client has it. */
export function give ({ request }: Exchange, kept: Kept, nowMs: number): Given {
  const { stored } = kept
  const headers = headOf(stored, nowMs)
  if (isKnown(request.headers, stored)) return known(headers)
  const range = request.method === 'GET' && request.headers.has('range') ? rangeOf(request.headers, stored) : undefined
  if (range === 'none') {
    headers.removeIf((name) => notOf304.has(name.toLowerCase()))
    headers.set('Content-Range', `bytes */${stored.length}`)
    return { status: 416, headers, body: undefined }
  }
  if (range !== undefined) {
    headers.set('Content-Range', `bytes ${range.start}-${range.end - 1}/${stored.length}`)
    return { status: 206, headers, body: kept.open(range.start, range.end) }
  }
  return { status: stored.status, headers, body: request.method === 'HEAD' ? headOnly(stored.length) : bodyFor(kept) }
}

/** An answer that is arriving, for one who waited for it: it is not from a cache yet. */
export function pass ({ request }: Exchange, stored: Stored, body: Body | undefined): Reply {
  const seconds = Math.floor(stored.freshness.ageMs / 1000)
  const headers = new HeaderList(seconds > 0 ? [...stored.fields, 'Age', String(seconds)] : [...stored.fields])
  if (isKnown(request.headers, stored)) {
    body?.cancel()
    return known(headers)
  }
  return { status: stored.status, headers, body }
}

function known (headers: HeaderList): Given {
  headers.removeIf((name) => notOf304.has(name.toLowerCase()))
  return { status: 304, headers, body: undefined }
}

function headOf (stored: Stored, nowMs: number): HeaderList {
  return new HeaderList([...stored.fields, 'Age', String(Math.floor(ageMsOf(stored.freshness, nowMs) / 1000))])
}

function bodyFor (kept: Kept): KeptBody | undefined {
  const { status, length } = kept.stored
  return status === 204 ? undefined : kept.open(0, length)
}

function headOnly (length: number): Body {
  return { length, trailers: undefined, read: () => undefined, cancel () { /* nothing is held */ } }
}
