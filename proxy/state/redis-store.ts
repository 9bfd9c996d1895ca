import { hash } from 'node:crypto'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { StoreAddress } from '../../config/sentinel/index.ts'
import type { Grant } from '../pipeline/rates.ts'
import type { RateStore, Spacing } from './stored-rates.ts'

export interface RedisSettings {
  readonly address: StoreAddress
  readonly poolSize: number
  /** PEM of the authorities that sign its certificate; those of the system without it. */
  readonly ca: string | undefined
}

/**
 * GCRA in one step, by the clock of the server: clocks of proxies do not agree. Milliseconds are counted from a later year than 1970, so that their
 * fractions keep more digits. Nothing is remembered for longer than it matters.
 */
const script = `
local time = redis.call('TIME')
local now = (time[1] - 1700000000) * 1000 + time[2] / 1000
local interval, tolerance, count, patience = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local due = tonumber(redis.call('GET', KEYS[1]) or now)
if due < now then due = now end
local first = due - tolerance - now
local granted = math.max(0, math.min(count, math.floor((patience - first) / interval + 1e-6) + 1))
if granted > 0 then
  due = due + granted * interval
  redis.call('SET', KEYS[1], string.format('%.17g', due), 'PX', math.ceil(due - now))
end
return { granted, string.format('%.17g', first), string.format('%.17g', due - now) }
`
const scriptHash = hash('sha1', script, 'hex')

/** Asking on one connection while more than so many wait for it opens another. */
const muchToDo = 64
const connectMs = 2_000
/** A server that owes answers and says nothing for so long is left, with all that waits for it. */
const silentMs = 5_000

/** One way to the store: a connection, or those to all servers of a cluster. */
interface Way {
  readonly client: Redis | Cluster
  /** Settles when it was ready, or failed, for the first time. */
  readonly begun: Promise<void>
  asking: number
}

/** Counts in Redis or Valkey. What cannot be asked at once fails at once: nothing is queued while there is no connection. */
export class RedisStore implements RateStore {
  readonly #settings: RedisSettings
  readonly #ways: Way[] = []

  constructor (settings: RedisSettings) {
    this.#settings = settings
    this.#open()
  }

  async take (key: string, { intervalMs, toleranceMs }: Spacing, count: number, maxWaitMs: number): Promise<Grant> {
    const way = this.#pick()
    way.asking++
    try {
      if (way.client.status !== 'ready') await way.begun
      const given = [1, key, intervalMs, toleranceMs, count, maxWaitMs] as const
      const answer = await way.client.evalsha(scriptHash, ...given).catch((error: unknown) => {
        // It was started anew, and knows no scripts.
        if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return way.client.eval(script, ...given)
        throw error
      })
      return grantOf(answer)
    } finally {
      way.asking--
    }
  }

  async close (): Promise<void> {
    for (const { client } of this.#ways) client.disconnect()
  }

  #pick (): Way {
    const way = this.#ways.reduce((least, other) => other.asking < least.asking ? other : least)
    return way.asking > muchToDo && this.#ways.length < this.#settings.poolSize ? this.#open() : way
  }

  #open (): Way {
    const client = connect(this.#settings)
    const begun = new Promise<void>((resolve) => {
      client.once('ready', resolve)
      client.once('close', resolve)
    })
    // Failures are seen by those who ask; an error that nobody listens to would end the process.
    client.on('error', () => {})
    const way = { client, begun, asking: 0 }
    this.#ways.push(way)
    return way
  }
}

function grantOf (answer: unknown): Grant {
  const [granted, firstWaitMs, resetMs] = Array.isArray(answer) ? answer.map(Number) : []
  if (granted === undefined || firstWaitMs === undefined || resetMs === undefined || Number.isNaN(granted + firstWaitMs + resetMs)) throw new Error('an answer without sense')
  return { granted, firstWaitMs, resetMs }
}

function connect ({ address, ca }: RedisSettings): Redis | Cluster {
  const { kind, hosts, username, password, database, socket, master } = address
  const common = {
    ...username === undefined ? {} : { username },
    ...password === undefined ? {} : { password },
    connectTimeout: connectMs, socketTimeout: silentMs, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false,
    connectionName: 'sentinel', disableClientInfo: true,
  } satisfies RedisOptions
  const tls = address.tls ? { tls: ca === undefined ? {} : { ca } } : {}
  const alone = { enableOfflineQueue: false, enableAutoPipelining: true }
  if (kind === 'cluster') {
    return new Cluster([...hosts], {
      ...alone, redisOptions: { ...common, ...tls }, clusterRetryStrategy: backOff,
      slotsRefreshTimeout: connectMs, slotsRefreshInterval: 5_000, maxRedirections: 4,
    })
  }
  // A master that has become a replica is left for the new one.
  const reconnectOnError = ({ message }: Error): boolean => message.startsWith('READONLY')
  const options = { ...common, ...alone, db: database, retryStrategy: backOff, reconnectOnError } satisfies RedisOptions
  if (kind === 'sentinel') {
    return new Redis({
      ...options, ...tls, sentinels: [...hosts], name: master!, // Without a name there is no such address.
      sentinelRetryStrategy: backOff, sentinelCommandTimeout: connectMs, failoverDetector: true,
      ...address.tls ? { enableTLSForSentinelMode: true, sentinelTLS: tls.tls ?? {} } : {},
    })
  }
  return socket === undefined ? new Redis({ ...options, ...tls, ...hosts[0] }) : new Redis({ ...options, path: socket })
}

/** Jittered: a hundred proxies do not come back at the same moment. */
function backOff (times: number): number {
  return Math.min(1_000, 25 * 2 ** Math.min(times, 10)) * (0.5 + Math.random() / 2)
}
