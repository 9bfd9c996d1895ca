import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { availableParallelism } from 'node:os'
import { fromDist } from '../support/paths.ts'
import { hasCommand } from './processes.ts'

export interface Load {
  readonly requests: number
  /** Answers that were not 2xx or 3xx, and broken connections. */
  readonly failed: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export const loadProgram = hasCommand('wrk') ? 'wrk' : 'the own client (wrk is not installed)'

/** Asks for /bench on as many keep-alive connections for so long; only ever on this machine. */
export async function load (port: number, connections: number, seconds: number): Promise<Load> {
  const onOther = hasCommand('taskset') && availableParallelism() > 1 ? ['taskset', '-c', '1'] : []
  const command = hasCommand('wrk')
    ? ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', `http://127.0.0.1:${port}/bench`]
    : [process.execPath, fromDist('test', 'bench', 'load-client.js'), String(port), String(connections), String(seconds)]
  const [program, ...args] = [...onOther, ...command]
  const { stdout } = await promisify(execFile)(program ?? '', args, { timeout: (seconds + 30) * 1000 })
  return hasCommand('wrk') ? readWrk(stdout) : JSON.parse(stdout)
}

function readWrk (text: string): Load {
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0)
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1).map(Number) ?? []
  const requests = number(/(\d+) requests in/)
  const perSecond = number(/Requests\/sec:\s+([\d.]+)/)
  return {
    requests,
    failed: number(/Non-2xx or 3xx responses: (\d+)/) + errors.reduce((sum, one) => sum + one, 0),
    seconds: requests / perSecond,
    p50Ms: milliseconds(/50%\s+([\d.]+)(us|ms|s)/.exec(text)),
    p99Ms: milliseconds(/99%\s+([\d.]+)(us|ms|s)/.exec(text))
  }
}

function milliseconds (found: RegExpExecArray | null): number {
  const factors: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 }
  return Number(found?.[1] ?? 0) * (factors[found?.[2] ?? ''] ?? 0)
}
