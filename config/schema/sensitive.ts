/** Compared after lower-casing and dropping `-`, `_` and `.`, so that one spelling stands for all. */
const sensitiveNames = new Set(['auth', 'pwd', 'jwt', 'bearer', 'otp', 'csrf', 'xcsrf'])
const sensitiveParts = /token|secret|passw|passphrase|passcode|apikey|privatekey|accesskey|signature|session|sessid|credential|authorization|cookie/

/** What an operator says of names, as they are compared. */
let alsoSensitive: ReadonlySet<string> = new Set()
let harmless: ReadonlySet<string> = new Set()

/** What counts in this process from here on: names whose values are secrets as well, and names whose values are none. */
export function judgeNames (names: readonly string[], except: readonly string[]): void {
  alsoSensitive = new Set(names.map(plainName))
  harmless = new Set(except.map(plainName))
  known.clear()
  knownCredentials.clear()
}

/** The operator said that it is none. */
export function isHarmlessName (name: string): boolean {
  return harmless.size > 0 && harmless.has(plainName(name))
}

/** Names repeat from request to request: the answer is kept, for a bounded number of them. */
const known = new Map<string, boolean>()
const KNOWN_MAX = 2_000

/** Whether the value behind this name (of a header field, a fact, a setting nobody declared, a variable of the environment) is a secret. */
export function isSensitiveName (name: string): boolean {
  let answer = known.get(name)
  if (answer !== undefined) return answer
  const plain = plainName(name)
  answer = !harmless.has(plain) && (sensitiveNames.has(plain) || sensitiveParts.test(plain)) || alsoSensitive.has(plain)
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(name, answer)
  return answer
}

/** Words that names of credentials end in, where others make the names: `X-Auth-Key`, `userPwd`, `Cf-Access-Jwt-Assertion`. */
const credentialWords = new Set([
  'auth', 'authentication', 'pass', 'userpass', 'pwd', 'pw', 'pin', 'otp', 'totp', 'jwt', 'bearer', 'csrf', 'xsrf', 'sid', 'hmac', 'dpop', 'assertion', 'cvv', 'cvc', 'key',
])
/** Keys that open nothing. */
const plainKeys = new Set([
  'idempotency', 'websocket', 'surrogate', 'cache', 'sort', 'partition', 'primary', 'foreign', 'public', 'group', 'object', 'row', 'event', 'message', 'routing', 'deduplication',
])
const knownCredentials = new Map<string, boolean>()

/** Whether the value behind a name that others made (of a header field, a query parameter, a member of a body) is a secret: more names than `isSensitiveName` has. */
export function isCredentialName (name: string): boolean {
  let answer = knownCredentials.get(name)
  if (answer !== undefined) return answer
  answer = isSensitiveName(name) || !isHarmlessName(name) && endsInCredential(name)
  if (knownCredentials.size >= KNOWN_MAX) knownCredentials.clear()
  knownCredentials.set(name, answer)
  return answer
}

function endsInCredential (name: string): boolean {
  const words = name.slice(-200).replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase().split(/[^a-z0-9]+/).filter((word) => word !== '')
  const [last = '', before] = words.reverse()
  // A "key" alone is as often the name of something.
  return last === 'key' ? before !== undefined && !plainKeys.has(before) : credentialWords.has(last)
}

/** A name as it is compared. */
export function plainName (name: string): string {
  return name.slice(0, 200).toLowerCase().replace(/[-_.]/g, '')
}
