import { spawn } from 'node:child_process'
import { fstatSync } from 'node:fs'

/** In the environment of a process that is in the background already, or follows one that is. */
const mark = 'SENTINEL_IN_BACKGROUND'

export function isInBackground (env: Readonly<Record<string, string | undefined>>): boolean {
  return env[mark] === '1'
}

interface Word {
  readonly ready?: number
  readonly failed?: string
}

export interface BackgroundOutcome {
  /** 0 when it serves. */
  readonly code: number
  readonly pid: number | undefined
  /** What it said before it ended. */
  readonly why: string | undefined
}

/**
 * Starts this program once more, in a session of its own, and waits until it serves or has ended. Its standard output and error
 * are those of this process only where they are files: a terminal goes away, and whoever reads a pipe waits for its end.
 */
export function goToBackground (argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<BackgroundOutcome> {
  const [script = '', ...args] = argv
  return new Promise((resolve) => {
    const out = (fd: number): 'ignore' | number => fstatSync(fd).isFile() ? fd : 'ignore'
    const child = spawn(process.execPath, [...process.execArgv, script, ...args], {
      detached: true, env: { ...env, [mark]: '1' }, stdio: ['ignore', out(1), out(2), 'ipc'],
    })
    let why: string | undefined
    child.on('error', (error) => resolve({ code: 2, pid: undefined, why: error.message }))
    child.on('message', ({ ready, failed }: Word) => {
      why = failed ?? why
      if (ready === undefined) return
      child.disconnect()
      child.unref()
      resolve({ code: 0, pid: ready, why: undefined })
    })
    child.on('exit', (code) => resolve({ code: code ?? 2, pid: undefined, why }))
  })
}

/** To the process that waits for this one. */
export function sayReady (): void {
  tell({ ready: process.pid })
}

export function sayFailed (why: string): void {
  tell({ failed: why })
}

function tell (word: Word): void {
  if (process.connected) process.send?.(word, undefined, {}, () => {})
}
