import { parseAddress } from '../../../config/schema/address.ts'
import type { TargetSettings } from '../target.ts'
import { DiscoveryError } from './source.ts'
import { believe, shown, type Claim } from './target-list.ts'

/** Lines of `host:port [weight=N] [zone=NAME] [priority=N]` with `#` comments, or a JSON array. All of it makes sense, or it throws: half a file is none. */
export function parseTargetFile (text: string): TargetSettings[] {
  const plain = text.replace(/^\uFEFF/, '')
  if (plain.trimStart().startsWith('[') && !/^\s*\[[0-9a-f:.]*:[0-9a-f:.]*\]:/i.test(plain)) return parseJson(plain)
  return plain.split(/\r?\n/).flatMap((line, index) => {
    const words = line.replace(/(^|\s)#.*/, '').trim().split(/\s+/).filter((word) => word !== '')
    const [address, ...facts] = words
    return address === undefined ? [] : [at(`line ${index + 1}`, () => believe({ ...placeOf(address), ...claimOf(facts) }))]
  })
}

function parseJson (text: string): TargetSettings[] {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch (error) {
    throw new DiscoveryError('the JSON is not whole', error)
  }
  if (!Array.isArray(list)) throw new DiscoveryError('the JSON is not an array')
  return list.map((entry: unknown, index) => at(`entry ${index + 1}`, () => {
    if (typeof entry === 'string') return believe(placeOf(entry))
    if (entry === null || typeof entry !== 'object') throw new DiscoveryError(`${shown(entry)} is no target`)
    const { address, host, port, weight, zone, priority, metadata, ...others } = entry as Record<string, unknown>
    const [unknown] = Object.keys(others)
    if (unknown !== undefined) throw new DiscoveryError(`${shown(unknown)} is nothing that a target has`)
    return believe({ ...typeof address === 'string' ? placeOf(address) : { host, port }, weight, zone, priority, metadata })
  }))
}

function placeOf (written: string): Pick<Claim, 'host' | 'port'> {
  const found = parseAddress(written)
  if ('wrong' in found) throw new DiscoveryError(`${shown(written)} is no host:port${found.wrong === '' ? '' : `: ${found.wrong}`}`)
  return found.value
}

function claimOf (facts: readonly string[]): Partial<Claim> {
  const claim: { weight?: number, zone?: string, priority?: number } = {}
  for (const fact of facts) {
    const [, name, value = ''] = /^([a-z]+)=(.+)$/.exec(fact) ?? []
    if ((name === 'weight' || name === 'priority') && /^\d{1,9}$/.test(value)) claim[name] = Number(value)
    else if (name === 'zone') claim.zone = value
    else throw new DiscoveryError(`${shown(fact)} is not weight=N, zone=NAME or priority=N`)
  }
  return claim
}

function at<T> (place: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof DiscoveryError ? new DiscoveryError(`${place}: ${error.message}`) : error
  }
}
