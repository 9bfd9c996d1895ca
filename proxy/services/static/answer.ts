import { randomBytes } from 'node:crypto'
import { bodyOf, type Body } from '../../pipeline/body.ts'
import type { Exchange, Reply } from '../../pipeline/exchange.ts'
import { refusal } from '../../pipeline/fault-reply.ts'
import { Fault } from '../../pipeline/faults.ts'
import { HeaderList } from '../../pipeline/headers.ts'
import { isRangeOf, judgeConditions } from './conditions.ts'
import type { Part } from './file-body.ts'
import { readRanges, type ByteRange } from './ranges.ts'
import type { Representation } from './representation.ts'

/** The answer to GET or HEAD with one file: whole, in parts, or what the conditions of the request make of it. */
export function answerWith (x: Exchange, file: Representation, bodyWith: (parts: readonly Part[]) => Body): Reply {
  const { headers, method } = x.request
  const verdict = judgeConditions(headers, file)
  if (verdict === 'failed') return refusal(x, new Fault('PRECONDITION_FAILED'))
  if (verdict === 'not modified') return notModified(file)
  // RFC 9110 section 14.2: only GET knows ranges.
  const range = method === 'GET' && !file.madeHere ? headers.get('range') : undefined
  const ranges = range === undefined || !isRangeOf(headers.get('if-range'), file) ? undefined : readRanges(range, file.size)
  if (ranges === undefined) {
    const whole = file.size === 0 ? [] : [{ first: 0, last: file.size - 1 }]
    return { status: 200, headers: new HeaderList([...file.fields]), body: method === 'HEAD' ? lengthOnly(file.size) : bodyWith(whole) }
  }
  const [first, second] = ranges
  if (first === undefined) return refusal(x, new Fault('RANGE_REFUSED'), ['Content-Range', `bytes */${file.size}`])
  return second === undefined ? oneRange(file, first, bodyWith) : manyRanges(file, ranges, bodyWith)
}

function oneRange (file: Representation, range: ByteRange, bodyWith: (parts: readonly Part[]) => Body): Reply {
  const headers = new HeaderList([...file.fields])
  headers.append('Content-Range', contentRange(range, file.size))
  return { status: 206, headers, body: bodyWith([range]) }
}

/** RFC 9110 section 14.6. Nobody knows the boundary beforehand, so that no file can hold it. */
function manyRanges (file: Representation, ranges: readonly ByteRange[], bodyWith: (parts: readonly Part[]) => Body): Reply {
  const boundary = randomBytes(16).toString('hex')
  const headers = new HeaderList([...file.fields])
  headers.set('Content-Type', `multipart/byteranges; boundary=${boundary}`)
  const parts = ranges.flatMap((range, i): Part[] => [
    Buffer.from(`${i === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${file.type}\r\nContent-Range: ${contentRange(range, file.size)}\r\n\r\n`, 'latin1'), range,
  ])
  return { status: 206, headers, body: bodyWith([...parts, Buffer.from(`\r\n--${boundary}--\r\n`)]) }
}

function contentRange ({ first, last }: ByteRange, size: number): string {
  return `bytes ${first}-${last}/${size}`
}

/** RFC 9110 section 15.4.5: what the client has stays valid; nothing is said about a body. */
function notModified ({ fields }: Representation): Reply {
  const headers = new HeaderList()
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    if (name === 'Cache-Control' || name === 'ETag' || name === 'Last-Modified' || name === 'Vary') headers.append(name, fields[i + 1]!)
  }
  return { status: 304, headers, body: undefined }
}

/** For HEAD: what there would be. */
function lengthOnly (length: number): Body {
  return { length, trailers: undefined, read: () => undefined, cancel () { /* nothing is held */ } }
}

/**
 * The same path with a slash behind it. It is said relative to the path that the client asked for, which a rewrite may have changed by now, and cannot
 * name another host, whatever the path is.
 */
export function redirectInto ({ request: { path, query } }: Exchange): Reply {
  const name = encodeURIComponent(decodeURIComponent(path.slice(path.lastIndexOf('/') + 1)))
  return { status: 301, headers: HeaderList.from({ 'Location': `./${name}/${query === '' ? '' : `?${query}`}`, 'Cache-Control': 'no-cache' }), body: bodyOf(Buffer.alloc(0)) }
}

export function listingAnswer (content: Buffer): Reply {
  const headers = HeaderList.from({
    'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-cache', 'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  })
  return { status: 200, headers, body: bodyOf(content) }
}
