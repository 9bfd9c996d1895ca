import type { StatusJson } from '../admin/status.ts'
import { columns, painter } from './paint.ts'
import { printableText } from './places.ts'

/** One screen for people, in the order of what is looked at first. */
export function printStatus (status: StatusJson, colour: boolean): string {
  const paint = painter(colour)
  const { config, listeners, upstreams, agents, workers = [] } = status
  const state = status.state === 'running' ? paint.good(status.state) : paint.warn(status.state)
  const out = [
    `Sentinel ${status.version} (node ${status.node}): ${state}, process ${status.pid}, up ${uptime(status.uptime_s)}`,
    `configuration ${printableText(config.file)}  version ${config.version}, loaded ${config.loaded_at}`,
  ]
  const last = config.last_reload
  if (last !== undefined) out.push(last.ok ? `last reload   ${last.at}: ${paint.good('taken over')}` : `last reload   ${last.at}: ${paint.bad('failed')}: ${printableText(last.error ?? '')}`)
  const word = (cell: string): string => cell === 'up' || cell === 'ready' ? paint.good(cell) : paint.bad(cell)
  const section = (title: string, rows: ReadonlyArray<readonly string[]>, stateColumn?: number): void => {
    if (rows.length === 0) return
    const lines = columns(rows.map((row) => row.map(printableText)), (cell, column) => column === stateColumn ? word(cell) : cell)
    out.push('', paint.bold(title), ...lines.map((line) => `  ${line}`))
  }
  section('listeners', listeners.map(({ id, address, protocol, connections }) => [id, address, protocol, count(connections, 'connection')]))
  section('workers', workers.map(({ number, pid, state: how, connections }) => [String(number), how, `process ${pid ?? '–'}`, count(connections, 'connection')]))
  section('upstreams', upstreams.flatMap(({ id, targets }) => targets.map(({ name, up, reasons, exchanges, connections }, index) =>
    [index === 0 ? id : '', name, up ? 'up' : reasons.join(', '), count(exchanges, 'exchange'), count(connections, 'connection')])), 2)
  section('agents', agents.map((agent) => {
    const { id, state: how, managed, pid, restarts, problem } = agent
    return [id, how, managed ? `process ${pid ?? '–'}` : 'external', restarts === 0 ? '' : count(restarts, 'restart'), lookOf(agent), problem ?? '']
  }), 1)
  return `${out.join('\n')}\n`
}

/** What an agent says of itself: its health when it is not the usual one, and its load. */
function lookOf ({ health, health_detail: detail, load, config_version: version }: StatusJson['agents'][number]): string {
  const open = load === undefined ? [] : [`${load.open_exchanges} open`, ...load.queued > 0 ? [`${load.queued} queued`] : [], ...load.failed > 0 ? [`${load.failed} failed`] : []]
  const well = health === undefined || health === 'serving' ? [] : [detail === undefined ? health : `${health}: ${detail}`]
  return [...well, ...open, ...version === undefined ? [] : [`config ${version}`]].join(', ')
}

function count (amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`
}

/** 93784 → "1d 2h". */
function uptime (seconds: number): string {
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3_600) % 24, Math.floor(seconds / 60) % 60]
  if (days > 0) return `${days}d ${hours}h`
  if (hours > 0) return `${hours}h ${minutes}m`
  return minutes > 0 ? `${minutes}m ${seconds % 60}s` : `${seconds}s`
}
