import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { hasCommand, pin } from '../processes.ts'
import { Unfit } from '../unfit.ts'
import type { Driven, Load } from './driven.ts'

export interface WrkOptions {
  readonly connections: number
  readonly post?: Buffer
  /** A new connection for every request. */
  readonly close?: boolean
}

const run = promisify(execFile)

/** As many requests as get answered, one in flight on each connection. */
export function wrk ({ connections, post, close = false }: WrkOptions): Load {
  return async ({ port, secure, path, folder }) => {
    if (!hasCommand('wrk')) throw new Unfit('wrk, the load, is not installed')
    const script = join(folder, 'wrk.lua')
    writeFileSync(script, post === undefined ? '' : `wrk.method = "POST"\nwrk.body = "${post.toString('latin1')}"\n`)
    const url = `${secure ? 'https' : 'http'}://127.0.0.1:${port}${path}`
    return {
      end: async () => {},
      run: async (seconds) => {
        const [program, ...args] = [
          ...pin('other'), 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '--latency', '-s', script, ...close ? ['-H', 'Connection: close'] : [], url,
        ]
        const { stdout } = await run(program, args, { timeout: (seconds + 30) * 1000 })
        return readWrk(stdout)
      },
    }
  }
}

/** Reads what wrk prints with `--latency`. */
export function readWrk (text: string): Driven {
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0)
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1).map(Number) ?? []
  const count = number(/(\d+) requests in/)
  return {
    count,
    failed: number(/Non-2xx or 3xx responses: (\d+)/) + errors.reduce((sum, one) => sum + one, 0),
    seconds: count / number(/Requests\/sec:\s+([\d.]+)/),
    p50Ms: milliseconds(/50%\s+([\d.]+)(us|ms|s)/.exec(text)),
    p99Ms: milliseconds(/99%\s+([\d.]+)(us|ms|s)/.exec(text)),
    bytes: bytes(/, ([\d.]+)([KMGT]?)B read/.exec(text)),
  }
}

function milliseconds (found: RegExpExecArray | null): number {
  const factors: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 }
  return Number(found?.[1] ?? 0) * (factors[found?.[2] ?? ''] ?? 0)
}

function bytes (found: RegExpExecArray | null): number {
  return Number(found?.[1] ?? 0) * 1024 ** ['', 'K', 'M', 'G', 'T'].indexOf(found?.[2] ?? '')
}
