import { request } from './request.ts'
import { patient } from './scripted-agent.ts'
import type { RunningSentinel } from './sentinel.ts'
import { fromDist } from './paths.ts'

export const vitalProgram = fromDist('test', 'support', 'agents', 'vital.js')

export function vitalAgent (id: string, settings = ''): string {
  return `agent ${JSON.stringify(id)} { command ${JSON.stringify(process.execPath)} ${JSON.stringify(vitalProgram)}\n${patient(settings)} }`
}

export interface AgentStatus {
  readonly id: string
  readonly state: string
  readonly pid: number | null
  readonly problem?: string
  readonly config_version?: string
  readonly health?: string
  readonly health_detail?: string
  readonly load?: { readonly processes: number, readonly open_exchanges: number, readonly queued: number, readonly answered: number, readonly failed: number, readonly mean_ms: number | null }
}

export async function agentStatus (sentinel: RunningSentinel, id: string): Promise<AgentStatus> {
  const { agents } = JSON.parse((await request(sentinel.metricsPort(), '/status')).text) as { agents: readonly AgentStatus[] }
  return agents.find((agent) => agent.id === id)!
}

/** Value of a series, by its whole name with labels. */
export async function figure (sentinel: RunningSentinel, series: string): Promise<number | undefined> {
  const line = (await sentinel.metrics()).split('\n').find((one) => one.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}
