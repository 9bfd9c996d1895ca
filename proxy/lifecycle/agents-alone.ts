import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AgentConfig } from '../../config/sentinel/index.ts'
import type { AgentTarget } from '../decisions/index.ts'
import { createLog, type LogLevel } from '../observe/log.ts'
import { createMetrics } from '../observe/metrics.ts'
import { AgentHosts } from './agent-host.ts'
import { agentCommand, agentConfiguration, targetOf } from './agent-identity.ts'
import { runAgent } from './agent-program.ts'
import { makeSocketFolder } from './socket-folder.ts'
import { readVersion } from './version.ts'

/** An agent of a configuration, without a proxy around it. */
export interface AgentAlone {
  readonly id: string
  readonly target: AgentTarget
  /** What to configure it with; `undefined` for one that somebody else runs: it may serve a proxy, and keeps what it has. */
  readonly configuration: { readonly json: string, readonly version: string } | undefined
}

export interface AgentsAlone {
  readonly agents: readonly AgentAlone[]
  stop (): Promise<void>
}

const stopMs = 5_000

/**
 * Starts the programs of agents as `run` does, in the folder of their configuration and with its environment, each on a private socket of its own: whoever serves
 * the places that the configuration names is left alone. Their lines go to stderr from `level` on.
 */
export function startAgentsAlone (
  configs: readonly AgentConfig[], file: string, env: Readonly<Record<string, string | undefined>>, level: LogLevel,
): AgentsAlone {
  const folder = makeSocketFolder()
  const log = createLog({ level, format: 'auto' })
  const around = { cwd: dirname(file), env, log, metrics: createMetrics({ version: readVersion() }), hosts: new AgentHosts(), started () {} }
  const programs = configs.map((agent, i) => {
    if (agentCommand(agent) === undefined || agent.managed === false) return { agent, program: undefined, socket: undefined }
    const socket = join(folder, `${i + 1}.sock`)
    const own: AgentConfig = { ...agent, managed: true, transport: { kind: 'unix', path: undefined }, host: undefined }
    return { agent, socket, program: runAgent(own, { ...around, newSocket: () => socket }) }
  })
  return {
    agents: programs.map(({ agent, program, socket }) => ({
      id: agent.id,
      target: program === undefined ? addressOf(agent) : { path: socket },
      configuration: program === undefined ? undefined : agentConfiguration(agent),
    })),
    async stop () {
      await Promise.all(programs.flatMap(({ program }) => program === undefined ? [] : [program.stop(AbortSignal.timeout(stopMs))]))
      rmSync(folder, { recursive: true, force: true })
      await log.close()
    },
  }
}

/** Only a proxy that runs can ask one that connects to it. */
export function isOutOfReach (agent: AgentConfig): boolean {
  return agent.transport.kind === 'reverse' && (agentCommand(agent) === undefined || agent.managed === false)
}

function addressOf ({ id, transport }: AgentConfig): AgentTarget {
  if (transport.kind === 'reverse') throw new Error(`agent '${id}' connects to the proxy`) // Nobody asks for it: see above.
  return targetOf(transport, transport.kind === 'unix' ? transport.path : undefined)
}
