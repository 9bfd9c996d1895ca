import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { fromDist } from '../../support/paths.ts'
import type { Part } from '../case.ts'
import type { Sample } from '../figures.ts'
import { pin, start, type Started } from '../processes.ts'
import type { Row } from '../run-case.ts'
import { callCases, callers } from './call-cases.ts'

const startingMs = 20_000

/** Calls of agents without a proxy around them: what asking costs by itself. Who calls is on the core of the proxy, who answers on the other. */
export async function runCalls ({ folder, seconds, rounds }: { readonly folder: string, readonly seconds: number, readonly rounds: number }): Promise<[Part, Row[]][]> {
  mkdirSync(folder, { recursive: true })
  const others: Started[] = []
  const answer = (program: string, ...args: string[]): void => {
    others.push(start([process.execPath, fromDist('test', 'bench', ...program.split('/')), ...args], 'other', folder))
  }
  const sockets = [...[0, 1, 2, 3].map((i) => `allow-${i}.sock`), 'pass-0.sock']
  const echoes = [0, 1, 2, 3].map((i) => join(folder, `echo-${i}.sock`))
  try {
    answer('calls/answering.js', folder)
    for (const echo of echoes) answer('calls/echo.js', echo)
    for (const socket of sockets) answer(`measured/${socket.startsWith('pass') ? 'pass-allow' : 'allow'}-agent.js`, '--socket', join(folder, socket))
    for (const socket of [...echoes, ...[...sockets, 'grpc.sock'].map((name) => join(folder, name))]) await there(socket, others)
    const file = join(folder, 'results.json')
    const program = [process.execPath, fromDist('test', 'bench', 'calls', 'calling.js'), folder, String(seconds), String(rounds), file]
    const [first, ...rest] = [...pin({ measured: 1 }), ...program]
    await promisify(execFile)(first!, rest, { timeout: (seconds * (rounds + 1) * 20 + 60) * 1000 })
    const results = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, Sample[]>> // Written by calling.ts.
    return callCases.map((one) => [one, one.contenders.map((id) => ({
      contender: { id, title: callers[id] }, samples: results[one.id]?.[id] ?? [], skipped: undefined, failed: false,
    }))])
  } finally {
    for (const other of others) await other.stop()
  }
}

async function there (socket: string, programs: readonly Started[]): Promise<void> {
  for (const until = performance.now() + startingMs; !existsSync(socket);) {
    if (performance.now() > until) throw new Error(`nobody serves ${socket}\n${programs.map(({ output }) => output()).join('\n')}`)
    await delay(20)
  }
}
