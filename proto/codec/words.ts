/**
 * A number that this version has no word for. Readers meet it when the peer is newer; it is never an "allow" or a default,
 * and cannot be written.
 */
export type Unrecognized = 'unrecognized'

export function numberOf (numbers: ReadonlyMap<string, number>, word: string): number {
  const number = numbers.get(word)
  if (number === undefined) throw new RangeError(`no such word in the protocol: ${word}`)
  return number
}
