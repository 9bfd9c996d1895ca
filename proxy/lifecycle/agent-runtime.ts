import type { AgentConfig } from '../../config/sentinel/index.ts'
import { connectAgent, type AgentClient, type Arrivals, type AgentOptions } from '../decisions/index.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { TapPlace } from '../pipeline/agent-tap.ts'
import { agentConfiguration, targetOf } from './agent-identity.ts'
import { breakerOf, breakerValues } from './health-plans.ts'
import type { AgentPlace, MainSide } from './seam.ts'

export interface AgentSurroundings {
  readonly log: Log
  readonly metrics: Metrics
  readonly report: MainSide['agentReport']
  readonly sign: MainSide['agentSign']
  /** Where the configuration has agents that connect to the proxy. */
  readonly arrivals: Arrivals | undefined
  readonly taps?: TapPlace
}

/** An agent as the data path knows it: whom it talks to. Its program, when it is ours to run, is main's. */
export interface AgentRuntime {
  readonly id: string
  readonly client: AgentClient
  readonly managed: boolean
  readonly socket: string | undefined
  /**
   * Resolves when the agent is ready, has refused, or `timeoutMs` is over: who is not there yet comes later. An agent that somebody else
   * runs is hardly waited for. `sent`: agents that connect to the proxy are sent here by another process.
   */
  settled (timeoutMs: number, sent: boolean): Promise<void>
  /** No new exchanges; open ones finish. `deadline` cuts that short. */
  close (deadline: AbortSignal): Promise<void>
}

/** Long enough for an agent that is there; nobody knows when one that is not will come. */
const externalMs = 500
/** One that is sent here by the process before this one has to connect first; that one serves meanwhile. */
const sentMs = 5_000

export function openAgent (
  agent: AgentConfig, { managed, socket }: AgentPlace, { log, metrics, arrivals, report, sign, taps }: AgentSurroundings,
): AgentRuntime {
  const own = log.child({ component: 'agent', agent: agent.id })
  const { json, version } = agentConfiguration(agent)
  const client = connectAgent({
    id: agent.id,
    target: agent.transport.kind === 'reverse' ? { arrivals: arrivals!.of(agent.id) } : targetOf(agent.transport, socket),
    config: { json, version },
    taps,
    events: agent.events,
    connections: agent.connections,
    connectTimeoutMs: agent.connectTimeout,
    pingIntervalMs: agent.http2.keepAliveInterval,
    pingTimeoutMs: agent.http2.keepAliveTimeout,
    maxConcurrentCalls: agent.maxConcurrentCalls,
    maxQueuedCalls: agent.maxQueuedCalls,
    ...agent.maxMessageSize === undefined ? {} : { maxMessageBytes: agent.maxMessageSize },
    ...whenAway(agent),
    onBreaker: (state) => {
      metrics.table.agentBreakerState.cell(agent.id).set(breakerValues[state])
      own[state === 'open' ? 'warn' : 'info'](`circuit breaker: ${state}`, { event: `breaker-${state}` })
    },
    onState: (state, why) => {
      metrics.agentState(agent.id, state)
      if (managed && (state === 'ready' || state === 'stalled' || state === 'backoff')) sign(agent.id, state)
      // A program that is just being started is not missed yet.
      if (state === 'backoff' && managed && client.describe === undefined) return
      if (state === 'ready') own.info('ready', { event: 'agent-ready', config_version: client.configVersion })
      else if (state !== 'connecting' && state !== 'draining' && state !== 'closed') own.warn(why ?? state, { event: 'agent-state', state })
    },
    onReport: (said) => report(agent.id, said),
    onProtocolFault: (kind, detail) => {
      metrics.agentProtocolFault(agent.id, kind)
      own.warn(`the agent broke the protocol: ${detail}`, { event: 'agent-protocol-fault', code: 'AGENT_BAD_REPLY', kind })
    },
  })
  return {
    id: agent.id,
    client,
    managed,
    socket,
    settled: (timeoutMs, sent) => client.settled(managed ? timeoutMs : Math.min(timeoutMs, sent && agent.transport.kind === 'reverse' ? sentMs : externalMs)),
    async close (deadline) {
      await client.drain(deadline)
      await client.close()
    },
  }
}

/** What the configuration says of an agent that is away, not well, or keeps failing. */
function whenAway ({ retry, healthCheck: check, circuitBreaker }: AgentConfig): Pick<AgentOptions, 'retry' | 'healthPoll' | 'breaker'> {
  return {
    ...retry === undefined ? {} : { retry: { maxAttempts: retry.maxAttempts, backoffMs: retry.backoff, maxBackoffMs: retry.maxBackoff } },
    ...check?.enabled !== true ? {} : {
      healthPoll: {
        intervalMs: check.interval, timeoutMs: check.timeout, healthyThreshold: check.healthyThreshold, unhealthyThreshold: check.unhealthyThreshold,
      },
    },
    ...circuitBreaker === undefined ? {} : { breaker: breakerOf(circuitBreaker) },
  }
}
