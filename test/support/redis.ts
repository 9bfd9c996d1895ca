import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import { deadPort } from './upstream.ts'

/** Why there can be no test with this program here; `undefined` when there can. */
export function missing (program: string): string | undefined {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined ? undefined : `${program} is not installed`
}

export { deadPort as freePort }

export interface Running {
  readonly port: number
  readonly folder: string
  /** Ends it at once, as a crash would. */
  kill (): Promise<void>
  /** The same again, on the same port, knowing nothing. */
  start (): Promise<void>
  signal (signal: NodeJS.Signals): void
}

/** Starts a server that listens on `port`, and resolves when it says `ready`. It is killed after the test. */
export async function startServer (t: TestContext, port: number, ready: RegExp, command: (folder: string) => readonly string[]): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-store-'))
  let child: ChildProcess | undefined
  const start = (): Promise<void> => new Promise((resolve, reject) => {
    const [program, ...args] = command(folder)
    const started = child = spawn(program!, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    const hear = (chunk: Buffer): void => {
      said = (said + chunk.toString()).slice(-10_000)
      if (ready.test(said)) resolve()
    }
    started.stdout.on('data', hear)
    started.stderr.on('data', hear)
    started.once('exit', (code) => reject(new Error(`${program} ended with ${code}: ${said}`)))
  })
  const kill = async (): Promise<void> => {
    const running = child
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    const gone = new Promise((resolve) => running.once('exit', resolve))
    running.kill('SIGKILL')
    await gone
  }
  atEnd(t, async () => {
    await kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await start()
  return { port, folder, kill, start, signal: (signal) => void child?.kill(signal) }
}

export async function startRedis (t: TestContext, settings: readonly string[] = [], port?: number): Promise<Running> {
  const own = port ?? await deadPort()
  return startServer(t, own, /Ready to accept connections/, () =>
    ['redis-server', '--port', String(own), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--daemonize', 'no', ...settings])
}

/**
 * Watches masters, and makes a replica the master when one is gone for long. A watcher that was not given a processor for two seconds does nothing for thirty
 * (its TILT mode), and no replica is good enough whose link is broken for longer than ten times "down-after": with less than three seconds no other master
 * would come then.
 */
export async function startRedisSentinel (t: TestContext, master: number, name: string): Promise<Running> {
  const port = await deadPort()
  return startServer(t, port, /\+monitor master/, (folder) => {
    const file = join(folder, 'sentinel.conf')
    writeFileSync(file, `port ${port}\nbind 127.0.0.1\ndir ${folder}\nsentinel monitor ${name} 127.0.0.1 ${master} 1\nsentinel down-after-milliseconds ${name} 4000\nsentinel failover-timeout ${name} 2000\n`)
    return ['redis-server', file, '--sentinel']
  })
}

export async function startMemcached (t: TestContext): Promise<Running> {
  const port = await deadPort()
  return startServer(t, port, /server listening/, () =>
    ['memcached', '-l', '127.0.0.1', '-p', String(port), '-U', '0', '-vv', ...process.getuid?.() === 0 ? ['-u', 'root'] : []])
}

/** What redis-cli prints. */
export function redisCli (port: number, ...args: readonly string[]): string {
  return spawnSync('redis-cli', ['-p', String(port), ...args], { encoding: 'utf8' }).stdout.trim()
}
