import { pino } from 'pino'
import type { Log } from '../log.ts'
import type { LogLevel } from './options.ts'
import { stderrLines } from './stderr-lines.ts'

export interface ProcessLog extends Log {
  /** Writes out what is waiting, for a process that is about to end: half a second at the most. */
  flush (): Promise<void>
}

/** Bytes of log lines waiting for a reader that is slow; what comes on top is dropped, because an agent must not wait for its log. */
const maxWaitingBytes = 1024 * 1024

/** JSON lines on stderr in the shape of pino: level, time, msg. */
export function processLog (level: LogLevel, base: Readonly<Record<string, unknown>>): ProcessLog {
  const lines = stderrLines(maxWaitingBytes)
  const logger = pino({ level, base, errorKey: 'error', serializers: { error: pino.stdSerializers.err } }, lines)
  return {
    debug: logger.debug.bind(logger),
    info: logger.info.bind(logger),
    warn: logger.warn.bind(logger),
    error: logger.error.bind(logger),
    flush: () => lines.flush(),
  }
}
