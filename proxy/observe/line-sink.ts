import { close, closeSync, constants, fstatSync, openSync, write, writeSync } from 'node:fs'

export interface LineSinkOptions {
  /** "stdout", "stderr", or the path of a file, which is appended to and created with mode 0640. */
  readonly to: string
  /** Bytes that may wait for a slow receiver; a line beyond is lost and counted. */
  readonly maxBufferBytes: number
  /** Lines are written when so much has come, and after 20 ms in any case; default 64 KiB. */
  readonly gatherBytes?: number
  /**
   * Other processes append to the same file. A line of which the disk took a part only is written again, whole, on a line of its own: theirs may stand
   * between.
   */
  readonly shared?: boolean
  /** Called for each line that is lost. */
  readonly onLost?: () => void
  /** Write at once when nothing waits (the proxy's own log: its last words matter), instead of gathering what comes close together. */
  readonly immediate?: boolean
  /** Open a path without blocking, as stdout and stderr are: for named pipes. */
  readonly nonBlocking?: boolean
  /** Said once when writing begins to fail and once when it works again with what was lost in between. Must not write to this sink. */
  readonly onTrouble?: (trouble: SinkTrouble) => void
}

export interface SinkTrouble {
  readonly kind: 'failing' | 'recovered'
  readonly message: string
  /** Lines lost since the last call. */
  readonly lostLines: number
}

/** Where log lines go. Never blocks the event loop, never grows without bound, never throws. */
export interface LineSink {
  /** `line` ends with a newline. False when it was lost. */
  write (line: string): boolean
  /**
   * Opens the path anew (log rotation). Keeps the old file and rejects when that fails. Does nothing on stdout and stderr. Resolves when the last line
   * has gone to the old file.
   */
  reopen (): Promise<void>
  /** Whatever waits goes out before this returns, as far as the receiver takes it within `maxMs`. For the end of a process. */
  flushSync (maxMs?: number): void
  /** Resolves when everything was written, or after `maxMs`. */
  close (maxMs?: number): Promise<void>
  readonly lostLines: number
}

/** What goes into one write at most, but for a line that is longer: big enough to be cheap, small enough not to hold a worker thread for long. */
const CHUNK_BYTES = 128 * 1024
/**
 * Handing a write to a worker thread costs as much as a third of proxying a request: lines that come within so much of the last write go out
 * together, unless they are many. What a killed process may lose is what came in this time.
 */
const GATHER_MS = 20
const GATHER_BYTES = 64 * 1024
const newline = 0x0a
const RETRY_MS = 20
const RETRY_FAILED_MS = 1_000
const SAY_AGAIN_MS = 1_000

export function openLineSink (options: LineSinkOptions): LineSink {
  return new FileLineSink(options)
}

class FileLineSink implements LineSink {
  readonly #options: LineSinkOptions
  readonly #gatherBytes: number
  #fd: number
  #ownFd: boolean
  #next: { fd: number, own: boolean } | undefined
  /** Those who wait for the last write to the old file. */
  #reopened: Array<() => void> = []
  /** Where lines are put as they come: as text they would live until they are written, and be moved about by the collector meanwhile. */
  #room: Buffer | undefined
  #used = 0
  /** Memory of a chunk that was written. */
  #spare: Buffer | undefined
  /** Full ones that wait. */
  #waiting: Buffer[] = []
  #waitingBytes = 0
  /** The write under way, or what is left of it. */
  #chunk: Buffer | undefined
  #writing = false
  #turn: NodeJS.Immediate | undefined
  /** Runs while lines are gathered. */
  #gathering: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #failing = false
  #failingSinceMs = 0
  #lostUnsaid = 0
  #idle: (() => void)[] = []
  #closed = false
  /** Nobody waits for what is left any more. */
  #over = false
  lostLines = 0

  constructor (options: LineSinkOptions) {
    this.#options = options
    this.#gatherBytes = options.gatherBytes ?? GATHER_BYTES
    const opened = openTarget(options)
    this.#fd = opened.fd
    this.#ownFd = opened.own
  }

