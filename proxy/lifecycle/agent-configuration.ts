import type { Position, Problem, SentinelConfig } from '../../config/sentinel/index.ts'
import { agentConfiguration } from './agent-identity.ts'
import type { AgentRuntime } from './agent-runtime.ts'
import type { Lease } from './leases.ts'
import type { AgentFacts, RefusedSetting } from './seam.ts'

/** What an agent has against its configuration, where in the file. */
export interface Refusal {
  readonly agent: string
  /** One line for log and terminal: `file:line:column: agent 'waf' refuses …`. */
  readonly text: string
}

/** The refusals of agents that are connected and did not take what they were given. */
export function reportRefusals (config: SentinelConfig, runtimes: readonly AgentRuntime[]): Refusal[] {
  return runtimes.flatMap(({ id, client }) => client.refusals.map((refused) => describeRefusal(config, id, refused)))
}

/** A change that an agent said it would take. */
export interface AgentChange {
  readonly agent: string
  /** Makes it. Gives the refusal of an agent that does not keep its word. */
  readonly apply: () => Promise<Refusal | undefined>
}

/**
 * Asks every agent whose configuration differs whether it would take the new one. Rejects with the first refusal, and nothing has
 * changed then; otherwise gives what makes the change.
 */
export async function judgeAgents (
  next: SentinelConfig, old: SentinelConfig, runtimes: ReadonlyMap<string, Lease<AgentRuntime>>,
): Promise<AgentChange[]> {
  const changes: AgentChange[] = []
  for (const agent of next.agents) {
    const before = old.agents.find(({ id }) => id === agent.id)
    const { json, version } = agentConfiguration(agent)
    const { client } = runtimes.get(agent.id)!.value
    if (before === undefined || agentConfiguration(before).version === version) continue
    const refused = await client.configure({ json, version }, { validateOnly: true })
    const [first] = refused
    if (first !== undefined) throw new Error(describeRefusal(next, agent.id, first).text)
    changes.push({
      agent: agent.id,
      async apply () {
        const [problem] = await client.configure({ json, version }, { validateOnly: false })
        return problem === undefined ? undefined : describeRefusal(next, agent.id, problem)
      },
    })
  }
  return changes
}

/** The same as problems of the file, for whoever can show its lines. */
export function refusedSettings (config: SentinelConfig, agents: ReadonlyMap<string, AgentFacts>): Problem[] {
  return config.agents.flatMap((agent) => (agents.get(agent.id)?.refusals ?? []).map(({ path, message, hint }): Problem => ({
    severity: 'error', code: 'CONFIG_REFUSED', message: `agent '${agent.id}': ${message}`, ...hint === '' ? {} : { hint },
    position: agent.config?.positionOf([...path]) ?? agent.at,
  })))
}

function describeRefusal (config: SentinelConfig, id: string, { path, message, hint }: RefusedSetting): Refusal {
  const agent = config.agents.find((candidate) => candidate.id === id)
  const at = path[0] === 'script' && agent?.script !== undefined ? agent.script.at : agent?.config?.positionOf([...path]) ?? agent?.at
  const where = at === undefined ? '' : `${place(at)}: `
  const setting = path.length > 0 ? ` (${path.join(' ')})` : ''
  return { agent: id, text: `${where}agent '${id}' refuses its configuration${setting}: ${message}${hint === '' ? '' : ` (${hint})`}` }
}

function place ({ file, line, column }: Position): string {
  return `${file}:${line}:${column}`
}
