import { connect } from 'node:net'
import type { AgentConfig, Transport } from '../../config/sentinel/index.ts'
import type { AgentTarget } from '../decisions/index.ts'
import type { RootLog } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import { agentCommand, targetOf } from './agent-identity.ts'
import { inherited } from './agent-environment.ts'
import type { AgentHosts } from './agent-host.ts'
import { PlacedSocket } from './placed-socket.ts'
import type { AgentPlace } from './seam.ts'
import { superviseProgram, type Program } from './supervisor.ts'

export interface ProgramSurroundings {
  /** A socket path of its own for an agent that the operator gave none, in a private folder (mode 0700). Never the same twice. */
  readonly newSocket: () => string
  /** Folder programs start in: that of the configuration. */
  readonly cwd: string
  /** Environment the proxy runs in; only harmless names of it reach an agent. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: RootLog
  readonly metrics: Metrics
  readonly hosts: AgentHosts
  /** The program of the agent at this place was started, for the first time or anew. */
  readonly started: (place: AgentPlace) => void
}

/** An agent as main knows it: where it is, and its program when it is ours to run. */
export interface AgentProgram {
  readonly program: Program | undefined
  /** The socket that the operator placed for it, when its program is ours to run. */
  readonly placed: PlacedSocket | undefined
  /** Resolves when it is known who runs the agent. */
  place (): Promise<AgentPlace>
  /** SIGTERM, then SIGKILL when `deadline` fires. */
  stop (deadline: AbortSignal): Promise<void>
}

/** Programs of this process. */
let made = 0

/** Starts the program of an agent, when it has one that nobody else runs. */
export function runAgent (agent: AgentConfig, around: ProgramSurroundings): AgentProgram {
  const { log, metrics } = around
  const own = log.child({ component: 'agent', agent: agent.id })
  const { transport } = agent
  if (agent.host !== undefined && agent.hostMembers !== undefined) return around.hosts.join(agent.host, agent.hostMembers, agent, around)
  const command = agentCommand(agent)
  const mayManage = agent.managed !== false && command !== undefined && (agent.transport.kind === 'unix' || agent.command.length > 0)
  const socket = agent.transport.kind === 'unix' ? agent.transport.path ?? around.newSocket() : undefined

  const placedAt = agent.transport.kind === 'unix' ? agent.transport.path : undefined
  const placedSocket = placedAt === undefined ? undefined : new PlacedSocket(placedAt, ++made)
  let program: Program | undefined
  let closed = false
  const begin = async (): Promise<void> => {
    if (!mayManage || closed || transport.kind === 'reverse') return
    const placed = transport.kind === 'grpc' || transport.path !== undefined
    if (placed && agent.managed !== true && await answers(targetOf(transport, socket))) {
      const where = transport.kind === 'grpc' ? { address: transport.address.text } : { socket: socket! }
      own.info(`somebody serves its ${transport.kind === 'grpc' ? 'address' : 'socket'} already: it is not started here`, { event: 'agent-external', ...where })
      return
    }
    if (closed) return
    placedSocket?.sweep()
    program = superviseProgram({
      id: agent.id,
      command,
      cwd: around.cwd,
      env: { ...inherited(around.env), ...agent.env, ...whereToServe(transport, socket), SENTINEL_AGENT_ID: agent.id, SENTINEL_MANAGED: '1' },
      restartInitialMs: agent.restart.initialDelay,
      restartMaxMs: agent.restart.maxDelay,
      restartPolicy: agent.restart.policy,
      maxRestarts: agent.restart.maxRestarts,
      life: { target: targetOf(transport, socket), silentMs: agent.restart.whenSilent },
    }, {
      onLine: (stream, line) => log.mergeAgentLine(agent.id, stream, line),
      onStart: (pid) => {
        if ((program?.restarts ?? 0) > 0) metrics.agentRestarted(agent.id)
        own.info('started', { event: 'agent-started', pid })
        around.started({ id: agent.id, socket, managed: true })
      },
      onSilent: () => own.error(`it listens and says nothing: it is ended`, { event: 'agent-silent' }),
      onExit: ({ code, signal, error, restartMs }) => {
        const next = restartMs === undefined ? 'it is not started again' : `it is started again in ${restartMs} ms`
        own.error(`ended${error === undefined ? '' : `: ${error}`}; ${next}`, { event: 'agent-exited', exit_code: code, signal, restart_ms: restartMs ?? null })
      },
    })
  }
  const begun = begin()

  return {
    get program () { return program },
    get placed () { return program === undefined ? undefined : placedSocket },
    async place () {
      await begun
      return { id: agent.id, socket, managed: program !== undefined }
    },
    async stop (deadline) {
      closed = true
      await begun
      const end = async (): Promise<void> => program?.stop(deadline)
      await (placedSocket === undefined ? end() : placedSocket.outlive(end))
    },
  }
}

/** What tells a program of ours where it is expected. */
function whereToServe (transport: Exclude<Transport, { readonly kind: 'reverse' }>, socket: string | undefined): Record<string, string> {
  return transport.kind === 'unix' ? { SENTINEL_SOCKET: socket! } : { SENTINEL_LISTEN: transport.address.text.replace(/^[a-z]+:\/\//, '') }
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
