import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { AgentFailure, type Store } from 'sentinel/sdk'
import { frame, frameReader, fromRunner, splitBody, toRunner, withBody } from './frames.ts'
import type { Result } from './realm/realm.ts'
import type { Boot } from './runner/main.ts'
import { startRunner } from './runner-process.ts'
import { placed, type Thrown } from './thrown.ts'

/** Something that a script asks the agent for. */
export interface Ask {
  readonly id: number
  readonly op: string
  readonly args: readonly unknown[]
}

/** What a script gets: JSON, or bytes that it sees as text, or both. */
export interface Given {
  readonly value?: unknown
  readonly content?: Buffer
}

/** What a call came to, and the body that goes with its decision. */
export interface Answered {
  readonly result: Result
  readonly content: Buffer
}

/** One call of a handler. */
export interface Question {
  readonly payload: Buffer
  readonly store: Store
}

export interface RunnerOptions {
  readonly boot: Boot
  readonly memoryBytes: number
  readonly timeZone: string | undefined
  readonly timeoutMs: number
  readonly onLine: (level: string, text: string) => void
  /**
   * Gives what the script may know. A rejection is told to the script, by its message. `hold` counts bytes before they are kept for it, and throws when
   * they are too many.
   */
  readonly onAsk: (ask: Ask, around: { readonly store: Store, readonly signal: AbortSignal, hold (bytes: number): void }) => Promise<Given>
  readonly onGone: (runner: Runner) => void
}

/** Time for a process to start and for the script to run from its first line to its last. */
const startMs = 15_000
/** Of what a dying engine writes the first lines and the last say why: a script of one line stands between them. */
const mostOfComplaint = 4096
/** It is looked at what a worker has after so long, or so many calls: many quick ones keep much in little time. And what it has from the beginning, resident. */
const lookMs = 100
const lookCalls = 8
const engineBytes = 64 * 1024 * 1024
const pageBytes = 4096

/**
 * What a call asks for is kept here until the worker has taken it. Its own side of the wall has narrower bounds, which a script may have
 * changed: one that goes beyond these is ended.
 */
const mostAsked = 128
const mostHeldBytes = 32 * 1024 * 1024

const nothing = Buffer.alloc(0)

interface Awaited {
  readonly resolve: (payload: Buffer) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
  /** What the call may keep beyond it; none while the script is being started. */
  readonly store: Store | undefined
  /** Made for the first thing that is asked for. */
  abort: AbortController | undefined
}

/** A process that runs the script, one call at a time. */
export class Runner {
  readonly #options: RunnerOptions
  readonly #child: ChildProcessWithoutNullStreams
  /** Names of the script's handlers. Rejects with `AgentFailure` when it cannot be run. */
  readonly ready: Promise<readonly string[]>
  #awaited: Awaited | undefined
  #gone = false
  #lookedAt = 0
  #notLookedAt = 0
  #asked = 0
  #heldBytes = 0
  #complaint = ''
  #why: AgentFailure | undefined

