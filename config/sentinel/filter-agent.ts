import { list, notBuilt, optional, setting } from '../schema/fields.ts'
import { durationWithin, sizeWithin } from '../schema/quantities.ts'
import { bool, integer, oneOf, ref } from '../schema/values.ts'
import { mode } from './agent.ts'
import { failureMode } from './failure-mode.ts'

export const agentFilter = {
  agents: list(ref('agent'), [], 'Agents to ask, in this order.', { min: 1, name: 'agent', aliases: ['agents'] }),
  failureMode: optional(failureMode, 'In place of the agents\' own.', { aliases: ['fail-mode'] }),
  timeout: optional(durationWithin('1ms'), 'In place of the agents\' own.', { aliases: ['timeout-ms'] }),
  mode: optional(mode, 'In place of the agents\' own.'),
  maxConcurrentCalls: notBuilt(optional(integer(1, 1_000_000), 'Decisions of this filter that are waited for at a time. Use the agent\'s own.', { aliases: ['max-concurrent'] })),
  phase: notBuilt(setting(oneOf('request', 'response', 'both'), 'both', 'Ask about requests, answers or both. Use the agent\'s `events`.')),
  inspectBody: notBuilt(setting(bool, false, 'Whether bodies are shown. Use the agent\'s `events`.')),
  maxBodySize: notBuilt(optional(sizeWithin('1'), 'Most of a body that is shown. Use the agent\'s `max-request-body-size`.', { aliases: ['max-body-bytes', 'max-body-size-bytes'] })),
}
