import { watch, type FSWatcher } from 'node:fs'
import { basename, dirname, join } from 'node:path'

export interface FileWatch {
  /** Looks at these from now on; with `others`, at any source beside them, too: one that is missing may come. */
  follow (files: readonly string[], others: boolean): void
  close (): void
}

/** Editors write in several steps; what is told of within this time is one change. */
const settleMs = 8

/** Says which file was written, removed or put in place. Folders are watched: a file that an editor replaces is another one. */
export function watchFiles (onChange: (file: string) => void): FileWatch {
  const folders = new Map<string, FSWatcher>()
  let wanted: ReadonlySet<string> = new Set()
  let anySource = false
  let timer: NodeJS.Timeout | undefined

  const heard = (folder: string, name: string | null): void => {
    const file = name === null ? undefined : join(folder, basename(name))
    if (file !== undefined && !wanted.has(file) && !(anySource && /\.(?:[mc]?[jt]s|json|kdl)$/.test(file))) return
    timer ??= setTimeout(() => {
      timer = undefined
      onChange(file ?? folder)
    }, settleMs)
  }
  return {
    follow (files, others) {
      wanted = new Set(files)
      anySource = others
      const needed = new Set(files.map((file) => dirname(file)))
      for (const [folder, watcher] of folders) {
        if (needed.has(folder)) continue
        watcher.close()
        folders.delete(folder)
      }
      for (const folder of needed) {
        if (folders.has(folder)) continue
        try {
          const watcher = watch(folder, (_event, name) => heard(folder, name))
          watcher.on('error', () => folders.delete(folder))
          folders.set(folder, watcher)
        } catch {
          // The folder is gone; the next load says so.
        }
      }
    },
    close () {
      clearTimeout(timer)
      for (const watcher of folders.values()) watcher.close()
      folders.clear()
    },
  }
}
