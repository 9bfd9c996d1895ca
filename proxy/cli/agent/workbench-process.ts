import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { WorkbenchNews, WorkbenchOrder } from '../../../proto/workbench.ts'
import { packageFile } from '../../lifecycle/package-file.ts'

export interface WorkbenchHooks {
  readonly onNews: (bench: Workbench, news: WorkbenchNews) => void
  /** What the agent writes on its own. */
  readonly onLine: (line: string) => void
  /** It ended without having been told to. */
  readonly onCrash: (bench: Workbench, how: string) => void
}

export type LoadOutcome = Extract<WorkbenchNews, { news: 'serving' | 'failed' }>

/** A process for one version of an agent's files. */
export interface Workbench {
  readonly pid: number
  /** Everything but the agent is loaded. */
  readonly warm: Promise<void>
  readonly ended: Promise<void>
  /** Where it serves, once it does. */
  readonly socket: string
  /** To be called once. */
  load (order: Omit<WorkbenchOrder & { readonly order: 'load' }, 'order' | 'socket'>): Promise<LoadOutcome>
  /** Lets go of the inspector's port. It may stand at a breakpoint, and does it when it goes on. */
  closeInspector (): Promise<void>
  openInspector (port: number): void
  /** It takes nothing new, and ends when its exchanges are over. */
  drain (): void
  kill (): Promise<void>
}

/** Starts one. In a process group of its own: Ctrl-C is for the one who started it. */
export function startWorkbench (folder: string, socket: string, env: Readonly<Record<string, string | undefined>>, hooks: WorkbenchHooks): Workbench {
  const child = spawn(process.execPath, [packageFile('dist', 'sdk', 'run', 'workbench.js')], {
    cwd: folder, env: { ...env }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true,
  })
  let isWanted = true
  let hasEnded = false
  let becomeWarm = (): void => {}
  let settle: (outcome: LoadOutcome) => void = () => {}
  let released = (): void => {}
  const warm = new Promise<void>((resolve) => { becomeWarm = resolve })
  // The channel of a process that has ended may still be open for a moment.
  const isThere = (): boolean => child.connected && !hasEnded
  const order = (what: WorkbenchOrder): void => { if (isThere()) child.send(what, () => {}) }

  const bench: Workbench = {
    pid: child.pid ?? 0,
    warm,
    socket,
    ended: new Promise((resolve) => {
      const over = (how: string): void => {
        hasEnded = true
        becomeWarm()
        released()
        settle({ news: 'failed', why: `the process of the agent ended while it was loaded (${how})`, files: [] })
        resolve()
        if (isWanted) hooks.onCrash(bench, how)
      }
      child.once('error', (error) => over(error.message))
      child.once('exit', (code, signal) => over(signal ?? `exit code ${code}`))
    }),
    load: (what) => new Promise((resolve) => {
      settle = resolve
      if (isThere()) order({ order: 'load', socket, ...what })
      else resolve({ news: 'failed', why: 'the process for the agent did not start', files: [] })
    }),
    closeInspector: () => new Promise((resolve) => {
      released = resolve
      if (isThere()) order({ order: 'close-inspector' })
      else resolve()
    }),
    openInspector: (port) => order({ order: 'open-inspector', port }),
    drain () {
      isWanted = false
      order({ order: 'drain' })
    },
    async kill () {
      isWanted = false
      child.kill('SIGKILL')
      await bench.ended
    },
  }
  child.on('message', (message) => {
    const news = message as WorkbenchNews // Both ends are of this installation.
    if (news.news === 'warm') becomeWarm()
    else if (news.news === 'serving' || news.news === 'failed') settle(news)
    else {
      if (news.news === 'inspector' && news.url === undefined) released()
      hooks.onNews(bench, news)
    }
  })
  createInterface({ input: child.stdout! }).on('line', hooks.onLine)
  createInterface({ input: child.stderr! }).on('line', hooks.onLine)
  return bench
}
