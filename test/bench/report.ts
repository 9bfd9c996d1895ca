import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import type { Contender } from './contenders.ts'
import { loadProgram } from './load.ts'

/** One round of one contender. */
export interface Sample {
  readonly proxyUsPerRequest: number
  readonly agentUsPerRequest: number
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly idleBytes: number
  readonly loadedBytes: number
  readonly failed: number
}

export interface Row {
  readonly contender: Contender
  readonly samples: readonly Sample[]
  /** Why there are none. */
  readonly skipped: string | undefined
}

export interface Conditions {
  readonly connections: number
  readonly seconds: number
  readonly rounds: number
}

/** The page test/bench/RESULTS.md. Without a date: it changes when a figure does. */
export function report (rows: readonly Row[], { connections, seconds, rounds }: Conditions): string {
  const measured = rows.filter((row) => row.samples.length > 0)
  const versions = rows.filter(({ contender }) => ['nginx', 'haproxy'].includes(contender.id) && contender.version !== '')
    .map(({ contender }) => `${contender.id} ${contender.version}`)
  return `${[
    '# Proxying, measured',
    '',
    'Written by `npm run bench`. Figures of different machines cannot be compared; the ratios of one run can.',
    '',
    `- Machine: ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${kernel()}`,
    `- Programs: ${[`Node.js ${process.versions.node}`, ...versions].join(', ')}`,
    `- Conditions: each proxy alone on one core, load (${loadProgram}) and upstream on another; ${connections} keep-alive connections,`,
    `  one request in flight on each, answers of 100 bytes, ${rounds} × ${seconds} s after warming up, taken in turns; medians.`,
    '- CPU is user and system time of the proxy\'s processes from /proc, divided by the requests of the round.',
    '',
    '| | CPU µs per request | of its agent | requests/s | p50 ms | p99 ms | memory idle MB | loaded MB | failed |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...measured.map(line),
    '',
    ...ratios(measured),
    ...rows.filter((row) => row.samples.length === 0).map((row) => `- Not measured: ${row.contender.title} (${row.skipped})`)
  ].join('\n').trimEnd()}\n`
}

function line ({ contender, samples }: Row): string {
  const cells = [
    median(samples, 'proxyUsPerRequest').toFixed(1),
    median(samples, 'agentUsPerRequest') === 0 ? '' : median(samples, 'agentUsPerRequest').toFixed(1),
    median(samples, 'requestsPerSecond').toFixed(0),
    median(samples, 'p50Ms').toFixed(2),
    median(samples, 'p99Ms').toFixed(2),
    (median(samples, 'idleBytes') / 2 ** 20).toFixed(0),
    (median(samples, 'loadedBytes') / 2 ** 20).toFixed(0),
    String(samples.reduce((sum, sample) => sum + sample.failed, 0))
  ]
  return `| ${contender.title} | ${cells.join(' | ')} |`
}

function ratios (rows: readonly Row[]): string[] {
  const cpu = (id: string): number | undefined => {
    const samples = rows.find(({ contender }) => contender.id === id)?.samples
    return samples === undefined ? undefined : median(samples, 'proxyUsPerRequest')
  }
  const sentinel = cpu('sentinel')
  const lines: string[] = []
  for (const [id, name] of [['haproxy', 'HAProxy'], ['nginx', 'nginx'], ['byte-copy', 'copying bytes in Node']] as const) {
    const other = cpu(id)
    if (sentinel !== undefined && other !== undefined) lines.push(`- Plain proxying costs ${(sentinel / other).toFixed(2)} × the CPU of ${name}.`)
  }
  const asking = cpu('sentinel-agent')
  if (sentinel !== undefined && asking !== undefined) {
    lines.push(`- Asking one agent adds ${(asking - sentinel).toFixed(1)} µs per request in the proxy (${(asking / sentinel).toFixed(2)} × without).`)
  }
  return lines
}

function median (samples: readonly Sample[], key: keyof Sample): number {
  const sorted = samples.map((sample) => sample[key]).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] ?? 0 : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

function kernel (): string {
  return readFileSync('/proc/sys/kernel/osrelease', 'utf8').split('.').slice(0, 2).join('.')
}
