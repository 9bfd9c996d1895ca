import { optionalBlock } from '../schema/blocks.ts'
import { leftToOthers, optional, withoutEffect } from '../schema/fields.ts'
import { integer } from '../schema/values.ts'
import { limitFields as all } from './limits.ts'

const many = integer(1, 10_000_000)
const ofProcess = 'it is of the process as a whole: it belongs in the `limits` of the file'
const nobodyWaits = 'requests of a namespace or service do not wait for a place: what is over its `max-in-flight-requests` gets 503 at once'

/** In the place of those around: the nearest one counts. */
const nearest = {
  maxHeaderSize: leftToOthers(all.maxHeaderSize),
  maxHeaderCount: leftToOthers(all.maxHeaderCount),
  maxHeaderNameSize: leftToOthers(all.maxHeaderNameSize),
  maxHeaderValueSize: all.maxHeaderValueSize,
  maxBodySize: leftToOthers(all.maxBodySize),
  maxBodyBuffer: leftToOthers(all.maxBodyBuffer),
  maxBodyInspection: all.maxBodyInspection,
  maxDecompressionRatio: leftToOthers(all.maxDecompressionRatio),
  maxDecompressedSize: leftToOthers(all.maxDecompressedSize),
  maxTotalConnections: leftToOthers(all.maxTotalConnections, 'Connections of each of its own listeners; more are closed as soon as they are accepted.'),
  maxConnectionsPerRoute: all.maxConnectionsPerRoute,
  maxIdleConnectionsPerUpstream: all.maxIdleConnectionsPerUpstream,
  maxAgentQueueDepth: leftToOthers(all.maxAgentQueueDepth),
  maxAgentBody: leftToOthers(all.maxAgentBody),
  maxAgentResponse: all.maxAgentResponse,
  maxRequestsPerSecondPerRoute: all.maxRequestsPerSecondPerRoute,
}

/** Beside those around: all of them count. */
const together = {
  maxInFlightRequests: optional(many, 'Requests of its routes that are worked on at a time; more get 503 at once.'),
  maxConnectionsPerClient: optional(many, 'Connections of one client address that have a request on one of its routes; a request on one more gets 503. An IPv6 client is its /64.', { aliases: ['max-connections-per-ip'] }),
  maxRequestsPerSecondGlobal: optional(many, 'Requests in a second on its routes, all together; more get 429.', { aliases: ['max-requests-per-second'] }),
  maxRequestsPerSecondPerClient: optional(many, 'Requests in a second of one client address on its routes; more get 429. An IPv6 client is its /64.'),
}

export const scopedLimits = optionalBlock({
  ...nearest,
  ...together,
  maxQueuedRequests: withoutEffect(all.maxQueuedRequests, nobodyWaits),
  queueTimeout: withoutEffect(all.queueTimeout, nobodyWaits),
  maxBodyBufferTotal: withoutEffect(all.maxBodyBufferTotal, ofProcess),
  adaptiveConcurrency: withoutEffect(all.adaptiveConcurrency, ofProcess),
  maxInFlightRequestsPerWorker: withoutEffect(all.maxInFlightRequestsPerWorker, ofProcess),
  maxMemory: withoutEffect(all.maxMemory, ofProcess),
  maxMemoryPercent: withoutEffect(all.maxMemoryPercent, ofProcess),
  requestTimeout: all.requestTimeout,
  idleTimeout: all.idleTimeout,
}, 'Limits of its routes and listeners. How many requests and connections there may be counts beside what is said around it; sizes, and limits of each route, listener, upstream and agent, count in place of that.', {
  example: `limits {
    max-body-size "1MiB"
    max-in-flight-requests 200
    max-requests-per-second-per-client 20
}`,
})

export const nearestLimits = Object.keys(nearest)
