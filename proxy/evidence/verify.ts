import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { GENESIS, readRecord } from './chain.ts'
import type { Head, ReadRecord } from './chain.ts'
import { readLines } from './lines.ts'

export interface VerifyProblem {
  /** 1-based. */
  readonly line: number
  readonly code:
    | 'NOT_A_RECORD' | 'HASH_MISMATCH' | 'NOT_CANONICAL' | 'RECORD_MISSING' | 'RECORD_REPEATED' | 'OUT_OF_ORDER' | 'CHAIN_BROKEN'
    | 'TORN_END' | 'HEAD_MISSING' | 'EMPTY'
  readonly message: string
}

/** What is no breach of the chain but worth knowing. */
export interface VerifyNote {
  readonly line: number
  readonly code: 'GAP' | 'RECOVERED' | 'UNCLEAN_START' | 'HEAD_PASSED'
  readonly message: string
}

export interface Verification {
  /** Records read, whatever is wrong with them. */
  readonly records: number
  /** The last record. Note it elsewhere: only that shows later that nothing was cut off. */
  readonly head: Head
  /** The first 1000; `problemCount` counts all. */
  readonly problems: readonly VerifyProblem[]
  readonly problemCount: number
  readonly notes: readonly VerifyNote[]
  /** Decisions that the chain itself says were not recorded. */
  readonly dropped: number
}

export interface VerifyOptions {
  /** Hash of a record noted earlier: it has to be in the file. */
  readonly expectHead?: string
}

const MAX_KEPT = 1_000

/** Reads an evidence file from its first byte to its last and holds it against its chain. Memory does not grow with the file. */
export async function verifyEvidence (file: string, options: VerifyOptions = {}): Promise<Verification> {
  const check = new ChainCheck(options.expectHead?.toLowerCase())
  for await (const piece of readLines(file)) check.take(piece.bytes, piece.ends, piece.terminated)
  return check.finish()
}

/** Lines that are no records, until it is known whether a crash explains them. */
interface Rubble {
  readonly line: number
  readonly why: string
  readonly hash: Hash
  bytes: number
}

class ChainCheck {
  readonly #expectHead: string | undefined
  #line = 1
  #last: Head = GENESIS
  #lastKind = ''
  #records = 0
  #rubble: Rubble | undefined
  #insideLongLine = false
  #torn = false
  #expectedAt = 0
  #dropped = 0
  #problemCount = 0
  readonly #problems: VerifyProblem[] = []
  readonly #notes: VerifyNote[] = []

  constructor (expectHead: string | undefined) {
    this.#expectHead = expectHead
  }

