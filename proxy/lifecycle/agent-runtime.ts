import { connect } from 'node:net'
import type { AgentConfig, Transport } from '../../config/sentinel/index.ts'
import { connectAgent, type AgentClient, type AgentTarget } from '../decisions/index.ts'
import type { RootLog } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import { agentCommand, agentConfiguration, targetOf } from './agent-identity.ts'
import { PlacedSocket } from './placed-socket.ts'
import { superviseProgram, type Program } from './supervisor.ts'

export interface AgentSurroundings {
  /** A socket path of its own for an agent that the operator gave none, in a private folder (mode 0700). Never the same twice. */
  readonly newSocket: () => string
  /** Folder programs start in: that of the configuration. */
  readonly cwd: string
  /** Environment the proxy runs in; only harmless names of it reach an agent. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: RootLog
  readonly metrics: Metrics
}

/** An agent as this process knows it: the connection, and the program when it is ours to run. */
export interface AgentRuntime {
  readonly id: string
  readonly client: AgentClient
  readonly managed: boolean
  readonly program: Program | undefined
  /** The socket that the operator placed for it, when its program is ours to run. */
  readonly placed: PlacedSocket | undefined
  /**
   * Resolves when the agent is ready, has refused, or `timeoutMs` is over: who is not there yet comes later. An agent that somebody else
   * runs is hardly waited for.
   */
  settled (timeoutMs: number): Promise<void>
  /** No new exchanges; open ones finish; then the program ends. `deadline` cuts that short. */
  close (deadline: AbortSignal): Promise<void>
}

/** Long enough for an agent that is there; nobody knows when one that is not will come. */
const externalMs = 500

/** Runtimes of this process. */
let made = 0

/** Names an agent's program may need to run at all. Everything else of the proxy's environment stays with the proxy. */
const passedOn = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'NODE_ENV', 'NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS'] as const

export function openAgent (agent: AgentConfig, around: AgentSurroundings): AgentRuntime {
  const { log, metrics } = around
  const own = log.child({ component: 'agent', agent: agent.id })
  const command = agentCommand(agent)
  const mayManage = agent.managed !== false && command !== undefined && (agent.transport.kind === 'unix' || agent.command.length > 0)
  const socket = agent.transport.kind === 'unix' ? agent.transport.path ?? around.newSocket() : undefined
  const target = targetOf(agent.transport, socket)
  const { json, version } = agentConfiguration(agent)

  const client = connectAgent({
    id: agent.id,
    target,
    config: { json, version },
    events: agent.events,
    connections: agent.connections,
    connectTimeoutMs: agent.connectTimeout,
    maxConcurrentCalls: agent.maxConcurrentCalls,
    maxQueuedCalls: agent.maxQueuedCalls,
    ...agent.maxMessageSize === undefined ? {} : { maxMessageBytes: agent.maxMessageSize },
    onState: (state, why) => {
      metrics.agentState(agent.id, state)
      // A program that is just being started is not missed yet.
      if (state === 'backoff' && mayManage && client.describe === undefined) return
      if (state === 'ready') own.info('ready', { event: 'agent-ready', config_version: client.configVersion })
      else if (state !== 'connecting' && state !== 'draining' && state !== 'closed') own.warn(why ?? state, { event: 'agent-state', state })
    },
    onProtocolFault: (kind, detail) => {
      metrics.agentProtocolFault(agent.id, kind)
      own.warn(`the agent broke the protocol: ${detail}`, { event: 'agent-protocol-fault', code: 'AGENT_BAD_REPLY', kind })
    },
  })

  const placedAt = agent.transport.kind === 'unix' ? agent.transport.path : undefined
  const placedSocket = placedAt === undefined ? undefined : new PlacedSocket(placedAt, `${process.pid}-${++made}`)
  let program: Program | undefined
  let closed = false
  const begin = async (): Promise<void> => {
    if (!mayManage || closed) return
    const placed = agent.transport.kind === 'grpc' || agent.transport.path !== undefined
    if (placed && agent.managed !== true && await answers(target)) {
      const where = agent.transport.kind === 'grpc' ? { address: agent.transport.address.text } : { socket: socket! }
      own.info(`somebody serves its ${agent.transport.kind === 'grpc' ? 'address' : 'socket'} already: it is not started here`, { event: 'agent-external', ...where })
      return
    }
    if (closed) return
    program = superviseProgram({
      id: agent.id,
      command,
      cwd: around.cwd,
      env: { ...inherited(around.env), ...agent.env, ...whereToServe(agent.transport, socket), SENTINEL_AGENT_ID: agent.id, SENTINEL_MANAGED: '1' },
      restartInitialMs: agent.restart.initialDelay,
      restartMaxMs: agent.restart.maxDelay,
      restartPolicy: agent.restart.policy,
      maxRestarts: agent.restart.maxRestarts,
    }, {
      onLine: (stream, line) => log.mergeAgentLine(agent.id, stream, line),
      onStart: (pid) => {
        if ((program?.restarts ?? 0) > 0) metrics.agentRestarted(agent.id)
        own.info('started', { event: 'agent-started', pid })
        client.nudge()
      },
      onExit: ({ code, signal, error, restartMs }) => {
        const next = restartMs === undefined ? 'it is not started again' : `it is started again in ${restartMs} ms`
        own.error(`ended${error === undefined ? '' : `: ${error}`}; ${next}`, { event: 'agent-exited', exit_code: code, signal, restart_ms: restartMs ?? null })
      },
    })
  }
  const begun = begin()

  return {
    id: agent.id,
    client,
    get managed () { return program !== undefined },
    get program () { return program },
    get placed () { return program === undefined ? undefined : placedSocket },
    async settled (timeoutMs) {
      await begun
      await client.settled(program === undefined ? Math.min(timeoutMs, externalMs) : timeoutMs)
    },
    async close (deadline) {
      closed = true
      await begun
      await client.drain(deadline)
      const end = async (): Promise<void> => program?.stop(deadline)
      await (placedSocket === undefined ? end() : placedSocket.outlive(end))
      await client.close()
      metrics.agentGone(agent.id)
    },
  }
}

/** What tells a program of ours where it is expected. */
function whereToServe (transport: Transport, socket: string | undefined): Record<string, string> {
  return transport.kind === 'unix' ? { SENTINEL_SOCKET: socket! } : { SENTINEL_LISTEN: transport.address.text.replace(/^[a-z]+:\/\//, '') }
}

function inherited (env: AgentSurroundings['env']): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of passedOn) {
    const value = env[name]
    if (value !== undefined) kept[name] = value
  }
  return kept
}

/** Whether somebody accepts connections there. */
function answers (target: AgentTarget): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = 'path' in target ? connect(target.path) : connect(target.port, target.host)
    const done = (answer: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(() => done(false), 500)
    socket.once('connect', () => done(true))
    socket.once('error', () => done(false))
  })
}
