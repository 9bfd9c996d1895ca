import type { KdlNode } from '../kdl/nodes.ts'
import { block } from '../schema/blocks.ts'
import type { OlderForm, OlderForms } from '../schema/field.ts'
import { notBuilt, optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { bool, integer, text, words } from '../schema/values.ts'
import { rateKey } from './rate-key.ts'
import { rateStore } from './rate-store.ts'

/** Said once, of the word that chooses. */
const quiet = { quiet: true }

const storeFields = {
  type: setting(rateStore, 'local', 'Where counts are kept: in this process, or where several proxies share them.'),
  url: notBuilt(optional(text, 'Address of the store; without it redis://127.0.0.1:6379 or memcache://127.0.0.1:11211. Several of memcached have commas between them.', { secret: true }), quiet),
  keyPrefix: notBuilt(setting(text, 'sentinel:ratelimit:', 'Beginning of every key in the store.', { aliases: ['prefix'] }), quiet),
  poolSize: notBuilt(setting(integer(1, 1000), 10, 'Connections to the store.'), quiet),
  timeout: notBuilt(setting(durationWithin('1ms', '1m'), '50ms', 'Time for an answer of the store.', { aliases: ['timeout-ms'] }), quiet),
  fallbackLocal: notBuilt(setting(bool, true, 'Count in this process while the store does not answer; otherwise requests are refused.', { aliases: ['fallback'] }), quiet),
  ttl: notBuilt(setting(durationWithin('1s'), '2s', 'memcached: how long a count is kept.', { bareUnitMs: 1000, aliases: ['ttl-secs'] }), quiet),
}

const schemes: Readonly<Record<string, RegExp>> = { redis: /^(?:rediss?|redis\+sentinel|unix):\/\//, memcached: /^memcached?:\/\// }

const backend = block(storeFields, 'Where counts are kept.', {
  args: ['type'],
  example: `backend "redis" {
    url "redis://redis.internal:6379"
    timeout "50ms"
    fallback-local #true
}`,
  build (value, here) {
    if (here.clean) checkStore(value.type, here)
    return value
  },
})

function checkStore (type: string, here: Here<typeof storeFields>): void {
  const url = here.nodes('url')[0]?.args[0]?.value
  const strange = type !== 'local' ? undefined : (['url', 'keyPrefix', 'poolSize', 'timeout', 'fallbackLocal'] as const).find(name => here.given(name))
  if (strange !== undefined) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has settings of a store, but counts are kept in this process`, here.where(strange), 'write backend "redis" or backend "memcached"')
  }
  if (type !== 'memcached' && here.given('ttl')) here.report.error('CONFIG_CONTRADICTION', `'ttl' of ${here.scope} is of memcached, the backend is ${type}`, here.where('ttl'))
  if (typeof url === 'string' && schemes[type]?.test(url) === false) {
    here.report.error('CONFIG_TYPE', `the 'url' of ${here.scope} does not begin with ${type === 'redis' ? 'redis:// or rediss://' : 'memcache://'}`, here.where('url'))
  }
}

/** `redis-url "…"` beside `backend "redis"` is `backend "redis" { url "…" }`. */
function intoBackend (name: string): OlderForm {
  return { doc: `write backend "…" { ${name} … }`, into: (node: KdlNode) => [{ name: 'backend', at: node.at, args: [], props: [], children: [{ ...node, name }] }] }
}

const storeNames: Readonly<Record<string, string>> = {
  url: 'url', prefix: 'key-prefix', 'key-prefix': 'key-prefix', 'pool-size': 'pool-size', 'timeout-ms': 'timeout-ms', timeout: 'timeout',
  fallback: 'fallback-local', 'fallback-local': 'fallback-local', ttl: 'ttl', 'ttl-secs': 'ttl-secs',
}

export const olderRateLimit: OlderForms = Object.fromEntries(['redis', 'memcached'].flatMap(store =>
  Object.entries(storeNames).filter(([name]) => store === 'memcached' || !name.startsWith('ttl')).map(([name, now]) => [`${store}-${name}`, intoBackend(now)])))

export const rateLimitFilter = {
  maxRps: setting(integer(1, 100_000_000), 100, 'Requests in a second, for each key.', { aliases: ['requests-per-second', 'rps'] }),
  burst: setting(integer(0, 100_000_000), 10, 'Requests that may come at once beside that.'),
  key: setting(rateKey, 'client-ip', 'What requests are counted by.'),
  onLimit: setting(words(['reject', 'delay', 'log-only'], { also: { 'log-only': ['log'] } }), 'reject', 'What happens to a request over the limit.'),
  statusCode: setting(integer(400, 599), 429, 'Status of a refusal.'),
  message: optional(text, 'Body of a refusal.', { aliases: ['limit-message'] }),
  maxDelay: setting(durationWithin('1ms', '5m'), '5s', 'Longest wait of a request that is delayed.', { aliases: ['max-delay-ms'] }),
  maxKeys: setting(integer(1, 100_000_000), 100_000, 'Keys that are counted at a time; the one unused for longest gives way.'),
  backend,
}

export function checkRateLimit (value: { readonly onLimit: string }, here: Here<typeof rateLimitFilter>): void {
  if (here.given('maxDelay') && value.onLimit !== 'delay') {
    here.report.warning('CONFIG_NO_EFFECT', `'max-delay' of ${here.scope} counts only with on-limit "delay"`, here.where('maxDelay'))
  }
}
