import { isHostName } from '../../../config/schema/address.ts'
import { isIP } from 'node:net'
import { nameOf, type TargetSettings } from '../target.ts'
import { DiscoveryError } from './source.ts'

/** More than any upstream has; what says more is broken, or hostile. */
export const maxTargets = 10_000
const maxMetadata = 64
const maxText = 256

/** What somebody else said about a target, not believed yet. */
export interface Claim {
  readonly host: unknown
  readonly port: unknown
  readonly weight?: unknown
  readonly zone?: unknown
  readonly priority?: unknown
  readonly metadata?: unknown
}

/** A target, or an error that says what is wrong with the claim. */
export function believe ({ host, port, weight = 1, zone, priority = 0, metadata }: Claim): TargetSettings {
  if (typeof host !== 'string' || isIP(host) === 0 && !isHostName(host)) throw new DiscoveryError(`${shown(host)} is neither an address nor a host name`)
  if (!isWithin(port, 1, 65_535)) throw new DiscoveryError(`${shown(port)} is no port (${host})`)
  if (!isWithin(weight, 0, 1_000_000)) throw new DiscoveryError(`${shown(weight)} is no weight (${host})`)
  if (!isWithin(priority, 0, 65_535)) throw new DiscoveryError(`${shown(priority)} is no priority (${host})`)
  const named = typeof zone === 'string' && zone !== '' && zone.length <= maxText ? zone : undefined
  return { host: plainHost(host), port, weight, priority, metadata: factsOf(metadata), ...named === undefined ? {} : { zone: named } }
}

/** One spelling for one machine. */
function plainHost (host: string): string {
  return host.replace(/\.$/, '').toLowerCase()
}

function isWithin (value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && Number(value) >= min && Number(value) <= max
}

function factsOf (given: unknown): Readonly<Record<string, string>> {
  if (given === null || typeof given !== 'object') return {}
  const texts = Object.entries(given).filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1].length <= maxText)
  return Object.fromEntries(texts.slice(0, maxMetadata))
}

/** For a message: short, and without what could change a terminal. */
export function shown (value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value) ?? 'nothing'
  return `"${text.slice(0, 60).replace(/[^\x20-\x7e]/g, '?')}"`
}

/** Where one target is told of several times, by several pieces of an answer. */
export function distinct (targets: readonly TargetSettings[]): TargetSettings[] {
  return [...new Map(targets.map((target) => [nameOf(target), target])).values()]
}

/** Equal for lists of the same content, in whatever order it came. */
export function contentOf (targets: readonly TargetSettings[]): string {
  return targets.map(({ host, port, weight, zone, priority, metadata = {} }) =>
    JSON.stringify([host, port, weight, zone, priority, Object.entries(metadata).toSorted(([a], [b]) => a < b ? -1 : 1)])).toSorted().join('\n')
}

/** Of many entries those that make sense. One that does not must not keep the others from being taken over, but an answer of such entries alone is none. */
export function usable (entries: readonly unknown[], read: (entry: unknown) => TargetSettings | undefined): { targets: TargetSettings[], problems: string[] } {
  const targets: TargetSettings[] = []
  const problems: string[] = []
  for (const entry of entries) {
    try {
      const target = read(entry)
      if (target !== undefined) targets.push(target)
    } catch (error) {
      if (!(error instanceof DiscoveryError)) throw error
      problems.push(error.message)
    }
  }
  const [first] = problems
  if (targets.length === 0 && first !== undefined) throw new DiscoveryError(first)
  return { targets: distinct(targets), problems }
}
