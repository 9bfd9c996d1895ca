/** Lines of `name:hash`, as the program htpasswd writes them. */

export interface PasswordFile {
  readonly users: ReadonlyMap<string, string>
  /** Lines that count from 1; what is wrong never says the hash. */
  readonly problems: readonly { readonly line: number, readonly why: string }[]
}

/** Above that, one password would keep a processor busy for seconds. */
const mostBcryptCost = 15

export function readPasswords (text: string): PasswordFile {
  const users = new Map<string, string>()
  const problems: { line: number, why: string }[] = []
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trimEnd()
    if (line === '' || line.startsWith('#')) continue
    const colon = line.indexOf(':')
    const name = line.slice(0, colon)
    // htpasswd allows a comment behind another colon.
    const hash = line.slice(colon + 1).split(':', 1)[0]!
    const why = colon < 1 ? 'it is not name:hash' : users.has(name) ? 'its user was there before' : hashProblem(hash)
    if (why === undefined) users.set(name, hash)
    else problems.push({ line: i + 1, why })
  }
  return { users, problems }
}

/** Why a password cannot be checked against a text, or should not be. */
export function hashProblem (hash: string): string | undefined {
  if (/^\$apr1\$[./0-9A-Za-z]{1,8}\$[./0-9A-Za-z]{22}$/.test(hash)) return undefined
  const cost = /^\$2[aby]\$(\d\d)\$[./0-9A-Za-z]{53}$/.exec(hash)?.[1]
  if (cost !== undefined) {
    if (Number(cost) < 4) return `its bcrypt cost of ${Number(cost)} is none`
    return Number(cost) > mostBcryptCost ? `its bcrypt cost of ${Number(cost)} would take seconds for each try; the most is ${mostBcryptCost}` : undefined
  }
  if (hash.startsWith('{SHA}')) return '{SHA} has no salt and is guessed in no time: make a new one by htpasswd -B'
  if (/^\$(?:2.?|apr1|[0-9a-z]+)\$/.test(hash)) return 'it is no whole hash of bcrypt or apr1: make a new one by htpasswd -B'
  return 'it is no hash of bcrypt or apr1, perhaps the password itself: make one by htpasswd -B'
}
