/** Compared after lower-casing and dropping `-`, `_` and `.`, so that one spelling stands for all. */
const sensitiveNames = new Set(['auth', 'pwd', 'jwt', 'bearer', 'otp', 'csrf', 'xcsrf'])
const sensitiveParts = /token|secret|passw|passphrase|apikey|privatekey|accesskey|signature|session|credential|authorization|cookie/

/** Names repeat from request to request: the answer is kept, for a bounded number of them. */
const known = new Map<string, boolean>()
const KNOWN_MAX = 2_000

/** Whether the value behind this name (of a header field, a fact, a setting nobody declared, a variable of the environment) is a secret. */
export function isSensitiveName (name: string): boolean {
  let answer = known.get(name)
  if (answer !== undefined) return answer
  const plain = plainName(name)
  answer = sensitiveNames.has(plain) || sensitiveParts.test(plain)
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(name, answer)
  return answer
}

/** A name as it is compared. */
export function plainName (name: string): string {
  return name.slice(0, 200).toLowerCase().replace(/[-_.]/g, '')
}
