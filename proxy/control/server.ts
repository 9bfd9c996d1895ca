import { chmodSync, chownSync, lstatSync, readlinkSync, renameSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { longestPurge, type Purge } from '../pipeline/kept-answers.ts'
import type { Operations } from './operations.ts'
import { recordTermsOf, tailFilterOf, TailStreams } from './tail-stream.ts'

export interface ControlLog {
  info (message: string, facts?: Readonly<Record<string, unknown>>): void
  error (message: string, facts?: Readonly<Record<string, unknown>>): void
}

export interface ControlSettings {
  /** Where the socket is made. */
  readonly path: string
  /** Where everybody looks, in a folder of its own that goes with it: a link to `path`, when that is another place. */
  readonly alsoAt?: string
  /** Whose it is to be; that of the process without it. */
  readonly owner?: { readonly uid: number, readonly gid: number }
  /** The process that has it now hands over to this one. */
  readonly succeeds?: boolean
  /** `undefined` as long as the proxy is not ready for commands. */
  readonly operations: () => Operations | undefined
  readonly log: ControlLog
}

export interface Control {
  readonly path: string
  /** A successor that came to nothing may have had the place: it is this process that is found there from now on. Rejects with what is in the way. */
  takeBack (): Promise<void>
  /** A successor is found at the place: those who look on are told, and look on there as well. */
  handedOver (): void
  /** Answers that are under way go out; then the socket is gone, unless a successor has it. */
  close (): Promise<void>
}

/** The address of the socket as the system takes it, less the ending that it is made under. */
const longestPath = 95
const maxBodyBytes = 16 * 1024

/** Opens the socket for the commands of the operator. Rejects with a sentence when somebody else answers there, or when it cannot be made. */
export async function openControl (settings: ControlSettings): Promise<Control> {
  const { path, alsoAt, owner, operations, log } = settings
  if (Buffer.byteLength(path) > longestPath) throw new Error(`the path of the control socket is longer than ${longestPath} bytes: ${path}`)
  if (settings.succeeds !== true) await refuseToShare(path)
  const tails = new TailStreams()
  const servers: Server[] = []
  let inode = 0
  const open = async (): Promise<void> => {
    const server = createServer({ maxHeaderSize: 8 * 1024, headersTimeout: 5_000, requestTimeout: 5_000, keepAliveTimeout: 1_000 }, (request, response) => {
      if (request.url === '/tail' || request.url === '/record') void beginTail(request, response, { operations: operations(), log }, tails)
      else void answer(request, response, operations, log)
    })
    server.maxConnections = 16
    // Made beside and put in place at once: there is never a moment without, and its owner never finds it with another mode.
    const making = `${path}.${process.pid}`
    await listen(server, making)
    try {
      chmodSync(making, 0o600)
      if (owner !== undefined) chownSync(making, owner.uid, owner.gid)
      renameSync(making, path)
      if (alsoAt !== undefined && alsoAt !== path) link(path, alsoAt)
    } catch (error) {
      server.close()
      throw error
    }
    inode = lstatSync(path).ino
    servers.push(server)
  }
  const isFound = (): boolean => isStill(path, inode) && (alsoAt === undefined || alsoAt === path || leadsTo(alsoAt, path))
  await open()
  return {
    path,
    takeBack: async () => { if (!isFound()) await open() },
    handedOver: () => tails.handedOver(),
    async close () {
      tails.close()
      if (isStill(path, inode)) {
        if (alsoAt !== undefined && (alsoAt === path || leadsTo(alsoAt, path))) removeQuietly(alsoAt, true)
        removeQuietly(path)
      }
      await Promise.all(servers.map(close))
    },
  }
}

/** What a process left behind that did not get to remove it is in nobody's way. */
async function refuseToShare (path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw new Error(`${path} exists and is not a socket; it is left alone`)
  if (await isAnswered(path)) {
    throw new Error(`another Sentinel runs on this configuration: it answers on ${path}. Stop it first (sentinel stop), or give this one a place of its own with system { control-socket "…" }`)
  }
}

function isAnswered (path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    const done = (answered: boolean): void => {
      probe.destroy()
      resolve(answered)
    }
    probe.setTimeout(1_000, () => done(true))
    probe.once('connect', () => done(true))
    probe.once('error', ({ code }: NodeJS.ErrnoException) => done(code !== 'ECONNREFUSED' && code !== 'ENOENT'))
  })
}

