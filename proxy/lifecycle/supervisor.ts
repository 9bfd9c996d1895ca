import { spawn, type ChildProcess } from 'node:child_process'
import { StringDecoder } from 'node:string_decoder'
import type { Readable } from 'node:stream'
import type { AgentTarget } from '../decisions/index.ts'
import type { LifeSign } from './seam.ts'

export interface ProgramSettings {
  /** The operator's name for it. */
  readonly id: string
  readonly command: readonly string[]
  /** Folder the program starts in. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly restartInitialMs: number
  readonly restartMaxMs: number
  /** When it is started again: whenever it ends, only when it ends otherwise than by exit code 0, or never. */
  readonly restartPolicy: 'always' | 'on-failure' | 'never'
  /** Restarts in a row after which it is given up; 0 = never. */
  readonly maxRestarts: number
  /** Where it serves, and after how many milliseconds without a sign of life it is ended, to be started again; 0 = never. */
  readonly life: { readonly target: AgentTarget, readonly silentMs: number } | undefined
}

export interface ProgramExit {
  readonly code: number | null
  readonly signal: string | null
  /** Why it could not be started. */
  readonly error: string | undefined
  /** `undefined` when it is not started again. */
  readonly restartMs: number | undefined
}

export interface ProgramHooks {
  readonly onLine: (stream: 'stdout' | 'stderr', line: string) => void
  readonly onStart: (pid: number) => void
  /** It shows no sign of life any more, and is killed now. */
  readonly onSilent: () => void
  /** Also called when the program could not be started at all. */
  readonly onExit: (exit: ProgramExit) => void
}

/** A program that is kept running until `stop`, as far as its restart policy goes. */
export interface Program {
  readonly pid: number | undefined
  readonly restarts: number
  /** Where it is not heard of, it is looked whether it is alive. */
  sign (sign: LifeSign): void
  /** SIGTERM, then SIGKILL when `deadline` fires. Resolves when the process is gone. */
  stop (deadline: AbortSignal): Promise<void>
}

/** One that was never heard of may be loading something large: it may be silent so many times as long. */
const beginnersTimes = 10

/** A program that ran this long was healthy: the next restart is quick again, and the first of a new row. */
const stableMs = 10_000

/**
 * Starts a program and starts it again when it ends, with jittered exponential back-off. Its standard input is a pipe
 * that closes when this process dies, however it dies, so that no program is left behind.
 */
export function superviseProgram (settings: ProgramSettings, hooks: ProgramHooks): Program {
  let child: ChildProcess | undefined
  let timer: NodeJS.Timeout | undefined
  let stopped: Promise<void> | undefined
  let delayMs = settings.restartInitialMs
  let restarts = 0
  let inARow = 0
  let gone = (): void => {}
  let hasLived = false
  let unwatch: (() => void) | undefined

  const start = (): void => {
    const startedMs = performance.now()
    const [program = '', ...args] = settings.command
    // A process group of its own: Ctrl-C on the terminal is for the proxy, which then drains its agents.
    const current = child = spawn(program, args, { cwd: settings.cwd, env: settings.env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    let error: string | undefined
    current.on('error', (cause) => { error = cause.message; if (current.pid === undefined) ended(null, null) })
    current.stdin.on('error', () => {}) // The program closed its end first.
    eachLine(current.stdout, (line) => hooks.onLine('stdout', line))
    eachLine(current.stderr, (line) => hooks.onLine('stderr', line))
    current.on('exit', (code, signal) => ended(code, signal))
    hasLived = false
    if (current.pid !== undefined) hooks.onStart(current.pid)

    const ended = (code: number | null, signal: string | null): void => {
      if (child !== current) return
      child = undefined
      trust()
      if (stopped !== undefined) return gone()
      if (performance.now() - startedMs > stableMs) {
        delayMs = settings.restartInitialMs
        inARow = 0
      }
      const failed = code !== 0 || error !== undefined
      const wanted = settings.restartPolicy === 'always' || (settings.restartPolicy === 'on-failure' && failed)
      if (!wanted || (settings.maxRestarts > 0 && inARow >= settings.maxRestarts)) return hooks.onExit({ code, signal, error, restartMs: undefined })
      const restartMs = Math.round(delayMs * (0.5 + Math.random() / 2))
      delayMs = Math.min(delayMs * 2, settings.restartMaxMs)
      restarts++
      inARow++
      hooks.onExit({ code, signal, error, restartMs })
      timer = setTimeout(start, restartMs)
    }
  }

  const trust = (): void => {
    unwatch?.()
    unwatch = undefined
  }

  const doubt = async (): Promise<void> => {
    const current = child
    const { life, restartPolicy } = settings
    // What would not be started again is better than nothing.
    if (life === undefined || life.silentMs === 0 || restartPolicy === 'never') return
    // Few ever need it, and main may do without all of that.
    const { watchLife } = await import('../decisions/index.ts')
    if (current === undefined || child !== current || stopped !== undefined || unwatch !== undefined) return
    unwatch = watchLife(life.target, hasLived ? life.silentMs : beginnersTimes * life.silentMs, {
      onHeard: trust,
      onSilent () {
        hooks.onSilent()
        current.kill('SIGKILL')
      },
    })
  }

  const stop = (deadline: AbortSignal): Promise<void> => new Promise((resolve) => {
    clearTimeout(timer)
    trust()
    const current = child
    if (current === undefined) return resolve()
    const kill = (): void => { current.kill('SIGKILL') }
    gone = () => {
      deadline.removeEventListener('abort', kill)
      resolve()
    }
    current.kill('SIGTERM')
    current.kill('SIGCONT') // A stopped process would sleep through its end.
    if (deadline.aborted) kill()
    else deadline.addEventListener('abort', kill, { once: true })
  })

  start()
  return {
    get pid () { return child?.pid },
    get restarts () { return restarts },
    sign (sign) {
      if (stopped !== undefined) return
      hasLived ||= sign !== 'backoff'
      if (sign === 'ready') trust()
      else void doubt()
    },
    stop: (deadline) => (stopped ??= stop(deadline)),
  }
}

/** Longest line taken from a program; the rest of a longer one is dropped. */
const maxLineChars = 16_384

function eachLine (stream: Readable, take: (line: string) => void): void {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  let dropping = false
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      if (!dropping && line !== '') take(line.slice(0, maxLineChars))
      dropping = false
    }
    if (rest.length <= maxLineChars) return
    if (!dropping) take(rest.slice(0, maxLineChars))
    dropping = true
    rest = ''
  })
  stream.on('end', () => { if (!dropping && rest !== '') take(rest) })
  stream.on('error', () => {}) // The pipe broke with the program; its exit tells.
}
