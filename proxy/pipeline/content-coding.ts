import { listItems, type HeaderList } from './headers.ts'

/** Ways of packing an answer (RFC 9110 section 8.4.1). */
export type Coding = 'gzip' | 'br' | 'zstd' | 'deflate'

/** RFC 9110 section 12.5.3: the highest weight wins, and among equals the one the operator prefers. `undefined`: as it is. */
export function chosenCoding (headers: HeaderList, codings: readonly Coding[]): Coding | undefined {
  const fields = headers.getAll('accept-encoding')
  if (fields.length === 0) return undefined
  const weights = new Map(listItems(fields.join(',')).map((item) => {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim())
    const q = parameters.find((parameter) => parameter.startsWith('q='))
    const weight = q === undefined ? 1 : Number(q.slice(2))
    return [name === 'x-gzip' ? 'gzip' : name, weight >= 0 && weight <= 1 ? weight : 0] as const
  }))
  const others = weights.get('*') ?? 0
  let best: Coding | undefined
  let most = weights.get('identity') === undefined ? 0 : Math.min(weights.get('identity')!, 0.0009)
  for (const coding of codings) {
    const weight = weights.get(coding) ?? others
    if (weight > most) [best, most] = [coding, weight]
  }
  return best
}
