import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Socket } from 'node:net'
import { handoverVariable, type Legacy, type ToPredecessor, type ToSuccessor, type Wants } from './handover.ts'

export interface SuccessorSettings {
  /** Folder this process was started in: what its command line names is relative to that. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Listening sockets by name. */
  readonly descriptors: ReadonlyArray<readonly [name: string, descriptor: number]>
  /** Lets go of what the successor wants, until it is `ready` or is not to be. */
  readonly release: (wants: Wants) => Promise<Legacy>
  /** It has places for agents that connect to the proxy: they are given to it. */
  readonly agents: (give: (listener: string, socket: Socket) => void) => void
  /** What the operator takes out and puts back from now on is said to it. */
  readonly drains: (tell: (upstream: string, target: string, on: boolean) => void) => void
  /** It must serve by then. */
  readonly readyMs: number
  /** It is not wanted any more. */
  readonly signal: AbortSignal
}

export interface Successor {
  readonly pid: number
  send (message: ToSuccessor): void
  /** Nothing more is said. */
  leave (): void
}

/** In front of the sockets: input, output, errors, and the channel. */
const firstDescriptor = 4

/** A killed process takes a moment until what it had started has noticed. */
const afterKillMs = 1_000

/** Starts the program that is on disk now, with the command line of this process, and resolves when it serves. Rejects, when it does not, with the reason; it is gone then. */
export async function startSuccessor (settings: SuccessorSettings): Promise<Successor> {
  const { cwd, env, descriptors, signal } = settings
  const names = descriptors.map(([name], at) => [name, firstDescriptor + at])
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    cwd,
    env: { ...env, [handoverVariable]: JSON.stringify(names) },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...descriptors.map(([, descriptor]) => descriptor)] as StdioOptions,
    detached: true,
  })
  const killed = await outcome(child, settings)
  if (killed === undefined) {
    // It lives on when this one has ended.
    child.unref()
    return { pid: child.pid!, send: (message) => say(child, message), leave: () => { if (child.connected) child.disconnect() } }
  }
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
    if (!signal.aborted) await new Promise((resolve) => { setTimeout(resolve, afterKillMs) })
  }
  throw new Error(killed)
}

/** `undefined` when it serves; otherwise what is wrong. */
function outcome (child: ChildProcess, { cwd, release, agents, drains, readyMs, signal }: SuccessorSettings): Promise<string | undefined> {
  return new Promise((resolve) => {
    let why: string | undefined
    let over = false
    const late = `it did not serve within ${readyMs / 1000} s`
    // What it has said by then is heard first, though this process should have been stopped for as long.
    const timer = setTimeout(() => setImmediate(() => done(late)), readyMs)
    const unwanted = (): void => done('a stop was asked for meanwhile')
    const done = (wrong: string | undefined): void => {
      over = true
      clearTimeout(timer)
      signal.removeEventListener('abort', unwanted)
      resolve(wrong)
    }
    signal.addEventListener('abort', unwanted)
    const give = async (wants: Wants): Promise<void> => {
      try {
        const legacy = await release(wants)
        if (over) return
        say(child, { kind: 'released', legacy })
        drains((upstream, target, on) => say(child, { kind: 'drained', upstream, target, on }))
      } catch (error) {
        done(error instanceof Error ? error.message : String(error))
      }
    }
    // The system says the same of a program and of a folder that is gone.
    child.on('error', (error) => done(`it could not be started: ${existsSync(cwd) ? error.message : `the folder ${cwd}, in which this process was started, is gone`}`))
    child.once('exit', (code, signal) => done(why ?? `it ended with ${signal ?? `exit code ${code}`} before it served`))
    child.on('message', (message: ToPredecessor) => {
      // Nothing is let go of any more for one that is about to be killed.
      if (over) return
      if (message.kind === 'ready') done(undefined)
      else if (message.kind === 'failed') why = message.why
      else if (message.kind === 'release') void give(message.wants)
      else if (message.kind === 'agents') agents((listener, socket) => hand(child, listener, socket))
    })
  })
}

function hand (child: ChildProcess, listener: string, socket: Socket): void {
  if (child.connected) child.send({ kind: 'agentArrived', listener } satisfies ToSuccessor, socket, () => {})
  else socket.destroy()
}

function say (child: ChildProcess, message: ToSuccessor): void {
  // It may be gone: its exit tells.
  if (child.connected) child.send(message, () => {})
}
