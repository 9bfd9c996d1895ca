import type { KdlNode } from '../kdl/nodes.ts'
import type { OlderForm, OlderForms } from '../schema/field.ts'
import { setting } from '../schema/fields.ts'
import { integer } from '../schema/values.ts'
import { rateKey } from './rate-key.ts'
import { overLimitFields } from './rate-limit-fields.ts'

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
  key: setting(rateKey, 'client-ip', 'What requests are counted by; those without such a field, cookie, parameter, claim or attribute are counted together. Whatever a client sends it may choose: nobody here looks at the signature of a token (`jwt:`). An agent that has checked it says so in an attribute.'),
  ...overLimitFields,
}
