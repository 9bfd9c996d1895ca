import { inOrder, sharesOf, type Balancer, type Candidate } from './balancer.ts'
import { hashOf, mixed } from './hash.ts'

/** Of a target of weight 1, where that leaves room for all. More points are a more even ring. */
const pointsOfOne = 160
const mostPoints = 65_536

/**
 * A ring of points, some of each target (the consistent hashing of Karger et al.): a key belongs to the first point behind it. When one of n targets
 * leaves, its keys alone move, an n-th of all. Where a target's points lie depends on its name alone, so that every proxy has the same ring.
 */
export function consistentHash<C extends Candidate> (): Balancer<C> {
  let ring: readonly C[] = []
  let shares = ''
  let points = new Uint32Array()
  let owners = new Uint32Array()
  const behind = (at: number): number => {
    let low = 0
    let high = points.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (points[middle]! < at) low = middle + 1
      else high = middle
    }
    return low === points.length ? 0 : low
  }
  return {
    use (next) {
      ring = inOrder(next)
      const before = shares
      shares = sharesOf(ring)
      if (shares !== before) ({ points, owners } = pointsOf(ring))
    },
    next ({ skip, key = '' }) {
      if (ring.length === 0) return undefined
      const first = behind(hashOf(key))
      if (skip === undefined) return ring[owners[first]!]
      for (let i = 0; i < points.length; i++) {
        const one = ring[owners[(first + i) % points.length]!]!
        if (!skip.has(one)) return one
      }
      return undefined
    },
  }
}

function pointsOf (ring: readonly Candidate[]): { points: Uint32Array<ArrayBuffer>, owners: Uint32Array<ArrayBuffer> } {
  const counts = pointCounts(ring.map(({ weight }) => weight))
  const total = counts.reduce((sum, count) => sum + count, 0)
  // Point and owner in one number, because numbers sort fastest: 32 bits of point above 21 bits of owner.
  const packed = new Float64Array(total)
  let at = 0
  for (const [owner, { name }] of ring.entries()) {
    const seed = hashOf(name)
    for (let i = 0; i < counts[owner]!; i++) packed[at++] = mixed(seed ^ mixed(i + 1)) * 0x20_0000 + owner
  }
  packed.sort()
  return { points: Uint32Array.from(packed, (both) => Math.floor(both / 0x20_0000)), owners: Uint32Array.from(packed, (both) => both % 0x20_0000) }
}

/** How many points weights get. They are halved until there is room for all: then they change for all at once, and not whenever a target comes or goes. */
function pointCounts (weights: readonly number[]): number[] {
  for (let each = pointsOfOne; ; each /= 2) {
    const counts = weights.map((weight) => Math.max(1, Math.round(weight * each)))
    if (each < 1e-6 || counts.reduce((sum, count) => sum + count, 0) <= Math.max(mostPoints, weights.length)) return counts
  }
}
