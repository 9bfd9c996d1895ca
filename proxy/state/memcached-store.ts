import { hash } from 'node:crypto'
import type { StoreAddress } from '../../config/sentinel/index.ts'
import type { Grant } from '../pipeline/rates.ts'
import { MemcachedConnection } from './memcached-connection.ts'
import type { RateStore, Spacing } from './stored-rates.ts'

export interface MemcachedSettings {
  readonly hosts: StoreAddress['hosts']
  /** Connections to each server. */
  readonly poolSize: number
  /** How long a count is kept beyond the time it matters. */
  readonly ttlMs: number
}

interface Server {
  readonly name: string
  readonly host: StoreAddress['hosts'][number]
  readonly connections: MemcachedConnection[]
}

/** Asking on one connection while more than so many wait for it opens another. */
const muchToDo = 64
/** Others were faster so many times: the store is given up. */
const mostTries = 64
/** More seconds would be a date. */
const mostSeconds = 30 * 24 * 3600
/** What memcached takes as a key. */
const goodKey = /^[\x21-\x7e]{1,250}$/

/**
 * Counts in memcached, which runs no scripts: what was read is written only when nobody else has written since (`gets` and `cas`), else all is done
 * again. So a limit is as exact as with a script; but time is that of the proxies, whose clocks have to agree: one that is ahead by a second takes a
 * second's worth from the others. Which of several servers has a key depends on all of their names, and on nothing else.
 */
export class MemcachedStore implements RateStore {
  readonly #settings: MemcachedSettings
  readonly #servers: readonly Server[]

  constructor (settings: MemcachedSettings) {
    this.#settings = settings
    this.#servers = settings.hosts.map((host) => ({ name: `${host.host}:${host.port}`, host, connections: [new MemcachedConnection(host)] }))
  }

  async take (whole: string, spacing: Spacing, count: number, maxWaitMs: number): Promise<Grant> {
    const key = goodKey.test(whole) ? whole : hash('sha256', whole, 'base64url')
    const connection = this.#connectionFor(key)
    for (let tries = 0; tries < mostTries; tries++) {
      const before = await connection.read(key)
      // oxlint-disable-next-line no-restricted-properties -- the time of day is the only clock that several proxies have
      const nowMs = Date.now()
      const { grant, dueMs } = granted(Number(before?.value ?? 0), nowMs, spacing, count, maxWaitMs)
      if (grant.granted === 0) return grant
      const seconds = Math.min(mostSeconds, Math.ceil((grant.resetMs + this.#settings.ttlMs) / 1000))
      if (await connection.write(key, dueMs.toFixed(6), seconds, before)) return grant
    }
    throw new Error('others write all the time')
  }

  async close (): Promise<void> {
    for (const { connections } of this.#servers) for (const connection of connections) connection.close()
  }

  /** Rendezvous hashing: when a server is added, it takes its part of the keys, and no other key moves. */
  #connectionFor (key: string): MemcachedConnection {
    const [only] = this.#servers
    const server = this.#servers.length === 1 ? only! : this.#servers
      .map((one) => ({ one, weight: hash('md5', `${one.name} ${key}`, 'hex') }))
      .reduce((most, other) => other.weight > most.weight ? other : most).one
    const { connections, host } = server
    const least = connections.reduce((one, other) => other.asking < one.asking ? other : one)
    if (least.asking <= muchToDo || connections.length >= this.#settings.poolSize) return least
    const another = new MemcachedConnection(host)
    connections.push(another)
    return another
  }
}

/** GCRA for several at once. A time further ahead than this limit can lead to was written by a clock that was wrong. */
function granted (writtenMs: number, nowMs: number, { intervalMs, toleranceMs }: Spacing, count: number, maxWaitMs: number): { grant: Grant, dueMs: number } {
  const known = Number.isFinite(writtenMs) ? Math.min(writtenMs, nowMs + toleranceMs + intervalMs + maxWaitMs) : 0
  const beforeMs = Math.max(known, nowMs)
  const firstWaitMs = beforeMs - toleranceMs - nowMs
  const fit = Math.max(0, Math.min(count, Math.floor((maxWaitMs - firstWaitMs) / intervalMs + 1e-6) + 1))
  const dueMs = beforeMs + fit * intervalMs
  return { dueMs, grant: { granted: fit, firstWaitMs, resetMs: dueMs - nowMs } }
}
