import { closeSync, constants, fchownSync, ftruncateSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import type { Account } from './account.ts'

/** A file that says which process serves. Opened while there is still the right to, written once there is something to say. */
export interface PidFile {
  write (): void
  /** It says so again, when a successor that came to nothing has written or removed it. */
  takeBack (): void
  /** Removes it when it is still about this process; empties it where a file may no longer be removed. */
  close (): void
}

/** Throws a sentence for the operator when it names another Sentinel that lives, or cannot be opened. `succeeds`: the process that it names hands over to this one. */
export function openPidFile (path: string, { owner, succeeds = false }: { readonly owner?: Account, readonly succeeds?: boolean } = {}): PidFile {
  const other = readPid(path)
  if (!succeeds && other !== undefined && other !== process.pid && isSentinel(other)) throw new Error(`another Sentinel runs: process ${other}, says ${path}`)
  const open = (): number => openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644)
  let fd = open()
  if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid)
  let written = false
  const write = (): void => {
    try {
      ftruncateSync(fd)
      writeSync(fd, `${process.pid}\n`, 0)
    } catch (error) {
      throw new Error(`the pid file ${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
    written = true
  }
  return {
    write,
    takeBack () {
      if (!written || readPid(path) === process.pid) return
      const again = open() // The file of before may have no name any more.
      closeSync(fd)
      fd = again
      write()
    },
    close () {
      const now = readPid(path)
      if (now === process.pid || !written && now === undefined) {
        try {
          unlinkSync(path)
        } catch {
          ftruncateSync(fd)
        }
      }
      closeSync(fd)
    },
  }
}

function readPid (path: string): number | undefined {
  try {
    const [, pid] = /^\s*(\d{1,10})\s*$/.exec(readFileSync(path, 'latin1')) ?? []
    return pid === undefined ? undefined : Number(pid)
  } catch {
    return undefined
  }
}

/** A number is given to other programs once its process is gone: only one that is Sentinel counts. */
function isSentinel (pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')
    return words.some((word) => /(^|\/)sentinel$|\/proxy\/main\.[jt]s$/.test(word))
  } catch {
    return true // It is there, and nothing tells what it is.
  }
}
