import type { FileHandle } from 'node:fs/promises'
import { seal } from './chain.ts'
import type { Entry, Head } from './chain.ts'
import type { FileLock } from './lock.ts'

export interface EvidenceLog {
  info (message: string, facts?: Readonly<Record<string, unknown>>): void
  warn (message: string, facts?: Readonly<Record<string, unknown>>): void
  error (message: string, facts?: Readonly<Record<string, unknown>>): void
}

export type SyncPolicy = 'always' | 'interval' | 'never'

export interface WriterOptions {
  readonly file: string
  readonly handle: FileHandle
  readonly lock: FileLock
  /** Where the chain stands. */
  readonly head: Head
  readonly maxQueue: number
  readonly sync: SyncPolicy
  readonly log: EvidenceLog
  /** The file ends in the middle of a line. */
  readonly startOnNewLine: boolean
}

const BATCH_BYTES = 256 * 1024
/** Besides their number: agents may fill each record to its bounds. */
const MAX_QUEUE_CHARS = 64 * 1024 * 1024
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5_000
const CARE_MS = 1_000
const CLOSE_MS = 5_000

/**
 * Seals records in the order they come and appends them, one write per event-loop turn, one under way at a time. A record is sealed
 * when it is accepted, so the file is a beginning of the chain at every moment; one that finds the queue full never enters the chain.
 */
export class RecordWriter {
  readonly #options: WriterOptions
  #head: Head
  #queue: string[] = []
  #queuedChars = 0
  /** What is being written: a batch, and how far it got. A write that failed goes on where it stopped. */
  #batch: { bytes: Buffer, from: number, records: number } | undefined
  #busy = false
  #turn: NodeJS.Immediate | undefined
  #retry: NodeJS.Timeout | undefined
  #retryMs = FIRST_RETRY_MS
  readonly #care: NodeJS.Timeout
  #unsynced = false
  #failing = false
  #state: 'open' | 'closing' | 'closed' = 'open'
  #loss: { count: number, since: string } | undefined
  #records = 0
  #dropped = 0
  #onIdle: (() => void) | undefined

  constructor (options: WriterOptions) {
    this.#options = options
    this.#head = options.head
    if (options.startOnNewLine) this.#batch = { bytes: Buffer.from('\n'), from: 0, records: 0 }
    this.#care = setInterval(() => void this.#takeCare(), CARE_MS).unref()
  }

