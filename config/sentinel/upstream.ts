import type { KdlNode } from '../kdl/nodes.ts'
import { targetAddress } from '../schema/address.ts'
import { block, blocks, named, optionalBlock } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import { map, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { ValueType } from '../schema/value.ts'
import { anyText, bool, integer, text, words } from '../schema/values.ts'
import { upstreamCircuitBreaker } from './circuit-breaker.ts'
import { discovery } from './discovery.ts'
import { flag } from './flag.ts'
import { healthCheck } from './health-check.ts'
import { httpVersion } from './http-version.ts'
import { loadBalancing } from './load-balancing.ts'
import { outlierDetection } from './outlier-detection.ts'
import { percentage } from './types.ts'
import { upstreamTls } from './upstream-tls.ts'

/** Facts about a target may be numbers and switches as well. */
const fact: ValueType<string> = {
  ...anyText,
  json: { type: ['string', 'number', 'boolean'] },
  parse: (raw, context) => anyText.parse(typeof raw === 'number' || typeof raw === 'boolean' ? String(raw) : raw, context),
}

const targets = blocks({
  address: required(targetAddress, 'Host and port, or a Unix socket.'),
  weight: setting(integer(0, 1_000_000), 1, 'Its share of the requests; 0 = none.'),
  maxRequests: optional(integer(1, 1_000_000), 'Requests at a time; more go to other targets, or get 503. Without it there is no such limit.'),
  zone: optional(text, 'Where it runs; `zone` of its metadata without it. With locality-aware balancing targets of the proxy\'s own zone get everything while 70 % of its weight is well; below that the rest spills over to other zones.'),
  priority: setting(integer(0, 1000), 0, 'Targets with a higher number are used only when all with a lower one fail.'),
  backup: flag('Use it only when the others fail, whatever their priority.'),
  metadata: map(fact, 'Facts about it.', { example: 'metadata { zone "eu-1"; version "v2" }' }),
}, 'A server.', { name: 'target', args: ['address'], within: ['targets'], mistaken: ['server'], example: 'target "10.0.0.1:8080" weight=3' })

/** Seconds, where old files write a number without a unit. */
const inSeconds = { bareUnitMs: 1000 }
const wait = durationWithin('1ms')

const fields = {
  targets,
  address: optional(targetAddress, 'A single target, in place of `target`.'),
  loadBalancing,
  connectionPool: block({
    maxConnections: optional(integer(1, 1_000_000), 'Connections to each target at a time; more requests wait for one. Without it there is no such limit: a slow client takes nobody else\'s place.'),
    maxPending: setting(integer(0, 1_000_000), 1_000, 'Requests that may wait for a connection to each target; more get 503. Those that wait for connections being made do not count.', { aliases: ['max-pending-requests', 'max-queue'] }),
    pendingTimeout: optional(wait, 'Longest such wait; without it as long as connecting may take.', { ...inSeconds, aliases: ['queue-timeout'] }),
    idleTimeout: setting(wait, '60s', 'How long an unused connection is kept.', { ...inSeconds, aliases: ['idle-timeout-secs'] }),
    maxIdle: optional(integer(0, 1_000_000), 'Unused connections kept to each target; without it `limits { max-idle-connections-per-upstream }` counts for all of them together.', { aliases: ['max-idle-connections'] }),
    maxLifetime: optional(wait, 'Age at which a connection is closed, once its request is over; without it there is none.', { ...inSeconds, aliases: ['max-lifetime-secs'] }),
  }, 'Connections that are kept.', { example: 'connection-pool { max-connections 100; idle-timeout "60s" }' }),
  timeouts: block({
    connect: setting(wait, '10s', 'Time for connecting, with the TLS handshake.', { ...inSeconds, aliases: ['connect-secs', 'connect-ms', 'connect-timeout-secs'] }),
    firstByte: optional(wait, 'Longest wait for the head of an answer, once the request was sent; `read` without it.', inSeconds),
    read: setting(wait, '30s', 'Longest wait for the head of an answer, and for more of its body.', { ...inSeconds, aliases: ['read-secs', 'read-ms'] }),
    write: setting(wait, '30s', 'Longest wait for the target to take more of a request.', { ...inSeconds, aliases: ['write-secs', 'write-ms'] }),
    request: optional(wait, 'Time for the whole exchange, from its first byte to its last, all tries together. It cuts streams as well, but no WebSocket; without it there is no such limit.', { ...inSeconds, aliases: ['request-secs', 'request-ms'] }),
  }, 'Deadlines towards the targets.', { example: 'timeouts { connect "5s"; read "30s" }' }),
  tls: upstreamTls,
  proxyProtocol: optional(words(['v1', 'v2'], { also: { v1: ['1'], v2: ['2'] } }), 'Tell the targets who the client is by a header of the PROXY protocol at the beginning of each connection (before TLS). A connection then belongs to one connection of a client: requests of others need others.'),
  healthCheck,
  circuitBreaker: upstreamCircuitBreaker,
  outlierDetection,
  panicThreshold: setting(percentage, 0, 'When less of the weight of all targets than this, in percent, is well by checks and outlier detection, all are asked: so many cannot be ill at a time. 0 = never; then requests get 503 when nobody is well.'),
  httpVersion,
  discovery,
  slowStart: optionalBlock({
    enabled: setting(bool, true, 'Whether new targets start slowly.'),
    duration: setting(wait, '30s', 'Time until such a target has its whole share.', { ...inSeconds, aliases: ['duration-secs', 'duration-ms'] }),
  }, 'Give a target that is new in the list, or well again, its share step by step.', { example: 'slow-start { duration "60s" }' }),
  connectionDraining: optionalBlock({
    enabled: setting(bool, true, 'Whether a removed target may finish; `#false`: its requests are cut at once.'),
    timeout: setting(wait, '30s', 'Longest wait for its open requests.', { ...inSeconds, aliases: ['timeout-secs', 'timeout-ms'] }),
  }, 'How long a removed target may finish its requests; without it as long as a stopping proxy waits (`graceful-shutdown-timeout`).', { example: 'connection-draining { timeout "30s" }' }),
}

/** What is said of a target that has no block. */
const noFacts: Readonly<Record<string, string>> = {}
const alone = { weight: 1, maxRequests: undefined, zone: undefined, priority: 0, backup: false, metadata: noFacts }

function intoTimeouts (name: string) {
  return (node: KdlNode): KdlNode[] => [{ name: 'timeouts', at: node.at, args: [], props: [], children: [{ ...node, name }] }]
}

const older: OlderForms = {
  timeout: { doc: 'write timeouts { request "…" }', into: intoTimeouts('request') },
  'timeout-secs': { doc: 'write timeouts { request "…" }', into: intoTimeouts('request-secs') },
  'timeout-ms': { doc: 'write timeouts { request "…" }', into: intoTimeouts('request-ms') },
  'connect-timeout': { doc: 'write timeouts { connect "…" }', into: intoTimeouts('connect') },
  'connect-timeout-ms': { doc: 'write timeouts { connect "…" }', into: intoTimeouts('connect-ms') },
  'connect-timeout-secs': { doc: 'write timeouts { connect "…" }', into: intoTimeouts('connect-secs') },
}

export const upstreams = named('upstream', fields, 'A group of servers that answer alike.', {
  older,
  example: `upstream "backend" {
    target "10.0.0.1:8080" weight=2
    target "10.0.0.2:8080"
    load-balancing "weighted"
    timeouts { connect "5s"; read "30s" }
}`,
  build (value, here) {
    const { targets: several, address: only, ...upstream } = value
    if (only !== undefined && several.length > 0) {
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} has both 'address' and 'target'`, here.where('address'), 'write every server as a target')
    }
    const targets = several.length > 0 || only === undefined ? several : [{ address: only, ...alone, at: here.where('address') }]
    if (value.proxyProtocol !== undefined && here.given('httpVersion') && value.httpVersion.maxVersion > 1) {
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} speaks HTTP/2, where one connection carries many clients, and states one client on each`, here.where('proxyProtocol'), 'write http-version { max-version 1 }')
    }
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
