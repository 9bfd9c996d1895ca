import { pino } from 'pino'
import type { Log } from '../log.ts'
import type { LogLevel } from './options.ts'

export interface ProcessLog extends Log {
  /** Writes out what is waiting; for a process that is about to end. */
  flush (): void
}

/** Bytes of log lines waiting for a reader that is slow; what comes on top is dropped, because an agent must not wait for its log. */
const maxWaitingBytes = 1024 * 1024

/** JSON lines on stderr in the shape of pino: level, time, msg. */
export function processLog (level: LogLevel, base: Readonly<Record<string, unknown>>): ProcessLog {
  const destination = pino.destination({ fd: 2, sync: false, maxLength: maxWaitingBytes })
  const logger = pino({ level, base, errorKey: 'error', serializers: { error: pino.stdSerializers.err } }, destination)
  return {
    debug: logger.debug.bind(logger),
    info: logger.info.bind(logger),
    warn: logger.warn.bind(logger),
    error: logger.error.bind(logger),
    flush () {
      try {
        destination.flushSync()
      } catch {
        // Not open yet, or its reader is gone: there is nobody to tell.
      }
    },
  }
}