function listen (server: Server, path: string): Promise<void> {
  removeQuietly(path) // Of a process that had this number before.
  const umask = process.umask(0o177)
  try {
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, () => {
        server.off('error', reject)
        server.on('error', () => {}) // Descriptors ran out: the next one may be accepted again.
        resolve()
      })
    })
  } finally {
    process.umask(umask) // The file is there when `listen` returns.
  }
}

/** The place is in a folder of our own: what stands there is an older link, or an older socket. */
function link (to: string, at: string): void {
  const making = `${at}.${process.pid}`
  removeQuietly(making)
  symlinkSync(to, making)
  renameSync(making, at)
}

function leadsTo (at: string, path: string): boolean {
  try {
    return readlinkSync(at) === path
  } catch {
    return false
  }
}

function isStill (path: string, ino: number): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.ino === ino
}

function removeQuietly (path: string, withFolder = false): void {
  try {
    unlinkSync(path)
    if (withFolder) rmdirSync(dirname(path))
  } catch {
    // It is gone already, or in a folder that is no longer ours to change: the next start takes its place.
  }
}

/** Answers under way are finished; what then still hangs on is cut off after a second. */
function close (server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), 1_000)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}

interface Answer {
  readonly status: number
  readonly body: object
}

async function answer (request: IncomingMessage, response: ServerResponse, operations: ControlSettings['operations'], log: ControlLog): Promise<void> {
  let found: Answer
  try {
    found = await answerTo(request, operations, log)
  } catch (error) {
    log.error('a command failed', { code: 'INTERNAL', path: request.url, error })
    found = refused(500, 'the command failed; the log says why')
  }
  say(response, found)
}

function say (response: ServerResponse, found: Answer): void {
  const bytes = Buffer.from(`${JSON.stringify(found.body)}\n`)
  // Whoever asked may have left meanwhile: what was asked for is done all the same.
  response.on('error', () => {})
  response.writeHead(found.status, { 'content-type': 'application/json', 'content-length': bytes.length, connection: 'close' })
  response.end(bytes)
}

interface Asked {
  readonly operations: Operations | undefined
  readonly log: ControlLog
}

async function beginTail (request: IncomingMessage, response: ServerResponse, { operations, log }: Asked, tails: TailStreams): Promise<void> {
  try {
    const word = request.url === '/record' ? 'record' : 'tail'
    if (request.method !== 'POST') return say(response, refused(405, `/${word} is asked for with POST`))
    if (operations === undefined) return say(response, refused(503, 'the proxy is starting or stopping'))
    const body = await bodyOf(request) ?? { routes: '' }
    const filter = tailFilterOf(body)
    const record = word === 'record' ? recordTermsOf(body) : undefined
    if (word === 'record' && record === undefined) return say(response, refused(400, 'give bodies and unredacted, true or false each, and max_body_bytes'))
    if (filter === undefined) return say(response, refused(400, 'give lists of routes, statuses, agents, ips, methods, paths, or none'))
    if (tails.full) return say(response, refused(503, 'as many look on already as may'))
    tails.begin(response, { ...filter, ...record === undefined ? {} : { record } }, operations)
    // Who looks at what others do is to be known.
    log.info(`asked for: ${word}`, { event: 'command', ...filter, ...record })
  } catch (error) {
    say(response, refused(400, error instanceof Error ? error.message : String(error)))
  }
}

type Work = (operations: Operations, body: Readonly<Record<string, unknown>>) => Promise<Answer> | Answer

