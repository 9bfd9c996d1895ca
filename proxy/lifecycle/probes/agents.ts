import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import type { Effective } from '../../../config/schema/index.ts'
import type { AgentConfig, SentinelConfig } from '../../../config/sentinel/index.ts'
import { askWhetherWell, type AgentHealth } from '../../decisions/index.ts'
import { agentCommand, targetOf } from '../agent-identity.ts'
import { isStartedByProxy } from '../needs-restart.ts'
import { namedAt, type NamedAt } from './named-at.ts'
import { probeAll, probeMs, reasonOf, type Finding } from './probe.ts'

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Folder that programs start in. */
  readonly cwd: string
}

/** Looks at every agent: whether its program can be started, or whether somebody answers where it should be. Nothing is started. */
export function probeAgents (config: SentinelConfig, tree: readonly Effective[], around: Surroundings): Promise<Finding[]> {
  const places = namedAt(tree)
  return probeAll(config.agents, async (agent) => {
    const program = isStartedByProxy(agent)
    const setting = program ? places.setting(agent.at, ['command']) : undefined
    const result = program ? await lookAtProgram(agent, places, around) : await lookAtPeer(agent, places)
    return { probe: 'agents' as const, at: setting?.at ?? agent.at, what: `agent '${agent.id}'`, ...result }
  })
}

type Result = Pick<Finding, 'level' | 'message' | 'hint'>

async function lookAtProgram (agent: AgentConfig, places: NamedAt, around: Surroundings): Promise<Result> {
  const [program = '', ...args] = agentCommand(agent) ?? []
  if (agent.command.length === 0) {
    const there = await isFile(args[0] ?? '', constants.R_OK)
    return there ? { level: 'ok', message: `built in ('${agent.type}'), started by the proxy` } : { level: 'error', message: `the built-in agent '${agent.type}' is not in this installation`, hint: 'install Sentinel anew' }
  }
  const shown = places.text(agent.at, ['command']) ?? 'its program'
  const candidates = candidatesOf(program, around)
  for (const candidate of candidates) if (await isFile(candidate, constants.X_OK)) return { level: 'ok', message: `${shown} can be started` }
  for (const candidate of candidates) {
    if (await isFile(candidate, constants.F_OK)) return { level: 'error', message: `${shown} must not be executed by this user`, hint: 'write chmod +x on it, or the interpreter in front of it' }
  }
  return program.includes('/')
    ? { level: 'error', message: `there is no program ${shown}`, hint: 'relative paths start at the folder of the configuration' }
    : { level: 'error', message: `there is no program ${shown} on the PATH`, hint: 'write its whole path' }
}

/** Where the system looks for a program. */
function candidatesOf (program: string, { env, cwd }: Surroundings): string[] {
  if (isAbsolute(program) || program.includes('/')) return [resolve(cwd, program)]
  return (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '').map((folder) => join(resolve(cwd, folder), program))
}

async function isFile (path: string, mode: number): Promise<boolean> {
  try {
    await access(path, mode)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

async function lookAtPeer ({ id, at, transport, events }: AgentConfig, places: NamedAt): Promise<Result> {
  const where = places.text(at, transport.kind === 'unix' ? ['path', 'unix-socket', 'endpoint'] : ['address', 'grpc', 'endpoint']) ?? 'its socket'
  if (transport.kind === 'reverse') return { level: 'ok', message: 'it connects to the proxy: whether it does shows when the proxy runs' }
  if (transport.kind === 'unix' && transport.path === undefined) return { level: 'error', message: 'nothing says how to reach it' }
  const target = targetOf(transport, transport.kind === 'unix' ? transport.path : undefined)
  return judged(await askWhetherWell({ id, target, events }, probeMs), where)
}

function judged (health: AgentHealth, where: string): Result {
  switch (health.state) {
    case 'serving': return { level: 'ok', message: `${health.describe.name} ${health.describe.version} serves at ${where}`.replaceAll(/\s+/g, ' ') }
    case 'not-serving': return { level: 'error', message: `somebody answers at ${where} and says of itself that it is not serving`, hint: 'look at the log of the agent' }
    case 'incompatible': return { level: 'error', message: health.why, hint: 'another version of the agent is needed, or other events' }
    case 'no-answer': return { level: 'error', message: `somebody listens at ${where} who does not answer as an agent: ${health.why}`, hint: 'look at the log of the agent, and whether the address is the right one' }
    case 'unreachable': {
      const { message, hint } = reasonOf(health.code)
      return { level: 'error', message: `${where}: ${message}`, ...hint === undefined ? {} : { hint } }
    }
  }
}
