import { basename } from 'node:path'
import type { Report } from '../schema/report.ts'
import { builtInAgents } from './built-in-agents.ts'
import type { AgentConfig } from './config.ts'

/** One of the agents that run in a process together: what the process has to know of it before it starts. */
export interface HostMember {
  readonly id: string
  readonly type: string
  /** JavaScript file; without it the type is built in. */
  readonly file: string | undefined
}

/** The JavaScript file that a command runs, where it is `node file.js` and nothing more: only that can be loaded beside others. */
function fileOf ({ command: [program = '', file = '', ...more] }: Pick<AgentConfig, 'command'>): string | undefined {
  const isNode = program === process.execPath || basename(program) === 'node'
  return isNode && more.length === 0 && /\.[cm]?js$/.test(file) ? file : undefined
}

/** Gives agents that share a process the list of all of them: another list makes another process. */
export function withHosts<A extends AgentConfig> (agents: readonly A[], report: Report): A[] {
  const hosts = new Map<string, A[]>()
  for (const agent of agents) {
    if (agent.host === undefined) continue
    const members = hosts.get(agent.host) ?? []
    if (canBeHosted(agent, report)) hosts.set(agent.host, [...members, agent])
  }
  for (const [name, members] of hosts) checkAlike(name, members, report)
  return agents.map((agent) => {
    const members = agent.host === undefined ? undefined : hosts.get(agent.host)
    if (members === undefined) return agent
    return { ...agent, hostMembers: members.map((member): HostMember => ({ id: member.id, type: member.type, file: fileOf(member) })) }
  })
}

function canBeHosted (agent: AgentConfig, report: Report): boolean {
  const { id, at, type, transport, managed, command } = agent
  const wrong = (message: string, hint: string): false => {
    report.error('CONFIG_CONTRADICTION', `agent '${id}' has a host, but ${message}`, at, hint)
    return false
  }
  if (managed === false) return wrong('the proxy does not start it', 'leave out host, or managed')
  if (transport.kind !== 'unix' || transport.path !== undefined) return wrong('is reached where the configuration says', 'agents of a host have sockets of their own: leave out the transport')
  if (command.length === 0 && builtInAgents.has(type)) return true
  return fileOf(agent) !== undefined || wrong('is no program that could be loaded beside others', 'write command "node" "agent.mjs", a JavaScript file that calls serve(), or use a type that is built in')
}

/** What is of the process can be said in one way only. */
function checkAlike (name: string, members: readonly AgentConfig[], report: Report): void {
  const [first, ...others] = members
  for (const agent of others) {
    for (const setting of ['env', 'restart'] as const) {
      if (JSON.stringify(agent[setting]) === JSON.stringify(first![setting])) continue
      report.error('CONFIG_CONTRADICTION', `agents '${first!.id}' and '${agent.id}' run in one process, '${name}', and differ in '${setting}'`, agent.at, `write the same ${setting} into all agents of the host`)
    }
  }
}
