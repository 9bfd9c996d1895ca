import { block } from '../schema/blocks.ts'
import { inert, notBuilt, optional, setting } from '../schema/fields.ts'
import { duration, size, sizeWithin } from '../schema/quantities.ts'
import { integer, numberBetween } from '../schema/values.ts'
import { someOfHundred } from './types.ts'

const many = integer(1, 10_000_000)
const bytes = sizeWithin('1')

export const limits = block({
  maxHeaderSize: setting(sizeWithin('256', '16MiB'), '8KiB', 'Largest request head: request line and all header fields.', { aliases: ['max-header-size-bytes'] }),
  maxHeaderCount: setting(integer(1, 10_000), 100, 'Most header fields of a request.'),
  maxBodySize: setting(size, '10MiB', 'Largest request body; 0 = no limit. Routes may say otherwise.', { aliases: ['max-body-size-bytes'] }),
  maxInFlightRequests: setting(many, 10_000, 'Requests that are worked on at a time; more get 503.'),
  maxTotalConnections: setting(many, 10_000, 'Connections of each listener; more are closed as soon as they are accepted.', { aliases: ['max-connections'] }),
  maxHeaderNameSize: notBuilt(setting(bytes, '256', 'Longest name of a header field.', { aliases: ['max-header-name-bytes'] })),
  maxHeaderValueSize: notBuilt(setting(bytes, '4KiB', 'Longest value of a header field.', { aliases: ['max-header-value-bytes'] })),
  maxBodyBuffer: notBuilt(setting(bytes, '1MiB', 'Most of a body that is held in memory.', { aliases: ['max-body-buffer-bytes', 'max-body-buffer-size'] })),
  maxBodyInspection: notBuilt(setting(bytes, '1MiB', 'Most of a body that agents look at, where the agent\'s `max-request-body-size` says nothing.', { aliases: ['max-body-inspection-bytes', 'max-body-inspection-size'] })),
  maxDecompressionRatio: notBuilt(setting(numberBetween(1, 10_000), 100, 'How many times larger than before a body may be when it is unpacked.')),
  maxDecompressedSize: notBuilt(setting(bytes, '100MiB', 'Largest body after unpacking.', { aliases: ['max-decompressed-size-bytes'] })),
  maxConnectionsPerClient: notBuilt(setting(many, 100, 'Connections of one client address.', { aliases: ['max-connections-per-ip'] })),
  maxConnectionsPerRoute: notBuilt(setting(many, 1_000, 'Connections that have a request on one route.')),
  maxIdleConnectionsPerUpstream: notBuilt(setting(many, 100, 'Unused connections that an upstream keeps, where its `connection-pool` says nothing.')),
  maxInFlightRequestsPerWorker: notBuilt(setting(many, 1_000, 'Requests that one process works on at a time.')),
  maxQueuedRequests: notBuilt(setting(integer(0, 10_000_000), 1_000, 'Requests that wait for a place among those that are worked on.')),
  maxAgentQueueDepth: notBuilt(setting(integer(0, 1_000_000), 100, 'Questions that wait for an agent, where its `max-queued-calls` says nothing.')),
  maxAgentBody: notBuilt(setting(bytes, '1MiB', 'Most of a body that an agent is given, where its `max-request-body-size` says nothing.', { aliases: ['max-agent-body-bytes', 'max-agent-body-size'] })),
  maxAgentResponse: notBuilt(setting(bytes, '10KiB', 'Largest answer of an agent.', { aliases: ['max-agent-response-bytes', 'max-agent-response-size'] })),
  maxRequestsPerSecondGlobal: notBuilt(optional(many, 'Requests in a second, all together.', { aliases: ['max-requests-per-second'] })),
  maxRequestsPerSecondPerClient: notBuilt(optional(many, 'Requests in a second of one client address.')),
  maxRequestsPerSecondPerRoute: notBuilt(optional(many, 'Requests in a second on one route.')),
  maxMemory: notBuilt(optional(sizeWithin('64MiB'), 'Memory of the process; new requests are refused above it.', { aliases: ['max-memory-bytes'] })),
  maxMemoryPercent: notBuilt(optional(someOfHundred, 'Memory of the process, in percent of what the machine has.')),
  requestTimeout: inert(duration, 'Older place of a listener\'s `request-timeout`.', 'each listener has a request-timeout of its own', { aliases: ['request-timeout-secs', 'request-timeout-ms'] }),
  idleTimeout: inert(duration, 'Older place of a listener\'s `keepalive-timeout`.', 'each listener has a keepalive-timeout of its own', { aliases: ['idle-timeout-secs', 'idle-timeout-ms'] }),
}, 'What is refused before anybody looks at it.', {
  example: `limits {
    max-header-size "16KiB"
    max-body-size "20MiB"
    max-in-flight-requests 5000
}`,
})
