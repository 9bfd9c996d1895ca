import type { AgentConfig, ListenerConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { builtInAgents } from '../../config/sentinel/built-in-agents.ts'
import type { Binding, ListenerSettings } from '../listeners/index.ts'
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

export interface RestartFacts {
  /** Whether the running proxy itself started the agent; guessed from the configuration when nobody runs. */
  readonly runsAgent?: (id: string) => boolean
}

/** What of `next` a proxy that runs on `old` can take over only by starting anew. The reload asks this, and so does everybody who wants to know before. */
export function needsRestart (old: SentinelConfig, next: SentinelConfig, facts: RestartFacts = {}): RestartNeed[] {
  return [...rebinding(old, next), ...sharedSockets(old, next, facts), ...readOnce(old, next)]
}

/** A listener that is open keeps its settings, all but those of TLS: another address needs another listener. */
function rebinding (old: SentinelConfig, next: SentinelConfig): RestartNeed[] {
  const open = new Map(old.listeners.map((listener) => [listener.id, bindingKey(listener, old)]))
  const changed = next.listeners.filter((listener) => open.has(listener.id) && open.get(listener.id) !== bindingKey(listener, next))
  const needs = changed.map(({ id }): RestartNeed => ({ what: `listener '${id}'`, why: `the settings of listener '${id}' changed: that needs a restart`, reload: 'refused' }))
  if (metricsKey(old) === metricsKey(next)) return needs
  return [...needs, { what: 'the metrics', why: 'the settings of observability { metrics } changed: that needs a restart', reload: 'refused' }]
}

/** Two processes cannot serve one socket: an agent of ours that keeps its socket but becomes another process would find it taken. */
function sharedSockets (old: SentinelConfig, next: SentinelConfig, { runsAgent }: RestartFacts): RestartNeed[] {
  return next.agents.flatMap((agent): RestartNeed[] => {
    const path = socketOf(agent)
    const before = path === undefined ? undefined : old.agents.find((one) => socketOf(one) === path)
    if (path === undefined || before === undefined || identityKey(before) === identityKey(agent)) return []
    if (!(runsAgent?.(before.id) ?? isStartedByProxy(before))) return []
    return [{ what: `agent '${agent.id}'`, why: `agent '${agent.id}' changed but keeps the socket ${path}: that needs a restart, or another socket`, reload: 'refused' }]
  })
}

/** Read when the program starts, and not again. */
function readOnce (old: SentinelConfig, next: SentinelConfig): RestartNeed[] {
  const needs: RestartNeed[] = []
  if (old.observability.logging.format !== next.observability.logging.format) {
    needs.push({ what: 'the log', why: 'the format of observability { logging } changed: it counts from the next start', reload: 'ignored' })
  }
  if (old.system.workerThreads !== next.system.workerThreads) {
    needs.push({ what: 'the number of processes', why: 'worker-threads changed: it counts from the next start', reload: 'ignored' })
  }
  return needs
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

function socketOf ({ transport }: AgentConfig): string | undefined {
  return transport.kind === 'unix' ? transport.path : undefined
}

/** As far as the configuration tells. One with a socket may turn out to be served by somebody else already. */
export function isStartedByProxy ({ managed, command, type, transport }: AgentConfig): boolean {
  return managed !== false && (command.length > 0 || (transport.kind === 'unix' && builtInAgents.has(type)))
}

/** Everything about a listener but what its files hold, which can be replaced while it is open. */
export function boundSettings (listener: ListenerConfig, { limits }: SentinelConfig): Omit<ListenerSettings, 'tls'> {
  return {
    id: listener.id,
    ...bindingOf(listener),
    ...listener.proxyProtocol === undefined ? {} : { proxyProtocol: { from: listener.proxyProtocol.from, required: listener.proxyProtocol.required } },
    priorKnowledge: listener.protocol === 'h2',
    maxConcurrentStreams: listener.maxConcurrentStreams,
    requestTimeoutMs: listener.requestTimeout,
    bodyIdleTimeoutMs: listener.requestTimeout,
    keepaliveTimeoutMs: listener.keepaliveTimeout,
    ...listener.keepaliveMaxRequests === undefined ? {} : { keepaliveMaxRequests: listener.keepaliveMaxRequests },
    maxHeaderBytes: limits.maxHeaderSize,
    maxHeaderCount: limits.maxHeaderCount,
    maxHeaderNameBytes: limits.maxHeaderNameSize,
    ...limits.maxHeaderValueSize === undefined ? {} : { maxHeaderValueBytes: limits.maxHeaderValueSize },
    maxConnections: limits.maxTotalConnections,
  }
}

/** What its socket is bound with. */
export function bindingOf (listener: ListenerConfig): Binding {
  const { address: { host, port }, backlog, ipv6Only, reusePort } = listener
  return { host, port, ...unixOf(listener), backlog, ipv6Only, reusePort }
}

function unixOf ({ address: { path }, socketMode = 0o660, socketOwner, socketGroup }: ListenerConfig): Pick<ListenerSettings, 'unix'> {
  if (path === undefined) return {}
  const owner = socketOwner === undefined ? {} : { owner: socketOwner }
  const group = socketGroup === undefined ? {} : { group: socketGroup }
  return { unix: { path, mode: socketMode, ...owner, ...group } }
}

function bindingKey (listener: ListenerConfig, config: SentinelConfig): string {
  return canonicalKey('listener', { ...boundSettings(listener, config), tls: listener.tls?.clientAuth })
}

function metricsKey ({ observability: { metrics } }: SentinelConfig): string {
  const { address, ...rest } = metrics
  return canonicalKey('metrics', { ...rest, host: address.host, port: address.port })
}
