import { createHash } from 'node:crypto'
import { builtInAgents, type AgentConfig } from '../../config/sentinel/index.ts'
import { packageFile } from './package-file.ts'

/** What makes an agent another one: a change of anything else is a new configuration for the same agent. */
export function agentIdentity (agent: AgentConfig): unknown {
  const { id, type, transport, managed, command, env, events, connections, maxConcurrentCalls, maxQueuedCalls, restart } = agent
  return { id, type, transport, managed, command, env, events, connections, maxConcurrentCalls, maxQueuedCalls, restart }
}

/** The `config {}` block as the agent gets it, and a name for it. */
export function agentConfiguration (agent: AgentConfig): { readonly json: string, readonly version: string } {
  const json = JSON.stringify(agent.config?.json ?? {})
  return { json, version: createHash('sha256').update(json).digest('hex').slice(0, 12) }
}

/** The program of an agent, with its arguments; `undefined` for one that only somebody else can start. */
export function agentCommand ({ command, type }: AgentConfig): readonly string[] | undefined {
  if (command.length > 0) return command
  return builtInAgents.has(type) ? [process.execPath, packageFile('dist', 'agents', type, 'main.js')] : undefined
}
