import { chmodSync, chownSync, lstatSync, readFileSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import type { UnixSocketSettings } from './listener.ts'

/** Nobody else can connect before owner and mode are what they should be: the file is made for the process alone. `bind` makes it; closing what it gives removes it. */
export async function makeUnixSocket<T extends { close (): void }> ({ path, mode, owner, group }: UnixSocketSettings, bind: () => T): Promise<T> {
  const uid = owner === undefined ? -1 : accountId(owner, '/etc/passwd')
  const gid = group === undefined ? -1 : accountId(group, '/etc/group')
  await removeStale(path)
  const umask = process.umask(0o177)
  let bound: T
  try {
    bound = bind()
  } finally {
    process.umask(umask)
  }
  try {
    if (uid !== -1 || gid !== -1) chownSync(path, uid, gid)
    chmodSync(path, mode)
  } catch (error) {
    bound.close()
    throw error
  }
  return bound
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
