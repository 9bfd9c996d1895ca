import type { Redis } from 'ioredis'
import { AgentFailure } from '../failure.ts'
import type { Log } from '../log.ts'
import { checkKey, checkStep, checkValue, checkedTtl, counterFull, noCounter, type OwnedStore } from './store.ts'

const connectMs = 2000
/** A handler that waits for the store has a client that waits for the handler. */
const commandMs = 1000

/** One step on the server, so that a counter cannot be left without its lifetime. "no" and "full" are told apart from a server that fails. */
const incrementScript = `
local old = redis.call('GET', KEYS[1])
if old and (not string.match(old, '^%-?%d+$') or #old > 17) then return 'no' end
local sum = tonumber(old or '0') + tonumber(ARGV[1])
if sum > 9007199254740991 or sum < -9007199254740991 then return 'full' end
redis.call('INCRBY', KEYS[1], ARGV[1])
if ARGV[2] ~= '' and redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return string.format('%.0f', sum)
`

/**
 * A store in Redis or Valkey at a URL that `isRedisUrl` takes, every key under `prefix`. What cannot be asked at once fails with `AgentFailure`
 * "store_down": nothing is queued while there is no connection.
 */
export async function redisStore (url: string, prefix: string, log: Log): Promise<OwnedStore> {
  const client = await connect(url)
  let isUp = true
  const say = (up: boolean, error?: Error): void => {
    if (up === isUp) return
    isUp = up
    // ioredis puts addresses into its messages, never credentials.
    if (up) log.info('the store is back')
    else log.warn({ error: error?.message }, 'the store cannot be reached')
  }
  client.on('ready', () => say(true))
  client.on('error', (error: Error) => say(false, error))
  client.on('close', () => say(false))
  const begun = new Promise<void>((resolve) => {
    client.once('ready', resolve)
    client.once('close', resolve)
  })
  const ask = async <T>(command: () => Promise<T>): Promise<T> => {
    if (client.status !== 'ready') await begun
    try {
      return await command()
    } catch (error) {
      throw new AgentFailure('store_down', 'the store does not answer', { retryable: true, cause: error })
    }
  }

  return {
    async get (key) {
      checkKey(key)
      return await ask(() => client.get(prefix + key)) ?? undefined
    },
    async set (key, value, options = {}) {
      checkKey(key)
      checkValue(value)
      const ttlMs = checkedTtl(options)
      await ask(() => ttlMs === undefined ? client.set(prefix + key, value) : client.set(prefix + key, value, 'PX', ttlMs))
    },
    async increment (key, { by = 1, ...options } = {}) {
      checkKey(key)
      checkStep(by)
      const ttlMs = checkedTtl(options)
      const answer = await ask(() => client.eval(incrementScript, 1, prefix + key, by, ttlMs ?? ''))
      if (answer === 'no') throw noCounter()
      if (answer === 'full') throw counterFull()
      return Number(answer)
    },
    async delete (key) {
      checkKey(key)
      return await ask(() => client.del(prefix + key)) > 0
    },
    async close () {
      // It is not lost but left: nobody has to hear of it.
      isUp = false
      client.disconnect()
    },
  }
}

async function connect (url: string): Promise<Redis> {
  let library: Pick<typeof import('ioredis'), 'Redis'>
  try {
    library = await import('ioredis')
  } catch (error) {
    throw new Error('a store in Redis needs the package ioredis, which cannot be loaded here: npm install ioredis', { cause: error })
  }
  return new library.Redis(url, {
    connectTimeout: connectMs, commandTimeout: commandMs, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false, enableOfflineQueue: false,
    enableAutoPipelining: true, connectionName: 'sentinel-agent', disableClientInfo: true,
    retryStrategy: (times) => Math.min(1000, 25 * 2 ** Math.min(times, 10)) * (0.5 + Math.random() / 2),
    // A master that has become a replica is left for the new one.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
  })
}
