import { execFile } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { hasCommand, pin } from '../processes.ts'
import { Unfit } from '../unfit.ts'
import type { Driven, Load } from './driven.ts'
import { percentile } from './percentile.ts'

export interface H2loadOptions {
  readonly connections: number
  /** Requests in flight on each connection. */
  readonly streams: number
}

const run = promisify(execFile)

/** HTTP/2 over TLS, as many requests as get answered. */
export function h2load ({ connections, streams }: H2loadOptions): Load {
  return async ({ port, path, folder }) => {
    if (!hasCommand('h2load')) throw new Unfit('h2load, the load, is not installed')
    const log = join(folder, 'h2load.log')
    return {
      end: async () => {},
      run: async (seconds) => {
        rmSync(log, { force: true })
        const [program, ...args] = [
          ...pin('other'), 'h2load', '-t1', '-c', String(connections), '-m', String(streams), '-D', String(seconds), '--log-file', log, `https://127.0.0.1:${port}${path}`,
        ]
        const { stdout } = await run(program, args, { timeout: (seconds + 30) * 1000 })
        return readH2load(stdout, readFileSync(log, 'utf8'), seconds)
      },
    }
  }
}

/** Reads what h2load prints, and its log: a line "start, status, microseconds" for each answer. */
export function readH2load (text: string, log: string, seconds: number): Driven {
  const found = /requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(text)
  const statuses = /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(text)
  if (found === null || statuses === null) throw new Error(`h2load printed something else\n${text}`)
  const latencies = Float64Array.from(log.split('\n').flatMap((line) => {
    const us = line.split('\t')[2]
    return us === undefined ? [] : [Number(us) / 1000]
  })).sort()
  return {
    count: Number(found[1]),
    // The requests that are under way when the time is up are none of these.
    failed: [found[2], found[3], found[4], statuses[2], statuses[3], statuses[4]].reduce((sum, one) => sum + Number(one), 0),
    seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    bytes: Number(/\((\d+)\) data/.exec(text)?.[1] ?? 0),
  }
}
