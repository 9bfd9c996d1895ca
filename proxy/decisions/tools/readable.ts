import { bodyAfter, bodyOf, gather, type Body } from '../../pipeline/body.ts'
import { saysLines } from '../../pipeline/endless.ts'
import { Fault } from '../../pipeline/faults.ts'
import type { HeaderList } from '../../pipeline/headers.ts'
import { isPacked, unpacked } from '../../pipeline/unpack.ts'
import { readJson, Unreadable, utf8, type Json } from './json.ts'

/** A body of JSON, read whole. */
export interface ReadBody {
  readonly text: string
  readonly root: Json
}

export interface Readable {
  /** The body to go on with: the same bytes. */
  readonly body: Body
  /** `undefined`: it is no JSON, and nobody takes it for some. */
  readonly json: ReadBody | undefined
  /** An answer that begins like an event stream and does not say that it is one: clients that expect one take it for one. */
  readonly isEvents: boolean
}

/** How often a packed body may be larger than it comes. */
const maxRatio = 100

/** Blanks before the first character of a text that are looked through. */
const maxBlanks = 4 * 1024

/** application/json, application/problem+json … */
const jsonType = /^\s*(?:application|text)\/(?:[\w.-]+\+)?json\b/i

/**
 * Reads what is JSON, or what a program that does not look at Content-Type could take for some. Throws `Unreadable` when it cannot be told what
 * others would read, a `Fault` when it is too large (AGENT_BODY_TOO_LARGE) or cannot be unpacked; `keep` has got the body by then, as it was.
 */
export async function readBody (body: Body, headers: HeaderList, maxBytes: number, side: 'request' | 'answer', keep: (body: Body) => void): Promise<Readable> {
  const type = headers.get('content-type') ?? ''
  const said = jsonType.test(type)
  const packed = isPacked(headers)
  // Asked for was an answer that is not packed. A request may come from somebody who wants not to be looked at.
  if (!said && side === 'answer' && packed) return { body, json: undefined, isEvents: false }
  let current = body
  if (!said && !packed) {
    const { chunks, looksLike } = await beginning(body)
    current = bodyAfter(chunks, body)
    keep(current)
    if (looksLike !== 'json') return { body: current, json: undefined, isEvents: looksLike === 'events' && side === 'answer' }
  }
  if (body.length !== undefined && body.length > maxBytes) throw new Fault('AGENT_BODY_TOO_LARGE', `more than ${maxBytes} bytes`)
  if (side === 'answer' && !packed && body.length === undefined && saysLines(type)) {
    const { chunks, hasMore, ended } = await firstLine(current, maxBytes)
    current = ended ? bodyOf(Buffer.concat(chunks), body.trailers) : bodyAfter(chunks, current)
    keep(current)
    if (hasMore) return { body: current, json: undefined, isEvents: false }
  }
  const gathered = await gather(current, maxBytes)
  if (!gathered.complete) {
    keep(bodyAfter(gathered.chunks, current))
    throw new Fault('AGENT_BODY_TOO_LARGE', `more than ${maxBytes} bytes`)
  }
  const data = gathered.chunks.length === 1 ? gathered.chunks[0]! : Buffer.concat(gathered.chunks, gathered.bytes)
  const same = bodyOf(data, body.trailers)
  keep(same)
  const plain = packed ? await unpacked(data, headers, { maxBytes, maxRatio }) : data
  return { body: same, json: jsonIn(plain, said, type, side), isEvents: false }
}

function jsonIn (data: Buffer, said: boolean, type: string, side: 'request' | 'answer'): ReadBody | undefined {
  if (!said && beginningOf(data) !== 'json') return undefined
  if (data.length === 0) return undefined
  try {
    const text = utf8(data)
    return { text, root: readJson(text) }
  } catch (error) {
    if (error instanceof Unreadable && !said && (side === 'answer' || saysLines(type))) return undefined
    throw error
  }
}

/** What an answer says to be. */
export function saysEvents (headers: HeaderList): boolean {
  return /^\s*text\/event-stream\b/i.test(headers.get('content-type') ?? '')
}

/**
 * The beginning of lines of JSON, until it is clear whether another value follows the first: then no program reads the whole as JSON, and what is to come need
 * not be waited for. A first line that is no value by itself may be the beginning of one that is laid out over many.
 */
async function firstLine (body: Body, maxBytes: number): Promise<{ readonly chunks: readonly Buffer[], readonly hasMore: boolean, readonly ended: boolean }> {
  const chunks: Buffer[] = []
  let bytes = 0
  let first = ''
  for (;;) {
    const chunk = await body.read()
    if (chunk === undefined) return { chunks, hasMore: false, ended: true }
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > maxBytes) return { chunks, hasMore: false, ended: false }
    let rest = chunk
    if (first === '') {
      if (!chunk.includes(lineFeed)) continue
      const data = Buffer.concat(chunks)
      const text = data.toString('latin1')
      const start = text.length - text.trimStart().length
      const end = text.indexOf('\n', start)
      first = text.slice(start, Math.max(start, end))
      if (first === '' && start > maxBlanks || first !== '' && !isValue(first)) return { chunks, hasMore: false, ended: false }
      if (first === '') continue
      rest = data.subarray(end)
    }
    if (rest.toString('latin1').trim() !== '') return { chunks, hasMore: true, ended: false }
  }
}

const lineFeed = 0x0a

function isValue (line: string): boolean {
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}

type Looks = 'json' | 'events' | 'other'

/** As many chunks as it takes to see how a body begins. */
async function beginning (body: Body): Promise<{ readonly chunks: readonly Buffer[], readonly looksLike: Looks }> {
  const chunks: Buffer[] = []
  let head = Buffer.alloc(0)
  for (;;) {
    const chunk = await body.read()
    if (chunk === undefined) return { chunks, looksLike: 'other' }
    chunks.push(chunk)
    head = Buffer.concat([head, chunk])
    const looksLike = beginningOf(head)
    // Whoever sends that many blanks before a text wants something.
    if (looksLike !== undefined || head.length > maxBlanks) return { chunks, looksLike: looksLike ?? 'json' }
  }
}

/** Fields of events, and a comment. */
const eventFields = ['data:', 'event:', 'id:', 'retry:', ':']

/**
 * What the first characters that are no blanks begin; `undefined` when more is needed to tell. Marks of other encodings count as the beginning of
 * JSON: what they hold is read by some.
 */
function beginningOf (data: Buffer): Looks | undefined {
  let at = 0
  while (at < data.length && [0x20, 0x09, 0x0a, 0x0d].includes(data[at]!)) at++
  switch (data[at]) {
    case undefined: return undefined
    // "{", "[", NUL of UTF-16 and UTF-32, and the first bytes of the marks of UTF-8 and UTF-16.
    case 0x7b: case 0x5b: case 0x00: case 0xef: case 0xfe: case 0xff: return 'json'
  }
  const start = data.toString('latin1', at, at + 6)
  if (eventFields.some((field) => start.startsWith(field))) return 'events'
  return eventFields.some((field) => field.startsWith(start)) ? undefined : 'other'
}
