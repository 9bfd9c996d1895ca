import { write } from 'node:fs'

const stderr = 2
/** Before another try at a reader that is slow. */
const againMs = 20

export interface Lines {
  write (line: string): void
  /** Resolves when all is written; when the reader is gone; and when he has taken too little for `maxMs` milliseconds. */
  flush (maxMs?: number): Promise<void>
}

/**
 * Lines for standard error that nobody waits for: what a slow reader leaves beyond `maxWaitingBytes` is dropped, and so is everything for one who is gone.
 * The streams of pino and of Node either wait for the reader, or try for ever to reach one who is gone when the process is to end.
 */
export function stderrLines (maxWaitingBytes: number): Lines {
  let waiting: Buffer[] = []
  let waitingBytes = 0
  /** What is left of the write under way. */
  let chunk: Buffer | undefined
  let isWriting = false
  let isGone = false
  let idle: (() => void)[] = []

  const done = (bytes: number): void => {
    waitingBytes -= bytes
    chunk = chunk !== undefined && bytes < chunk.length ? chunk.subarray(bytes) : undefined
  }
  const fill = (): Buffer | undefined => {
    if (chunk === undefined && waiting.length > 0) {
      chunk = Buffer.concat(waiting)
      waiting = []
    }
    return chunk
  }
  const giveUp = (): void => {
    isGone = true
    waiting = []
    chunk = undefined
    rest()
  }
  const rest = (): void => {
    for (const tell of idle) tell()
    idle = []
  }
  const next = (): void => {
    if (isWriting || isGone) return
    const current = fill()
    if (current === undefined) return rest()
    isWriting = true
    write(stderr, current, (error, bytes) => {
      isWriting = false
      if (error === null) done(bytes)
      else if (error.code !== 'EAGAIN') return giveUp()
      if (error === null) next()
      else setTimeout(next, againMs).unref()
    })
  }

  return {
    write (line) {
      const bytes = Buffer.from(line)
      if (isGone || waitingBytes + bytes.length > maxWaitingBytes) return
      waiting.push(bytes)
      waitingBytes += bytes.length
      next()
    },
    flush: (maxMs = 500) => new Promise((resolve) => {
      if (isGone || waitingBytes === 0) return resolve()
      idle.push(resolve)
      setTimeout(resolve, maxMs)
    }),
  }
}
