import type { SentinelConfig, UpstreamConfig } from '../../config/sentinel/index.ts'
import type { StatusJson, TargetJson } from '../admin/status.ts'
import type { EvidenceStats } from '../evidence/evidence.ts'
import type { AgentVitals } from '../observe/agent-reports.ts'
import type { HeldSocket } from '../listeners/index.ts'
import type { TargetHealth } from '../upstreams/index.ts'
import type { DiscoveryStatus } from './discoveries.ts'
import type { PathFacts, TargetFacts } from './seam.ts'
import { guardsOf, ownAnswerOf } from './route-plan.ts'
import type { Program } from './supervisor.ts'

export interface StatusFacts {
  readonly version: string
  readonly state: StatusJson['state']
  readonly file: string
  readonly configVersion: string
  readonly loadedAt: Date
  readonly lastReload: StatusJson['config']['last_reload']
  readonly config: SentinelConfig
  /** By the id of the listener. */
  readonly sockets: ReadonlyMap<string, HeldSocket>
  readonly path: PathFacts
  /** Of agents that main runs. */
  readonly programs: ReadonlyMap<string, Program | undefined>
  readonly vitals: (agent: string) => AgentVitals | undefined
  readonly evidence: EvidenceStats | undefined
  readonly discovery: (upstream: UpstreamConfig) => DiscoveryStatus | undefined
  readonly health: ReadonlyMap<string, readonly TargetHealth[]>
}

/** Names and states for `/status` and the start screen. */
export function statusOf (facts: StatusFacts): StatusJson {
  const { config, lastReload, evidence, path, programs } = facts
  return {
    version: facts.version,
    pid: process.pid,
    node: process.versions.node,
    uptime_s: Math.round(process.uptime()),
    state: facts.state,
    config: {
      file: facts.file, version: facts.configVersion, loaded_at: facts.loadedAt.toISOString(),
      ...lastReload === undefined ? {} : { last_reload: lastReload },
      ...lastReload?.error === undefined ? {} : { last_error: lastReload.error },
    },
    listeners: config.listeners.map(({ id, protocol }) => ({
      id, address: facts.sockets.get(id)?.address ?? '', connections: path.connections.get(id) ?? 0, protocol,
    })),
    ...path.workers === undefined ? {} : { workers: path.workers },
    routes: config.routes.filter(({ enabled }) => enabled).map((route) => ({
      id: route.id, upstream: route.upstream ?? null, responds: ownAnswerOf(route), agents: [...guardsOf(route, config), ...route.filters, ...route.agents],
    })),
    upstreams: config.upstreams.map((upstream) => ({
      id: upstream.id,
      targets: (facts.health.get(upstream.id) ?? []).map((health) => targetOf(health, path.upstreams.get(upstream.id))),
      ...discoveryOf(facts.discovery(upstream)),
    })),
    agents: config.agents.map((agent) => {
      const { state = 'closed', problem, configVersion = '' } = path.agents.get(agent.id) ?? {}
      const program = programs.get(agent.id)
      return {
        id: agent.id, state, managed: program !== undefined, pid: program?.pid ?? null,
        restarts: program?.restarts ?? 0, failure_mode: agent.failureMode, mode: agent.mode,
        ...problem === undefined || state === 'ready' ? {} : { problem },
        ...configVersion === '' ? {} : { config_version: configVersion },
        ...vitalsOf(facts.vitals(agent.id)),
      }
    }),
    ...evidence === undefined || config.evidence === undefined ? {} : {
      evidence: { file: config.evidence.file, records: evidence.records, dropped: evidence.dropped, failing: evidence.failing, head: evidence.head.hash },
    },
  }
}

function vitalsOf (vitals: AgentVitals | undefined): Pick<StatusJson['agents'][number], 'health' | 'health_detail' | 'load'> {
  if (vitals === undefined || vitals.processes === 0) return {}
  const { health, detail, processes, openExchanges, queued, answered, failed, meanMs } = vitals
  const load = { processes, open_exchanges: openExchanges, queued, answered, failed, mean_ms: meanMs === undefined ? null : Math.round(meanMs * 1000) / 1000 }
  return { health, ...detail === '' ? {} : { health_detail: detail }, load }
}

function discoveryOf (found: DiscoveryStatus | undefined): Pick<StatusJson['upstreams'][number], 'discovery'> {
  if (found === undefined) return {}
  const { kind, state, ageMs, problem } = found
  return { discovery: { kind, state, age_s: ageMs === undefined ? null : Math.round(ageMs / 1000), ...problem === undefined ? {} : { problem } } }
}

function targetOf ({ name, reasons, breaker, healthy, degraded, why, since }: TargetHealth, facts: readonly TargetFacts[] = []): TargetJson {
  const { exchanges = 0, connections = 0 } = facts.find((one) => one.name === name) ?? {}
  return {
    name, up: reasons.length === 0, reasons, exchanges, connections, since: since.toISOString(),
    ...why === '' ? {} : { why }, ...breaker === undefined ? {} : { breaker }, ...healthy === undefined ? {} : { healthy }, ...degraded ? { degraded } : {},
  }
}
