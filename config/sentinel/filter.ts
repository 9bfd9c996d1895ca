import { anything, list, optional } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { ref } from '../schema/values.ts'
import { namedVariants } from '../schema/variants.ts'
import { failureMode, mode } from './agent.ts'

export const filters = namedVariants('filter', {
  tag: 'type',
  common: {},
  of: {
    agent: {
      agents: list(ref('agent'), [], 'Agents to ask, in this order.', { min: 1, name: 'agent', aliases: ['agents'] }),
      failureMode: optional(failureMode, 'In place of the agents\' own.'),
      timeout: optional(durationWithin('1ms'), 'In place of the agents\' own.', { aliases: ['timeout-ms'] }),
      mode: optional(mode, 'In place of the agents\' own.'),
      phase: anything('Ask about requests, answers or both. Use the agent\'s `events`.'),
      inspectBody: anything('Use the agent\'s `events`.'),
      maxBodyBytes: anything('Use the agent\'s `max-request-body-size`.'),
    },
    'rate-limit': {}, headers: {}, compress: {}, cors: {}, timeout: {}, log: {}, geo: {}, redirect: {}, 'url-rewrite': {},
  },
  notBuilt: ['rate-limit', 'headers', 'compress', 'cors', 'timeout', 'log', 'geo', 'redirect', 'url-rewrite'],
}, 'Steps that routes can name.')
