import { isTargetCode, isTokenCode } from './characters.ts'
import { cr, lf, Malformed } from './fields.ts'

export interface RequestLine {
  readonly method: string
  readonly target: string
  readonly version: '1.0' | '1.1'
  /** Offset behind its CRLF. */
  readonly end: number
}

const longestMethod = 32
const space = 0x20
const known: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH'])

/** Methods are case-sensitive: some servers take "get" for GET, others do not know it. Nobody has a method of small letters. */
const methodForm = /^[A-Z][A-Z0-9_-]*$/

/** RFC 9112 section 3: method, one space, target, one space, version, CRLF. Nothing else between them. */
export function readRequestLine (text: string, start: number): RequestLine | Malformed {
  let at = start
  while (isTokenCode(text.charCodeAt(at))) at++
  if (at === start || at - start > longestMethod || text.charCodeAt(at) !== space) return new Malformed('the request line does not begin with a method and a space')
  const method = text.slice(start, at)
  if (!known.has(method) && !methodForm.test(method)) return new Malformed('a method that is not written in capital letters')
  const targetStart = ++at
  while (isTargetCode(text.charCodeAt(at))) at++
  const code = text.charCodeAt(at)
  if (at === targetStart) return new Malformed('the request line has no target')
  // HTTP/0.9 had nothing more.
  if (code !== space) return new Malformed(code === cr || code === lf ? 'the request line has no version' : 'a character in the request target that has to be percent-encoded')
  const target = text.slice(targetStart, at)
  const version = versionAt(text, at + 1)
  if (version === undefined) return new Malformed('the request line does not end with HTTP/1.1 or HTTP/1.0')
  at += 9
  if (text.charCodeAt(at) !== cr || text.charCodeAt(at + 1) !== lf) return new Malformed('something behind the version of the request line')
  return { method, target, version, end: at + 2 }
}

export function versionAt (text: string, at: number): '1.0' | '1.1' | undefined {
  if (text.startsWith('HTTP/1.1', at)) return '1.1'
  return text.startsWith('HTTP/1.0', at) ? '1.0' : undefined
}
