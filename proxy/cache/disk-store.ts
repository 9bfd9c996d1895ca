import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, statSync, unlinkSync } from 'node:fs'
import { open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { bodyOf } from '../pipeline/body.ts'
import type { KeptPlace } from '../pipeline/kept-answers.ts'
import { diskBody } from './disk-body.ts'
import { fileOf, isWhole, readHead, type DiskHead, type ReadHead } from './disk-file.ts'
import { DiskIndex } from './disk-index.ts'
import type { Meant, Store } from './store.ts'
import { isSelected, variantOf, type Kept, type Selection, type Stored, type ValueOf } from './stored.ts'

export interface DiskSettings {
  readonly folder: string
  readonly shards: number
  readonly maxBytes: number
  /** Other processes keep answers in the same folder. */
  readonly isShared: boolean
  /** Something could not be read or written. What was asked for is a miss then. */
  readonly trouble: (what: string, error: unknown) => void
}

/** How soon what others have written is known. It is found before that by whoever asks for it. */
const lookAroundMs = 15_000
/** What somebody began to write and did not put in place so long after is nobody's any more. */
const abandonedMs = 10 * 60_000
/** Files whose bodies were found whole. */
const mostVerified = 16 * 1024

const nowhere: KeptPlace = { hits: 0, entries: 0, bytes: 0 }

/** Answers in files, each written beside and put in place whole. Several processes may have one folder; it outlives them. */
export class DiskStore implements Store {
  readonly #settings: DiskSettings
  readonly #index = new DiskIndex()
  readonly #verified = new Set<string>()
  readonly #writing = new Set<{ readonly stored: Stored, outdated: boolean }>()
  readonly #ready: Promise<void>
  readonly #timer: NodeJS.Timeout | undefined
  #hits = 0
  #written = 0
  #closed = false
  evictions = 0

  /** Throws when the folder cannot be made or written. */
  constructor (settings: DiskSettings) {
    this.#settings = settings
    const { folder, shards } = settings
    mkdirSync(this.#making, { recursive: true, mode: 0o700 })
    for (let i = 0; i < shards; i++) mkdirSync(join(folder, shardName(i)), { recursive: true, mode: 0o700 })
    removeAbandoned(this.#making)
    removeStrays(folder, shards)
    this.#ready = this.#lookAround()
    if (settings.isShared) this.#timer = setInterval(() => void this.#lookAround(), lookAroundMs).unref()
  }

  get places (): Store['places'] {
    return { memory: nowhere, disk: { hits: this.#hits, entries: this.#index.answers, bytes: this.#index.bytes } }
  }

  async find (base: string, valueOf: ValueOf): Promise<Kept | undefined> {
    const first = await this.#read(this.#pathOf(base), base)
    if (first === undefined) return undefined
    const { names } = first.found.head
    if (names === undefined) return this.#kept(first, valueOf)
    const path = this.#pathOf(base, names.map((name) => [name, valueOf(name)]))
    const second = await this.#read(path, base)
    return second === undefined ? undefined : this.#kept(second, valueOf)
  }

  async put (stored: Stored, body: Buffer): Promise<void> {
    const { base, selection } = stored
    const write = { stored, outdated: false }
    this.#writing.add(write)
    try {
      const path = this.#pathOf(base, selection)
      if (selection.length > 0) await this.#write(this.#pathOf(base), { base, names: selection.map(([name]) => name) }, Buffer.alloc(0), stored)
      await this.#write(path, { base, stored }, body, stored)
      if (write.outdated) await this.#remove(path)
      await this.#makeRoom()
    } catch (error) {
      this.#settings.trouble('an answer could not be kept on disk', error)
    } finally {
      this.#writing.delete(write)
    }
  }

  async refresh (kept: Kept, stored: Stored): Promise<void> {
    const chunks: Buffer[] = []
    const body = kept.open(0, kept.stored.length)
    try {
      for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) chunks.push(chunk)
    } catch {
      return // Somebody has replaced it: that one is newer.
    }
    await this.put(stored, Buffer.concat(chunks))
  }

  async purge (isMeant: Meant, asked?: string): Promise<number> {
    for (const write of this.#writing) if (isMeant(write.stored.address, write.stored.tags)) write.outdated = true
    await this.#ready
    const gone = await Promise.all(this.#index.meant(isMeant, asked).map(async ([path, isAnswer]) => await this.#remove(path) && isAnswer))
    return gone.filter(Boolean).length
  }

  async close (): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    await this.#ready
  }

  get #making (): string {
    return join(this.#settings.folder, 'making')
  }

  #pathOf (base: string, selection: Selection = []): string {
    const name = createHash('sha256').update(selection.length === 0 ? base : `${base}\n${variantOf(selection)}`).digest('hex').slice(0, 40)
    return join(this.#settings.folder, shardName(Number.parseInt(name.slice(0, 6), 16) % this.#settings.shards), name)
  }

  /** A file that is whole and about this; what is neither is removed. */
  async #read (path: string, base: string): Promise<{ readonly path: string, readonly found: ReadHead } | undefined> {
    try {
      const file = await open(path, 'r')
      try {
        const found = await readHead(file)
        if (found?.head.base === base && await this.#isWhole(path, file, found)) return { path, found }
        await this.#remove(path)
        return undefined
      } finally {
        await file.close()
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') this.#index.remove(path)
      else this.#settings.trouble('a kept answer could not be read', error)
      return undefined
    }
  }

  /** Read through once by each process: what a crash of the machine left is found, whatever the file's length says. */
  async #isWhole (path: string, file: Parameters<typeof isWhole>[0], found: ReadHead): Promise<boolean> {
    const name = `${path} ${found.bodySum} ${found.bodyBytes}`
    const isSmall = found.begun.length >= found.bodyBytes
    if (!isSmall && this.#verified.has(name)) return true
    if (!await isWhole(file, found)) return false
    if (this.#verified.size >= mostVerified) this.#verified.clear()
    if (!isSmall) this.#verified.add(name)
    return true
  }

  #kept ({ path, found }: { readonly path: string, readonly found: ReadHead }, valueOf: ValueOf): Kept | undefined {
    const { head: { stored }, begun, bodyBytes, bodySum } = found
    if (stored === undefined || !isSelected(stored, valueOf)) return undefined
    this.#hits++
    this.#index.used(path)
    const whole = begun.length >= bodyBytes ? begun : undefined
    return {
      stored, from: 'disk',
      open: (start, end) => whole === undefined ? diskBody({ path, bodySum, bodyBytes, start, end }) : bodyOf(Buffer.from(whole.subarray(start, end))),
    }
  }

  async #write (path: string, head: DiskHead, body: Buffer, { address, tags }: Stored): Promise<void> {
    const making = join(this.#making, `${process.pid}-${++this.#written}`)
    const parts = fileOf(head, body)
    try {
      const file = await open(making, 'wx', 0o600)
      try {
        await file.writev(parts)
      } finally {
        await file.close()
      }
      await rename(making, path)
    } catch (error) {
      await unlink(making).catch(() => {})
      throw error
    }
    this.#index.add(path, { bytes: parts.reduce((sum, part) => sum + part.length, 0), address, tags, isAnswer: head.stored !== undefined })
  }

  async #makeRoom (): Promise<void> {
    while (this.#index.bytes > this.#settings.maxBytes) {
      const oldest = this.#index.oldest()
      if (oldest === undefined) return
      this.evictions++
      await this.#remove(oldest)
    }
  }

  async #remove (path: string): Promise<boolean> {
    this.#index.remove(path)
    try {
      await unlink(path)
      return true
    } catch {
      return false // Somebody else has, or it cannot be had: then it cannot be read either.
    }
  }

  /** Gets to know the files that other processes, or those before this one, have put there. */
  async #lookAround (): Promise<void> {
    const { folder, shards, trouble } = this.#settings
    for (let i = 0; i < shards && !this.#closed; i++) {
      try {
        const shard = join(folder, shardName(i))
        const known = this.#index.in(shard)
        const there = (await readdir(shard)).map((name) => join(shard, name))
        this.#index.forgetAllBut(new Set(there), known)
        const unknown = there.filter((path) => !this.#index.has(path))
        const found = await Promise.all(unknown.map(async (path) => ({ path, usedMs: (await stat(path).catch(() => undefined))?.mtimeMs ?? 0 })))
        for (const { path } of found.sort((a, b) => a.usedMs - b.usedMs)) await this.#learn(path)
      } catch (error) {
        trouble('the folder of kept answers could not be read', error)
      }
    }
    await this.#makeRoom()
  }

  async #learn (path: string): Promise<void> {
    if (this.#closed) return
    const file = await open(path, 'r').catch(() => undefined)
    if (file === undefined) return
    const found = await readHead(file).catch(() => undefined)
    const { size } = await file.stat()
    await file.close()
    if (this.#index.has(path)) return
    // What is not whole, or not ours, would never be found and never go.
    if (found === undefined || size !== found.bodyStart + found.bodyBytes) return void await this.#remove(path)
    const { address, tags } = found.head.stored ?? { address: { host: '', path: '', query: '' }, tags: [] }
    this.#index.add(path, { bytes: size, address, tags, isAnswer: found.head.stored !== undefined })
  }
}

function shardName (number: number): string {
  return number.toString(16).padStart(3, '0')
}

/** Answers in folders that there are no longer, since `disk-shards` was made less: nobody would find them, and nobody count them. */
function removeStrays (folder: string, shards: number): void {
  for (const shard of readdirSync(folder).filter((name) => /^[0-9a-f]{3}$/.test(name) && Number.parseInt(name, 16) >= shards)) {
    for (const name of readdirSync(join(folder, shard)).filter((file) => /^[0-9a-f]{40}$/.test(file))) rmSync(join(folder, shard, name), { force: true })
  }
}

/** Of processes that did not get to put it in place. */
function removeAbandoned (folder: string): void {
  for (const name of readdirSync(folder)) {
    try {
      const path = join(folder, name)
      if (Date.now() - statSync(path).mtimeMs > abandonedMs || name.startsWith(`${process.pid}-`)) unlinkSync(path)
    } catch {
      // It is gone.
    }
  }
}
