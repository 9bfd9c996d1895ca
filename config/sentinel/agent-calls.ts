import { optionalBlock } from '../schema/blocks.ts'
import type { Field } from '../schema/field.ts'
import { inert, optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { bool, integer, text } from '../schema/values.ts'

const wait = durationWithin('1ms')

export const connections = integer(1, 64)

export const pool = optionalBlock({
  connections: optional(connections, 'Connections to the agent.', { aliases: ['connections-per-agent', 'size', 'pool-size'] }),
  connectTimeout: optional(wait, 'Time for connecting.', { aliases: ['connect-timeout-ms', 'connect-timeout-secs'] }),
  healthCheckInterval: inert(wait, 'Time between two signs of life.', 'it is one second', { aliases: ['health-check-interval-ms', 'health-check-interval-secs'] }),
  loadBalanceStrategy: inert(text, 'How a connection is picked.', 'the one with the fewest open decisions is'),
}, 'Older form of `connections` and `connect-timeout`.', { example: 'pool { connections 4 }' })

export const healthCheck = optionalBlock({
  enabled: setting(bool, true, 'Whether it is asked.'),
  interval: setting(wait, '10s', 'Time between two questions.', { aliases: ['interval-ms', 'interval-secs'] }),
  timeout: setting(wait, '5s', 'Time for an answer.', { aliases: ['timeout-ms', 'timeout-secs'] }),
  healthyThreshold: setting(integer(1, 1000), 2, 'Good answers in a row after which it is well.'),
  unhealthyThreshold: setting(integer(1, 1000), 3, 'Failures in a row after which it is not.'),
}, 'Ask the agent again and again whether it is well (`grpc.health.v1`), and nothing else while it is not. What it says of its own accord, and whether it gives signs of life, counts in any case.', { example: 'health-check { interval "5s"; unhealthy-threshold 3 }' })

export const retry = optionalBlock({
  maxAttempts: setting(integer(1, 100), 3, 'Attempts, with the first.', { aliases: ['max-retries', 'attempts'] }),
  backoff: setting(wait, '100ms', 'Wait before the second attempt; it doubles from then on.', { aliases: ['backoff-ms', 'backoff-base-ms', 'initial-backoff-ms'] }),
  maxBackoff: setting(wait, '2s', 'Longest wait.', { aliases: ['max-backoff-ms', 'backoff-max-ms'] }),
}, 'Ask again while the agent is not there: a question about the head of a request or of an answer, within the time for one decision. Without it such a question is put once more at most, over another connection.', { example: 'retry { max-attempts 2 }' })

/** Old files write milliseconds without a unit here. */
const inMs = { bareUnitMs: 1 }

export const eventTimeouts = optionalBlock({
  requestHeaders: optional(wait, 'For the head of a request.', { ...inMs, aliases: ['request-headers-ms'] }),
  requestBody: optional(wait, 'For the body of a request.', { ...inMs, aliases: ['request-body-ms'] }),
  responseHeaders: optional(wait, 'For the head of an answer.', { ...inMs, aliases: ['response-headers-ms'] }),
  responseBody: optional(wait, 'For the body of an answer.', { ...inMs, aliases: ['response-body-ms'] }),
  websocketMessage: optional(wait, 'For a message of a WebSocket.', { ...inMs, aliases: ['websocket-message-ms', 'websocket-frame', 'websocket-frame-ms'] }),
}, 'A time for each kind of event, in place of `timeout`, the agent\'s or that of the filter that names it.', { example: 'event-timeouts { request-headers "30ms"; request-body "200ms" }' })

type PooledFields = Readonly<Record<keyof Pooled, Field<number>>>

type InPool = { readonly [K in keyof Pooled]: number | undefined }

/** What `pool` and the agent itself may say. */
interface Pooled {
  readonly connections: number
  readonly connectTimeout: number
}

export function pooled (inPool: InPool | undefined, agent: Pooled, here: Here<PooledFields>): Pooled {
  for (const name of ['connections', 'connectTimeout'] as const) {
    if (inPool?.[name] !== undefined && here.given(name)) {
      here.report.error('CONFIG_REPEATED', `'${name === 'connections' ? name : 'connect-timeout'}' of ${here.scope} is given twice: here and in 'pool'`, here.where(name))
    }
  }
  return { connections: inPool?.connections ?? agent.connections, connectTimeout: inPool?.connectTimeout ?? agent.connectTimeout }
}