const paths: Readonly<Record<string, { readonly method: 'GET' | 'POST', readonly work: Work }>> = {
  '/status': { method: 'GET', work: (operations) => ({ status: 200, body: operations.status() }) },
  '/agents': { method: 'GET', work: async (operations) => ({ status: 200, body: { agents: await operations.agents() } }) },
  '/plan': { method: 'GET', work: async (operations) => outcome(await operations.plan()) },
  '/reload': { method: 'POST', work: async (operations) => outcome(await operations.reload()) },
  '/drain': { method: 'POST', work: (operations, body) => drained(operations, body, true) },
  '/undrain': { method: 'POST', work: (operations, body) => drained(operations, body, false) },
  '/cache': { method: 'GET', work: async (operations) => ({ status: 200, body: await operations.answers.facts() }) },
  '/cache/purge': { method: 'POST', work: purged },
  '/upgrade': {
    method: 'POST',
    async work (operations) {
      try {
        return { status: 200, body: { ok: true, ...await operations.upgrade() } }
      } catch (error) {
        return refused(409, error instanceof Error ? error.message : String(error))
      }
    },
  },
  '/stop': {
    method: 'POST',
    async work (operations, { now }) {
      await operations.stop(now === true)
      return { status: 200, body: { ok: true } }
    },
  },
}

async function answerTo (request: IncomingMessage, ready: ControlSettings['operations'], log: ControlLog): Promise<Answer> {
  const path = request.url?.split('?', 1)[0] ?? ''
  const found = Object.hasOwn(paths, path) ? paths[path] : undefined
  if (found === undefined) return refused(404, `nothing is here; there are: ${Object.entries(paths).map(([name, { method }]) => `${method} ${name}`).join(', ')}, POST /tail, POST /record`)
  if (request.method !== found.method) return refused(405, `${path} is asked for with ${found.method}`)
  const operations = ready()
  if (operations === undefined) return refused(503, 'the proxy is starting or stopping')
  const body = await bodyOf(request)
  if (body === undefined) return refused(400, `the body must be a JSON object of at most ${maxBodyBytes} bytes`)
  if (found.method === 'POST') log.info(`asked for: ${path.slice(1)}`, { event: 'command', ...body })
  return found.work(operations, body)
}

async function bodyOf (request: IncomingMessage): Promise<Record<string, unknown> | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBodyBytes) return undefined
    chunks.push(chunk)
  }
  if (bytes === 0) return {}
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function drained (operations: Operations, { upstream, target }: Readonly<Record<string, unknown>>, on: boolean): Answer {
  if (typeof upstream !== 'string' || typeof target !== 'string') return refused(400, 'give upstream and target: {"upstream":"app","target":"10.0.0.1:8080"}')
  return operations.drain(upstream, target, on) ? { status: 200, body: { ok: true } } : refused(404, `there is no target '${target}' in an upstream '${upstream}'`)
}

const waysToPurge: ReadonlySet<unknown> = new Set<Purge['by']>(['url', 'prefix', 'glob', 'tag', 'all'])

async function purged ({ answers }: Operations, { by, value, host }: Readonly<Record<string, unknown>>): Promise<Answer> {
  const isPath = by === 'url' || by === 'prefix' || by === 'glob'
  if (!waysToPurge.has(by) || typeof value !== 'string' || host !== undefined && typeof host !== 'string') {
    return refused(400, 'give by, value and perhaps host: {"by":"prefix","value":"/shop","host":"a.example"}; by is one of url, prefix, glob, tag, all')
  }
  if (isPath && !value.startsWith('/') || value.length > longestPurge) return refused(400, `a path begins with "/", and nothing longer than ${longestPurge} characters is looked for`)
  const what: Purge = { by: by as Purge['by'], value, ...host === undefined ? {} : { host } } // One of the five: see above.
  return { status: 200, body: { ok: true, ...await answers.purge(what) } }
}

function outcome (body: { readonly ok: boolean }): Answer {
  return { status: body.ok ? 200 : 422, body }
}

function refused (status: number, error: string): Answer {
  return { status, body: { ok: false, error } }
}
