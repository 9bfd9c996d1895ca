import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, openSync, closeSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { availableParallelism } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** What is measured runs on core 0 alone; load and upstream share core 1. */
export type Core = 'measured' | 'other'

export interface Started {
  readonly pid: number
  /** Everything it wrote, for the moment when it does not work. */
  readonly output: () => string
  readonly stop: () => Promise<void>
}

const ticksPerSecond = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100
const stopTimeoutMs = 10_000

/** Starts a program on its core; stdout and stderr go to files in `folder`, as the logs of a server do. */
export function start (command: readonly string[], core: Core, folder: string, env: Readonly<Record<string, string>> = {}): Started {
  const words = [...pin(core), ...command]
  const [out, err] = ['stdout', 'stderr'].map((name) => join(folder, `${name}-${words.length}-${Math.round(performance.now() * 1000)}`))
  if (out === undefined || err === undefined) throw new Error('unreachable: two names make two files')
  const files = [openSync(out, 'a'), openSync(err, 'a')]
  const child = spawn(words[0] ?? '', words.slice(1), { stdio: ['ignore', ...files], cwd: folder, env: { ...process.env, ...env } })
  for (const file of files) closeSync(file)
  child.on('error', () => {})
  return {
    pid: child.pid ?? -1,
    output: () => [out, err].map((file) => readFileSync(file, 'utf8').slice(-4000)).join('\n').trim(),
    stop: () => stop(child)
  }
}

function pin (core: Core): string[] {
  if (!hasCommand('taskset') || availableParallelism() < 2) return []
  return ['taskset', '-c', core === 'measured' ? '0' : '1']
}

export function hasCommand (name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).concat('/usr/sbin').some((folder) => existsSync(join(folder, name)))
}

async function stop (child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
  await ended
  clearTimeout(timer)
}

export interface Usage {
  /** CPU of the process itself and of nginx-like workers: everything that serves. */
  readonly proxyCpuUs: number
  /** CPU of the processes that `isAgent` picks. */
  readonly agentCpuUs: number
  readonly proxyBytes: number
}

/** Adds up a process and all its descendants, agents apart. */
export function usage (pid: number, isAgent: (command: string) => boolean): Usage {
  let proxyCpuUs = 0
  let agentCpuUs = 0
  let proxyBytes = 0
  for (const one of [pid, ...descendants(pid)]) {
    const stat = fields(one)
    // utime and stime are fields 14 and 15 of proc(5), counted from the state, which is field 3.
    const cpuUs = (Number(stat[11]) + Number(stat[12])) * 1e6 / ticksPerSecond
    if (isAgent(readFileSync(`/proc/${one}/cmdline`, 'utf8'))) {
      agentCpuUs += cpuUs
    } else {
      proxyCpuUs += cpuUs
      proxyBytes += Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1] ?? 0) * 1024
    }
  }
  return { proxyCpuUs, agentCpuUs, proxyBytes }
}

function descendants (pid: number): number[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    if (/^\d+$/.test(entry) && existsSync(`/proc/${entry}/stat`)) parents.set(Number(entry), Number(fields(Number(entry))[1]))
  }
  const found = [pid]
  for (const parent of found) {
    for (const [child, of] of parents) if (of === parent) found.push(child)
  }
  return found.slice(1)
}

/** The fields after the name in parentheses: state, parent, … */
function fields (pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

export async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}

/** Resolves when somebody accepts connections on the port; rejects with what the program wrote. */
export async function listening (port: number, program: Started, withinMs = 20_000): Promise<void> {
  const until = performance.now() + withinMs
  while (!await accepts(port)) {
    const gone = !existsSync(`/proc/${program.pid}`)
    if (gone || performance.now() > until) throw new Error(`nothing listens on port ${port}${gone ? ', the program ended' : ''}\n${program.output()}`)
    await delay(50)
  }
}

function accepts (port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
