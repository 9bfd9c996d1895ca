import { block, optionalBlock } from '../schema/blocks.ts'
import { inert, optional, setting } from '../schema/fields.ts'
import { duration, durationWithin, size, sizeWithin } from '../schema/quantities.ts'
import { bool, integer, numberBetween } from '../schema/values.ts'
import { someOfHundred } from './types.ts'

const many = integer(1, 10_000_000)
const bytes = sizeWithin('1')

const adaptiveConcurrency = optionalBlock({
  enabled: setting(bool, true, 'Whether it is done.'),
  minLimit: setting(many, 10, 'Requests that may be worked on at a time in any case.'),
  maxLimit: setting(many, 10_000, 'Most requests at a time; `max-in-flight-requests` when that is less.'),
  initialLimit: setting(many, 100, 'How many it begins with.'),
  tolerance: setting(numberBetween(1, 10), 1.5, 'How many times longer than usual the upstreams may take to answer before fewer requests are let in.'),
}, 'Find out how many requests may be worked on at a time, from how long the upstreams take to answer.', {
  args: ['enabled'],
  example: 'adaptive-concurrency {\n    min-limit 20\n    max-limit 2000\n}',
  build (value, here) {
    if (value.minLimit > value.maxLimit) here.report.error('CONFIG_CONTRADICTION', `'min-limit' of ${here.scope} is larger than 'max-limit'`, here.where('minLimit'))
    return value
  },
})

export const limitFields = {
  maxHeaderSize: setting(sizeWithin('256', '16MiB'), '8KiB', 'Largest request head: request line and all header fields.', { aliases: ['max-header-size-bytes'] }),
  maxHeaderCount: setting(integer(1, 10_000), 100, 'Most header fields of a request.'),
  maxBodySize: setting(size, '10MiB', 'Largest request body; 0 = no limit. Routes may say otherwise.', { aliases: ['max-body-size-bytes'] }),
  maxInFlightRequests: setting(many, 10_000, 'Requests that are worked on at a time; more get 503.'),
  maxTotalConnections: setting(many, 10_000, 'Connections of each listener; more are closed as soon as they are accepted.', { aliases: ['max-connections'] }),
  maxHeaderNameSize: setting(bytes, '256', 'Longest name of a header field; more gets 431.', { aliases: ['max-header-name-bytes'] }),
  maxHeaderValueSize: optional(bytes, 'Longest value of a header field; more gets 431. Without it `max-header-size` alone counts.', { aliases: ['max-header-value-bytes'] }),
  maxBodyBuffer: setting(bytes, '1MiB', 'Most of one request body that is kept in memory, so that it can be sent again (`retry-policy`). A larger one is sent once.', { aliases: ['max-body-buffer-bytes', 'max-body-buffer-size'] }),
  maxBodyBufferTotal: setting(bytes, '64MiB', 'The same for all requests that one process works on together.'),
  maxBodyInspection: optional(bytes, 'Most of a body that agents look at, where the agent\'s `max-request-body-size` or `max-response-body-size` says nothing; `max-agent-body` without it.', { aliases: ['max-body-inspection-bytes', 'max-body-inspection-size'] }),
  maxDecompressionRatio: setting(numberBetween(1, 10_000), 100, 'How many times larger than before a body may become when it is unpacked to be looked into (`api-schema`, `waf`); what stays below 64KiB is never too much. More gets 413.'),
  maxDecompressedSize: setting(bytes, '100MiB', 'Largest body after unpacking it to look into it, where what looks has no lower limit of its own. More gets 413.', { aliases: ['max-decompressed-size-bytes'] }),
  maxConnectionsPerClient: optional(many, 'Connections of one client address, of all listeners together; more are closed as soon as they are accepted. An IPv6 client is its /64. Senders among `trusted-proxies`, and those on Unix sockets, are not counted: they speak for many. Without it there is no such limit.', { aliases: ['max-connections-per-ip'] }),
  maxConnectionsPerRoute: optional(many, 'Connections that have a request on one route; a request on one more gets 503. Without it there is no such limit.'),
  maxIdleConnectionsPerUpstream: optional(many, 'Unused connections that an upstream keeps to all its targets together, where its `connection-pool { max-idle }` says nothing; without it there is no such limit.'),
  maxInFlightRequestsPerWorker: optional(many, 'Requests that one process works on at a time; more get 503. Without it `max-in-flight-requests` alone counts.'),
  maxQueuedRequests: setting(integer(0, 10_000_000), 1_000, 'Requests that wait for a place among those that are worked on; more get 503. A queue that does not get empty is cut short: see `queue-timeout`.'),
  queueTimeout: setting(durationWithin('1ms', '5m'), '1s', 'Longest wait for a place; more gets 503. While requests have been waiting without a break for 100ms, none waits for longer than two answers take (10ms at least), and the newest is served first: a queue that stands helps nobody.'),
  adaptiveConcurrency,
  maxAgentQueueDepth: setting(integer(0, 1_000_000), 100, 'Questions that wait for an agent, where its `max-queued-calls` says nothing.'),
  maxAgentBody: setting(bytes, '1MiB', 'Most of a body that an agent is given, where its `max-request-body-size` or `max-response-body-size` says nothing.', { aliases: ['max-agent-body-bytes', 'max-agent-body-size'] }),
  maxAgentResponse: optional(bytes, 'Largest message of an agent, the body included that it puts in the place of another; 16MiB without it. An agent that sends a larger one is cut off, and its failure mode counts.', { aliases: ['max-agent-response-bytes', 'max-agent-response-size'] }),
  maxRequestsPerSecondGlobal: optional(many, 'Requests in a second, all together; more get 429.', { aliases: ['max-requests-per-second'] }),
  maxRequestsPerSecondPerClient: optional(many, 'Requests in a second of one client address; more get 429. An IPv6 client is its /64.'),
  maxRequestsPerSecondPerRoute: optional(many, 'Requests in a second on one route; more get 429.'),
  maxMemory: optional(sizeWithin('64MiB'), 'Resident memory of a process that serves; above it new requests get 503.', { aliases: ['max-memory-bytes'] }),
  maxMemoryPercent: optional(someOfHundred, 'The same, in percent of what the machine or the container has.'),
  requestTimeout: inert(duration, 'Older place of a listener\'s `request-timeout`.', 'each listener has a request-timeout of its own', { aliases: ['request-timeout-secs', 'request-timeout-ms'] }),
  idleTimeout: inert(duration, 'Older place of a listener\'s `keepalive-timeout`.', 'each listener has a keepalive-timeout of its own', { aliases: ['idle-timeout-secs', 'idle-timeout-ms'] }),
}

export const limits = block(limitFields, 'What is refused before anybody looks at it.', {
  example: `limits {
    max-header-size "16KiB"
    max-body-size "20MiB"
    max-in-flight-requests 5000
}`,
})
