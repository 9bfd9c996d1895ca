import type { AgentConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { builtInAgents } from '../../config/sentinel/built-in-agents.ts'
import { agentConfiguration, agentIdentity } from './agent-identity.ts'
import { canonicalKey } from './leases.ts'

/** Something that only a restart takes over. */
export interface RestartNeed {
  /** "listener 'web'". */
  readonly what: string
  /** A sentence for the operator. */
  readonly why: string
  /** What a reload does: refuses the whole configuration, or takes over everything but this. */
  readonly reload: 'refused' | 'ignored'
}

/** Read when the program starts, and not again. */
const ofTheStart = [
  ['daemon', 'daemon'], ['pidFile', 'pid-file'], ['user', 'user'], ['group', 'group'], ['workingDirectory', 'working-directory'], ['controlSocket', 'control-socket'],
  ['workerThreads', 'worker-threads'],
] as const

/** What of `next` a proxy that runs on `old` can take over only by starting anew. Everybody who wants to know before a reload asks this. */
export function needsRestart (old: SentinelConfig, next: SentinelConfig): RestartNeed[] {
  const changed = ofTheStart.filter(([key]) => old.system[key] !== next.system[key]).map(([, name]) => name)
  return changed.length === 0 ? [] : [{ what: 'the system', why: `system { ${changed.join(', ')} } changed: it counts from the next start`, reload: 'ignored' }]
}

/** What a reload does to agents: nothing of it needs the operator. */
export function agentEffects (old: SentinelConfig, next: SentinelConfig): Array<{ readonly agent: string, readonly what: string }> {
  return next.agents.flatMap((agent) => {
    const before = old.agents.find(({ id }) => id === agent.id)
    if (before === undefined) return []
    if (identityKey(before) !== identityKey(agent)) {
      return [{ agent: agent.id, what: isStartedByProxy(agent) ? 'a new process takes over, the old one finishes its requests' : 'it is connected to anew' }]
    }
    return agentConfiguration(before).version === agentConfiguration(agent).version ? [] : [{ agent: agent.id, what: 'it is asked to take its new configuration, and the reload fails when it refuses' }]
  })
}

function identityKey (agent: AgentConfig): string {
  return canonicalKey('agent', agentIdentity(agent))
}

/** As far as the configuration tells. One with a socket may turn out to be served by somebody else already. */
export function isStartedByProxy ({ managed, command, type, transport }: AgentConfig): boolean {
  return managed !== false && (command.length > 0 || (transport.kind === 'unix' && builtInAgents.has(type)))
}
