import { isCredentialName, isHarmlessName, plainName } from '../../config/schema/sensitive.ts'

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
    const from = equals < 0 ? at : equals + 1
    if (from < end && (equals >= 0 && isSensitiveKey(query.slice(at, equals)) || holdsSecret(query.slice(from, end)))) {
      out += query.slice(kept, from) + REDACTED
      kept = end
    }
    at = end + 1
  }
  return kept === 0 ? query : out + query.slice(kept)
}

/** Addresses are handed on in queries (`?next=https%3A%2F%2Fa%2F%3Ftoken%3Dx`), and so are credentials whose keys tell nothing. */
function holdsSecret (value: string): boolean {
  const encoded = value.includes('%')
  if (!encoded && value.length < 16 && !value.includes('@')) return false
  const decoded = encoded ? decodeLeniently(value) : value
  return scrubText(decoded) !== decoded
}

/** Query keys arrive percent-encoded and with brackets: `%74oken`, `user[password]`. */
export function isSensitiveKey (raw: string): boolean {
  if (!/[%+[\]]/.test(raw)) return isSensitiveQueryName(raw)
  return decodeLeniently(raw).split(/[[\]]/).some((part) => part !== '' && isSensitiveQueryName(part))
}

function isSensitiveQueryName (name: string): boolean {
  return isCredentialName(name) || sensitiveInQueries.has(plainName(name)) && !isHarmlessName(name)
}

/** Undoes what is valid percent-encoding of ASCII and leaves the rest: `decodeURIComponent` would throw on hostile input. */
function decodeLeniently (text: string): string {
  return text.replace(/\+/g, ' ').replace(/%([0-7][0-9a-fA-F])/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** A URL or request target without user:password before the host, and with its query, its fragment and the parameters of its path (`;jsessionid=`) redacted. */
export function redactUrl (url: string): string {
  const hash = url.indexOf('#')
  if (hash >= 0) return `${redactUrl(url.slice(0, hash))}#${redactQuery(url.slice(hash + 1))}`
  const mark = url.indexOf('?')
  const head = mark < 0 ? url : url.slice(0, mark)
  const safeHead = redactPath(head.includes('@') ? head.replace(userInfo, `//${REDACTED}@`) : head)
  return mark < 0 ? safeHead : `${safeHead}?${redactQuery(url.slice(mark + 1))}`
}

/** Parameters of the path (`;jsessionid=`) and keys of the usual shapes. */
export function redactPath (path: string): string {
  const safe = path.includes(';') ? path.replace(pathParameter, (all, key: string) => isSensitiveKey(key) ? `;${key}=${REDACTED}` : all) : path
  return hasLongSegment(safe) ? withoutKnownKeys(safe) : safe
}

/** No known key is as short as most segments are, and to look for them costs what the rest of a log line does: this runs for each request. */
function hasLongSegment (path: string): boolean {
  for (let from = 0; ;) {
    const slash = path.indexOf('/', from)
    if ((slash < 0 ? path.length : slash) - from > 15) return true
    if (slash < 0) return false
    from = slash + 1
  }
}

// Every repetition is bounded: these run on text that others wrote.
const pathParameter = /;([\w.~%+-]{1,64})=[^/;?#]{1,4096}/g
const userInfo = /\/\/[^\s/?#"'<>]{1,256}@/g
const schemeAndSecret = /\b(bearer|basic|digest|negotiate)[ \t]{1,4}[A-Za-z0-9._~+/=-]{6,4096}/gi
const queryPair = /([?&;])([\w.~%+[\]-]{1,64})=[^\s&;#"'<>]{1,4096}/g
const secretWord = /token|secret|pass|pwd|key|jwt|session|credential|signature/i
/** In quotes, a value may hold spaces. */
const valueOf = String.raw`(?:(\\?")(?:[^"\\\r\n]|\\[^"\r\n]){1,4096}|(')[^'\r\n]{1,4096}|([ \t"']{0,3})[^\s"'&,;}]{1,4096})`
const assignment = new RegExp(
  String.raw`\b([\w.-]{0,40}(?:token|secret|passw(?:or)?d|passphrase|passcode|pwd|(?:api|access|private|auth|signing|encryption|subscription)[-_]?key)\\?["']?[=:][ \t]{0,3})${valueOf}`, 'gi')
// Words of messages as well ("signature: invalid"): only where they are the name of a value.
const member = new RegExp(String.raw`\b([\w.-]{0,40}(?:jwt|session(?:[-_]?id)?|credential|signature)(?:\\?["'][=:][ \t]{0,3}|=))${valueOf}`, 'gi')
const knownKeys = new RegExp([
  // JSON web tokens.
  '(?<![\\w-])eyJ[\\w-]{5,4096}\\.[\\w-]{2,4096}(?:\\.[\\w-]{0,4096}){0,3}',
  // OpenAI, Anthropic and those who follow them; Stripe; GitHub, GitLab, Slack, Hugging Face, Groq, AWS, Google.
  'sk-[\\w-]{16,512}', '[sr]k_(?:live|test)_\\w{10,256}', 'gh[a-z]_\\w{20,256}', 'github_pat_\\w{20,256}', 'glpat-[\\w-]{16,256}', 'xox[a-z]-[\\w-]{10,256}',
  'hf_\\w{20,256}', 'gsk_\\w{20,256}', 'A[KS]IA[A-Z0-9]{16}', 'AIza[\\w-]{30,64}',
].map((shape) => `(?<![A-Za-z0-9])${shape}`).join('|'), 'g')
const privateKey = /(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)[^-]{1,16384}/g

/** Some keep one look, so that their keys can be found wherever they get to. */
function withoutKnownKeys (text: string): string {
  return text.length < 16 ? text : text.replace(knownKeys, REDACTED)
}

/** Running text (messages, an agent's plain lines) without the usual shapes of credentials. */
export function scrubText (text: string): string {
  let out = text
  if (/bearer|basic|digest|negotiate/i.test(out)) out = out.replace(schemeAndSecret, `$1 ${REDACTED}`)
  if (out.includes('@')) out = out.replace(userInfo, `//${REDACTED}@`)
  if (out.includes('=')) out = out.replace(queryPair, (pair, mark: string, key: string) => isSensitiveKey(key) ? `${mark}${key}=${REDACTED}` : pair)
  if (secretWord.test(out)) out = out.replace(assignment, `$1$2$3$4${REDACTED}`).replace(member, `$1$2$3$4${REDACTED}`)
  if (out.includes('PRIVATE KEY-----')) out = out.replace(privateKey, `$1${REDACTED}`)
  return withoutKnownKeys(out)
}
