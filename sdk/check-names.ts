import { nearest } from '../config/schema/report.ts'

/**
 * Throws a TypeError for a name that means nothing. Authors without a compiler learn of a slip where they made it, and so do those whose types are only
 * taken away: what is misspelt would otherwise be as if it were not there.
 */
export function checkNames (what: string, given: object, known: Readonly<Record<string, unknown>>): void {
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue
    const meant = nearest(name, Object.keys(known))
    throw new TypeError(`${what} has no "${name}"${meant === undefined ? `: ${Object.keys(known).join(', ')}` : `; did you mean "${meant}"?`}`)
  }
}
