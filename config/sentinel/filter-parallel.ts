import type { Here } from '../schema/read-block.ts'
import { list } from '../schema/fields.ts'
import { ref } from '../schema/values.ts'
import { agentFilter } from './filter-agent.ts'

export const parallelFilter = {
  ...agentFilter,
  agents: list(ref('agent'), [], 'Agents to ask, two at least. When several do not let a request go on, the first of them in this order decides, not the first to answer.', { min: 1, name: 'agent', aliases: ['agents'] }),
}

export function checkParallel ({ agents }: { readonly agents: readonly string[] }, here: Here<typeof parallelFilter>): void {
  const twice = agents.find((id, i) => agents.indexOf(id) !== i)
  if (twice !== undefined) here.report.error('CONFIG_REPEATED', `${here.scope} asks agent '${twice}' twice`, here.where('agents'), 'name each agent once')
  if (twice === undefined && agents.length === 1 && here.clean) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} asks one agent alone: there is nothing to do at the same time`, here.where('agents'), 'name another agent, or write a filter of type "agent"')
  }
}
