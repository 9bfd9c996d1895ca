import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import { fromDist } from './paths.ts'
import { runSentinel } from './sentinel.ts'
import { patienceMs } from './patience.ts'

export interface Site {
  readonly folder: string
  readonly file: string
  /** For commands and for the program: sockets are looked for in this folder, so that nobody else's are met. */
  readonly env: Readonly<Record<string, string>>
  /** Runs a command on this configuration. */
  readonly sentinel: (...args: string[]) => ReturnType<typeof runSentinel>
  readonly write: (text: string, name?: string) => void
}

/** A folder with a configuration, removed after the test. */
export function makeSite (t: TestContext, kdl: string): Site {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-service-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'sentinel.kdl')
  mkdirSync(join(folder, 'run'), { mode: 0o700 })
  const env = { RUNTIME_DIRECTORY: join(folder, 'run') }
  writeFileSync(file, kdl)
  return {
    folder, file, env,
    sentinel: (...[command = '', ...args]) => runSentinel([command, '-c', file, ...args], { env }),
    write: (text, name = 'sentinel.kdl') => writeFileSync(join(folder, name), text),
  }
}

/** A listener, and an upstream of these ports. */
export function siteOf (ports: readonly number[], system = ''): string {
  return `system { graceful-shutdown-timeout "5s"
${system}
}
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { ${ports.map((port) => `target "127.0.0.1:${port}"`).join('; ')} } }
observability { metrics { enabled #false }; access-log { enabled #false } }
`
}

/** The program, for tests that start it in their own way. It is killed after the test. */
export function startProgram (t: TestContext, args: readonly string[], options: { env?: Record<string, string>, cwd?: string } = {}): ChildProcess {
  const child = spawn(process.execPath, [fromDist('proxy', 'main.js'), ...args], { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] })
  atEnd(t, () => { if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL') })
  return child
}

/** Resolves when `look` gives something. */
export async function eventually<T> (look: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
  const until = performance.now() + patienceMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > until) throw new Error(`${what}: not in ${patienceMs} ms`)
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
}
