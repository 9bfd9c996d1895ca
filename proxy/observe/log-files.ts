import { openLineSink, type LineSink, type SinkTrouble } from './line-sink.ts'

export interface LogFilesOptions {
  /** Other processes write into the same files. */
  readonly shared: boolean
  /** Lines of this log begin to be lost, or are written again. */
  readonly trouble: (log: string, trouble: SinkTrouble) => void
  readonly lost: (log: string) => void
}

export interface LogFileOptions {
  /** Which log it is, for those who are told of trouble. */
  readonly log: string
  /** "stdout", "stderr" or a path. */
  readonly to: string
  readonly gatherBytes: number
}

/** Bytes of one log that may wait for a slow disk or reader. What comes then is lost, counted and said. */
export const maxWaitingBytes = 4 * 1024 * 1024

/** The log files of one process, whichever configuration opened them. */
export class LogFiles {
  readonly #options: LogFilesOptions
  readonly #open = new Set<LineSink>()

  constructor (options: LogFilesOptions) {
    this.#options = options
  }

  /** Throws when it cannot be opened. */
  open ({ log, to, gatherBytes }: LogFileOptions): LineSink {
    const { shared, trouble, lost } = this.#options
    const sink = openLineSink({
      // What workers say on standard error is the log of the program: main knows what it has of them on standard output.
      to: shared && to === 'stderr' ? 'stdout' : to, gatherBytes, shared, maxBufferBytes: Math.max(maxWaitingBytes, 4 * gatherBytes),
      onTrouble: (what) => trouble(log, what),
      onLost: () => lost(log),
    })
    this.#open.add(sink)
    return sink
  }

  async close (sink: LineSink): Promise<void> {
    this.#open.delete(sink)
    await sink.close()
  }

  /** All of them anew. Resolves when nothing is written to the old ones any more; rejects when one cannot be opened, which goes on with its old file. */
  async reopen (): Promise<void> {
    const failed = (await Promise.allSettled([...this.#open].map((sink) => sink.reopen()))).find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
}
