import type { Log, LogLevel } from '../../observe/log.ts'

/** Longest line taken; the rest of a longer one is dropped. */
const maxLineBytes = 256 * 1024

/** Gives whole lines, as one text with their ends, out of what comes in pieces. */
export function wholeLines (take: (lines: string) => void): (chunk: Buffer) => void {
  let rest: Buffer | undefined
  return (chunk) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk])
    const end = bytes.lastIndexOf(0x0a) + 1
    rest = end === bytes.length || bytes.length - end > maxLineBytes ? undefined : bytes.subarray(end)
    if (end > 0) take(bytes.toString('utf8', 0, end))
  }
}

/** Puts the lines that a worker's log wrote into main's. Whatever else it said, a crash of the program itself above all, is an error. */
export function mergeLines (log: Log, worker: number): (lines: string) => void {
  return (lines) => {
    for (const line of lines.split('\n')) {
      if (line === '') continue
      const { level, msg, time: _time, ...facts } = parse(line) ?? { level: 50, msg: line }
      log[levelOf(level)](typeof msg === 'string' ? msg : '', { ...facts, worker })
    }
  }
}

function parse (line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function levelOf (level: unknown): LogLevel {
  return typeof level !== 'number' || level >= 50 ? 'error' : level >= 40 ? 'warn' : level >= 30 ? 'info' : 'debug'
}
