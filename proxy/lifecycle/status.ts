import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { StatusJson, TargetJson } from '../admin/status.ts'
import type { EvidenceStats } from '../evidence/evidence.ts'
import type { Listener } from '../listeners/index.ts'
import type { TargetHealth } from '../upstreams/index.ts'
import type { AgentRuntime } from './agent-runtime.ts'

export interface StatusFacts {
  readonly version: string
  readonly state: StatusJson['state']
  readonly file: string
  readonly configVersion: string
  readonly loadedAt: Date
  readonly lastError: string | undefined
  readonly config: SentinelConfig
  readonly listeners: readonly Listener[]
  readonly agents: ReadonlyMap<string, AgentRuntime>
  readonly evidence: EvidenceStats | undefined
  readonly health: ReadonlyMap<string, readonly TargetHealth[]>
}

/** Names and states for `/status` and the start screen. */
export function statusOf (facts: StatusFacts): StatusJson {
  const { config, lastError, evidence } = facts
  return {
    version: facts.version,
    node: process.versions.node,
    uptime_s: Math.round(process.uptime()),
    state: facts.state,
    config: {
      file: facts.file, version: facts.configVersion, loaded_at: facts.loadedAt.toISOString(),
      ...lastError === undefined ? {} : { last_error: lastError },
    },
    listeners: facts.listeners.map(({ id, address, connections }) => ({
      id, address, connections, protocol: config.listeners.find((listener) => listener.id === id)?.protocol ?? 'http',
    })),
    routes: config.routes.filter(({ enabled }) => enabled).map(({ id, upstream, filters, agents }) => ({
      id, upstream: upstream ?? null, agents: [...config.guardAgents, ...filters, ...agents],
    })),
    upstreams: config.upstreams.map(({ id }) => ({ id, targets: (facts.health.get(id) ?? []).map(targetOf) })),
    agents: config.agents.map((agent) => {
      const runtime = facts.agents.get(agent.id)
      const problem = runtime?.client.lastError
      return {
        id: agent.id, state: runtime?.client.state ?? 'closed', managed: runtime?.managed ?? false, pid: runtime?.program?.pid ?? null,
        restarts: runtime?.program?.restarts ?? 0, failure_mode: agent.failureMode, mode: agent.mode,
        ...problem === undefined || runtime?.client.state === 'ready' ? {} : { problem },
      }
    }),
    ...evidence === undefined || config.evidence === undefined ? {} : {
      evidence: { file: config.evidence.file, records: evidence.records, dropped: evidence.dropped, failing: evidence.failing, head: evidence.head.hash },
    },
  }
}

function targetOf ({ name, reasons, breaker, healthy, degraded, why, since }: TargetHealth): TargetJson {
  return {
    name, up: reasons.length === 0, reasons, since: since.toISOString(),
    ...why === '' ? {} : { why }, ...breaker === undefined ? {} : { breaker }, ...healthy === undefined ? {} : { healthy }, ...degraded ? { degraded } : {},
  }
}
