import { isIPv6 } from 'node:net'
import { HeaderList, listItems } from '../pipeline/headers.ts'
import type { RequestHead } from '../pipeline/exchange.ts'
import { keyOf, lists } from '../websocket/handshake.ts'

/** How the body of a request is delimited (RFC 9112 section 6.3). */
export interface Framing {
  readonly hasBody: boolean
  /** Bytes to come; `undefined` when the body is chunked (or there is none). */
  readonly length: number | undefined
}

export interface ReceivedHead extends FieldLimits {
  readonly method: string
  readonly target: string
  readonly version: string
  /** `[name, value, …]` as received. Taken over: framing fields and `Expect` are removed from it. */
  readonly fields: string[]
  readonly scheme: 'http' | 'https'
  /** Most field lines. */
  readonly maxFields: number
}

/** Octets of the name and of the value of one field. */
export interface FieldLimits {
  readonly maxNameBytes?: number | undefined
  readonly maxValueBytes?: number | undefined
}

export interface Accepted {
  readonly head: RequestHead
  readonly framing: Framing
  readonly expect: 'none' | 'continue' | 'unknown'
  /** The client will use the connection again (RFC 9112 section 9.3). */
  readonly persistent: boolean
  /** The client asks for a WebSocket, with this key (RFC 6455 section 4.1). */
  readonly webSocketKey: string | undefined
}

/** Why a request was not accepted; `detail` is for the log. */
export interface Rejected {
  readonly code: 'BAD_REQUEST' | 'HEAD_TOO_LARGE'
  readonly detail: string
}

/**
 * Checks what a parser for everybody lets pass but two servers in a row could read in two ways.
 *
 * `path` and `upstreamPath` are the path as received: the pipeline normalises it.
 */
export function readRequestHead (received: ReceivedHead): Accepted | Rejected {
  const { method, version, fields, scheme } = received
  if (fields.length > received.maxFields * 2) return { code: 'HEAD_TOO_LARGE', detail: `${fields.length / 2} field lines` }
  if (version !== '1.1' && version !== '1.0' && version !== '2') return bad(`HTTP version ${version}`)

  const special = takeSpecialFields(fields, received.maxNameBytes, received.maxValueBytes)
  if (special === 'too-long') return { code: 'HEAD_TOO_LARGE', detail: 'the name or the value of a field is longer than allowed' }
  if (typeof special === 'string') return bad(special)
  const framing = readFraming(special, version)
  if (typeof framing === 'string') return bad(framing)

  const target = readTarget(received.target, method, scheme)
  if (typeof target === 'string') return bad(target)

  const host = readHost(special.host, target.authority, version)
  if (typeof host !== 'object') return bad(host)
  // RFC 9112 section 3.2.2: an absolute-form target overrides Host, and the next server must be told the same.
  if (target.authority !== undefined && special.host !== target.authority) replaceHost(fields, target.authority)

  const head: RequestHead = {
    method,
    scheme,
    authority: host.authority,
    rawPath: target.path,
    path: target.path,
    upstreamPath: target.path,
    query: target.query,
    version,
    headers: new HeaderList(fields),
  }
  const asksWebSocket = method === 'GET' && version === '1.1' && !framing.hasBody && lists(special.upgrade, 'websocket') && lists(special.connection, 'upgrade')
  const webSocketKey = asksWebSocket ? keyOf(head.headers) : undefined
  if (asksWebSocket && webSocketKey === undefined) return bad('a WebSocket handshake without a valid Sec-WebSocket-Key')
  return { head, framing, expect: readExpectation(special.expect, version), persistent: isPersistent(special.connection, version), webSocketKey }
}

/** RFC 9110 section 10.1.1: HTTP/1.0 knows no interim answers. */
function readExpectation (expect: string | undefined, version: string): Accepted['expect'] {
  if (expect === undefined || version === '1.0') return 'none'
  return expect.toLowerCase() === '100-continue' ? 'continue' : 'unknown'
}

function isPersistent (connection: string | undefined, version: string): boolean {
  if (connection === undefined) return version === '1.1'
  const options = listItems(connection)
  return !options.includes('close') && (version === '1.1' || options.includes('keep-alive'))
}

function bad (detail: string): Rejected {
  return { code: 'BAD_REQUEST', detail }
}

interface SpecialFields {
  expect: string | undefined
  /** All lines of it, joined. */
  connection: string | undefined
  host: string | undefined
  contentLength: string | undefined
  transferEncoding: string | undefined
  /** All lines of it, joined. */
  upgrade: string | undefined
}

