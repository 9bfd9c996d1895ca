import { address } from '../schema/address.ts'
import { block, blocks, named, optionalBlock } from '../schema/blocks.ts'
import { anything, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { bool, existingFile, integer, text, words } from '../schema/values.ts'

const balancing = words(['round-robin', 'weighted'], {
  also: { 'round-robin': ['roundrobin'], weighted: ['weighted-round-robin'] },
  notBuilt: {
    'least-connections': 'round-robin', leastconnections: 'round-robin', random: 'round-robin', 'ip-hash': 'round-robin', iphash: 'round-robin',
    'consistent-hash': 'round-robin', consistenthash: 'round-robin', 'power-of-two-choices': 'round-robin', p2c: 'round-robin', adaptive: 'round-robin',
    'least-tokens-queued': 'round-robin', leasttokensqueued: 'round-robin', 'least-tokens': 'round-robin', maglev: 'round-robin',
    'locality-aware': 'round-robin', localityaware: 'round-robin', locality: 'round-robin', 'peak-ewma': 'round-robin', peakewma: 'round-robin', ewma: 'round-robin',
    'deterministic-subset': 'round-robin', subset: 'round-robin', subsetting: 'round-robin', 'weighted-least-connections': 'round-robin',
    'weighted-least-conn': 'round-robin', wlc: 'round-robin', sticky: 'round-robin', 'sticky-session': 'round-robin', stickysession: 'round-robin',
  },
})

const loadBalancing = block({
  policy: setting(balancing, 'round-robin', 'How a target is picked. Both count weights.'),
  cookieName: anything('Sticky sessions.', { quiet: true }),
  cookieTtl: anything('Sticky sessions.', { quiet: true }),
  cookiePath: anything('Sticky sessions.', { quiet: true }),
  cookieSecure: anything('Sticky sessions.', { quiet: true }),
  cookieSameSite: anything('Sticky sessions.', { quiet: true }),
  fallback: anything('Sticky sessions: how the first target is picked.', { quiet: true }),
}, 'How a target is picked.', { args: ['policy'], aliases: ['load-balancer'], build: value => value.policy })

const targets = blocks({
  address: required(address, 'Host and port.'),
  weight: setting(integer(0, 1_000_000), 1, 'Its share of the requests; 0 = none.'),
  maxRequests: anything('Requests at a time.'),
  metadata: anything('Facts for balancing.'),
  priority: anything('Use only when those before it fail.'),
  backup: anything('Use only when the others fail.'),
}, 'A server.', { name: 'target', args: ['address'], within: ['targets'], aliases: ['server'] })

/** Seconds, where old files write a number without a unit. */
const inSeconds = { bareUnitMs: 1000 }
const wait = durationWithin('1ms')

const fields = {
  targets,
  address: optional(address, 'A single target, in place of `target`.'),
  loadBalancing,
  connectionPool: block({
    maxConnections: setting(integer(1, 1_000_000), 100, 'Connections kept to each target.'),
    idleTimeout: setting(wait, '60s', 'How long an unused connection is kept.', { ...inSeconds, aliases: ['idle-timeout-secs'] }),
    maxIdle: anything('Unused connections kept to each target.', { aliases: ['max-idle-connections'] }),
    maxLifetime: anything('Age at which a connection is closed.', { aliases: ['max-lifetime-secs'] }),
  }, 'Connections that are kept.'),
  timeouts: block({
    connect: setting(wait, '10s', 'Time for connecting, with the TLS handshake.', { ...inSeconds, aliases: ['connect-secs'] }),
    read: setting(wait, '30s', 'Longest wait for the head of an answer, and for more of its body.', { ...inSeconds, aliases: ['read-secs'] }),
    write: setting(wait, '30s', 'Longest wait for the target to take more of a request.', { ...inSeconds, aliases: ['write-secs'] }),
    request: anything('Time for the whole exchange.', { aliases: ['request-secs'] }),
  }, 'Deadlines towards the targets.'),
  tls: optionalBlock({
    sni: optional(text, 'Name to ask for and to find in the certificate; the host of the target without it.'),
    caCert: optional(existingFile, 'Authorities to trust, in PEM form, in place of the system\'s.', { aliases: ['ca-file'] }),
    insecureSkipVerify: setting(bool, false, 'Accept any certificate. For experiments only.'),
    clientCert: anything('Certificate to show to the target.'),
    clientKey: anything('Its key.'),
    verify: anything('Older form of `insecure-skip-verify`.', { aliases: ['verify-peer'] }),
    enabled: anything('The block alone switches TLS on.'),
  }, 'Speak TLS to the targets.', {
    build (value, here) {
      if (value.insecureSkipVerify) here.report.warning('CONFIG_NO_EFFECT', `${here.scope} accepts any certificate: TLS protects nothing then`, here.where('insecureSkipVerify'))
      return value
    },
  }),
  healthCheck: anything('Ask targets whether they are well.'),
  circuitBreaker: anything('Leave a failing target alone for a while.'),
  httpVersion: anything('HTTP versions to speak.'),
  discovery: anything('Find the targets by asking somebody.'),
  slowStart: anything('Give a new target its share step by step.'),
  connectionDraining: anything('Let a removed target finish.'),
  timeout: anything('Older form of `timeouts`.', { aliases: ['timeout-secs', 'connect-timeout-ms'] }),
}

export const upstreams = named('upstream', fields, 'A group of servers that answer alike.', {
  build (value, here) {
    const { targets: several, address: only, ...upstream } = value
    if (only !== undefined && several.length > 0) {
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} has both 'address' and 'target'`, here.where('address'), 'write every server as a target')
    }
    const targets = several.length > 0 || only === undefined ? several : [{ address: only, weight: 1, at: here.where('address') }]
    if (targets.length === 0 && !here.given('targets') && !here.given('address') && !here.given('discovery')) {
      here.report.error('CONFIG_MISSING', `${here.scope} requires at least one target`, here.at, 'write target "host:port"')
    }
    if (here.given('targets') && several.length === 0 && here.clean) {
      here.report.error('CONFIG_MISSING', `${here.scope} requires at least one target`, here.where('targets'), 'write target "host:port"')
    }
    if (targets.length > 0 && targets.every(one => one.weight === 0)) {
      here.report.error('CONFIG_CONTRADICTION', `all targets of ${here.scope} have the weight 0`, here.at, 'none of them would ever be asked')
    }
    return { ...upstream, targets }
  },
})
