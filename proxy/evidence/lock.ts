import { randomUUID } from 'node:crypto'
import { link, readFile, readlink, rename, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { EvidenceError } from './problem.ts'

/**
 * One writer for one evidence file: `FILE.lock` names the process that has it. Node has no flock(2), so:
 * a lock is made whole by link(2); its owner touches it every few seconds; it is stale when its process is gone (seen from the same
 * machine and PID namespace) or, when the owner cannot be seen from here (another container on the same volume), when it was not
 * touched for a while.
 */
export interface FileLock {
  /** Whether it is still ours: somebody may have removed the file. */
  held (): Promise<boolean>
  release (): Promise<void>
}

interface Owner {
  readonly id: string
  readonly pid: number
  /** When the process started, in the kernel's ticks: a PID may be used again. "" where unknown. */
  readonly started: string
  /** Boot and PID namespace: whether `pid` means anything to us. */
  readonly place: string
}

const TOUCH_MS = 3_000
const STALE_MS = 15_000
const POLL_MS = 250

export interface LockOptions {
  /** How long to wait for an owner that cannot be seen from here; default a little more than it takes to go stale. */
  readonly waitMs?: number
  readonly staleMs?: number
}

export async function lockFile (file: string, options: LockOptions = {}): Promise<FileLock> {
  const path = `${file}.lock`
  const staleMs = options.staleMs ?? STALE_MS
  const until = performance.now() + (options.waitMs ?? staleMs + 2 * POLL_MS)
  const me: Owner = { id: randomUUID(), pid: process.pid, started: await startOf(process.pid), place: await placeOfPids() }
  for (;;) {
    if (await take(path, me)) return hold(path, me)
    const owner = await readOwner(path)
    const state = owner === undefined ? 'unknown' : await stateOf(owner, me)
    if (state === 'gone' || (state === 'unknown' && await ageMs(path) > staleMs)) {
      await removeStale(path, owner)
      continue
    }
    if (state === 'alive' || performance.now() > until) throw taken(file, owner)
    await sleep(POLL_MS)
  }
}

function taken (file: string, owner: Owner | undefined): EvidenceError {
  const who = owner === undefined ? 'another process' : owner.pid === process.pid ? 'this process already' : `process ${owner.pid}`
  return new EvidenceError('EVIDENCE_LOCKED', `${file} is being written by ${who}; give every instance an evidence file of its own`)
}

/** link(2) fails when the name exists and never shows half a file. */
async function take (path: string, me: Owner): Promise<boolean> {
  const own = `${path}.${me.id}`
  await writeFile(own, JSON.stringify(me), { mode: 0o600, flag: 'wx' })
  try {
    await link(own, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    await unlink(own)
  }
}

function hold (path: string, me: Owner): FileLock {
  const touch = setInterval(() => {
    const now = new Date()
    // A failure shows when the lock is asked for the next time.
    utimes(path, now, now).catch(() => {})
  }, TOUCH_MS).unref()
  const held = async () => {
    const owner = await readOwner(path)
    // Unreadable for some other reason (no descriptors left) is not gone.
    return owner === undefined ? await exists(path) : owner.id === me.id
  }
  return {
    held,
    async release () {
      clearInterval(touch)
      if (await held()) await unlink(path)
    },
  }
}

/** Two may come to the same conclusion: whoever moved away a lock that is not the one judged puts it back. */
async function removeStale (path: string, judged: Owner | undefined): Promise<void> {
  const aside = `${path}.stale-${randomUUID()}`
  try {
    await rename(path, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  const moved = await readOwner(aside)
  if (moved?.id !== judged?.id) await link(aside, path).catch(() => {})
  await unlink(aside)
}

async function readOwner (path: string): Promise<Owner | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    if (typeof value !== 'object' || value === null) return undefined
    const { id, pid, started, place } = { id: '', pid: 0, started: '', place: '', ...value }
    return { id: String(id), pid: Number(pid), started: String(started), place: String(place) }
  } catch {
    return undefined
  }
}

async function stateOf (owner: Owner, me: Owner): Promise<'alive' | 'gone' | 'unknown'> {
  if (owner.place !== me.place || !Number.isSafeInteger(owner.pid) || owner.pid < 1) return 'unknown'
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return 'gone'
  }
  return await startOf(owner.pid) === owner.started ? 'alive' : 'gone'
}

async function exists (path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    return codeOf(error) !== 'ENOENT'
  }
}

async function ageMs (path: string): Promise<number> {
  try {
    return Date.now() - (await stat(path)).mtimeMs
  } catch {
    return 0
  }
}

/** Field 22 of /proc/PID/stat (proc(5)); the command in field 2 may contain spaces and brackets. "" for a process that is dead but not yet reaped. */
async function startOf (pid: number): Promise<string> {
  try {
    const line = await readFile(`/proc/${pid}/stat`, 'latin1')
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? '' : fields[19] ?? ''
  } catch {
    return ''
  }
}

async function placeOfPids (): Promise<string> {
  try {
    return `${(await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()} ${await readlink('/proc/self/ns/pid')}`
  } catch {
    return 'unknown'
  }
}

function codeOf (error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
