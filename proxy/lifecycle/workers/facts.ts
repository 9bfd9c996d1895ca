import type { AgentFacts, PathFacts } from '../seam.ts'
import type { PlainFacts } from './messages.ts'

/** What all workers say of themselves, as one: connections add up, and an agent is as well as where it is worst. */
export function gatherFacts (all: readonly PlainFacts[]): PathFacts {
  const connections = new Map<string, number>()
  const agents = new Map<string, AgentFacts>()
  for (const facts of all) {
    for (const [listener, count] of facts.connections) connections.set(listener, (connections.get(listener) ?? 0) + count)
    for (const [id, agent] of facts.agents) {
      const other = agents.get(id)
      if (other === undefined || other.state === 'ready') agents.set(id, agent)
    }
  }
  return { connections, agents }
}

export function plainFacts ({ connections, agents }: PathFacts): PlainFacts {
  return { connections: [...connections], agents: [...agents] }
}
