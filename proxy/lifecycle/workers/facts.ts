import { addTalk } from '../agent-facts.ts'
import type { AgentFacts, PathFacts, TargetFacts } from '../seam.ts'
import type { PlainFacts } from './messages.ts'

/** What all workers say of themselves, as one: connections and exchanges add up, and an agent is as well as where it is worst. */
export function gatherFacts (all: readonly PlainFacts[]): PathFacts {
  const connections = new Map<string, number>()
  const agents = new Map<string, AgentFacts>()
  const upstreams = new Map<string, Map<string, TargetFacts>>()
  for (const facts of all) {
    for (const [listener, count] of facts.connections) connections.set(listener, (connections.get(listener) ?? 0) + count)
    for (const [id, agent] of facts.agents) {
      const other = agents.get(id)
      const worse = other === undefined || other.state === 'ready' ? agent : other
      agents.set(id, other === undefined ? agent : { ...worse, talk: addTalk(other.talk, agent.talk) })
    }
    for (const [id, targets] of facts.upstreams) upstreams.set(id, targets.reduce(withTarget, upstreams.get(id) ?? new Map<string, TargetFacts>()))
  }
  return { connections, agents, upstreams: new Map([...upstreams].map(([id, targets]) => [id, [...targets.values()]])) }
}

function withTarget (sum: Map<string, TargetFacts>, { name, exchanges, connections }: TargetFacts): Map<string, TargetFacts> {
  const { exchanges: others = 0, connections: theirs = 0 } = sum.get(name) ?? {}
  return sum.set(name, { name, exchanges: exchanges + others, connections: connections + theirs })
}

export function plainFacts ({ connections, agents, upstreams }: PathFacts): PlainFacts {
  return { connections: [...connections], agents: [...agents], upstreams: [...upstreams] }
}
