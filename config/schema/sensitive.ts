/** Compared after lower-casing and dropping `-`, `_` and `.`, so that one spelling stands for all. */
const sensitiveNames = new Set(['auth', 'pwd', 'jwt', 'bearer', 'otp', 'csrf', 'xcsrf'])
const sensitiveParts = /token|secret|passw|passphrase|apikey|privatekey|accesskey|signature|session|credential|authorization|cookie/

/** What an operator says of names, as they are compared. */
let alsoSensitive: ReadonlySet<string> = new Set()
let harmless: ReadonlySet<string> = new Set()

/** What counts in this process from here on: names whose values are secrets as well, and names whose values are none. */
export function judgeNames (names: readonly string[], except: readonly string[]): void {
  alsoSensitive = new Set(names.map(plainName))
  harmless = new Set(except.map(plainName))
  known.clear()
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

/** A name as it is compared. */
export function plainName (name: string): string {
  return name.slice(0, 200).toLowerCase().replace(/[-_.]/g, '')
}
