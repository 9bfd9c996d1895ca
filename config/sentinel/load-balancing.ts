import { block } from '../schema/blocks.ts'
import type { Infer } from '../schema/field.ts'
import { optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import type { ValueType } from '../schema/value.ts'
import { bool, integer, oneOf, textLike, words } from '../schema/values.ts'
import { token } from './types.ts'

const policies = [
  'round-robin', 'weighted', 'least-connections', 'weighted-least-connections', 'random', 'power-of-two-choices', 'ip-hash', 'consistent-hash', 'maglev', 'peak-ewma', 'adaptive',
  'least-tokens-queued', 'locality-aware', 'deterministic-subset', 'sticky',
] as const

type Policy = typeof policies[number]
type First = Exclude<Policy, 'sticky'>

const also: Readonly<Partial<Record<Policy, readonly string[]>>> = {
  'round-robin': ['roundrobin', 'rr'],
  weighted: ['weighted-round-robin', 'weightedroundrobin'],
  'least-connections': ['leastconnections', 'least-conn'],
  'weighted-least-connections': ['weighted-least-conn', 'wlc'],
  'power-of-two-choices': ['p2c', 'power-of-two'],
  'ip-hash': ['iphash'],
  'consistent-hash': ['consistenthash', 'ring-hash'],
  'peak-ewma': ['peakewma', 'ewma'],
  'least-tokens-queued': ['leasttokensqueued', 'least-tokens'],
  'locality-aware': ['localityaware', 'locality'],
  'deterministic-subset': ['subset', 'subsetting'],
  sticky: ['sticky-session', 'stickysession'],
}

const policy = words<Policy>(policies, { also })

const firsts = words<First>(policies.filter(word => word !== 'sticky'), { also })

/** How the first target of a session is picked. */
const first: ValueType<First> = {
  ...firsts,
  expected: 'a policy other than sticky',
  parse (raw, context) {
    const found = policy.parse(raw, context)
    return 'value' in found && found.value === 'sticky' ? { wrong: 'a session cannot begin with a session' } : firsts.parse(raw, context)
  },
}

const hashKey = textLike('client-ip, path, header:Name, cookie:Name or query:Name', /^(?:client[-_]ip|ip|path|(?:header|cookie|query):[!#$%&'*+.^_`|~0-9A-Za-z-]+)$/, '"client-ip", "header:X-Tenant"')

const hashes: readonly Policy[] = ['ip-hash', 'consistent-hash', 'maglev']
const cookieSettings = ['cookieName', 'cookieTtl', 'cookiePath', 'cookieSecure', 'cookieSameSite', 'cookieSecret', 'fallback'] as const

/** Of letters that mean nothing in a cookie (RFC 6265 section 4.1.1). */
const cookiePath = textLike('a path that begins with "/", without ";"', /^\/[!-:<>@-~]*$/, '"/shop"')

const secret = textLike('a text of 16 characters or more', /^[^]{16,}$/, '"${file:/run/secrets/sticky}"')

const fields = {
  policy: setting(policy, 'round-robin', 'How a target is picked. All but `least-connections` count weights.', { aliases: ['algorithm', 'type'] }),
  key: optional(hashKey, 'What a hash is taken of: the client\'s address (of IPv6 its /64) without it, and where a request has no such thing.', { aliases: ['hash-key', 'hash-on'] }),
  subsetSize: setting(integer(1, 1_000_000), 10, 'Deterministic subset: how many of the targets this proxy keeps to.'),
  cookieName: setting(token, 'SERVERID', 'Sticky sessions: name of the cookie that remembers the target.'),
  cookieTtl: setting(durationWithin('1s'), '1h', 'Sticky sessions: how long the cookie lasts. It is renewed when half of that is over.', { bareUnitMs: 1000, aliases: ['cookie-ttl-secs'] }),
  cookiePath: setting(cookiePath, '/', 'Sticky sessions: path the cookie is for.'),
  cookieSecure: setting(bool, true, 'Sticky sessions: whether the cookie is sent over TLS only.'),
  cookieSameSite: setting(oneOf('lax', 'strict', 'none'), 'lax', 'Sticky sessions: whether other sites\' requests carry the cookie.'),
  cookieSecret: optional(secret, 'Sticky sessions: what cookies are signed with. Proxies with the same one understand each other\'s cookies; without it a secret is made at start, and sessions end with the process.', { secret: true }),
  fallback: setting(first, 'round-robin', 'Sticky sessions: how the first target is picked.'),
}

export const loadBalancing = block(fields, 'How a target is picked.', {
  args: ['policy'],
  aliases: ['load-balancer'],
  example: `load-balancing "sticky" {
    cookie-name "SERVERID"
    cookie-ttl "1h"
    fallback "least-connections"
}`,
  build (value, here) {
    checkSettings(value, here)
    return value
  },
})

function checkSettings ({ policy: asked, fallback, cookieSecure, cookieSameSite }: Infer<typeof fields>, here: Here<typeof fields>): void {
  if (!here.clean) return
  const cookie = cookieSettings.find(name => here.given(name))
  if (cookie !== undefined && asked !== 'sticky') {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has settings of sticky sessions, but the policy is ${asked}`, here.where(cookie), 'write load-balancing "sticky" { … }')
  }
  const acts = asked === 'sticky' ? fallback : asked
  if (here.given('key') && !hashes.includes(acts)) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a key, but the policy is ${acts}, which takes no hash`, here.where('key'), 'write load-balancing "consistent-hash" { … }')
  }
  if (here.given('subsetSize') && acts !== 'deterministic-subset') {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has the size of a subset, but the policy is ${acts}`, here.where('subsetSize'), 'write load-balancing "deterministic-subset" { … }')
  }
  if (asked === 'sticky' && cookieSameSite === 'none' && !cookieSecure) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a cookie for other sites that is not secure: browsers refuse it`, here.where('cookieSameSite'), 'write cookie-secure #true')
  }
}
