import { isValueCode } from './characters.ts'
import { cr, lf, Malformed } from './fields.ts'
import { versionAt } from './request-line.ts'

export interface StatusLine {
  readonly version: '1.0' | '1.1'
  /** 100 to 999: what nobody defined is passed on as it is. */
  readonly status: number
  /** Offset behind its CRLF. */
  readonly end: number
}

const space = 0x20
const zero = 0x30

/** RFC 9112 section 4: version, one space, three digits, and a reason that nobody reads. The space in front of a missing one may be missing too. */
export function readStatusLine (text: string, start: number): StatusLine | Malformed {
  const version = versionAt(text, start)
  if (version === undefined || text.charCodeAt(start + 8) !== space) return new Malformed('the status line does not begin with HTTP/1.1 or HTTP/1.0 and a space')
  let at = start + 9
  let status = 0
  for (const end = at + 3; at < end; at++) {
    const digit = text.charCodeAt(at) - zero
    if (!(digit >= 0 && digit <= 9)) return new Malformed('a status that is not three digits')
    status = status * 10 + digit
  }
  if (status < 100) return new Malformed('a status below 100')
  let code = text.charCodeAt(at)
  if (code !== cr && code !== lf && code !== space) return new Malformed('a status that is not three digits')
  while (isValueCode(code)) code = text.charCodeAt(++at)
  if (code === lf) return new Malformed('a bare LF')
  if (code !== cr) return new Malformed('a control character in the status line')
  if (text.charCodeAt(at + 1) !== lf) return new Malformed('a bare CR')
  return { version, status, end: at + 2 }
}

const beginning = 'HTTP/1.'

/** Whether bytes that are not a whole head yet can become one. A server of another protocol is told apart at once, not when the time is over. */
export function mayBeStatusLine (text: string): boolean {
  return text.startsWith(beginning) || beginning.startsWith(text)
}
