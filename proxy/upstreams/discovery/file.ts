import { watch, type FSWatcher } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { DiscoveryError, type Found, type Source } from './source.ts'
import { parseTargetFile } from './target-file.ts'

const maxBytes = 4 * 1024 * 1024
/** A file that somebody writes to may not be whole: it has to stand still for so long. */
const settleMs = 100

export interface FileSettings {
  readonly path: string
  readonly timeoutMs: number
}

interface Seen {
  /** Equal as long as nobody writes to the file. */
  readonly stamp: string
  readonly text: string
}

/** Targets that somebody writes into a file. */
export function fileSource ({ path, timeoutMs }: FileSettings): Source {
  let known = ''
  return {
    patienceMs: timeoutMs,
    async ask (signal): Promise<Found> {
      let seen = await read(path)
      // It is taken when it stands still.
      while (seen.stamp !== known) {
        await new Promise((resolve) => { setTimeout(resolve, settleMs) })
        signal.throwIfAborted()
        known = seen.stamp
        seen = await read(path)
      }
      return { targets: parseTargetFile(seen.text) }
    },
    watch: (changed) => watchFile(path, changed),
  }
}

async function read (path: string): Promise<Seen> {
  let file
  try {
    file = await open(path)
    const { size, mtimeNs, ino, isFile } = await stampOf(file)
    if (!isFile) throw new DiscoveryError(`${path} is not a file`)
    if (size > maxBytes) throw new DiscoveryError(`${path} is larger than ${maxBytes} bytes`)
    const buffer = Buffer.alloc(size + 1)
    let length = 0
    for (let got = 1; got > 0 && length < buffer.length;) {
      got = (await file.read(buffer, length, buffer.length - length, length)).bytesRead
      length += got
    }
    return { stamp: `${ino} ${mtimeNs} ${length}`, text: buffer.toString('utf8', 0, length) }
  } catch (error) {
    if (error instanceof DiscoveryError) throw error
    throw new DiscoveryError(`${path} cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'}`, error)
  } finally {
    await file?.close()
  }
}

async function stampOf (file: FileHandle) {
  const stats = await file.stat({ bigint: true })
  return { size: Number(stats.size), mtimeNs: stats.mtimeNs, ino: stats.ino, isFile: stats.isFile() }
}

/** Of its folder: another file that is renamed to this one is a change, too. Where nothing can be watched, looking now and then has to do. */
function watchFile (path: string, changed: () => void): () => void {
  let watcher: FSWatcher | undefined
  try {
    const name = basename(path)
    watcher = watch(dirname(path), { persistent: false }, (_event, file) => { if (file === null || file === name) changed() })
    watcher.on('error', () => watcher?.close())
  } catch {
    return () => {}
  }
  return () => watcher.close()
}
