import { figures, middle, type FigureId } from './figures.ts'
import type { Row } from './run-case.ts'

/** What Sentinel is to reach. With `times` the bound is a multiple of what that contender reached in the same case. */
export interface Goal {
  readonly title: string
  readonly case: string
  readonly figure: FigureId
  readonly bound: 'at most' | 'at least'
  readonly value: number
  readonly times?: string
  /** Who is to reach it, where that is not plain Sentinel. */
  readonly of?: string
  readonly unit?: string
}

export const goals: readonly Goal[] = [
  { title: '100 bytes: CPU per request', case: 'plain-100b', figure: 'cpuUs', bound: 'at most', value: 2, times: 'haproxy' },
  { title: '100 bytes: CPU per request', case: 'plain-100b', figure: 'cpuUs', bound: 'at most', value: 0.35, times: 'caddy' },
  { title: '100 bytes: CPU with a local rate limit', of: 'sentinel-limit', case: 'plain-100b', figure: 'cpuUs', bound: 'at most', value: 1.1, times: 'sentinel' },
  { title: 'Asking an agent, 64 in flight: CPU', of: 'asked', case: 'calls-64', figure: 'cpuUs', bound: 'at most', value: 1.6, times: 'echo' },
  { title: 'Asking an agent, 64 in flight: CPU', of: 'asked', case: 'calls-64', figure: 'cpuUs', bound: 'at most', value: 0.12, times: 'unary' },
  { title: 'Asking an agent, one in flight: p50', of: 'asked', case: 'calls-1', figure: 'p50Us', bound: 'at most', value: 1.6, times: 'echo' },
  { title: 'Four agents in a chain, 64 in flight: CPU', of: 'chain-4', case: 'calls-64', figure: 'cpuUs', bound: 'at most', value: 4.5, times: 'asked' },
  { title: 'Four agents in a chain, 64 in flight: p50', of: 'chain-4', case: 'calls-64', figure: 'p50Us', bound: 'at most', value: 4.5, times: 'asked' },
  // Where four processes share one core, four raw echoes take six times as long as one: the system's changes from one to the next.
  { title: 'Four agents in a chain, one in flight: p50', of: 'chain-4', case: 'calls-1', figure: 'p50Us', bound: 'at most', value: 1.6, times: 'echo-4' },
  { title: '100 bytes: CPU with an agent that subscribes to nothing of them', of: 'sentinel-unasked', case: 'asking-100b', figure: 'cpuUs', bound: 'at most', value: 1.03, times: 'sentinel' },
  { title: 'Bodies in pieces of 64 KiB: throughput', of: 'asked', case: 'chunks-64k', figure: 'mbPerSecond', bound: 'at least', value: 0.5, times: 'echo' },
  { title: '1 MiB: throughput', case: 'plain-1m', figure: 'mbPerSecond', bound: 'at least', value: 0.7, times: 'haproxy' },
  { title: 'File of 10 KiB: CPU per request', case: 'file-10k', figure: 'cpuUs', bound: 'at most', value: 2, times: 'nginx' },
  { title: 'Half load: p99', case: 'half-load', figure: 'p99Ms', bound: 'at most', value: 2, times: 'haproxy' },
  { title: 'Idle: resident memory', case: 'idle-10000', figure: 'idleMb', bound: 'at most', value: 80, unit: 'MB' },
  { title: '10 000 idle connections: resident memory', case: 'idle-10000', figure: 'loadedMb', bound: 'at most', value: 150, unit: 'MB' },
]

export interface Verdict {
  readonly wanted: string
  readonly measured: string
  readonly word: 'met' | 'not met' | 'not measured'
}

export function verdict (goal: Goal, results: ReadonlyMap<string, readonly Row[]>): Verdict {
  const of = (id: string): { median: number, title: string } | undefined => {
    const row = results.get(goal.case)?.find(({ contender }) => contender.id === id)
    const found = middle(row?.samples ?? [], goal.figure)
    return row === undefined || found === undefined ? undefined : { median: found.median, title: row.contender.title }
  }
  const own = of(goal.of ?? 'sentinel')
  const other = goal.times === undefined ? undefined : of(goal.times)
  const wanted = `${goal.bound === 'at most' ? '≤' : '≥'} ${goal.value} ${goal.times === undefined ? goal.unit ?? '' : `× ${other?.title ?? goal.times}`}`.trim()
  if (own === undefined || (goal.times !== undefined && other === undefined)) return { wanted, measured: '', word: 'not measured' }
  const reached = other === undefined ? own.median : own.median / other.median
  const digits = figures[goal.figure].digits
  const measured = other === undefined
    ? `${own.median.toFixed(1)} ${goal.unit ?? ''}`.trim()
    : `${reached.toFixed(2)} × (${own.median.toFixed(digits)} to ${other.median.toFixed(digits)})`
  return { wanted, measured, word: (goal.bound === 'at most' ? reached <= goal.value : reached >= goal.value) ? 'met' : 'not met' }
}
