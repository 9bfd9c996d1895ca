import { statSync } from 'node:fs'

/** How often it is looked at. A change counts once it has been the same twice: who writes a file may not be through. */
const lookMs = 150

/**
 * Calls `changed` after the file was written, replaced, put behind another link or taken away since it was `known`. Looks, so that it works on every file
 * system.
 */
export function watchFile (file: string, known: string, changed: () => void): { stop (): void } {
  let seen = known
  const timer = setInterval(() => {
    const now = stampOf(file)
    if (now !== known && now === seen) {
      known = now
      changed()
    }
    seen = now
  }, lookMs).unref()
  return { stop: () => clearInterval(timer) }
}

/** Another one after each change of the file; of one that is not there it is empty. */
export function stampOf (file: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(file)
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`
  } catch {
    return ''
  }
}
