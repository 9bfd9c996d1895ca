import { resolve } from 'node:path'
import type { AgentConfig } from '../../config/sentinel/index.ts'
import type { HostMember } from '../../config/sentinel/agent-host.ts'
import { inherited } from './agent-environment.ts'
import type { AgentProgram, ProgramSurroundings } from './agent-program.ts'
import { canonicalKey } from './leases.ts'
import { packageFile } from './package-file.ts'
import { superviseProgram, type Program } from './supervisor.ts'

/** A process that several agents share. */
interface Host {
  readonly program: Program
  readonly sockets: ReadonlyMap<string, string>
  /** Agents of it that are in use. */
  members: number
}

/** Processes of agents that share one. A configuration with other members of a host has another process: the old one ends with the old configuration. */
export class AgentHosts {
  readonly #hosts = new Map<string, Host>()

  /** The process of this host is started for the first of its members, and stopped when the last has let go of it. */
  join (name: string, members: readonly HostMember[], agent: AgentConfig, around: ProgramSurroundings): AgentProgram {
    const key = canonicalKey('host', [name, members, agent.env, agent.restart])
    const host = this.#hosts.get(key) ?? startHost(name, members, agent, around)
    this.#hosts.set(key, host)
    host.members++
    const place = { id: agent.id, socket: host.sockets.get(agent.id)!, managed: true }
    let left = false
    return {
      program: host.program,
      placed: undefined,
      place: async () => place,
      stop: async (deadline) => {
        if (!left) host.members--
        left = true
        if (host.members > 0) return
        if (this.#hosts.get(key) === host) this.#hosts.delete(key)
        await host.program.stop(deadline)
      },
    }
  }
}

function startHost (name: string, members: readonly HostMember[], { id, env, restart }: AgentConfig, around: ProgramSurroundings): Host {
  const { log, metrics, cwd } = around
  const sockets = new Map(members.map(({ id }) => [id, around.newSocket()]))
  const seats = members.map(({ id, type, file }) => ({
    id, socket: sockets.get(id)!, file: file === undefined ? packageFile('dist', 'agents', type, 'main.js') : resolve(cwd, file),
  }))
  const own = log.child({ component: 'agent', host: name })
  let starts = 0
  const program = superviseProgram({
    id: name,
    command: [process.execPath, packageFile('dist', 'sdk', 'server', 'host-main.js')],
    cwd,
    env: { ...inherited(around.env), ...env, SENTINEL_HOSTED: JSON.stringify(seats), SENTINEL_MANAGED: '1' },
    restartInitialMs: restart.initialDelay,
    restartMaxMs: restart.maxDelay,
    restartPolicy: restart.policy,
    maxRestarts: restart.maxRestarts,
    // They have one loop of events: what holds up one of them holds up all.
    life: { target: { path: sockets.get(id)! }, silentMs: restart.whenSilent },
  }, {
    onLine: (stream, line) => log.mergeAgentLine(speakerOf(line, sockets) ?? name, stream, line),
    onStart: (pid) => {
      starts++
      for (const [id, socket] of sockets) {
        if (starts > 1) metrics.agentRestarted(id)
        log.child({ component: 'agent', agent: id }).info('started', { event: 'agent-started', pid, host: name })
        around.started({ id, socket, managed: true })
      }
    },
    onSilent: () => own.error(`the process of ${[...sockets.keys()].join(', ')} listens and says nothing: it is ended`, { event: 'agent-silent' }),
    onExit: ({ code, signal, error, restartMs }) => {
      const next = restartMs === undefined ? 'it is not started again' : `it is started again in ${restartMs} ms`
      own.error(`the process of ${[...sockets.keys()].join(', ')} ended${error === undefined ? '' : `: ${error}`}; ${next}`, { event: 'agent-exited', exit_code: code, signal, restart_ms: restartMs ?? null })
    },
  })
  return { program, sockets, members: 0 }
}

/** Which of them wrote the line. They share a process, so that none of them can be kept from speaking for another. */
function speakerOf (line: string, members: ReadonlyMap<string, unknown>): string | undefined {
  const [, quoted] = /"agent":("(?:[^"\\]|\\.){1,200}")/.exec(line) ?? []
  if (quoted === undefined) return undefined
  try {
    const name = JSON.parse(quoted) as unknown
    return typeof name === 'string' && members.has(name) ? name : undefined
  } catch {
    return undefined
  }
}
