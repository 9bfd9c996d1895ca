import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { eventually } from './eventually.ts'
import { folderWith } from './folder.ts'
import { fromDist } from './paths.ts'
import { patienceMs } from './patience.ts'
import { request, type Answer, type RequestInit } from './request.ts'

/** An agent that tells the upstream which version of its text decided. */
export function agentText (version: number, more = ''): string {
  return `import { defineAgent, setting, text } from 'sentinel/sdk'
import { existsSync } from 'node:fs'

const version: string = '${version}'

export default defineAgent({
  name: 'edited',
  config: { greeting: setting(text, 'hello', 'What is said.') },
  async onRequest (request, { config }) {
    ${more}
    request.headers.set('x-version', version)
    request.headers.set('x-greeting', config.greeting)
  },
})
`
}

/** What the echo says that it received. */
export function received (text: string): { readonly method: string, readonly path: string, readonly headers: Record<string, string>, readonly body: string } {
  return JSON.parse(text) as ReturnType<typeof received>
}

/** `sentinel agent dev` in a process of its own. */
export interface RunningDev {
  readonly process: ChildProcess
  /** Its folder for temporary files, where nothing else is. */
  readonly temporary: string
  /** Everything it printed. */
  readonly screen: () => string
  readonly port: () => number
  readonly get: (path: string, init?: RequestInit) => Promise<Answer>
  /** Resolves when the screen shows it, behind the first `from` characters. */
  readonly shows: (pattern: RegExp, from?: number) => Promise<void>
  /** Processes it started, and theirs. */
  readonly children: () => number[]
  /** Resolves when none of them does anything: the process for the next edit has loaded what it can. */
  readonly idle: () => Promise<void>
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>
}

/** Starts it in a folder. What it left, the test may look for; the process itself is gone afterwards. */
export function spawnDev (t: TestContext, folder: string, args: readonly string[] = [], temporary = join(folderWith(t), 'tmp')): RunningDev {
  mkdirSync(temporary, { recursive: true })
  const { NODE_TEST_CONTEXT: _ofThisTest, ...env } = process.env
  const child = spawn(process.execPath, [fromDist('proxy', 'main.js'), 'agent', 'dev', '--port', '0', ...args], {
    cwd: folder, env: { ...env, TMPDIR: temporary }, stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  const stop = async (signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    return exited
  }
  t.after(async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs)
    await stop()
    clearTimeout(timer)
  })
  const port = (): number => Number(/every request to http:\/\/127\.0\.0\.1:(\d+)\//.exec(text)?.[1])
  return {
    process: child, temporary, port, stop,
    screen: () => text,
    get: (path, init) => request(port(), path, init),
    shows: async (pattern, from = 0) => {
      await eventually(`${pattern} on the screen`, () => pattern.test(text.slice(from)) || child.exitCode !== null).catch((error: unknown) => {
        throw new Error(`${String(error)}:\n${text}`)
      })
      if (!pattern.test(text.slice(from))) throw new Error(`it ended without ${pattern}:\n${text}`)
    },
    children: () => descendantsOf(child.pid!),
    idle: async () => {
      let before = -1
      await eventually('the processes have come to rest', async () => {
        await new Promise((resolve) => { setTimeout(resolve, 250) })
        const now = descendantsOf(child.pid!).reduce((sum, pid) => sum + ticksOf(pid), 0)
        const isAtRest = now - before < 2
        before = now
        return isAtRest
      }, 60_000)
    },
  }
}

/** The same, once the agent serves. */
export async function startDev (t: TestContext, folder: string, args: readonly string[] = []): Promise<RunningDev> {
  const dev = spawnDev(t, folder, args)
  await dev.shows(/every request to http:/)
  return dev
}

export function isAlive (pid: number): boolean {
  try {
    // A zombie waits for nothing but its parent.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** What a process has used of the processors, in hundredths of a second (proc(5), fields 14 and 15 of stat). */
function ticksOf (pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
    return Number(fields[11]) + Number(fields[12])
  } catch {
    return 0
  }
}

function descendantsOf (root: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const [, parent] = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8')) ?? []
      if (parent !== undefined) parents.set(Number(name), Number(parent))
    } catch {
      // It has ended meanwhile.
    }
  }
  const found = [root]
  for (const pid of found) {
    for (const [child, parent] of parents) if (parent === pid) found.push(child)
  }
  return found.slice(1)
}
