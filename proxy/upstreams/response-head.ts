import { HeaderList, listItems } from '../pipeline/headers.ts'

export interface ResponseHead {
  /** As received, without the fields that end at this hop. */
  readonly headers: HeaderList
  /** Value of Content-Length. */
  readonly length: number | undefined
  readonly chunked: boolean
  /** What `Connection` says about its future; without a word the version decides. */
  readonly persistent: boolean
  /** How long the target keeps the connection while nobody uses it, when it says so. */
  readonly keepAliveMs: number | undefined
  /** The connection becomes what `Upgrade` says, in lower case. */
  readonly upgrade: string | undefined
}

/** Fields that belong to the connection (RFC 9110 section 7.6.1) or to framing. */
const dropped: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade', 'transfer-encoding', 'content-length', 'proxy-authenticate', 'http2-settings',
])

/** Only names of these lengths are worth lower-casing. */
const droppedLengths: ReadonlySet<number> = new Set([...dropped].map((name) => name.length))

/** `fields` (`[name, value, …]`) are taken over. Gives the reason when the head is not one the proxy can pass on. */
export function readResponseHead (fields: string[], version: '1.0' | '1.1'): ResponseHead | string {
  const found: Found = { connection: undefined, keepAlive: undefined, length: undefined, coding: undefined, upgrade: undefined }
  let kept = 0
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    const value = fields[i + 1]!
    const lower = droppedLengths.has(name.length) ? name.toLowerCase() : ''
    if (dropped.has(lower)) {
      const wrong = note(found, lower, value)
      if (wrong !== undefined) return wrong
      continue
    }
    fields[kept++] = name
    fields[kept++] = value
  }
  fields.length = kept
  const { connection, length, coding } = found
  if (coding !== undefined && length !== undefined) return 'Content-Length beside Transfer-Encoding'
  if (coding !== undefined && version === '1.0') return 'Transfer-Encoding in HTTP/1.0'
  const headers = new HeaderList(fields)
  const named = connection?.filter((option) => option !== 'keep-alive' && option !== 'close')
  if (named !== undefined && named.length > 0) headers.removeIf((name) => named.includes(name.toLowerCase()))
  const persistent = version === '1.1' ? connection?.includes('close') !== true : connection?.includes('keep-alive') === true && !connection.includes('close')
  const upgrade = connection?.includes('upgrade') === true ? found.upgrade : undefined
  return { headers, length, chunked: coding !== undefined, persistent, keepAliveMs: keepAliveMs(found.keepAlive), upgrade }
}

interface Found {
  connection: readonly string[] | undefined
  keepAlive: string | undefined
  length: number | undefined
  coding: string | undefined
  upgrade: string | undefined
}

function note (found: Found, name: string, value: string): string | undefined {
  switch (name) {
    case 'connection':
      found.connection = found.connection === undefined ? optionsOf(value) : [...found.connection, ...optionsOf(value)]
      return undefined
    case 'keep-alive':
      found.keepAlive = value
      return undefined
    case 'upgrade':
      found.upgrade = found.upgrade === undefined ? value.toLowerCase() : `${found.upgrade},${value.toLowerCase()}`
      return undefined
    case 'content-length':
      if (found.length !== undefined) return 'more than one Content-Length'
      if (!/^\d{1,15}$/.test(value)) return `Content-Length ${JSON.stringify(value.slice(0, 40))}`
      found.length = Number(value)
      return undefined
    case 'transfer-encoding':
      if (found.coding !== undefined) return 'more than one Transfer-Encoding'
      // Any other coding would reach the client without its name, because chunked is taken off here.
      if (value.toLowerCase() !== 'chunked') return `Transfer-Encoding ${JSON.stringify(value.slice(0, 40))}`
      found.coding = value
      return undefined
  }
  return undefined
}

/** What nearly every answer says needs no reading. */
function optionsOf (connection: string): readonly string[] {
  return connection === 'keep-alive' ? keepAliveAlone : listItems(connection)
}

const keepAliveAlone: readonly string[] = ['keep-alive']

function keepAliveMs (value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const seconds = /(?:^|[\s,;])timeout\s*=\s*"?(\d{1,9})/i.exec(value)?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1_000
}