  /** A line, or a part of one that is too long to be a record. */
  take (bytes: Buffer, ends: boolean, terminated: boolean): void {
    if (!ends || this.#insideLongLine) this.#addRubble(bytes, 'too long', this.#insideLongLine)
    else if (!terminated) {
      this.#addRubble(bytes, 'not ended', false)
      this.#torn = true
    } else {
      const record = readRecord(bytes)
      if ('error' in record) this.#addRubble(bytes, record.error, false)
      else this.#takeRecord(record)
    }
    this.#insideLongLine = !ends
    if (ends) this.#line++
  }

  finish (): Verification {
    if (this.#torn) {
      const { line, bytes } = this.#rubble!
      this.#problem(line, 'TORN_END', `the file ends in the middle of a record (${bytes} bytes behind the last whole one): a crash, unless it is being written right now`)
    } else this.#condemnRubble()
    if (this.#records === 0) this.#problem(1, 'EMPTY', 'there is no record in this file')
    if (this.#expectHead !== undefined) this.#checkExpected(this.#expectHead)
    return {
      records: this.#records,
      head: this.#last,
      problems: this.#problems,
      problemCount: this.#problemCount,
      notes: this.#notes,
      dropped: this.#dropped,
    }
  }

  #takeRecord (record: ReadRecord): void {
    this.#settleRubble(record)
    this.#records++
    if (record.computed !== record.hash) this.#problem(this.#line, 'HASH_MISMATCH', `record ${record.seq} was changed: its content does not fit its hash`)
    else if (!record.canonical) this.#problem(this.#line, 'NOT_CANONICAL', `record ${record.seq} is not spelled as it was written`)
    this.#checkPlace(record)
    this.#remark(record)
    if (record.hash === this.#expectHead) this.#expectedAt = this.#line
    // The chain is taken up again at this record, so that one breach is told once.
    this.#last = { seq: record.seq, hash: record.hash }
    this.#lastKind = record.kind
  }

  #checkPlace ({ seq, prev, hash }: ReadRecord): void {
    const last = this.#last
    if (seq > last.seq + 1) {
      const missing = seq === last.seq + 2 ? `record ${last.seq + 1} is` : `records ${last.seq + 1} to ${seq - 1} are`
      this.#problem(this.#line, 'RECORD_MISSING', `${missing} missing in front of record ${seq}`)
    } else if (seq === last.seq && hash === last.hash) this.#problem(this.#line, 'RECORD_REPEATED', `record ${seq} is here a second time`)
    else if (seq <= last.seq) this.#problem(this.#line, 'OUT_OF_ORDER', `record ${seq} stands behind record ${last.seq}`)
    else if (prev !== last.hash) {
      const before = last.seq === 0 ? 'it names a record before it, and there is none' : `it names another record before it than record ${last.seq}`
      this.#problem(this.#line, 'CHAIN_BROKEN', `record ${seq} does not belong here: ${before}`)
    }
  }

  #remark ({ kind, seq, members }: ReadRecord): void {
    const { dropped, since } = members
    if (kind === 'gap' && typeof dropped === 'number') {
      this.#dropped += dropped
      this.#note('GAP', `${dropped} decisions since ${typeof since === 'string' ? since : '(no time)'} were not recorded: the queue was full`)
    }
    if (kind === 'open' && seq > 1 && this.#lastKind !== 'close') this.#note('UNCLEAN_START', 'the process before this one ended without closing the file')
  }

  #addRubble (bytes: Buffer, why: string, continues: boolean): void {
    const before = this.#rubble
    if (before !== undefined && !continues) {
      before.hash.update('\n')
      before.bytes++
    }
    const rubble = this.#rubble ??= { line: this.#line, why, hash: createHash('sha256'), bytes: 0 }
    rubble.hash.update(bytes)
    rubble.bytes += bytes.length
  }

  /** A piece that a crash cut off is told of by the record behind it. */
  #settleRubble ({ kind, members }: ReadRecord): void {
    const rubble = this.#rubble
    const told = kind === 'recovered'
    if (rubble === undefined) {
      if (told) this.#problem(this.#line, 'RECORD_MISSING', 'this record tells of a piece cut off by a crash, which is not here')
      return
    }
    if (told && members['torn_bytes'] === rubble.bytes && members['torn_sha256'] === rubble.hash.copy().digest('hex')) {
      this.#note('RECOVERED', `a crash cut off a record; its ${rubble.bytes} bytes were left as they were`)
      this.#rubble = undefined
    } else this.#condemnRubble()
  }

  #condemnRubble (): void {
    const rubble = this.#rubble
    this.#rubble = undefined
    if (rubble !== undefined) this.#problem(rubble.line, 'NOT_A_RECORD', `this is no evidence record: ${rubble.why}`)
  }

  #checkExpected (hash: string): void {
    if (this.#last.hash === hash) return
    if (this.#expectedAt > 0) this.#note('HEAD_PASSED', `the expected head is record of line ${this.#expectedAt}; more was written since`)
    else this.#problem(this.#line - 1, 'HEAD_MISSING', `no record has the expected hash ${hash}: the end was cut off, or the chain was written anew`)
  }

  #problem (line: number, code: VerifyProblem['code'], message: string): void {
    this.#problemCount++
    if (this.#problems.length < MAX_KEPT) this.#problems.push({ line: Math.max(1, line), code, message })
  }

  #note (code: VerifyNote['code'], message: string): void {
    if (this.#notes.length < MAX_KEPT) this.#notes.push({ line: this.#line, code, message })
  }
}
