import { constants, readlinkSync, realpathSync } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import type { Given, RunnerOptions } from './runner.ts'
import type { Settings } from './settings.ts'

/** Most of a file or an answer that a script gets. */
const mostBytes = 8 * 1024 * 1024
const mostFields = 128

type Allow = Settings['allow']

/** What the operator lets scripts have, done in their place. Errors are told to the script. */
export function granting (allow: Allow): RunnerOptions['onAsk'] {
  return async ({ op, args: [first, second, third] }, { store, signal, hold }) => {
    if (op === 'readFile' && typeof first === 'string') return { content: await readGranted(first, allow.read, hold) }
    if (op === 'fetch' && typeof first === 'string') return fetchGranted(first, second, allow.net, { signal, hold })
    switch (op) {
      // The store checks what it is given.
      case 'store.get': return { value: await store.get(first as string) }
      case 'store.set': return { value: await store.set(first as string, second as string, storeOptions(third)) }
      case 'store.increment': return { value: await store.increment(first as string, storeOptions(second)) }
      case 'store.delete': return { value: await store.delete(first as string) }
    }
    throw new Error(`there is no '${String(op).slice(0, 40)}' here`)
  }
}

function storeOptions (given: unknown): { ttlMs?: number, by?: number } {
  if (typeof given !== 'object' || given === null) throw new TypeError('options of the store are an object')
  return given
}

/** The variables that are granted and there. */
export function grantedEnv (allow: Allow, env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(allow.env.flatMap((name) => env[name] === undefined ? [] : [[name, env[name]]]))
}

type Hold = (bytes: number) => void

/**
 * What counts is where the file really is once it is open, so that no link leads out of what is granted. What lies outside is not even opened:
 * opening alone is a deed with pipes and devices.
 */
async function readGranted (path: string, granted: Allow['read'], hold: Hold): Promise<Buffer> {
  const shown = JSON.stringify(path.slice(0, 200))
  const refused = new Error(`reading ${shown} is not granted: 'allow { read … }' of the agent's config says what is`)
  const places = granted.map(realOf)
  const isGranted = (real: string): boolean => places.some((place) => isWithin(real, place))
  const unreadable = (error: NodeJS.ErrnoException): Error =>
    granted.some((one) => isWithin(resolve(path), resolve(one))) ? new Error(`${shown} cannot be read (${error.code ?? 'unknown reason'})`) : refused
  if (granted.length === 0) throw refused
  const real = await realpath(path).catch((error: NodeJS.ErrnoException) => { throw unreadable(error) })
  if (!isGranted(real)) throw refused
  const file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => { throw unreadable(error) })
  try {
    if (!isGranted(process.platform === 'linux' ? readlinkSync(`/proc/self/fd/${file.fd}`) : realpathSync(path))) throw refused
    const facts = await file.stat()
    if (!facts.isFile()) throw new Error(`${shown} is not a file`)
    const tooLarge = new Error(`${shown} is larger than ${mostBytes / 1024 / 1024} MiB`)
    if (facts.size > mostBytes) throw tooLarge
    hold(facts.size)
    const content = await file.readFile()
    // It may have grown; and the kernel's own files have no size before they are read.
    if (content.length > mostBytes) throw tooLarge
    if (content.length > facts.size) hold(content.length - facts.size)
    return content
  } finally {
    await file.close()
  }
}

function realOf (path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function isWithin (path: string, granted: string): boolean {
  return path === granted || path.startsWith(granted.endsWith(sep) ? granted : granted + sep)
}

/** Host and port as addresses have them: one spelling of each IPv6 address, lower case. */
function placeOf (granted: string): string | undefined {
  const cut = granted.lastIndexOf(':')
  const address = `http://${granted.slice(0, cut)}`
  return URL.canParse(address) ? `${new URL(address).hostname}:${Number(granted.slice(cut + 1))}` : undefined
}

interface Wish {
  readonly method?: unknown
  readonly headers?: unknown
  readonly body?: unknown
}

interface Around {
  readonly signal: AbortSignal
  readonly hold: Hold
}

async function fetchGranted (text: string, init: unknown, granted: Allow['net'], { signal, hold }: Around): Promise<Given> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw new Error(`fetch takes http and https addresses, not ${JSON.stringify(text.slice(0, 100))}`)
  const place = `${url.hostname}:${url.port === '' ? url.protocol === 'https:' ? 443 : 80 : url.port}`
  if (!granted.some((one) => placeOf(one) === place)) {
    throw new Error(`speaking to ${place} is not granted: 'allow { net … }' of the agent's config says who is`)
  }
  const { method, headers, body } = (typeof init === 'object' && init !== null ? init : {}) as Wish
  if (Array.isArray(headers)) throw new Error('headers of fetch are an object: { name: value }')
  const given = typeof headers === 'object' && headers !== null ? headers : {}
  // All calls wait while they are read.
  if (Object.keys(given).length > mostFields) throw new Error(`fetch takes up to ${mostFields} header fields`)
  const fields = Object.entries(given)
  // Behind one address stand the sites of many: the grant is for this one.
  if (fields.some(([name]) => name.toLowerCase() === 'host')) throw new Error('fetch takes no host field: it is the host of the address')
  // A redirect could lead to somebody who is not granted: the script sees it and may follow.
  const answer = await fetch(url, {
    redirect: 'manual', signal,
    ...method === undefined ? {} : { method: wordOf(method) },
    headers: fields.map(([name, value]) => [name, wordOf(value)] as [string, string]),
    ...body === undefined ? {} : { body: wordOf(body) },
  }).catch((error: unknown) => { throw failed(error, place) })
  return { value: { status: answer.status, headers: [...answer.headers].flat() }, content: await bounded(answer, place, hold) }
}

function wordOf (value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value) ?? ''
}

/** Of a connection that failed the cause says what happened. Without one nobody was spoken to: it was not to be sent. */
function failed (error: unknown, place: string): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  return new Error(error.cause instanceof Error ? `${place} did not answer: ${error.cause.message}` : `fetch: ${error.message}`)
}

async function bounded (answer: Response, place: string, hold: Hold): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of answer.body ?? []) {
    bytes += piece.length
    if (bytes > mostBytes) throw new Error(`the answer of ${place} is longer than ${mostBytes / 1024 / 1024} MiB`)
    hold(piece.length)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
