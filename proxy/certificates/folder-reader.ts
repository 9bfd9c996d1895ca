import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pairsAmong, type FolderPair, type SkippedEntry } from '../../config/sentinel/certificate-folder.ts'
import { readCertificate, type ServerCertificate } from './server-certificate.ts'

interface Known {
  /** Tells whether a file was written since. */
  readonly stamp: string
  /** The last good one under this name, which a broken one does not push out. */
  readonly certificate: ServerCertificate | undefined
  readonly skipped: SkippedEntry | undefined
}

export interface FolderReading {
  readonly certificates: readonly ServerCertificate[]
  readonly skipped: readonly SkippedEntry[]
}

/** Reads a folder again and again; only files that were written since are opened. Certificates that did not change are the same objects. */
export class FolderReader {
  readonly folder: string
  #known: ReadonlyMap<string, Known> = new Map()

  constructor (folder: string) {
    this.folder = folder
  }

  /** Rejects with the system's error when the folder itself cannot be read. */
  async read (): Promise<FolderReading> {
    const { pairs, skipped } = pairsAmong(await readdir(this.folder))
    const known = new Map<string, Known>()
    for (const pair of pairs) known.set(pair.stem, await this.#look(pair, this.#known.get(pair.stem)))
    this.#known = known
    const all = [...known.values()]
    return { certificates: all.flatMap(({ certificate }) => certificate ?? []), skipped: [...skipped, ...all.flatMap((one) => one.skipped ?? [])] }
  }

  async #look ({ certFile, keyFile }: FolderPair, before: Known | undefined): Promise<Known> {
    const [cert, key] = [join(this.folder, certFile), join(this.folder, keyFile)]
    const stamp = `${await stampOf(cert)} ${await stampOf(key)}`
    if (before?.stamp === stamp) return before
    const read = await readCertificate(cert, key)
    if (typeof read !== 'string') return { stamp, certificate: read, skipped: undefined }
    return { stamp, certificate: before?.certificate, skipped: { file: certFile, reason: read } }
  }
}

async function stampOf (file: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(file)
    return `${ino}:${size}:${mtimeMs}:${ctimeMs}`
  } catch {
    return 'gone'
  }
}
