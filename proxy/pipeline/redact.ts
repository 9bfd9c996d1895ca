import { isHarmlessName, isSensitiveName, plainName } from '../../config/schema/sensitive.ts'

/**
 * What must never be read in a log, and how it is taken out. Judged by name (header fields, query keys, keys of facts), and for
 * running text by the few shapes of credentials that libraries like to put into error messages.
 */

export const REDACTED = '[redacted]'

/** Harmless words elsewhere, credentials in the queries of sign-in, signed links and one-time links. */
const sensitiveInQueries = new Set(['key', 'code', 'pin', 'sid', 'sig', 'ticket', 'nonce', 'state', 'assertion', 'samlresponse', 'samlrequest'])

/** A raw query ("a=1&token=x") with the values of sensitive keys replaced. Everything else stays byte for byte. */
export function redactQuery (query: string): string {
  if (query === '') return ''
  let out = ''
  let kept = 0
  for (let at = 0; at < query.length;) {
    let end = at
    let equals = -1
    for (; end < query.length; end++) {
      const c = query.charCodeAt(end)
      if (c === 38 /* & */ || c === 59 /* ; */) break
      if (c === 61 /* = */ && equals < 0) equals = end
    }
    if (equals >= 0 && equals + 1 < end && isSensitiveKey(query.slice(at, equals))) {
      out += query.slice(kept, equals + 1) + REDACTED
      kept = end
    }
    at = end + 1
  }
  return kept === 0 ? query : out + query.slice(kept)
}

/** Query keys arrive percent-encoded and with brackets: `%74oken`, `user[password]`. */
export function isSensitiveKey (raw: string): boolean {
  if (!/[%+[\]]/.test(raw)) return isSensitiveQueryName(raw)
  return decodeLeniently(raw).split(/[[\]]/).some((part) => part !== '' && isSensitiveQueryName(part))
}

function isSensitiveQueryName (name: string): boolean {
  return isSensitiveName(name) || sensitiveInQueries.has(plainName(name)) && !isHarmlessName(name)
}

/** Undoes what is valid percent-encoding of ASCII and leaves the rest: `decodeURIComponent` would throw on hostile input. */
function decodeLeniently (text: string): string {
  return text.replace(/\+/g, ' ').replace(/%([0-7][0-9a-fA-F])/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** A URL or request target with its query redacted, and user:password before the host removed. */
export function redactUrl (url: string): string {
  const mark = url.indexOf('?')
  const head = mark < 0 ? url : url.slice(0, mark)
  const safeHead = head.includes('@') ? head.replace(userInfo, `//${REDACTED}@`) : head
  return mark < 0 ? safeHead : `${safeHead}?${redactQuery(url.slice(mark + 1))}`
}

// Every repetition is bounded: these run on text that others wrote.
const userInfo = /\/\/[^\s/@]{1,256}@/g
const schemeAndSecret = /\b(bearer|basic|digest|negotiate)[ \t]{1,4}[A-Za-z0-9._~+/=-]{6,4096}/gi
const queryPair = /([?&;])([\w.~%+[\]-]{1,64})=[^\s&;#"'<>]{1,4096}/g
const assignment = /\b([\w.-]{0,40}(?:token|secret|passw(?:or)?d|api[-_]?key))(["']?[=:][ \t"']{0,3})[^\s"'&,;}]{1,4096}/gi

/** Running text (messages, an agent's plain lines) without the usual shapes of credentials. */
export function scrubText (text: string): string {
  let out = text
  if (/bearer|basic|digest|negotiate/i.test(out)) out = out.replace(schemeAndSecret, `$1 ${REDACTED}`)
  if (out.includes('@')) out = out.replace(userInfo, `//${REDACTED}@`)
  if (out.includes('=')) out = out.replace(queryPair, (pair, mark: string, key: string) => isSensitiveKey(key) ? `${mark}${key}=${REDACTED}` : pair)
  if (/token|secret|passw|api[-_]?key/i.test(out)) out = out.replace(assignment, `$1$2${REDACTED}`)
  return out
}
