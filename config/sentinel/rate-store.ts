import { block } from '../schema/blocks.ts'
import type { OlderForm } from '../schema/field.ts'
import { optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { existingFile, integer, oneOf, text, words } from '../schema/values.ts'
import { readStoreUrl } from './store-url.ts'

const store = words(['local', 'redis', 'memcached'], { also: { local: ['memory'], redis: ['distributed', 'valkey'], memcached: ['memcache'] } })

const storeFields = {
  type: setting(store, 'local', 'Where counts are kept: in this process (all its workers together), or where several proxies share them.'),
  url: optional(text, 'Address of the store; without it redis://127.0.0.1:6379 or memcache://127.0.0.1:11211. For Redis and Valkey: `redis://user:password@host:6379/0`, `rediss://` with TLS, `redis+sentinel://host:26379,host:26379/master`, `redis+cluster://host:6379,host:6379` (both with `rediss` too), or `unix:///run/redis.sock`. Several of memcached have commas between them; each keeps a part of the keys.', { secret: true }),
  keyPrefix: setting(text, 'sentinel:ratelimit:', 'Beginning of every key in the store.', { aliases: ['prefix'] }),
  poolSize: setting(integer(1, 1000), 10, 'Most connections to the store of each process; another one is opened while those that are open have much to do.'),
  timeout: setting(durationWithin('1ms', '1m'), '50ms', 'Time for an answer of the store.', { aliases: ['timeout-ms'] }),
  onFailure: setting(oneOf('local', 'open', 'closed'), 'local', 'What happens while the store does not answer: `local` counts in this process, `open` lets every request through, `closed` refuses them with 503.'),
  caCert: optional(existingFile, 'Authorities that sign the certificate of the store, in place of those of the system; for `rediss://`.'),
  ttl: setting(durationWithin('1s'), '2s', 'memcached: how long a count that is no longer needed is kept. Its counts go by the clocks of the proxies, which have to agree; those in Redis by the clock of Redis.', { bareUnitMs: 1000, aliases: ['ttl-secs'] }),
}

/** `fallback-local #false`: who did not want to count alone wanted no request that nobody counts. */
const fallback: OlderForm = {
  doc: 'write on-failure "local" or on-failure "closed"',
  into: node => [{ ...node, name: 'on-failure', args: node.args.map(arg => ({ ...arg, value: arg.value === true ? 'local' : arg.value === false ? 'closed' : arg.value })) }],
}

export const backend = block(storeFields, 'Where counts are kept.', {
  args: ['type'],
  older: { 'fallback-local': fallback, fallback },
  example: `backend "redis" {
    url "redis://redis.internal:6379"
    timeout "50ms"
    on-failure "local"
}`,
  build (value, here) {
    if (here.clean) checkStore(value, here)
    return value
  },
})

function checkStore ({ type, url }: { readonly type: 'local' | 'redis' | 'memcached', readonly url: string | undefined }, here: Here<typeof storeFields>): void {
  const strange = type !== 'local' ? undefined : (['url', 'keyPrefix', 'poolSize', 'timeout', 'onFailure', 'caCert'] as const).find(name => here.given(name))
  if (strange !== undefined) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has settings of a store, but counts are kept in this process`, here.where(strange), 'write backend "redis" or backend "memcached"')
  }
  if (type !== 'memcached' && here.given('ttl')) here.report.error('CONFIG_CONTRADICTION', `'ttl' of ${here.scope} is of memcached, the backend is ${type}`, here.where('ttl'))
  if (type === 'local') return
  const address = url === undefined ? undefined : readStoreUrl(url, type)
  if (address !== undefined && 'wrong' in address) here.report.error('CONFIG_TYPE', `the 'url' of ${here.scope} ${address.wrong}`, here.where('url'))
  else if (here.given('caCert') && address?.tls !== true) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a 'ca-cert', but its 'url' is not one of TLS`, here.where('caCert'), 'write url "rediss://…"')
  }
}
