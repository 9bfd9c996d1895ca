import type { Log } from '../log.ts'

/** A line on its way to the thread that writes. */
export interface LogRecord {
  readonly level: keyof Log
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

/** A log whose lines another thread writes, so that those of many threads do not run into each other. */
export function threadLog (send: (record: LogRecord) => void): Log {
  const line = (level: keyof Log): Log[keyof Log] => (fields, message = '') => {
    if (typeof fields === 'string') return send({ level, fields: {}, message: fields })
    try {
      send({ level, fields, message })
    } catch {
      // What cannot be handed over (a function, a socket) could not be written either; the rest of the line still can.
      send({ level, fields: Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plain(value)])), message })
    }
  }
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}

function plain (value: unknown): unknown {
  if (value instanceof Error) return new Error(value.message)
  return typeof value === 'object' && value !== null ? '[cannot be logged from a worker]' : String(value)
}
