import { list, optional, setting } from '../schema/fields.ts'
import { durationWithin, sizeWithin } from '../schema/quantities.ts'
import { bool, integer, oneOf, ref } from '../schema/values.ts'
import { mode } from './agent.ts'
import { failureMode } from './failure-mode.ts'

export const agentFilter = {
  agents: list(ref('agent'), [], 'Agents to ask, in this order.', { min: 1, name: 'agent', aliases: ['agents'] }),
  failureMode: optional(failureMode, 'In place of the agents\' own.', { aliases: ['fail-mode'] }),
  timeout: optional(durationWithin('1ms'), 'In place of the agents\' own.', { aliases: ['timeout-ms'] }),
  mode: optional(mode, 'In place of the agents\' own.'),
  maxConcurrentCalls: optional(integer(1, 1_000_000), 'Questions of this filter about heads and whole bodies that wait for their decision at a time; as many more wait for a place. Beside the agent\'s own limit.', { aliases: ['max-concurrent'] }),
  phase: setting(oneOf('request', 'response', 'both'), 'both', 'Ask about requests, answers or both, as far as the agent\'s `events` go. Messages of WebSockets are neither.'),
  inspectBody: optional(bool, 'Whether bodies are shown; as the agent\'s `events` say without it.'),
  maxBodySize: optional(sizeWithin('1'), 'Most of a body that is shown, in place of the agent\'s own.', { aliases: ['max-body-bytes', 'max-body-size-bytes'] }),
}
