import { watch, type FSWatcher } from 'node:fs'

/** Files are written in several steps: this long after the last of them somebody looks. */
const settleMs = 300

/** But not later than this after the first. */
const longestMs = 3_000

export interface FolderWatch {
  close (): void
}

export interface FolderWatchOptions {
  readonly mode: 'interval' | 'watch'
  readonly intervalMs: number
  /** Never overlaps itself. Must not reject. */
  readonly look: () => Promise<void>
}

/** Says when to look at a folder: from time to time, in mode "watch" also as soon as the system tells of a change. */
export function watchFolder (folder: string, { mode, intervalMs, look }: FolderWatchOptions): FolderWatch {
  let watcher: FSWatcher | undefined
  let settling: NodeJS.Timeout | undefined
  let firstMs = 0
  let closed = false
  let looking: Promise<void> | undefined

  const begin = (): void => {
    settling = undefined
    if (closed) return
    // Whatever happens while somebody looks is looked at afterwards.
    looking = (looking ?? Promise.resolve()).then(async () => {
      if (!closed) await look()
    })
  }
  const soon = (): void => {
    const now = performance.now()
    if (settling === undefined) firstMs = now
    clearTimeout(settling)
    settling = setTimeout(begin, Math.max(0, Math.min(settleMs, firstMs + longestMs - now))).unref()
  }
  const listen = (): void => {
    watcher?.close()
    watcher = undefined
    try {
      watcher = watch(folder, { persistent: false }, soon)
      watcher.on('error', () => {
        watcher?.close()
        watcher = undefined
      })
    } catch {
      // There is no such folder now, or the system has no watches left: the next interval tries again.
    }
  }

  if (mode === 'watch') listen()
  const timer = setInterval(() => {
    // A folder that was moved away and made anew is another one: the watch is too.
    if (mode === 'watch') listen()
    begin()
  }, intervalMs).unref()
  return {
    close () {
      closed = true
      clearInterval(timer)
      clearTimeout(settling)
      watcher?.close()
    },
  }
}
