import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface Started {
  readonly pid: number
  /** Everything it wrote, for the moment when it does not work. */
  readonly output: () => string
  readonly stop: () => Promise<void>
}

export interface Running extends Started {
  readonly port: number
}

/** What is measured runs on core 0 alone, or with `workers` on as many; load and upstream share the last core. */
export type Place = { readonly measured: number } | 'other'

const stopTimeoutMs = 10_000
const running = new Set<ChildProcess>()
// Whatever ends the benchmark, nothing stays behind.
process.on('exit', () => { for (const child of running) child.kill('SIGTERM') })
const cores = availableParallelism()

/** The core of load and upstream; undefined where programs cannot be kept on cores. */
export const otherCore = cores > 1 && hasCommand('taskset') ? cores - 1 : undefined

/** The core that one worker has for itself. */
export const measuredCore = otherCore === undefined ? undefined : 0

/** Begins the command line of a program that is to run there. */
export function pin (place: Place): string[] {
  if (otherCore === undefined) return []
  const last = place === 'other' ? 0 : Math.min(place.measured, cores) - 1
  return ['taskset', '-c', place === 'other' ? String(otherCore) : last === 0 ? '0' : `0-${last}`]
}

export function hasCommand (name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).concat('/usr/sbin').some((folder) => existsSync(join(folder, name)))
}

/** The first "1.2.3" a program says about itself; empty when it is not there. */
export function version (command: string, ...args: string[]): string {
  if (!hasCommand(command)) return ''
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  return /\d+\.\d+\.\d+/.exec(stdout + stderr)?.[0] ?? ''
}

/** Starts a program; stdout and stderr go to files in `folder`, as the logs of a server do. */
export function start (command: readonly string[], place: Place, folder: string, env: Readonly<Record<string, string>> = {}): Started {
  mkdirSync(folder, { recursive: true })
  const [program = '', ...args] = [...pin(place), ...command]
  const [out, err] = ['stdout', 'stderr'].map((name) => join(folder, `${name}-${Math.round(performance.now() * 1000)}`)) as [string, string]
  const files = [openSync(out, 'a'), openSync(err, 'a')]
  const child = spawn(program, args, { stdio: ['ignore', ...files], cwd: folder, env: { ...process.env, ...env } })
  for (const file of files) closeSync(file)
  running.add(child)
  child.on('exit', () => running.delete(child))
  child.on('error', () => running.delete(child))
  return {
    pid: child.pid ?? -1,
    output: () => [out, err].map((file) => readFileSync(file, 'utf8').slice(-4000)).join('\n').trim(),
    stop: () => stop(child),
  }
}

/** Starts a server on a port that was free a moment ago, and waits until it listens. */
export async function startOnPort (
  place: Place, folder: string, command: (port: number, second: number) => string[], env: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const port = await freePort()
  const second = await freePort()
  const started = start(command(port, second), place, folder, env)
  try {
    await listening(port, started)
  } catch (error) {
    await started.stop()
    throw error
  }
  return { ...started, port }
}

async function stop (child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
  await ended
  clearTimeout(timer)
}

async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}

/** Resolves when somebody accepts connections on the port; rejects with what the program wrote. */
async function listening (port: number, program: Started, withinMs = 60_000): Promise<void> {
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
