import { block } from '../schema/blocks.ts'
import { anything, setting } from '../schema/fields.ts'
import { size, sizeWithin } from '../schema/quantities.ts'
import { integer } from '../schema/values.ts'

const many = integer(1, 10_000_000)

export const limits = block({
  maxHeaderSize: setting(sizeWithin('256', '16MiB'), '8KiB', 'Largest request head: request line and all header fields.', { aliases: ['max-header-size-bytes'] }),
  maxHeaderCount: setting(integer(1, 10_000), 100, 'Most header fields of a request.'),
  maxBodySize: setting(size, '10MiB', 'Largest request body; 0 = no limit. Routes may say otherwise.', { aliases: ['max-body-size-bytes'] }),
  maxInFlightRequests: setting(many, 10_000, 'Requests that are worked on at a time; more get 503.'),
  maxTotalConnections: setting(many, 10_000, 'Connections of each listener; more are closed as soon as they are accepted.', { aliases: ['max-connections'] }),
  maxConnectionsPerClient: anything('Connections of one address.'),
  maxHeaderNameBytes: anything('Longest name of a header field.'),
  maxHeaderValueBytes: anything('Longest value of a header field.'),
  maxBodyBufferBytes: anything('Most of a body that is held in memory.'),
  maxBodyInspectionBytes: anything('Most of a body that is looked at. Use the agent\'s `max-request-body-size`.'),
  maxDecompressionRatio: anything('Most growth when a body is unpacked.'),
  maxDecompressedSizeBytes: anything('Largest unpacked body.'),
  maxConnectionsPerRoute: anything('Connections of one route.'),
  maxIdleConnectionsPerUpstream: anything('Unused connections. Use the upstream\'s `connection-pool`.'),
  maxInFlightRequestsPerWorker: anything('Requests of one process.'),
  maxQueuedRequests: anything('Requests that wait.'),
  maxAgentQueueDepth: anything('Questions that wait. Use the agent\'s `max-queued-calls`.'),
  maxAgentBodyBytes: anything('Use the agent\'s `max-request-body-size`.'),
  maxAgentResponseBytes: anything('Largest answer of an agent.'),
  maxRequestsPerSecond: anything('Requests in a second.'),
  maxRequestsPerSecondGlobal: anything('Requests in a second, all together.'),
  maxRequestsPerSecondPerClient: anything('Requests of one address in a second.'),
  maxRequestsPerSecondPerRoute: anything('Requests of one route in a second.'),
  maxMemoryBytes: anything('Memory of the process.'),
  maxMemoryPercent: anything('Memory of the process, of what the machine has.'),
  requestTimeout: anything('Use the listener\'s `request-timeout`.'),
}, 'What is refused before anybody looks at it.')
