import type { Exchange } from '../pipeline/exchange.ts'
import { combinedLine, commonLine, jsonLine } from './access-line.ts'
import { openLineSink } from './line-sink.ts'
import type { SinkTrouble } from './line-sink.ts'

export interface AccessLogOptions {
  /** "stdout", "stderr" or a path. A path that cannot be opened throws. */
  readonly file: string
  readonly format: 'json' | 'combined' | 'common'
  /** Attributes whose values are logged; of all others nothing is. */
  readonly attributes?: readonly string[]
  /** Bytes that may wait for a slow disk or reader; default 4 MiB. */
  readonly maxBufferBytes?: number
  /** Said once when lines begin to be lost and once when it is over. */
  readonly onTrouble?: (trouble: SinkTrouble) => void
}

export interface AccessLog {
  /** One line for one exchange that is over. */
  record (x: Exchange): void
  /** After a log rotation. Keeps the old file and throws when the new one cannot be opened. */
  reopen (): void
  flushSync (): void
  close (): Promise<void>
  readonly lostLines: number
}

export function openAccessLog (options: AccessLogOptions): AccessLog {
  const sink = openLineSink({
    to: options.file,
    maxBufferBytes: options.maxBufferBytes ?? 4 * 1024 * 1024,
    ...(options.onTrouble === undefined ? {} : { onTrouble: options.onTrouble }),
  })
  const attributes = options.attributes ?? []
  const lineOf = {
    json: (x: Exchange) => jsonLine(x, Date.now(), attributes),
    combined: (x: Exchange) => combinedLine(x, Date.now()),
    common: (x: Exchange) => commonLine(x, Date.now()),
  }[options.format]
  return {
    record: (x) => sink.write(lineOf(x)),
    reopen: () => sink.reopen(),
    flushSync: () => sink.flushSync(),
    close: () => sink.close(),
    get lostLines () { return sink.lostLines },
  }
}