  /** Throws `AgentFailure` when the system cannot start a process. */
  constructor (options: RunnerOptions) {
    this.#options = options
    const child = this.#child = started(options)
    child.on('error', (error) => this.#end(new AgentFailure('script_worker', `a worker cannot be started: ${error.message}`)))
    child.on('exit', (code, signal) => this.#end(this.#why ?? this.#reasonOf(code, signal)))
    child.stdin.on('error', () => {}) // It is gone: its exit tells.
    child.stderr.setEncoding('utf8').on('data', (text: string) => { this.#complaint = endsOf(this.#complaint + text) })
    const read = frameReader((kind, payload) => this.#take(kind, payload))
    child.stdout.on('data', (chunk: Buffer) => {
      try {
        read(chunk)
      } catch {
        this.kill(new AgentFailure('script_crashed', 'a worker said something that cannot be understood'))
      }
    })
    this.ready = this.#await(startMs, `it is not ready after ${startMs / 1000} s`).then((text) => JSON.parse(text.toString()) as readonly string[])
    this.ready.catch(() => {})
    this.#write(frame(toRunner.boot, JSON.stringify(options.boot)))
  }

  get gone (): boolean { return this.#gone }
  get pid (): number | undefined { return this.#child.pid }

  /** Rejects with `AgentFailure`, and after one that the worker may not survive it is `gone`. */
  async call ({ payload, store }: Question): Promise<Answered> {
    const { timeoutMs } = this.#options
    const answered = this.#await(timeoutMs, `the call is not through after ${timeoutMs} ms`, store)
    this.#write(frame(toRunner.call, payload))
    const { text, body } = splitBody(await answered)
    const result: unknown = JSON.parse(text)
    // A script may have put something else in place of `JSON.stringify`.
    if (typeof result !== 'object' || result === null || !('decision' in result)) {
      throw new AgentFailure('bad_answer', `${this.#options.boot.file}: what it answered cannot be read`)
    }
    return { result: result as Result, content: body }
  }

  /** No way back: what it does is lost. */
  kill (why: AgentFailure): void {
    if (this.#gone) return
    this.#why = why
    this.#child.kill('SIGKILL')
    this.#end(why)
  }

  /**
   * Whether it keeps so much that the next calls would fail for want of memory: buffers are no part of the heap, so the engine does not mind.
   * Linux tells; elsewhere the limit of the heap is all there is.
   */
  isFat (): boolean {
    const now = performance.now()
    if (now < this.#lookedAt + lookMs && ++this.#notLookedAt < lookCalls) return false
    this.#lookedAt = now
    this.#notLookedAt = 0
    try {
      const [, pages = '0'] = readFileSync(`/proc/${this.pid}/statm`, 'latin1').split(' ')
      return Number(pages) * pageBytes > engineBytes + this.#options.memoryBytes * 1.5
    } catch {
      return false
    }
  }

  #await (ms: number, late: string, store?: Store): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      // What has arrived meanwhile counts, however late this process looks at it.
      const timer = setTimeout(() => setImmediate(() => {
        if (this.#awaited === call) this.kill(new AgentFailure('script_timeout', `${late}: the worker is ended, and another one started`))
      }), ms)
      const call: Awaited = { resolve, reject, timer, store, abort: undefined }
      this.#awaited = call
    })
  }

  #write (bytes: Buffer, taken?: () => void): void {
    if (!this.#gone) this.#child.stdin.write(bytes, taken)
  }

  #take (kind: number, payload: Buffer): void {
    switch (kind) {
      case fromRunner.ready:
      case fromRunner.done: return this.#settle()?.resolve(payload)
      case fromRunner.failed: {
        // Before the call is settled: what cannot be read must not leave it waiting.
        const failure = new AgentFailure('script_error', placed(this.#options.boot.file, JSON.parse(payload.toString()) as Thrown))
        return this.#settle()?.reject(failure)
      }
      case fromRunner.log: {
        const { level, text } = JSON.parse(payload.toString()) as { level: string, text: string }
        return this.#options.onLine(String(level), String(text))
      }
      case fromRunner.ask: {
        if (this.#asked >= mostAsked || this.#heldBytes + payload.length > mostHeldBytes) {
          return this.kill(new AgentFailure('script_memory', 'the worker asked for more at once than is kept for it: it is ended, and another one started'))
        }
        return void this.#answer(askIn(payload), payload.length)
      }
    }
  }

  async #answer (ask: Ask, bytes: number): Promise<void> {
    const call = this.#awaited
    if (call?.store === undefined) return
    call.abort ??= new AbortController()
    let held = bytes
    const hold = (more: number): void => {
      if (this.#heldBytes + more > mostHeldBytes) throw new Error(`what is awaited at once is longer than ${mostHeldBytes / 1024 / 1024} MiB together`)
      held += more
      this.#heldBytes += more
    }
    const release = (): void => {
      this.#asked--
      this.#heldBytes -= held
    }
    this.#asked++
    this.#heldBytes += bytes
    const { content, ...reply } = await this.#options.onAsk(ask, { store: call.store, signal: call.abort.signal, hold })
      .catch((error: unknown): Given & { readonly error: string } => ({ error: error instanceof Error ? error.message : String(error) }))
    if (this.#awaited !== call) return release()
    this.#write(frame(toRunner.settle, withBody(JSON.stringify({ id: ask.id, ...reply, hasContent: content !== undefined }), content ?? nothing)), release)
  }

  #settle (): Awaited | undefined {
    const call = this.#awaited
    if (call === undefined) return undefined
    this.#awaited = undefined
    clearTimeout(call.timer)
    call.abort?.abort()
    return call
  }

  #end (why: AgentFailure): void {
    if (this.#gone) return
    this.#gone = true
    this.#settle()?.reject(why)
    this.#options.onGone(this)
  }

  #reasonOf (code: number | null, signal: string | null): AgentFailure {
    const memory = `${Math.ceil(this.#options.memoryBytes / 1024 / 1024)} MiB`
    if (/out of memory|Allocation failed|memory limit/i.test(this.#complaint)) {
      return new AgentFailure('script_memory', `the worker needed more than its memory of ${memory}: it is ended, and another one started`)
    }
    const syntax = syntaxErrorIn(this.#complaint, this.#options.boot)
    if (syntax !== undefined) return new AgentFailure('script_error', placed(this.#options.boot.file, syntax))
    const first = this.#complaint.split('\n').find((line) => line.trim() !== '')
    return new AgentFailure('script_crashed', `the worker ended by ${signal ?? `exit code ${code}`}${first === undefined ? '' : `: ${first.slice(0, 200)}`}`)
  }
}

/** Throws a TypeError for what is no question: a script may have put something else in place of `JSON.stringify`. */
function askIn (payload: Buffer): Ask {
  const ask: unknown = JSON.parse(payload.toString())
  if (typeof ask === 'object' && ask !== null && 'id' in ask && typeof ask.id === 'number' && 'op' in ask && 'args' in ask && Array.isArray(ask.args)) {
    return { id: ask.id, op: String(ask.op), args: ask.args }
  }
  throw new TypeError('this is no question')
}

/** What Node writes of a text that cannot be compiled: `file:line`, the line, a caret under it unless several lines are meant, and what is wrong. */
function syntaxErrorIn (complaint: string, { file, source }: Boot): Thrown | undefined {
  const [place = '', , caret = '', ...after] = complaint.split('\n')
  const message = after.find((text) => text !== '')
  if (!place.startsWith(`${file}:`) || message?.startsWith('SyntaxError: ') !== true) return undefined
  const line = Number(place.slice(file.length + 1))
  // Behind its last line stands what the runner puts there.
  const lines = source.split('\n').length
  return line > lines ? { message: 'SyntaxError: it ends before it is complete', line: lines, column: 1 } : { message, line, column: caret.indexOf('^') + 1 }
}

function started (options: RunnerOptions): ChildProcessWithoutNullStreams {
  try {
    return startRunner(options)
  } catch (error) {
    throw new AgentFailure('script_worker', `a worker cannot be started: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function endsOf (text: string): string {
  return text.length <= 2 * mostOfComplaint ? text : text.slice(0, mostOfComplaint) + text.slice(-mostOfComplaint)
}
