import { lstat, mkdir, unlink } from 'node:fs/promises'
import { statSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'

/** A socket file that this process made. */
export interface OwnedSocket {
  /** Removes the file, unless somebody else has put another one there. */
  remove (): void
}

/**
 * Runs `bind` so that only this user can ever connect to the socket it makes at `path`: the mode is set by umask before there is a
 * file, because one that is changed afterwards could be opened in between. A file that is there already is replaced only when it is a
 * socket on which nobody answers.
 */
export async function bindSocket (path: string, bind: () => Promise<void>): Promise<OwnedSocket> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await removeStale(path)
  const umask = process.umask(0o177)
  try {
    await bind()
  } finally {
    process.umask(umask)
  }
  const { ino, dev } = statSync(path)
  return {
    remove () {
      try {
        const now = statSync(path)
        if (now.ino === ino && now.dev === dev) unlinkSync(path)
      } catch {
        // Gone already: closing a server removes its socket too.
      }
    },
  }
}

async function removeStale (path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return
  if (!found.isSocket()) throw new Error(`${path} exists and is not a socket; it is left alone`)
  if (await isAnswered(path)) throw new Error(`another process answers on ${path}`)
  await unlink(path)
}

/** Only a refused connection tells that nobody is there; a process that is slow or out of descriptors still owns its socket. */
function isAnswered (path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    const done = (answered: boolean): void => {
      probe.destroy()
      resolve(answered)
    }
    probe.setTimeout(1000, () => done(true))
    probe.once('connect', () => done(true))
    probe.once('error', (error: NodeJS.ErrnoException) => done(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'))
  })
}
