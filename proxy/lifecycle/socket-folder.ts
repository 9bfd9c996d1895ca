import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The process id is in the name, so that what a killed proxy left can be told from what a running one uses. */
const named = /^sentinel-(\d+)-[A-Za-z0-9]{6}$/

/** Makes a private folder (mode 0700) for the sockets of agents, and removes those of this user's proxies that are no more. */
export function makeSocketFolder (): string {
  for (const name of readdirSync(tmpdir())) {
    const [, pid] = named.exec(name) ?? []
    if (pid !== undefined && !exists(Number(pid)) && isOurs(join(tmpdir(), name))) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
  return mkdtempSync(join(tmpdir(), `sentinel-${process.pid}-`))
}

/** Whether a process has this number. */
export function exists (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: somebody else's process has that number.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A folder of this user, not a link to somewhere: the names in a shared folder are anybody's to choose. */
function isOurs (path: string): boolean {
  const facts = lstatSync(path, { throwIfNoEntry: false })
  return facts !== undefined && facts.isDirectory() && facts.uid === process.getuid?.()
}
