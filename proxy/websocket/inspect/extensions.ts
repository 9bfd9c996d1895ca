import { Fault } from '../../pipeline/faults.ts'
import type { HeaderList } from '../../pipeline/headers.ts'

/** How one direction is compressed (RFC 7692 section 7.1). */
export interface Packing {
  /** What was sent before may be referred to. */
  readonly takeover: boolean
  /** As a power of two: how far back. */
  readonly windowBits: number
}

export interface Agreed {
  readonly fromClient: Packing
  readonly fromServer: Packing
}

const field = 'sec-websocket-extensions'
const deflate = 'permessage-deflate'

interface Extension {
  readonly name: string
  readonly params: ReadonlyMap<string, string | true>
}

/** Takes from a client's offer what could not be looked into: other extensions, and compression with parameters that nobody defined. */
export function keepReadableOffers (headers: HeaderList): void {
  const offers = offered(headers)
  if (offers.length === 0) return
  const readable = offers.filter((offer) => { const read = extensionOf(offer); return read !== undefined && packings(read) !== undefined })
  if (readable.length === offers.length) return
  headers.remove(field)
  if (readable.length > 0) headers.set('Sec-WebSocket-Extensions', readable.join(', '))
}

/** What both sides agreed on; `undefined`: nothing. Throws UPSTREAM_PROTOCOL for what nobody offered: its messages could not be read. */
export function agreedPacking (headers: HeaderList): Agreed | undefined {
  const [accepted, ...more] = offered(headers)
  if (accepted === undefined) return undefined
  const read = extensionOf(accepted)
  const packing = read === undefined || more.length > 0 ? undefined : packings(read)
  if (packing === undefined) throw new Fault('UPSTREAM_PROTOCOL', `the upstream accepts ${JSON.stringify([accepted, ...more].join(', ').slice(0, 200))}, which cannot be inspected`)
  return packing
}

function offered (headers: HeaderList): string[] {
  return headers.getAll(field).flatMap((value) => splitOutsideQuotes(value, ',')).map((offer) => offer.trim()).filter((offer) => offer !== '')
}

/** `extension-token *( ";" extension-param )` (RFC 6455 section 9.1); `undefined` when it is not that, or has a parameter twice. */
function extensionOf (text: string): Extension | undefined {
  const [name = '', ...rest] = splitOutsideQuotes(text, ';').map((part) => part.trim())
  const params = new Map<string, string | true>()
  for (const part of rest) {
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:\s*=\s*(?:"([^"\\]*)"|([!#$%&'*+\-.^_`|~0-9A-Za-z]+)))?$/.exec(part)
    if (match === null) return undefined
    const key = match[1]!.toLowerCase()
    if (params.has(key)) return undefined
    params.set(key, match[2] ?? match[3] ?? true)
  }
  return { name: name.toLowerCase(), params }
}

/** `undefined`: something else than RFC 7692 section 7.1 has. */
function packings ({ name, params }: Extension): Agreed | undefined {
  if (name !== deflate) return undefined
  const known = new Set(['server_no_context_takeover', 'client_no_context_takeover', 'server_max_window_bits', 'client_max_window_bits'])
  for (const [key, value] of params) {
    if (!known.has(key)) return undefined
    if (key.endsWith('takeover') ? value !== true : value !== true && !/^(?:[89]|1[0-5])$/.test(value)) return undefined
  }
  const side = (who: string): Packing => {
    const bits = params.get(`${who}_max_window_bits`)
    return { takeover: !params.has(`${who}_no_context_takeover`), windowBits: typeof bits === 'string' ? Number(bits) : 15 }
  }
  return { fromClient: side('client'), fromServer: side('server') }
}

function splitOutsideQuotes (text: string, separator: ',' | ';'): string[] {
  return text.match(separator === ',' ? /(?:"[^"]*"|[^,"])+/g : /(?:"[^"]*"|[^;"])+/g) ?? []
}
