import { isatty } from 'node:tty'
import { pino } from 'pino'
import type { Logger } from 'pino'
import { agentLines } from './agent-lines.ts'
import type { AgentStream } from './agent-lines.ts'
import { safeFacts } from './facts.ts'
import type { LogFacts } from './facts.ts'
import { openLineSink, type LineSink } from './line-sink.ts'
import { prettyLine } from './pretty.ts'
import { scrubText } from './redact.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/**
 * What the parts of the proxy say. The message is a sentence for people; `facts` are fields for machines: `code` where a fault is
 * meant, `error` for what was thrown, `component` in a child. Secrets are taken out by the names of fields.
 */
export interface Log {
  debug (message: string, facts?: LogFacts): void
  info (message: string, facts?: LogFacts): void
  warn (message: string, facts?: LogFacts): void
  error (message: string, facts?: LogFacts): void
  /** The same log with these facts on every line. */
  child (facts: LogFacts): Log
}

/** One thing that was said. */
export interface LogRecord {
  readonly level: LogLevel
  readonly message: string
  readonly facts: LogFacts
  /** An agent wrote it: what it says of itself is its own choice. */
  readonly foreign?: boolean
}

export interface RootLog extends Log {
  /** Changes the level of this log and of all its children, for a reload. */
  setLevel (level: LogLevel): void
  /** Likewise, whether lines have the time. */
  setTimestamps (on: boolean): void
  /** Lines go there from now on, as JSON unless they are to be pretty; back to where they went before without one. */
  writeTo (sink: LineSink | undefined): void
  /** Said where lines went at the beginning, wherever they go now. */
  aside (message: string, facts: LogFacts): void
  /** Somebody hears all that is said from now on, whatever the level. */
  listen (hear: (record: LogRecord) => void): void
  /** Likewise, for lines from now on. */
  setFormat (format: LogOptions['format']): void
  /** A line that an agent's process wrote, with the agent's name. Bounded in length and rate. */
  mergeAgentLine (agentId: string, stream: AgentStream, line: string): void
  /** Writes what waits before it returns. For the end of a process; happens by itself on `exit`. */
  flushSync (): void
  close (): Promise<void>
}

export interface LogOptions {
  readonly level: LogLevel
  /** "auto" is pretty on a terminal and JSON everywhere else. */
  readonly format: 'auto' | 'json' | 'pretty'
  /** "stderr" when absent; a path writes a file. */
  readonly to?: string
}

const MAX_BUFFER_BYTES = 1024 * 1024

/** The proxy's own log: JSON lines in the shape pino gives them (level, time, msg), or one readable line each on a terminal. */
export function createLog (options: LogOptions): RootLog {
  const to = options.to ?? 'stderr'
  const sink = openLineSink({ to, maxBufferBytes: MAX_BUFFER_BYTES, immediate: true })
  const terminal = to === 'stderr' && isatty(2)
  const isPretty = (format: LogOptions['format']): boolean => format === 'pretty' || (format === 'auto' && terminal)
  let asked = options.format
  let pretty = isPretty(asked)
  let saidLost = 0
  /** Where lines go in its place. */
  let other: LineSink | undefined
  const shape = (line: string): string => pretty ? prettyLine(line, terminal && other === undefined) : line
  const write = (line: string) => {
    const into = other ?? sink
    const lost = into.lostLines - saidLost
    // Nobody else can say it: it is told where the lines are missing, as soon as there is room again.
    if (lost > 0 && into.write(shape(`{"level":40,"time":${Date.now()},"msg":"log lines were lost","lost":${lost}}\n`))) saidLost += lost
    into.write(shape(line))
  }
  const flushSync = () => {
    sink.flushSync()
    other?.flushSync()
  }
  process.on('exit', flushSync)
  return logTo({
    level: options.level,
    write,
    setFormat (format) {
      asked = format
      pretty = isPretty(format)
    },
    writeTo (next) {
      other = next
      saidLost = (other ?? sink).lostLines
      pretty = other === undefined ? isPretty(asked) : asked === 'pretty'
    },
    aside (line) { sink.write(line) },
    flushSync,
    async close () {
      process.off('exit', flushSync)
      await sink.close()
    },
  })
}

/** The log without its destination: `write` gets one line of JSON with its newline. For tests, and for other sinks. */
export function logTo (target: {
  level: LogLevel
  write: (line: string) => void
  setFormat?: RootLog['setFormat']
  writeTo?: RootLog['writeTo']
  aside?: (line: string) => void
  flushSync?: () => void
  close?: () => Promise<void>
}): RootLog {
  let timestamps = true
  const timestamp = (): string => timestamps ? `,"time":${Date.now()}` : ''
  const root = pino({ base: null, level: 'trace', timestamp }, { write: target.write })
  const beside = pino({ base: null, level: 'trace', timestamp }, { write: (line: string) => (target.aside ?? target.write)(line) })
  const threshold: Threshold = { level: target.level, hear: undefined }
  const log = new PinoLog(root, threshold)
  const lines = agentLines(new PinoLog(root, threshold, {}, true))
  return Object.assign(log, {
    setLevel (level: LogLevel) { threshold.level = level },
    setFormat (format: LogOptions['format']) { target.setFormat?.(format) },
    setTimestamps (on: boolean) { timestamps = on },
    writeTo (sink: LineSink | undefined) { target.writeTo?.(sink) },
    aside (message: string, facts: LogFacts) { beside.error(safeFacts(facts), scrubText(message)) },
    listen (hear: (record: LogRecord) => void) { threshold.hear = hear },
    mergeAgentLine: lines.merge,
    flushSync () { target.flushSync?.() },
    async close () {
      lines.close()
      await target.close?.()
    },
  })
}

interface Threshold {
  level: LogLevel
  hear: ((record: LogRecord) => void) | undefined
}

const weights: Record<LogLevel, number> = { debug: 20, info: 30, warn: 40, error: 50 }

/** The threshold is shared by a log and all its children, so that a reload reaches those that parts of the proxy hold. */
class PinoLog implements Log {
  readonly #pino: Logger
  readonly #threshold: Threshold
  /** On every line of this one. */
  readonly #facts: LogFacts
  readonly #foreign: boolean

  constructor (target: Logger, threshold: Threshold, facts: LogFacts = {}, foreign = false) {
    this.#pino = target
    this.#threshold = threshold
    this.#facts = facts
    this.#foreign = foreign
  }

  debug (message: string, facts?: LogFacts): void {
    this.#write('debug', message, facts)
  }

  info (message: string, facts?: LogFacts): void {
    this.#write('info', message, facts)
  }

  warn (message: string, facts?: LogFacts): void {
    this.#write('warn', message, facts)
  }

  error (message: string, facts?: LogFacts): void {
    this.#write('error', message, facts)
  }

  child (facts: LogFacts): Log {
    return new PinoLog(this.#pino.child(safeFacts(facts)), this.#threshold, { ...this.#facts, ...facts }, this.#foreign)
  }

  #write (level: LogLevel, message: string, facts: LogFacts | undefined): void {
    this.#threshold.hear?.({ level, message, facts: { ...this.#facts, ...facts }, foreign: this.#foreign })
    if (weights[level] < weights[this.#threshold.level]) return
    const text = scrubText(message)
    if (facts === undefined) this.#pino[level](text)
    else this.#pino[level](safeFacts(facts), text)
  }
}