  write (line: string): boolean {
    if (this.#closed || this.#waitingBytes + line.length > this.#options.maxBufferBytes) return this.#lose()
    this.#put(line)
    if (this.#writing || this.#retry !== undefined) return true
    if (this.#options.immediate === true) this.#writeNow()
    else if (this.#gathering === undefined || this.#waitingBytes >= this.#gatherBytes) this.#turn ??= setImmediate(() => this.#flush())
    return true
  }

  async reopen (): Promise<void> {
    if (this.#closed || isStandard(this.#options.to)) return
    const next = openTarget(this.#options)
    if (this.#next !== undefined) closeSync(this.#next.fd)
    this.#next = next
    if (!this.#writing && this.#chunk === undefined) return this.#swap()
    return new Promise((resolve) => { this.#reopened.push(resolve) })
  }

  flushSync (maxMs = 500): void {
    const until = performance.now() + maxMs
    while (this.#refill()) {
      const outcome = this.#writeChunkSync()
      if (outcome === 'failed' || performance.now() > until) return
      if (outcome === 'full') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }

  async close (maxMs = 2_000): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#retry)
    this.#retry = undefined
    if (!this.#writing) this.#flush()
    await this.#untilIdle(maxMs)
    this.#over = true
    clearTimeout(this.#retry)
    clearImmediate(this.#turn)
    clearTimeout(this.#gathering)
    if (this.#next !== undefined) closeSync(this.#next.fd)
    this.#tellReopened()
    // A write that is still stuck in a worker thread must not end up in a stranger's descriptor.
    if (this.#ownFd && !this.#writing) closeSync(this.#fd)
  }

  #untilIdle (maxMs: number): Promise<void> {
    if (this.#isIdle()) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, maxMs)
      this.#idle.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #isIdle (): boolean {
    return !this.#writing && this.#chunk === undefined && this.#waitingBytes === 0
  }

  #put (line: string): void {
    const most = line.length * 3
    if (most > CHUNK_BYTES) {
      this.#seal()
      const own = Buffer.from(line)
      this.#waiting.push(own)
      this.#waitingBytes += own.length
      return
    }
    if (this.#used + most > CHUNK_BYTES) this.#seal()
    if (this.#room === undefined) {
      this.#room = this.#spare ?? Buffer.allocUnsafeSlow(CHUNK_BYTES)
      this.#spare = undefined
    }
    const bytes = this.#room.write(line, this.#used)
    this.#used += bytes
    this.#waitingBytes += bytes
  }

  #seal (): void {
    if (this.#used > 0) this.#waiting.push(this.#room!.subarray(0, this.#used))
    this.#room = undefined
    this.#used = 0
  }

  /** Makes what waits the next chunk. False when there is nothing to write. */
  #refill (): boolean {
    if (this.#chunk !== undefined) return true
    if (this.#waiting.length === 0) this.#seal()
    this.#chunk = this.#waiting.shift()
    if (this.#chunk === undefined) return false
    this.#waitingBytes -= this.#chunk.length
    return true
  }

  #writeNow (): void {
    while (this.#refill()) {
      const outcome = this.#writeChunkSync()
      if (outcome !== 'more') return this.#retryIn(outcome === 'full' ? RETRY_MS : RETRY_FAILED_MS)
    }
    if (this.#next !== undefined) this.#swap()
  }

  #writeChunkSync (): 'more' | 'full' | 'failed' {
    const chunk = this.#chunk!
    try {
      this.#advance(chunk, writeSync(this.#fd, chunk))
      return 'more'
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return 'full'
      this.#say(error)
      return 'failed'
    }
  }

  #flush (): void {
    this.#turn = undefined
    if (this.#writing) return
    if (this.#next !== undefined && this.#chunk === undefined) this.#swap()
    if (!this.#refill()) return this.#tellIdle()
    const chunk = this.#chunk!
    this.#writing = true
    write(this.#fd, chunk, (error, bytes) => {
      this.#writing = false
      // Another try would keep the process alive, for ever where it fails each time.
      if (this.#over) return
      if (error === null) {
        this.#advance(chunk, bytes)
        return this.#gather()
      }
      if (error.code !== 'EAGAIN') this.#say(error)
      // Nobody reads that pipe, and nobody will while this process ends.
      if (this.#closed && error.code === 'EPIPE') return this.#giveUp()
      this.#retryIn(error.code === 'EAGAIN' ? RETRY_MS : RETRY_FAILED_MS)
    })
  }

  /** After a write: goes on at once with what is left or is much, waits for company otherwise. */
  #gather (): void {
    if (this.#closed || this.#chunk !== undefined || this.#waitingBytes >= this.#gatherBytes) return this.#flush()
    if (this.#next !== undefined) this.#swap()
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined
      if (this.#waitingBytes > 0 && !this.#writing && this.#retry === undefined) this.#flush()
    }, GATHER_MS)
  }

  #advance (chunk: Buffer, bytes: number): void {
    this.#chunk = bytes < chunk.length ? this.#rest(chunk, bytes) : undefined
    if (this.#chunk === undefined && chunk.buffer.byteLength === CHUNK_BYTES) this.#spare ??= Buffer.from(chunk.buffer)
    if (this.#failing) this.#sayRecovered()
  }

  #rest (chunk: Buffer, written: number): Buffer {
    if (this.#options.shared !== true || written === 0) return chunk.subarray(written)
    const from = chunk.lastIndexOf(newline, written - 1) + 1
    return from === written ? chunk.subarray(from) : Buffer.concat([Buffer.of(newline), chunk.subarray(from)])
  }

  #giveUp (): void {
    this.#chunk = undefined
    this.#room = undefined
    this.#waiting = []
    this.#used = this.#waitingBytes = 0
    this.#tellIdle()
  }

  #tellIdle (): void {
    for (const done of this.#idle.splice(0)) done()
  }

  #retryIn (ms: number): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      if (this.#options.immediate === true && !this.#closed) this.#writeNow()
      else this.#flush()
    }, ms)
    // While closing somebody waits for these lines; otherwise they keep no process alive.
    if (!this.#closed) this.#retry.unref()
  }

  #swap (): void {
    const next = this.#next!
    this.#next = undefined
    if (this.#ownFd) close(this.#fd, () => {})
    this.#fd = next.fd
    this.#ownFd = next.own
    this.#tellReopened()
  }

  #tellReopened (): void {
    for (const done of this.#reopened.splice(0)) done()
  }

  #lose (): false {
    this.lostLines++
    this.#lostUnsaid++
    this.#options.onLost?.()
    if (!this.#failing) this.#say(new Error(`its receiver is too slow: more than ${this.#options.maxBufferBytes} bytes wait`))
    return false
  }

  #say (error: unknown): void {
    if (this.#failing) return
    this.#failing = true
    this.#failingSinceMs = performance.now()
    const why = error instanceof Error ? error.message : String(error)
    this.#options.onTrouble?.({ kind: 'failing', message: `lines for ${this.#options.to} cannot be written: ${why}`, lostLines: this.#lostUnsaid })
    this.#lostUnsaid = 0
  }

  #sayRecovered (): void {
    // Not at the first byte that gets through: a receiver at its limit would make us say it all the time.
    if (this.#waitingBytes > this.#options.maxBufferBytes / 2 || performance.now() - this.#failingSinceMs < SAY_AGAIN_MS) return
    this.#failing = false
    const lost = this.#lostUnsaid
    this.#lostUnsaid = 0
    const tail = lost === 0 ? 'nothing more was lost' : `${lost} lines were lost meanwhile`
    this.#options.onTrouble?.({ kind: 'recovered', message: `lines for ${this.#options.to} are written again; ${tail}`, lostLines: lost })
  }
}

function isStandard (to: string): boolean {
  return to === 'stdout' || to === 'stderr'
}

function openTarget ({ to, nonBlocking }: LineSinkOptions): { fd: number, own: boolean } {
  if (isStandard(to)) return openStandard(to === 'stdout' ? 1 : 2)
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (nonBlocking === true ? constants.O_NONBLOCK : 0)
  return { fd: openSync(to, flags, 0o640), own: true }
}

/**
 * A pipe or terminal whose reader has stopped would block the writing thread. Opened anew through /proc it is a description of our
 * own, which can be non-blocking without changing the one we share with the shell. Where that does not work (not Linux, a socket
 * from a service manager) the inherited descriptor is used: it is written from a worker thread.
 */
function openStandard (fd: 1 | 2): { fd: number, own: boolean } {
  try {
    const kind = fstatSync(fd)
    if (kind.isFIFO() || kind.isCharacterDevice()) {
      return { fd: openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY), own: true }
    }
  } catch { /* as inherited */ }
  return { fd, own: false }
}

function codeOf (error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
