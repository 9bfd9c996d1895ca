import { chmodSync, chownSync, lstatSync, readFileSync, renameSync, rmSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import type { UnixSocketSettings } from './listener.ts'

/**
 * The file is made under another name, for the process alone, and gets its own when owner and mode are what they should be. Node.js removes
 * the file of a name that it has bound when that is closed: it must not be the one that a successor serves.
 */
export async function makeUnixSocket<T extends { close (): void }> (unix: UnixSocketSettings, bind: (path: string) => T): Promise<T> {
  const { path } = unix
  ownersOf(unix)
  await removeStale(path)
  const early = join(dirname(path), `.${process.pid.toString(36)}`)
  rmSync(early, { force: true }) // A process of the same number may have left it.
  const umask = process.umask(0o177)
  let bound: T
  try {
    bound = bind(early)
  } finally {
    process.umask(umask)
  }
  try {
    give(early, unix)
    renameSync(early, path)
  } catch (error) {
    bound.close()
    throw error
  }
  return bound
}

/** Lets those use the file who may. Throws what the system says. */
export function give (file: string, unix: UnixSocketSettings): void {
  const { uid, gid } = ownersOf(unix)
  if (uid !== -1 || gid !== -1) chownSync(file, uid, gid)
  chmodSync(file, unix.mode)
}

function ownersOf ({ owner, group }: UnixSocketSettings): { readonly uid: number, readonly gid: number } {
  return {
    uid: owner === undefined ? -1 : accountId(owner, '/etc/passwd'),
    gid: group === undefined ? -1 : accountId(group, '/etc/group'),
  }
}

/** A number, or a name that the system's own files know. */
function accountId (name: string, file: string): number {
  if (/^\d{1,10}$/.test(name)) return Number(name)
  const line = readFileSync(file, 'utf8').split('\n').find((candidate) => candidate.startsWith(`${name}:`))
  const id = Number(line?.split(':')[2])
  if (line === undefined || !Number.isInteger(id)) throw new Error(`'${name}' is not in ${file}`)
  return id
}

/** What a process left behind that did not get to remove it. */
async function removeStale (path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw new Error(`${path} exists and is not a socket; it is left alone`)
  if (await isAnswered(path)) throw new Error(`another process answers on ${path}`)
  unlinkSync(path)
}

/** Only a refused connection tells that nobody is there; a process that is slow or out of descriptors still owns its socket. */
function isAnswered (path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    const done = (answered: boolean): void => {
      probe.destroy()
      resolve(answered)
    }
    probe.setTimeout(1_000, () => done(true))
    probe.once('connect', () => done(true))
    probe.once('error', (error: NodeJS.ErrnoException) => done(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'))
  })
}