/** Finds the fields that decide about framing and routing, and takes those out that are not passed on. */
function takeSpecialFields (fields: string[], maxNameBytes = Infinity, maxValueBytes = Infinity): SpecialFields | string {
  const found: SpecialFields = {
    expect: undefined, connection: undefined, host: undefined, contentLength: undefined, transferEncoding: undefined, upgrade: undefined,
  }
  let kept = 0
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    const value = fields[i + 1]!
    if (name.length > maxNameBytes || value.length > maxValueBytes) return 'too-long'
    // Only names of these lengths are worth lower-casing.
    switch (name.length) {
      case 4:
        if (name.toLowerCase() !== 'host') break
        if (found.host !== undefined) return 'more than one Host'
        found.host = value
        break
      case 6:
        if (name.toLowerCase() !== 'expect') break
        found.expect = found.expect === undefined ? value : `${found.expect}, ${value}`
        continue
      case 7:
        if (name.toLowerCase() === 'upgrade') found.upgrade = found.upgrade === undefined ? value : `${found.upgrade},${value}`
        break
      case 10:
        if (name.toLowerCase() === 'connection') found.connection = found.connection === undefined ? value : `${found.connection},${value}`
        break
      case 14:
        if (isAlias(name, 'content', 'length')) return 'a field that some servers take for Content-Length'
        if (name.toLowerCase() !== 'content-length') break
        if (found.contentLength !== undefined) return 'more than one Content-Length'
        found.contentLength = value
        continue
      case 17:
        if (isAlias(name, 'transfer', 'encoding')) return 'a field that some servers take for Transfer-Encoding'
        if (name.toLowerCase() !== 'transfer-encoding') break
        if (found.transferEncoding !== undefined) return 'more than one Transfer-Encoding'
        found.transferEncoding = value
        continue
    }
    if (kept !== i) {
      fields[kept] = name
      fields[kept + 1] = value
    }
    kept += 2
  }
  fields.length = kept
  return found
}

/** Servers that hand fields on as variables of an environment cannot tell "_" from "-"; some make "_" of every other character as well. */
function isAlias (name: string, first: string, second: string): boolean {
  if (name.charCodeAt(first.length) === hyphen) return false
  const lower = name.toLowerCase()
  return lower.startsWith(first) && lower.endsWith(second)
}

const hyphen = 0x2d

function readFraming ({ contentLength, transferEncoding }: SpecialFields, version: string): Framing | string {
  if (transferEncoding !== undefined) {
    if (contentLength !== undefined) return 'Content-Length beside Transfer-Encoding'
    if (version === '1.0') return 'Transfer-Encoding in HTTP/1.0'
    // Any other coding would reach the upstream without its name, because chunked is taken off here.
    if (transferEncoding.toLowerCase() !== 'chunked') return 'Transfer-Encoding other than chunked'
    return { hasBody: true, length: undefined }
  }
  if (contentLength === undefined) return { hasBody: false, length: undefined }
  if (!/^\d{1,15}$/.test(contentLength)) return 'Content-Length is not a number'
  const length = Number(contentLength)
  return { hasBody: length > 0, length }
}

interface Target {
  readonly path: string
  readonly query: string
  /** Only of the absolute form. */
  readonly authority: string | undefined
}

/** The four forms of RFC 9112 section 3.2; the authority form belongs to CONNECT, which never gets here. */
function readTarget (target: string, method: string, scheme: string): Target | string {
  if (target.includes('#')) return 'fragment in the request target'
  if (target.startsWith('/')) return splitQuery(target, undefined)
  if (target === '*') return method === 'OPTIONS' ? { path: '*', query: '', authority: undefined } : 'target "*" without OPTIONS'
  const absolute = /^(https?):\/\/([^/?]*)(.*)$/is.exec(target)
  if (absolute === null) return 'request target in no known form'
  if (absolute[1]!.toLowerCase() !== scheme) return 'scheme of the request target is not the one of the listener'
  const rest = absolute[3]!
  // RFC 9112 section 3.2.4: this is how a client asks a proxy about the server as a whole.
  if (rest === '' && method === 'OPTIONS') return { path: '*', query: '', authority: absolute[2] }
  return splitQuery(rest.startsWith('/') ? rest : '/' + rest, absolute[2])
}

function splitQuery (target: string, authority: string | undefined): Target {
  const at = target.indexOf('?')
  return at === -1 ? { path: target, query: '', authority } : { path: target.slice(0, at), query: target.slice(at + 1), authority }
}

function readHost (field: string | undefined, fromTarget: string | undefined, version: string): { authority: string } | string {
  if (field === undefined && version !== '1.0') return 'no Host'
  if (field !== undefined && !isAuthority(field)) return 'Host is not valid'
  if (fromTarget !== undefined && !isAuthority(fromTarget)) return 'host of the request target is not valid'
  return { authority: (fromTarget ?? field ?? '').toLowerCase() }
}

/**
 * `uri-host [ ":" port ]` without what nobody uses in names: user information, lists, sub-delimiters. Nor with what some servers decode or
 * resolve before they look for the host, and others do not: percent-encoded characters, empty labels.
 */
function isAuthority (text: string): boolean {
  if (!authorityForm.test(text)) return false
  const bracket = text.indexOf(']')
  if (bracket !== -1 && !isIPv6(text.slice(1, bracket))) return false
  const colon = text.indexOf(':', bracket + 1)
  return colon === -1 || Number(text.slice(colon + 1)) <= 65_535
}

const authorityForm = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_~-]+(?:\.[A-Za-z0-9_~-]+)*\.?)(?::\d{1,5})?$/

function replaceHost (fields: string[], authority: string): void {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]!.length === 4 && fields[i]!.toLowerCase() === 'host') {
      fields[i + 1] = authority
      return
    }
  }
  fields.push('Host', authority)
}
