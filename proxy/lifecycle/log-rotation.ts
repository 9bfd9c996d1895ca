import { rename } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { Log } from '../observe/log.ts'
import type { Found, RotateSettings } from '../observe/put-aside.ts'

const lookEveryMs = 1_000
/** After something went wrong: the next try may cost as much, and says as much. */
const failedMs = 60_000

interface Rotated extends Found {
  readonly path: string
  readonly settings: RotateSettings
  busy: boolean
  notBeforeMs: number
}

/**
 * Puts log files aside by size and age. One process does it for all who write: it gives the file another name, has everybody open theirs anew, and touches what
 * was put aside only when nobody writes to it any more. So no line is lost, and no file is put aside twice.
 */
export class LogRotation {
  readonly #log: Log
  /** Resolves when everybody has opened theirs. */
  readonly #reopen: () => Promise<void>
  #files: Rotated[] = []
  #timer: NodeJS.Timeout | undefined

  constructor (log: Log, reopen: () => Promise<void>) {
    this.#log = log
    this.#reopen = reopen
  }

  /** The configuration in use. */
  use (config: SentinelConfig): void {
    const known = new Map(this.#files.map((file) => [file.path, file]))
    this.#files = rotatedFiles(config).map(({ path, settings }) => ({ busy: false, notBeforeMs: 0, ino: 0, sinceMs: 0, ...known.get(path), path, settings }))
    clearInterval(this.#timer)
    if (this.#files.length > 0) this.#timer = setInterval(() => this.#look(), lookEveryMs).unref()
  }

  /** Another process does it from here on. What this one still writes goes to the file that is in use then. */
  handOver (): void {
    this.#files = []
    clearInterval(this.#timer)
    this.#timer = setInterval(() => { this.#reopen().catch(() => {}) }, lookEveryMs).unref()
  }

  close (): void {
    clearInterval(this.#timer)
  }

  #look (): void {
    for (const file of this.#files) {
      if (file.busy || performance.now() < file.notBeforeMs) continue
      file.busy = true
      void this.#rotate(file).catch((error: unknown) => {
        file.notBeforeMs = performance.now() + failedMs
        this.#log.error(`the log file ${file.path} could not be put aside: it goes on growing`, { event: 'logs-not-rotated', file: file.path, error })
      }).finally(() => { file.busy = false })
    }
  }

  async #rotate (file: Rotated): Promise<void> {
    const { path, settings } = file
    const { isDue, putAside, tidy } = await import('../observe/put-aside.ts')
    const nowMs = new Date().getTime()
    if (await isDue(path, settings, nowMs, file)) {
      const aside = await putAside(path, nowMs)
      try {
        await this.#reopen()
      } catch (error) {
        // Whoever did not get a new file writes to the old one: it is to be found under its name.
        if (!existsSync(path)) await rename(aside, path)
        throw error
      }
      this.#log.info(`the log file ${path} was put aside`, { event: 'logs-rotated', file: path, as: aside })
    }
    await tidy(path, settings, nowMs)
  }
}

function rotatedFiles ({ observability: { accessLog, errorLog, auditLog, logging } }: SentinelConfig): Array<Pick<Rotated, 'path' | 'settings'>> {
  const logs = [...[accessLog, errorLog, auditLog].filter((log) => log?.enabled === true), logging]
  const found = new Map<string, RotateSettings>()
  for (const log of logs) if (log?.rotate !== undefined && log.file !== undefined) found.set(log.file, log.rotate)
  return [...found].map(([path, settings]) => ({ path, settings }))
}
