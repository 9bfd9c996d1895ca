import { chmodSync, chownSync, lstatSync, readFileSync, unlinkSync } from 'node:fs'
import { connect, isIPv6, type ListenOptions, type Server } from 'node:net'
import type { UnixSocketSettings, ListenerSettings } from './listener.ts'

type Binding = Pick<ListenerSettings, 'host' | 'port' | 'unix' | 'backlog' | 'ipv6Only' | 'reusePort'>

/** Binds the server and gives the address as it came to be. Rejects with the system's error. */
export async function bind (server: Server, { host, port, unix, backlog = 1024, ipv6Only = false, reusePort = false }: Binding): Promise<string> {
  if (unix !== undefined) return bindUnix(server, unix, backlog)
  // Types of Node.js 20 know nothing of reusePort: the configuration asks for it only where it exists.
  const options: ListenOptions & { reusePort?: boolean } = { host, port, backlog, ...isIPv6(host) ? { ipv6Only } : {}, ...reusePort ? { reusePort } : {} }
  await listening(server, options)
  const bound = server.address()
  if (bound === null || typeof bound === 'string') return ''
  return bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`
}

function listening (server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Nobody else can connect before owner and mode are what they should be: the file is made for the process alone. Closing the server removes it. */
async function bindUnix (server: Server, { path, mode, owner, group }: UnixSocketSettings, backlog: number): Promise<string> {
  const uid = owner === undefined ? -1 : accountId(owner, '/etc/passwd')
  const gid = group === undefined ? -1 : accountId(group, '/etc/group')
  await removeStale(path)
  const umask = process.umask(0o177)
  let bound: Promise<void>
  try {
    bound = listening(server, { path, backlog }) // The file is there when this returns.
  } finally {
    process.umask(umask)
  }
  await bound
  try {
    if (uid !== -1 || gid !== -1) chownSync(path, uid, gid)
    chmodSync(path, mode)
  } catch (error) {
    server.close()
    throw error
  }
  return `unix:${path}`
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
