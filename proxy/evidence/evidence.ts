import { constants } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import type { DecisionRecord, Exchange } from '../pipeline/exchange.ts'
import type { Entry, Head } from './chain.ts'
import { lockFile } from './lock.ts'
import type { FileLock, LockOptions } from './lock.ts'
import { EvidenceError } from './problem.ts'
import { leavesReceipt, receipt } from './receipt.ts'
import { readTail } from './tail.ts'
import { RecordWriter } from './writer.ts'
import type { EvidenceLog, SyncPolicy } from './writer.ts'

export interface EvidenceOptions {
  readonly file: string
  /** Records that may wait to be written; what comes when they are all waiting is counted, and the count becomes a record. Default 10 000. */
  readonly maxQueue?: number
  readonly log: EvidenceLog
  /** Which installation this is; default the host's name. */
  readonly deployment?: string
  /** When the disk is told to keep what was written: each `interval` (a second, default), after `always` each batch, or `never`. */
  readonly sync?: SyncPolicy
  /** Of the proxy, for the record of the start. */
  readonly version?: string
  readonly lock?: LockOptions
}

export interface EvidenceStats {
  /** Records written to the file since it was opened. */
  readonly records: number
  readonly dropped: number
  readonly queued: number
  /** The file cannot be written at the moment. */
  readonly failing: boolean
  /** The newest record, written or waiting. Note it elsewhere now and then: it proves that nothing was cut off. */
  readonly head: Head
}

/** Makes records of what happened. */
export interface EvidenceRecorder {
  /** A receipt for each decision of an exchange that is over, except plain allows. Never throws, never waits. */
  record (x: Exchange): void
  /** A receipt for a decision that came after its exchange was over (shadow mode). */
  recordLate (x: Exchange, decision: DecisionRecord): void
}

export interface Evidence extends EvidenceRecorder {
  /** A record that another process made. Never throws, never waits. */
  add (entry: Entry): void
  /** So many records were lost before they came here. */
  lost (count: number): void
  stats (): EvidenceStats
  /** Writes what waits (for at most 5 s), says goodbye in the chain, lets go of the file. */
  close (): Promise<void>
}

/**
 * Opens an evidence file and goes on with its chain. Rejects with an `EvidenceError` when it cannot be written, when another process
 * writes it, or when its end was tampered with: a proxy that was told to keep evidence does not start without.
 */
export async function openEvidence (options: EvidenceOptions): Promise<Evidence> {
  const file = resolve(options.file)
  const deployment = options.deployment ?? hostname()
  const { handle, lock } = await acquire(file, options.lock)
  try {
    const tail = await readTail(handle, file)
    const writer = new RecordWriter({
      file,
      handle,
      lock,
      head: tail.head,
      maxQueue: options.maxQueue ?? 10_000,
      sync: options.sync ?? 'interval',
      log: options.log,
      startOnNewLine: tail.torn !== undefined,
    })
    if (tail.torn !== undefined) {
      writer.add(entry('recovered', { torn_bytes: tail.torn.bytes, torn_sha256: tail.torn.sha256 }))
      options.log.warn('the last evidence record was cut off by a crash; the chain goes on behind it', { file, torn_bytes: tail.torn.bytes })
    }
    const clean = tail.torn === undefined && (tail.kind === 'close' || tail.head.seq === 0)
    writer.add(entry('open', { deployment, version: options.version ?? '', pid: process.pid, clean }))
    return evidenceOver(writer, deployment, options.log)
  } catch (error) {
    await lock.release()
    await handle.close()
    throw error
  }
}

function evidenceOver (writer: RecordWriter, deployment: string, log: EvidenceLog): Evidence {
  const add = (made: Entry): void => writer.add(made)
  return {
    ...recordsOf(add, log, deployment),
    add,
    lost: (count) => writer.lost(now(), count),
    stats: () => writer.stats(),
    close: () => writer.close(entry('close', { deployment })),
  }
}

/** Makes records and hands them to `add`; they are sealed, and get their place in the chain, by who writes them. */
export function recordsOf (add: (entry: Entry) => void, log: Pick<EvidenceLog, 'error'>, deployment: string = hostname()): EvidenceRecorder {
  let late = 0
  function keep (x: Exchange, decision: DecisionRecord, number: number): void {
    try {
      if (leavesReceipt(decision)) add(receipt(x, decision, number, { deployment, time: now() }))
    } catch (error) {
      log.error('a receipt could not be made', { code: 'INTERNAL', request_id: x.id, error })
    }
  }
  return {
    record (x) {
      const { decisions } = x
      if (decisions === undefined) return
      for (let i = 0; i < decisions.length; i++) keep(x, decisions[i]!, i + 1)
    },
    // Numbered apart from those of the exchange itself, which may still be growing.
    recordLate: (x, decision) => keep(x, decision, 1_000 + late++),
  }
}

function entry (kind: string, members: Omit<Entry, 'kind' | 'time'>): Entry {
  return { kind, time: now(), ...members }
}

function now (): string {
  return new Date().toISOString()
}

async function acquire (file: string, options: LockOptions | undefined): Promise<{ handle: FileHandle, lock: FileLock }> {
  let lock: FileLock | undefined
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    lock = await lockFile(file, options)
    // Read for the end of the chain; O_APPEND so that nothing written is ever written over.
    const handle = await open(file, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o600)
    if (!(await handle.stat()).isFile()) {
      await handle.close()
      throw new EvidenceError('EVIDENCE_UNWRITABLE', `${file} is not a regular file`)
    }
    return { handle, lock }
  } catch (error) {
    await lock?.release()
    if (error instanceof EvidenceError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new EvidenceError('EVIDENCE_UNWRITABLE', `the evidence file ${file} cannot be opened: ${why}`, error)
  }
}
