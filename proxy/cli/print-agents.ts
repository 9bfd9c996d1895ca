import type { AgentJson } from '../admin/agents-json.ts'
import { columns, painter } from './paint.ts'
import { printableText } from './places.ts'

const heads = ['AGENT', 'STATE', 'VERSION', 'CONFIG', 'PROCESS', 'IN FLIGHT', 'QUEUED', 'BREAKER', 'CALLS', 'FAILED', 'MEAN', 'P50', 'P99']
const stateColumn = 1

/** One line for each agent, and below it why it is not well. */
export function agentsTable (agents: readonly AgentJson[], colour: boolean): string {
  if (agents.length === 0) return 'the configuration has no agents\n'
  const paint = painter(colour)
  const rows = [heads, ...agents.map(cellsOf)].map((row) => row.map(printableText))
  const lines = columns(rows, (cell, column, row) => {
    if (row === 0) return paint.dim(cell)
    return column === stateColumn ? (cell === 'ready' ? paint.good(cell) : paint.bad(cell)) : cell
  })
  const out = [lines[0]!]
  for (const [i, { problem, last_failure: last, protocol_faults: faults, mode }] of agents.entries()) {
    out.push(lines[i + 1]!)
    if (mode !== 'enforce') out.push(paint.dim(`  mode ${mode}: what it decides changes nothing`))
    if (problem !== undefined) out.push(paint.bad(printableText(`  ${problem}`)))
    if (last !== undefined) out.push(paint.warn(printableText(`  last failure ${last.at}: ${last.code}${last.detail === '' ? '' : `: ${last.detail}`}`)))
    if (faults > 0) out.push(paint.warn(`  it broke the protocol ${faults === 1 ? 'once' : `${faults} times`}`))
  }
  return `${out.join('\n')}\n`
}

function cellsOf (agent: AgentJson): string[] {
  const { id, state, version, config_version: config, managed, pid, restarts, breaker, latency_ms: latency } = agent
  const process = managed ? `${pid ?? '–'}${restarts === 0 ? '' : ` (${restarts === 1 ? '1 restart' : `${restarts} restarts`})`}` : 'external'
  const times = latency === null ? ['–', '–', '–'] : [latency.mean, latency.p50, latency.p99].map(milliseconds)
  const [inFlight, queued, calls, failures] = [agent.in_flight, agent.queued, agent.calls, agent.failures].map(String)
  return [id, state, version || '–', config || '–', process, inFlight!, queued!, breaker ?? '–', calls!, failures!, ...times] // As many as were given.
}

function milliseconds (ms: number): string {
  return `${ms >= 100 ? Math.round(ms) : Math.round(ms * 100) / 100}ms`
}
