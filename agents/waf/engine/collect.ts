import type { Check } from '../rules/protocol.ts'
import { decodeFully, formDecode } from './decode.ts'
import type { Collector, InspectedRequest } from './request.ts'

/** RFC 9110 section 9, PATCH (RFC 5789) and WebDAV with its extensions. TRACE, TRACK, DEBUG and CONNECT are not among them. */
const methods = new Set([
  'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY', 'PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'UNLOCK',
  'REPORT', 'SEARCH', 'ACL', 'BIND', 'UNBIND', 'REBIND', 'MKCALENDAR', 'CHECKOUT', 'CHECKIN', 'MERGE', 'MKACTIVITY',
  'VERSION-CONTROL', 'PURGE', 'NOTIFY', 'SUBSCRIBE', 'UNSUBSCRIBE'
])

/** Header fields that carry credentials. */
const secrets = /authorization|token|secret|api-?key|password|credential|session|csrf/

/** Ranges of one request; CVE-2011-3192 needed about a thousand. */
const maxRanges = 20

/** Hands everything before the body to the collector. */
export function collectHead (request: InspectedRequest, to: Collector): void {
  if (!methods.has(request.method)) raise(to, 'method-unusual')
  collectPath(request.rawPath, to)
  collectForm(request.query, 'args', to)
  collectHeaders(request.headers, to)
}

/** Names checks so that a typing mistake in a collector does not compile. */
export function raise (to: Collector, check: Check): void {
  to.anomaly(check)
}

function collectPath (rawPath: string, to: Collector): void {
  to.value('path', '', rawPath)
  if (/%u[0-9a-f]{4}/i.test(rawPath)) raise(to, 'encoding-unicode-percent')
  // Rules that begin with ^ look at a whole value; in a path that is a segment. Plain segments have nothing for them.
  if (!/[^\w./~-]/.test(rawPath)) return
  for (const segment of rawPath.split('/')) {
    if (/[^\w.~-]/.test(segment) && !to.value('path', 'segment', segment)) return
  }
}

/**
 * Names and values of a query or a form, decoded once as an application would. Values of a repeated name are also
 * looked at joined by a comma: some frameworks hand them over like that, and an attack may be spread over them.
 */
export function collectForm (text: string, where: string, to: Collector): void {
  if (text === '') return
  noticeEncoding(text, to)
  const repeated = new Map<string, string[]>()
  for (let start = 0; start <= text.length;) {
    const next = text.indexOf('&', start)
    const end = next < 0 ? text.length : next
    const pair = text.slice(start, end)
    start = end + 1
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = formDecode(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : formDecode(pair.slice(equals + 1))
    if (!to.value('args-names', where, name) || !to.value('args', name, value)) return
    const values = repeated.get(name)
    if (values === undefined) repeated.set(name, [value])
    else values.push(value)
  }
  for (const [name, values] of repeated) {
    if (values.length > 1 && !to.value('args', name, values.join(','))) return
  }
}

function noticeEncoding (text: string, to: Collector): void {
  if (!text.includes('%')) return
  if (/%u[0-9a-f]{4}/i.test(text)) raise(to, 'encoding-unicode-percent')
  if (/%(?![0-9a-f]{2}|u[0-9a-f]{4})/i.test(text)) raise(to, 'encoding-invalid-percent')
}

function collectHeaders (headers: InspectedRequest['headers'], to: Collector): void {
  let contentTypes = 0
  let hasAgent = false
  let hasAccept = false
  for (const [name, value] of headers) {
    const lower = name.toLowerCase()
    switch (lower) {
      case 'cookie': collectCookies(value, to); continue
      case 'user-agent':
        hasAgent = value !== ''
        to.value('user-agent', lower, value)
        continue
      case 'authorization': collectCredentials(value, to); break
      case 'content-type': contentTypes++; break
      case 'accept': hasAccept = true; break
      case 'range': if (value.split(',').length > maxRanges) raise(to, 'header-range-many'); break
      case 'x-http-method-override': case 'x-http-method': case 'x-method-override': raise(to, 'header-method-override'); break
      case 'referer': collectReferer(value, to); break
    }
    // Secrets are inspected as the rest, under a target whose results are not remembered.
    if (!to.value(secrets.test(lower) ? 'cookies' : 'headers', lower, value)) return
  }
  if (contentTypes > 1) raise(to, 'body-content-type-repeated')
  if (!hasAgent) raise(to, 'header-agent-missing')
  if (!hasAccept) raise(to, 'header-accept-missing')
}

/** Pairs of RFC 6265 section 4.2.1; quotes around a value are not part of it for most readers. */
function collectCookies (header: string, to: Collector): void {
  for (const piece of header.split(';')) {
    const pair = piece.trim()
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = equals < 0 ? pair : pair.slice(0, equals)
    const raw = equals < 0 ? '' : pair.slice(equals + 1)
    const value = raw.length > 1 && raw.startsWith('"') && raw.endsWith('"') ? raw.slice(1, -1) : raw
    if (!to.value('cookies-names', '', name) || !to.value('cookies', name, value)) return
    // PHP and others read cookies as forms, blanks as plus signs included.
    if (value.includes('+') && !to.value('cookies', name, formDecode(value))) return
  }
}

/** User and password of Basic credentials (RFC 7617); other schemes are looked at as any header. */
function collectCredentials (value: string, to: Collector): void {
  const basic = /^basic\s+([A-Za-z0-9+/=_-]{1,4096})\s*$/i.exec(value)
  if (basic === null) return
  const [user, ...password] = Buffer.from(basic[1]!, 'base64').toString('latin1').split(':')
  to.value('args', 'authorization-user', user ?? '')
  to.value('args', 'authorization-password', password.join(':'))
}

/** The query of a referer holds form values like our own. */
function collectReferer (value: string, to: Collector): void {
  const query = value.indexOf('?')
  if (query >= 0) collectForm(value.slice(query + 1), 'referer', to)
}

/**
 * Whether a path lies under one of `prefixes` for every reader behind us: as the proxy normalised it, and also when
 * somebody decodes what the proxy must not (`%2f`, `..%2f`, `;`).
 */
export function isExcluded (request: InspectedRequest, prefixes: readonly string[]): boolean {
  if (prefixes.length === 0) return false
  const decoded = decodeFully(request.rawPath)
  if (/[\\;\0]|\/\.{1,2}(?:\/|$)|\/\//.test(decoded)) return false
  return prefixes.some((prefix) => isUnder(request.path, prefix) && isUnder(decoded, prefix))
}

function isUnder (path: string, prefix: string): boolean {
  const base = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
  return path === base || path.startsWith(`${base}/`)
}
