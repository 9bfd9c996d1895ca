import { constants, readlinkSync, realpathSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { sep } from 'node:path'
import type { RunnerOptions } from './runner.ts'
import type { Settings } from './settings.ts'

/** Most of a file or an answer that a script gets. */
const mostBytes = 8 * 1024 * 1024

type Allow = Settings['allow']

/** What the operator lets scripts have, done in their place. Errors are told to the script. */
export function granting (allow: Allow): RunnerOptions['onAsk'] {
  return async ({ op, args: [first, second, third] }, store, signal) => {
    if (op === 'readFile' && typeof first === 'string') return readGranted(first, allow.read)
    if (op === 'fetch' && typeof first === 'string') return fetchGranted(first, second, allow.net, signal)
    switch (op) {
      // The store checks what it is given.
      case 'store.get': return store.get(first as string)
      case 'store.set': return store.set(first as string, second as string, storeOptions(third))
      case 'store.increment': return store.increment(first as string, storeOptions(second))
      case 'store.delete': return store.delete(first as string)
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

/** What counts is where the file really is once it is open, so that no link leads out of what is granted. */
async function readGranted (path: string, granted: Allow['read']): Promise<string> {
  const refused = new Error(`reading ${JSON.stringify(path)} is not granted: 'allow { read … }' of the agent's config says what is`)
  if (granted.length === 0) throw refused
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    throw granted.some((one) => isWithin(path, one)) ? new Error(`${JSON.stringify(path)} cannot be read (${error.code ?? 'unknown reason'})`) : refused
  })
  try {
    const real = process.platform === 'linux' ? readlinkSync(`/proc/self/fd/${file.fd}`) : realpathSync(path)
    if (!granted.some((one) => isWithin(real, realOf(one)))) throw refused
    const facts = await file.stat()
    if (!facts.isFile()) throw new Error(`${JSON.stringify(path)} is not a file`)
    if (facts.size > mostBytes) throw new Error(`${JSON.stringify(path)} is larger than ${mostBytes / 1024 / 1024} MiB`)
    return await file.readFile('utf8')
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

interface Wish {
  readonly method?: unknown
  readonly headers?: unknown
  readonly body?: unknown
}

async function fetchGranted (text: string, init: unknown, granted: Allow['net'], signal: AbortSignal): Promise<unknown> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw new Error(`fetch takes http and https addresses, not ${JSON.stringify(text.slice(0, 100))}`)
  const place = `${url.hostname}:${url.port === '' ? url.protocol === 'https:' ? 443 : 80 : url.port}`
  if (!granted.some((one) => one.toLowerCase() === place)) throw new Error(`speaking to ${place} is not granted: 'allow { net … }' of the agent's config says who is`)
  const { method, headers, body } = (typeof init === 'object' && init !== null ? init : {}) as Wish
  // A redirect could lead to somebody who is not granted: the script sees it and may follow.
  const answer = await fetch(url, {
    redirect: 'manual', signal,
    ...method === undefined ? {} : { method: wordOf(method) },
    ...typeof headers === 'object' && headers !== null ? { headers: Object.entries(headers).map(([name, value]) => [name, wordOf(value)] as [string, string]) } : {},
    ...body === undefined ? {} : { body: wordOf(body) },
  }).catch((error: unknown) => { throw new Error(`${place} did not answer: ${reasonOf(error)}`) })
  return { status: answer.status, headers: [...answer.headers].flat(), body: await bounded(answer, place) }
}

function wordOf (value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value) ?? ''
}

/** Of a failed `fetch` the cause says what happened. */
function reasonOf (error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}

async function bounded (answer: Response, place: string): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of answer.body ?? []) {
    bytes += piece.length
    if (bytes > mostBytes) throw new Error(`the answer of ${place} is longer than ${mostBytes / 1024 / 1024} MiB`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}
