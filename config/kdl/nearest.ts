import { closest, distance } from 'fastest-levenshtein'

/**
 * The candidate that was probably meant, if any is close enough to suggest.
 * Words joined by "-" and "_" count as equal; a longer word forgives more slips.
 */
export function nearest (word: string, candidates: Iterable<string>): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replaceAll('_', '-')
  const byPlain = new Map<string, string>()
  for (const candidate of candidates) byPlain.set(plain(candidate), candidate)
  const wanted = plain(word).slice(0, 64)
  if (byPlain.size === 0 || wanted === '') return undefined
  const exact = byPlain.get(wanted)
  if (exact !== undefined) return exact
  const best = closest(wanted, [...byPlain.keys()])
  const swapped = wanted.length < 9 ? [...byPlain.keys()].find(candidate => isSwapped(wanted, candidate)) : undefined
  if (swapped !== undefined) return byPlain.get(swapped)
  const slips = distance(wanted, best)
  if (slips <= Math.max(1, Math.floor(wanted.length / 3))) return byPlain.get(best)
  return byParts(wanted, byPlain)
}

/** Two neighbouring letters changed places: one slip of the fingers, which counts as two of the distance. */
function isSwapped (word: string, other: string): boolean {
  if (word.length !== other.length) return false
  let at = 0
  while (at < word.length && word[at] === other[at]) at++
  return at + 1 < word.length && word[at] === other[at + 1] && word[at + 1] === other[at] && word.slice(at + 2) === other.slice(at + 2)
}

/** `timeout` for `request-timeout`: a candidate that contains the word (or the reverse) as whole parts, when there is only one. */
function byParts (wanted: string, byPlain: ReadonlyMap<string, string>): string | undefined {
  if (wanted.length < 3) return undefined
  const found = [...byPlain].filter(([name]) =>
    name.length >= 3 && (`-${name}-`.includes(`-${wanted}-`) || `-${wanted}-`.includes(`-${name}-`)))
  return found.length === 1 ? found[0]?.[1] : undefined
}

/** `a, b, c` for a message, cut when long. */
export function listed (names: Iterable<string>, most = 12): string {
  const all = [...names]
  const rest = all.length - most
  return all.slice(0, most).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}