  add (entry: Entry): void {
    if (this.#state !== 'open') return this.#lose(entry.time)
    if (this.#queue.length >= this.#options.maxQueue || this.#queuedChars >= MAX_QUEUE_CHARS) return this.#lose(entry.time)
    this.#sayLoss(entry.time)
    this.#push(entry)
  }

  stats () {
    return {
      records: this.#records,
      dropped: this.#dropped,
      queued: this.#queue.length + (this.#batch?.records ?? 0),
      failing: this.#failing,
      head: this.#head,
    }
  }

  async close (goodbye: Entry): Promise<void> {
    if (this.#state !== 'open') return
    this.#sayLoss(goodbye.time)
    this.#push(goodbye)
    this.#state = 'closing'
    await this.#untilIdle()
    this.#state = 'closed'
    clearTimeout(this.#retry)
    clearImmediate(this.#turn)
    clearInterval(this.#care)
    const lost = this.stats().queued
    if (lost > 0) this.#options.log.error('evidence records were lost: they could not be written before the end', { code: 'EVIDENCE_LOST', file: this.#options.file, lost })
    await this.#sync()
    await this.#options.lock.release()
    await this.#options.handle.close()
  }

  #push (entry: Entry): void {
    const { line, head } = seal(entry, this.#head)
    this.#head = head
    this.#queue.push(line)
    this.#queuedChars += line.length
    if (!this.#busy && this.#retry === undefined) this.#turn ??= setImmediate(() => void this.#flush())
  }

  /** Records that never got here. */
  lost (time: string, count: number): void {
    this.#lose(time, count)
  }

  #lose (time: string, count = 1): void {
    this.#dropped += count
    const first = this.#loss === undefined
    this.#loss ??= { count: 0, since: time }
    this.#loss.count += count
    if (first) {
      this.#options.log.error('evidence records are lost: too many wait to be written', { code: 'EVIDENCE_LOST', file: this.#options.file, waiting: this.#queue.length })
    }
  }

  /** What was lost is part of the chain, at the place where it is missing. */
  #sayLoss (time: string): void {
    if (this.#loss === undefined) return
    const { count, since } = this.#loss
    this.#loss = undefined
    this.#push({ kind: 'gap', time, dropped: count, since })
  }

  async #flush (): Promise<void> {
    this.#turn = undefined
    if (this.#busy) return
    this.#busy = true
    while (this.#state !== 'closed' && this.#nextBatch()) {
      if (!await this.#writeBatch()) break
      if (this.#loss !== undefined && this.#queue.length * 2 < this.#options.maxQueue) this.#sayLoss(new Date().toISOString())
    }
    this.#busy = false
    if (this.#batch === undefined && this.#queue.length === 0) this.#onIdle?.()
  }

  #nextBatch (): boolean {
    if (this.#queue.length === 0) return this.#batch !== undefined
    if (this.#batch !== undefined && (this.#batch.records > 0 || this.#batch.from > 0)) return true
    // The newline behind a torn record goes out together with the record that tells of it.
    const lead = this.#batch === undefined ? '' : '\n'
    let bytes = 0
    let count = 0
    // Characters, close enough to bytes for the size of a write.
    while (count < this.#queue.length && (count === 0 || bytes + this.#queue[count]!.length <= BATCH_BYTES)) {
      bytes += this.#queue[count++]!.length
    }
    this.#queuedChars -= bytes
    const lines = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count)
    this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count)
    this.#batch = { bytes: Buffer.from(lead + lines.join('')), from: 0, records: count }
    return true
  }

  async #writeBatch (): Promise<boolean> {
    const batch = this.#batch!
    try {
      while (batch.from < batch.bytes.length) {
        batch.from += (await this.#options.handle.write(batch.bytes, batch.from, batch.bytes.length - batch.from)).bytesWritten
      }
    } catch (error) {
      this.#failed(error)
      return false
    }
    this.#records += batch.records
    this.#batch = undefined
    this.#unsynced = true
    if (this.#failing) this.#worksAgain()
    if (this.#options.sync === 'always') await this.#sync()
    return true
  }

  #failed (error: unknown): void {
    if (!this.#failing) {
      this.#failing = true
      this.#options.log.error('evidence cannot be written; it waits and is tried again', { code: 'EVIDENCE_UNWRITABLE', file: this.#options.file, error })
    }
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      void this.#flush()
    }, this.#retryMs)
    this.#retry.unref()
    this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2)
  }

  #worksAgain (): void {
    this.#failing = false
    this.#retryMs = FIRST_RETRY_MS
    this.#options.log.info('evidence is written again', { file: this.#options.file, waiting: this.#queue.length })
  }

  async #takeCare (): Promise<void> {
    if (this.#options.sync === 'interval') await this.#sync()
    if (this.#state !== 'open' || await this.#options.lock.held()) return
    // Two writers would tear the chain apart: whoever lost the lock stops.
    this.#state = 'closed'
    this.#failing = true
    clearInterval(this.#care)
    clearTimeout(this.#retry)
    const { queued } = this.stats()
    this.#options.log.error('evidence is no longer written: the lock of its file was taken away', { code: 'EVIDENCE_LOCKED', file: this.#options.file, lost: queued })
    await this.#options.handle.close()
  }

  async #sync (): Promise<void> {
    if (!this.#unsynced) return
    this.#unsynced = false
    try {
      await this.#options.handle.datasync()
    } catch (error) {
      // After a failed fsync the kernel may have thrown the pages away: it must be said, trying again would only look good.
      this.#options.log.error('the disk did not confirm evidence records', { code: 'EVIDENCE_UNSYNCED', file: this.#options.file, error })
    }
  }

  #untilIdle (): Promise<void> {
    if (!this.#busy && this.#batch === undefined && this.#queue.length === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, CLOSE_MS)
      this.#onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
