import { block } from '../schema/blocks.ts'
import { notBuilt, optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import type { ValueType } from '../schema/value.ts'
import { bool, oneOf, textLike, words } from '../schema/values.ts'
import { token, urlPath } from './types.ts'

const built = ['round-robin', 'weighted'] as const
const later = [
  'least-connections', 'weighted-least-connections', 'random', 'power-of-two-choices', 'ip-hash', 'consistent-hash', 'maglev', 'peak-ewma', 'adaptive',
  'least-tokens-queued', 'locality-aware', 'deterministic-subset', 'sticky',
] as const

type Policy = typeof built[number] | typeof later[number]

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

const known = words<Policy>([...built, ...later], { also })

function isBuilt (word: Policy): word is typeof built[number] {
  return built.some(one => one === word)
}

/** Every word is read, because some settings of the block belong to words that do not act yet. */
const policy: ValueType<Policy> = {
  ...known,
  expected: `one of ${built.join(', ')}`,
  words: built,
  notBuiltWords: later,
  parse (raw, context) {
    const found = known.parse(raw, context)
    return 'wrong' in found || isBuilt(found.value) ? found : { ...found, notBuilt: "'round-robin' is used instead" }
  },
}

/** How the first target of a session is picked. */
const first: ValueType<Policy> = {
  ...known,
  expected: 'a policy other than sticky',
  parse (raw, context) {
    const found = known.parse(raw, context)
    return 'value' in found && found.value === 'sticky' ? { wrong: 'a session cannot begin with a session' } : found
  },
}

const hashKey = textLike('client-ip, path, header:Name, cookie:Name or query:Name', /^(?:client[-_]ip|ip|path|(?:header|cookie|query):[!#$%&'*+.^_`|~0-9A-Za-z-]+)$/, '"client-ip", "header:X-Tenant"')

const hashes: readonly Policy[] = ['ip-hash', 'consistent-hash', 'maglev']
const cookieSettings = ['cookieName', 'cookieTtl', 'cookiePath', 'cookieSecure', 'cookieSameSite', 'fallback'] as const

/** Said once, of the word that chooses. */
const quiet = { quiet: true }

const fields = {
  policy: setting(policy, 'round-robin', 'How a target is picked. Both count weights.', { aliases: ['algorithm', 'type'] }),
  key: notBuilt(optional(hashKey, 'What a hash is taken of: the client\'s address without it.', { aliases: ['hash-key', 'hash-on'] }), quiet),
  cookieName: notBuilt(setting(token, 'SERVERID', 'Sticky sessions: name of the cookie that remembers the target.'), quiet),
  cookieTtl: notBuilt(setting(durationWithin('1s'), '1h', 'Sticky sessions: how long the cookie lasts.', { bareUnitMs: 1000, aliases: ['cookie-ttl-secs'] }), quiet),
  cookiePath: notBuilt(setting(urlPath, '/', 'Sticky sessions: path the cookie is for.'), quiet),
  cookieSecure: notBuilt(setting(bool, true, 'Sticky sessions: whether the cookie is sent over TLS only.'), quiet),
  cookieSameSite: notBuilt(setting(oneOf('lax', 'strict', 'none'), 'lax', 'Sticky sessions: whether other sites\' requests carry the cookie.'), quiet),
  fallback: notBuilt(setting(first, 'round-robin', 'Sticky sessions: how the first target is picked.'), quiet),
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
    checkSettings(value.policy, here)
    return isBuilt(value.policy) ? value.policy : 'round-robin'
  },
})

function checkSettings (asked: Policy, here: Here<typeof fields>): void {
  if (!here.clean) return
  const cookie = cookieSettings.find(name => here.given(name))
  if (cookie !== undefined && asked !== 'sticky') {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has settings of sticky sessions, but the policy is ${asked}`, here.where(cookie), 'write load-balancing "sticky" { … }')
  }
  if (here.given('key') && !hashes.includes(asked)) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a key, but the policy is ${asked}, which takes no hash`, here.where('key'), 'write load-balancing "consistent-hash" { … }')
  }
}
