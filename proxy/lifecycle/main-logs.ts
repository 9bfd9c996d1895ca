import type { SentinelConfig } from '../../config/sentinel/index.ts'
import { judgeNames } from '../../config/schema/sensitive.ts'
import { auditLog, type AuditLog } from '../observe/audit-log.ts'
import { errorLog, type ErrorLog } from '../observe/error-log.ts'
import type { LineSink } from '../observe/line-sink.ts'
import { LogFiles } from '../observe/log-files.ts'
import type { RootLog } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import { LogRotation } from './log-rotation.ts'

interface Opened {
  readonly program: LineSink | undefined
  readonly error: { readonly sink: LineSink, readonly log: ErrorLog } | undefined
  readonly audit: { readonly sink: LineSink, readonly log: AuditLog } | undefined
}

const nothing: Opened = { program: undefined, error: undefined, audit: undefined }

export interface PreparedLogs {
  take (): void
  discard (): void
}

/** The files that what the program itself says goes to, besides its standard error; and who puts them aside, with those of the data path. */
export class MainLogs {
  readonly #log: RootLog
  readonly #files: LogFiles
  readonly #rotation: LogRotation
  readonly #reopenOthers: () => Promise<void>
  #open: Opened = nothing

  /** @param reopenOthers Has the data path open its files anew. */
  constructor (log: RootLog, metrics: Metrics, reopenOthers: () => Promise<void>) {
    this.#log = log
    this.#reopenOthers = reopenOthers
    this.#rotation = new LogRotation(log, () => this.reopen())
    this.#files = new LogFiles({
      shared: true,
      // Said where it can be read.
      trouble: (name, trouble) => log.aside(`the ${name} loses lines`, { component: name, ...trouble }),
      lost: (name) => metrics.table.logLinesLost.cell(name).add(),
    })
    log.listen((record) => {
      this.#open.error?.log.heard(record)
      this.#open.audit?.log.heard(record)
    })
  }

  /** Opens what the configuration names. Throws when a file cannot be opened. */
  prepare (config: SentinelConfig): PreparedLogs {
    const opened = this.#openAll(config)
    const { logging, redact } = config.observability
    return {
      take: () => {
        const old = this.#open
        this.#open = opened
        judgeNames(redact.names, redact.except)
        this.#log.setFormat(logging.format)
        this.#log.setTimestamps(logging.timestamps)
        this.#log.writeTo(opened.program)
        this.#close(old)
        this.#rotation.use(config)
      },
      discard: () => this.#close(opened),
    }
  }

  /** Opens all log files anew. Resolves when nothing goes to the old ones any more. */
  async reopen (): Promise<void> {
    await Promise.all([this.#reopenOthers(), this.#files.reopen()])
  }

  /** As `reopen`, and says what came of it. Never rejects. */
  async reopenTold (): Promise<void> {
    try {
      await this.reopen()
      this.#log.info('log files opened anew', { event: 'logs-reopened' })
    } catch (error) {
      this.#log.error('a log file could not be opened anew: the old one stays in use', { event: 'logs-not-reopened', error })
    }
  }

  /** Another process serves. */
  handOver (): void {
    this.#rotation.handOver()
  }

  async close (): Promise<void> {
    const old = this.#open
    this.#open = nothing
    this.#rotation.close()
    this.#log.writeTo(undefined)
    await Promise.all(sinksOf(old).map((sink) => this.#files.close(sink)))
  }

  #openAll (config: SentinelConfig): Opened {
    const { logging: { file }, errorLog: errors, auditLog: audit } = config.observability
    const sinks: LineSink[] = []
    const open = (log: string, to: string, gatherBytes = 64 * 1024): LineSink => {
      const sink = this.#files.open({ log, to, gatherBytes })
      sinks.push(sink)
      return sink
    }
    try {
      return {
        program: file === undefined ? undefined : open('log', file),
        error: errors?.enabled === true ? withSink(open('error-log', errors.file, errors.bufferSize), (write) => errorLog(errors.level, write)) : undefined,
        audit: audit?.enabled === true
          ? withSink(open('audit-log', audit.file, audit.bufferSize), (write) => auditLog({ ...audit, firewalls: firewallsOf(config) }, write))
          : undefined,
      }
    } catch (error) {
      for (const sink of sinks) void this.#files.close(sink)
      throw error
    }
  }

  #close (opened: Opened): void {
    for (const sink of sinksOf(opened)) void this.#files.close(sink)
  }
}

function withSink<T> (sink: LineSink, make: (write: (line: string) => void) => T): { readonly sink: LineSink, readonly log: T } {
  return { sink, log: make((line) => void sink.write(line)) }
}

function sinksOf ({ program, error, audit }: Opened): LineSink[] {
  return [program, error?.sink, audit?.sink].filter((sink) => sink !== undefined)
}

/** Agents that look for attacks: what they find are events of a firewall. */
export function firewallsOf ({ agents }: SentinelConfig): ReadonlySet<string> {
  return new Set(agents.filter(({ type }) => type === 'waf').map(({ id }) => id))
}
