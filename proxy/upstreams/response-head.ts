import { HeaderList } from '../pipeline/headers.ts'

export interface ResponseHead {
  /** As received, without the fields that end at this hop. */
  readonly headers: HeaderList
  /** Value of Content-Length. */
  readonly length: number | undefined
}

/** Fields that belong to the connection (RFC 9110 section 7.6.1) or to framing. */
const dropped: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade', 'transfer-encoding', 'content-length', 'proxy-authenticate', 'http2-settings',
])

/** Reads `[name, value, …]` as bytes. Gives the reason when the head is not one the proxy can pass on. */
export function readResponseHead (raw: readonly Buffer[]): ResponseHead | string {
  const fields: string[] = []
  let length: number | undefined
  let named: Set<string> | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toString('latin1')
    const value = trimmed(raw[i + 1]!.toString('latin1'))
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) return `control character in ${name}`
    const lower = name.toLowerCase()
    if (dropped.has(lower)) {
      if (lower === 'connection') named = new Set([...named ?? [], ...connectionNames(value)])
      if (lower === 'content-length') {
        if (!/^\d{1,15}$/.test(value)) return `Content-Length ${value.slice(0, 40)}`
        length = Number(value)
      }
      if (lower === 'transfer-encoding' && value.toLowerCase() !== 'chunked') return `Transfer-Encoding ${value.slice(0, 40)}`
      continue
    }
    fields.push(name, value)
  }
  const headers = new HeaderList(fields)
  if (named !== undefined && named.size > 0) headers.removeIf((name) => named.has(name.toLowerCase()))
  return { headers, length }
}

/** Names that `Connection` takes down with it. Options that are no field names do no harm here. */
function connectionNames (value: string): string[] {
  return value.split(',').map((name) => name.trim().toLowerCase()).filter((name) => name !== '' && name !== 'keep-alive' && name !== 'close')
}

/** Trailing white space is not part of the value (RFC 9112 section 5.1); the parser takes off only what comes before. */
function trimmed (value: string): string {
  const last = value.charCodeAt(value.length - 1)
  return last === 0x20 || last === 0x09 ? value.replace(/[ \t]+$/, '') : value
}
