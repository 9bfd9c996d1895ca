import { loadConfig, type Loaded } from '../../config/sentinel/index.ts'
import { watchFolder, type FolderWatch } from '../certificates/index.ts'
import type { Log } from '../observe/log.ts'
import { configFiles, contentOf, stampOf, type ConfigFiles } from './config-files.ts'

/** Where the system does not tell of changes (some network file systems), they are seen this late. */
const lookAnywayMs = 10_000

/** The system gives only so many watches to all programs of a user. Changes in further folders are seen late. */
const mostFolders = 500

export interface ConfigWatchOptions {
  readonly file: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Log
  /** Must not reject. */
  readonly reload: () => Promise<unknown>
}

/**
 * `system { auto-reload #true }`: reloads when the content of a file that the configuration was made of changes, or when another file
 * becomes part of it. Each content is tried once, whether it was taken over or not.
 */
export class ConfigWatch {
  readonly #options: ConfigWatchOptions
  readonly #watches = new Map<string, FolderWatch>()
  #known: ConfigFiles = { files: [], folders: [] }
  #stamp = ''
  #content = ''
  /** How the files were before the reload that is under way read them. */
  #before: string | undefined
  #on = false
  #looking = Promise.resolve()
  #closed = false

  constructor (options: ConfigWatchOptions) {
    this.#options = options
  }

  /** This was read and is being tried. One with errors says nothing about whether to watch. */
  follow (loaded: Loaded): void {
    const before = this.#before
    this.#follow(loaded, before ?? '')
    // Nobody knows how the files were when they were read: one may have changed since, and nobody watched yet.
    if (this.#on && before === undefined) void this.#look()
  }

  #follow (loaded: Loaded, stamp: string): void {
    this.#on = loaded.config?.system.autoReload ?? this.#on
    if (!this.#on) return this.#unwatch(new Set())
    const found = configFiles(loaded)
    // Of one with errors not all may be known: what counted before still does.
    this.#known = loaded.config === undefined ? union(this.#known, found) : found
    this.#stamp = stamp
    this.#content = contentOf(loaded, found)
    const folders = this.#known.folders.slice(0, mostFolders)
    this.#unwatch(new Set(folders))
    for (const folder of folders) {
      if (!this.#watches.has(folder)) this.#watches.set(folder, watchFolder(folder, { mode: 'watch', intervalMs: lookAnywayMs, look: () => this.#look() }))
    }
  }

  close (): void {
    this.#closed = true
    this.#unwatch(new Set())
  }

  /** Several folders may call at once: they are told of one change. */
  #look (): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      if (this.#closed || !this.#on) return
      const stamp = stampOf(this.#known)
      if (stamp === this.#stamp) return
      const { file, env, log, reload } = this.#options
      const loaded = await loadConfig(file, { env })
      if (contentOf(loaded, configFiles(loaded)) === this.#content) return this.#follow(loaded, stamp)
      log.info('a file of the configuration changed', { event: 'config-changed' })
      this.#before = stamp
      await reload()
      this.#before = undefined
    })
    return this.#looking
  }

  #unwatch (wanted: ReadonlySet<string>): void {
    for (const [folder, watch] of this.#watches) {
      if (wanted.has(folder)) continue
      watch.close()
      this.#watches.delete(folder)
    }
  }
}

function union (a: ConfigFiles, b: ConfigFiles): ConfigFiles {
  return { files: [...new Set([...a.files, ...b.files])], folders: [...new Set([...a.folders, ...b.folders])] }
}
