import { promises as dns } from 'node:dns'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { TargetSettings } from '../target.ts'
import { addressesIn } from './hosts-file.ts'
import { DiscoveryError, type Found, type Source } from './source.ts'
import { believe, distinct, maxTargets } from './target-list.ts'

export interface DnsSettings {
  readonly hostname: string
  /** Of every target; of SRV records it is theirs. */
  readonly port: number
  /** The name is one of SRV records (RFC 2782). */
  readonly isService: boolean
  /** `IP:port` of servers to ask in place of those of the system. */
  readonly resolvers: readonly string[]
  readonly intervalMs: number
  readonly timeoutMs: number
  /** In place of /etc/hosts. */
  readonly hostsFile?: string
}

interface Addresses {
  readonly addresses: readonly string[]
  /** Until when they are good; `undefined`: nobody said. */
  readonly ttlMs: number | undefined
}

const none: Addresses = { addresses: [], ttlMs: undefined }
/** Answers that are good for less are kept for this long all the same. */
const leastMs = 1_000
/** Names of SRV records are looked up so many at a time. */
const atATime = 8

/** Addresses of a name, or what its SRV records say. An answer is good for as long as it says, and no longer than the interval. */
export function dnsSource (settings: DnsSettings): Source {
  // One try for each server: whoever asks this asks again by himself.
  const resolver = new dns.Resolver({ timeout: Math.max(100, Math.round(settings.timeoutMs / 2)), tries: 2 })
  if (settings.resolvers.length > 0) resolver.setServers(settings.resolvers)
  const names = new Names(resolver, settings)
  return {
    patienceMs: settings.timeoutMs * (settings.isService ? 3 : 2),
    ask: async (signal) => {
      const cancel = (): void => resolver.cancel()
      signal.addEventListener('abort', cancel, { once: true })
      try {
        return settings.isService ? await askServices(resolver, names, settings) : await askAddresses(names, settings)
      } finally {
        signal.removeEventListener('abort', cancel)
      }
    },
  }
}

async function askAddresses (names: Names, { hostname, port, intervalMs }: DnsSettings): Promise<Found> {
  const { addresses, ttlMs } = await names.addressesOf(hostname)
  return { targets: distinct(addresses.map((host) => believe({ host, port }))), ...goodFor(ttlMs, intervalMs) }
}

async function askServices (resolver: dns.Resolver, names: Names, { hostname, intervalMs }: DnsSettings): Promise<Found> {
  const records = await inWords(hostname, () => resolver.resolveSrv(hostname)) ?? []
  // A single "." says that there is no such service (RFC 2782).
  const services = records.filter(({ name }) => name !== '' && name !== '.')
  if (services.length > maxTargets) throw new DiscoveryError(`${hostname} has ${services.length} SRV records`)
  const targets: TargetSettings[] = []
  let ttlMs: number | undefined
  for (let start = 0; start < services.length; start += atATime) {
    const group = services.slice(start, start + atATime)
    const found = await Promise.all(group.map(({ name }) => names.addressesOf(name)))
    for (const [i, { addresses, ttlMs: ttl }] of found.entries()) {
      const { port, weight, priority, name } = group[i]!
      // A weight of 0 is "hardly ever" there, and "never" here.
      targets.push(...addresses.map((host) => believe({ host, port, weight: Math.max(1, weight), priority, metadata: { name } })))
      ttlMs = Math.min(ttlMs ?? Infinity, ttl ?? Infinity)
    }
  }
  return { targets: distinct(targets), ...goodFor(ttlMs, intervalMs) }
}

function goodFor (ttlMs: number | undefined, intervalMs: number): Pick<Found, 'againMs'> {
  return ttlMs === undefined || ttlMs >= intervalMs ? {} : { againMs: Math.max(leastMs, ttlMs) }
}

/** Names to addresses. What one family said last stands while it fails and the other answers. */
class Names {
  readonly #resolver: dns.Resolver
  readonly #settings: DnsSettings
  readonly #last = new Map<string, Addresses>()

  constructor (resolver: dns.Resolver, settings: DnsSettings) {
    this.#resolver = resolver
    this.#settings = settings
  }

  async addressesOf (name: string): Promise<Addresses> {
    if (isIP(name) !== 0) return { addresses: [name], ttlMs: undefined }
    const ofSystem = this.#settings.resolvers.length === 0
    const written = ofSystem ? addressesIn(await this.#hosts(), name) : []
    if (written.length > 0) return { addresses: written, ttlMs: undefined }
    const families = await Promise.allSettled([this.#family(name, 4), this.#family(name, 6)])
    const [v4, v6] = families.map((family, i) => family.status === 'fulfilled' ? family.value : this.#last.get(`${i} ${name}`) ?? none)
    const found = { addresses: [...v4!.addresses, ...v6!.addresses], ttlMs: least(v4!.ttlMs, v6!.ttlMs) }
    const failed = families.find((family) => family.status === 'rejected')
    if (failed !== undefined && families.every((family) => family.status === 'rejected' || family.value.addresses.length === 0)) {
      if (ofSystem) return this.#lookup(name, failed.reason)
      throw failed.reason
    }
    for (const [i, family] of families.entries()) if (family.status === 'fulfilled') this.#last.set(`${i} ${name}`, family.value)
    return found
  }

  async #family (name: string, family: 4 | 6): Promise<Addresses> {
    const ask = (): Promise<ReadonlyArray<{ address: string, ttl: number }>> =>
      family === 4 ? this.#resolver.resolve4(name, { ttl: true }) : this.#resolver.resolve6(name, { ttl: true })
    const records = await inWords(name, ask)
    if (records === undefined) return none
    return { addresses: records.map(({ address }) => address).toSorted(), ttlMs: Math.min(...records.map(({ ttl }) => ttl * 1000)) }
  }

  /** As programs of this machine would find it: with search domains, and whatever else there is beside DNS. */
  async #lookup (name: string, reason: unknown): Promise<Addresses> {
    const found = await dns.lookup(name, { all: true }).catch(() => { throw reason })
    return { addresses: found.map(({ address }) => address).toSorted(), ttlMs: undefined }
  }

  async #hosts (): Promise<string> {
    return readFile(this.#settings.hostsFile ?? '/etc/hosts', 'utf8').catch(() => '')
  }
}

function least (a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b)
}

const sentences: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such name',
  ESERVFAIL: 'the DNS server failed',
  EREFUSED: 'the DNS server refused to answer',
  ETIMEOUT: 'no DNS server answered in time',
  ECONNREFUSED: 'no DNS server is reachable',
  EBADRESP: 'the answer of the DNS server is malformed',
  EFORMERR: 'the DNS server did not understand the question',
}

/** `undefined`: the name is there, and has no such records. */
async function inWords<T> (name: string, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ENODATA') return undefined
    throw new DiscoveryError(`${name}: ${sentences[code] ?? `it cannot be resolved (${code})`}`, error)
  }
}
