import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib'
import { collectForm, raise } from './collect.ts'
import { readJson } from './json.ts'
import type { JsonFindings } from './json.ts'
import { readMultipart } from './multipart.ts'
import type { Collector, InspectedRequest } from './request.ts'
import { xmlTexts } from './xml.ts'

export interface BodyLimits {
  /** Bytes, as they came, and after unpacking. */
  readonly maxBytes: number
  readonly maxUnpackedBytes: number
  /** A body may grow by this factor and not more; real text stays below 20. */
  readonly maxRatio: number
  /** Every file is looked at as a field is, not only for code in it. */
  readonly wholeFiles: boolean
}

/** Layers of `Content-Encoding`. */
const maxCodings = 2

const binaryTypes = new RegExp('^(?:image|audio|video|font)/|^application/(?:octet-stream|pdf|zip|gzip|x-[\\w-]*(?:tar|zip|compressed)|wasm|grpc|' +
  '(?:x-)?protobuf|vnd\\.|(?:x-)?msgpack|cbor|ocsp-request|dns-message)')

/** Hands a whole body to the collector. `truncated`: the proxy kept only its beginning. */
export function collectBody (request: InspectedRequest, body: Uint8Array, truncated: boolean, limits: BodyLimits, to: Collector): void {
  if (truncated || body.byteLength > limits.maxBytes) return raise(to, 'body-too-large')
  if (body.byteLength === 0) return
  if (request.method === 'GET' || request.method === 'HEAD') raise(to, 'body-on-get')
  const plain = decompress(Buffer.from(body.buffer, body.byteOffset, body.byteLength), all(request, 'content-encoding'), limits)
  if (plain === undefined) return raise(to, 'body-content-encoding')
  const contentType = all(request, 'content-type').join(', ')
  const text = readCharset(plain, contentType, to)
  if (text === undefined) return
  collectText(text, contentType, limits, to)
}

function collectText (text: string, contentType: string, limits: BodyLimits, to: Collector): void {
  const type = /^[^;,]*/.exec(contentType)![0].trim().toLowerCase()
  if (contentType === '') raise(to, 'body-content-type-missing')
  if (/,\s*[\w.+-]+\/[\w.+-]+/.test(contentType)) raise(to, 'body-content-type-repeated')
  if (type === 'application/x-www-form-urlencoded') return collectForm(text, 'body', to)
  if (type.startsWith('multipart/')) return collectMultipart(text, contentType, limits, to)
  if (/[/+]json$/.test(type) || type === 'text/json' || type === 'application/csp-report') return collectJson(text, to)
  if (/[/+]xml$/.test(type)) return collectXml(text, to)
  collectUnknown(text, type, to)
}

/** Text of unknown form: as it stands, and as whatever it looks like, since the application may not ask the header either. */
function collectUnknown (text: string, type: string, to: Collector): void {
  // Only what is binary indeed: a type alone would be a way around every rule.
  if (binaryTypes.test(type) && text.includes('\0')) {
    to.value('file-content', '', text)
    return
  }
  to.value('body', '', text)
  if (/^\s*[[{]/.test(text)) {
    const found = readJson(text)
    if (found.wellFormed) collectStrings(found.strings, to)
  } else if (/^\s*<[?!]?[a-z]/i.test(text)) {
    to.value('xml', '', text)
  } else if (/^[\w.[\]%+-]{1,100}=/.test(text) && !/[\n<]/.test(text)) {
    collectForm(text, 'body', to)
  }
}

function collectJson (text: string, to: Collector): void {
  const found = readJson(text)
  if (!collectStrings(found.strings, to)) return
  if (found.repeatedName) raise(to, 'body-json-repeated-name')
  if (found.outOfBounds) return raise(to, 'body-json-bounds')
  if (found.wellFormed) return
  raise(to, 'body-json-malformed')
  to.value('body', '', text)
}

function collectStrings (strings: JsonFindings['strings'], to: Collector): boolean {
  return strings.every(({ path, text, isName }) => to.value(isName ? 'args-names' : 'args', path, text))
}

function collectXml (text: string, to: Collector): void {
  to.value('xml', '', text)
  const texts = xmlTexts(text)
  if (texts === undefined) return raise(to, 'limit-values')
  for (const piece of texts) if (!to.value('args', 'xml', piece)) return
}

function collectMultipart (text: string, contentType: string, limits: BodyLimits, to: Collector): void {
  const read = readMultipart(text, contentType)
  if (read.kind !== 'parts') {
    raise(to, read.kind === 'malformed' ? 'body-multipart-malformed' : 'body-multipart-bounds')
    to.value('body', '', text)
    return
  }
  for (const part of read.parts) {
    if (!to.value('args-names', 'multipart', part.name)) return
    const { filename } = part
    if (filename !== undefined && !to.value('files', part.name, filename)) return
    if (part.contentType !== undefined && !to.value('headers', 'content-type', part.contentType)) return
    if (part.transferEncoding !== undefined && !/^(?:7bit|8bit|binary)$/i.test(part.transferEncoding)) raise(to, 'body-multipart-encoding')
    const content = decodePart(part.content, part.transferEncoding)
    // An empty file name makes a field for some readers and a file for others.
    const isField = filename === undefined || filename === '' || limits.wholeFiles
    if (!to.value(isField ? 'args' : 'file-content', part.name, content)) return
  }
}

function decodePart (content: string, encoding: string | undefined): string {
  switch (encoding?.toLowerCase()) {
    case 'base64': return Buffer.from(content, 'base64').toString('latin1')
    case 'quoted-printable':
      return content.replace(/=\r\n/g, '').replace(/=([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    default: return content
  }
}

/** Undoes `Content-Encoding` from the last coding to the first. Undefined: unknown, broken, nested too deep or too large. */
function decompress (body: Buffer, fields: readonly string[], limits: BodyLimits): Buffer | undefined {
  const codings = fields.join(',').split(',').map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'identity')
  if (codings.length > maxCodings) return undefined
  let current = body
  for (const coding of codings.reverse()) {
    const bound = Math.min(limits.maxUnpackedBytes, Math.max(Math.floor(current.byteLength * limits.maxRatio), 65536))
    const next = decompressOne(current, coding, bound)
    if (next === undefined) return undefined
    current = next
  }
  return current
}

function decompressOne (body: Buffer, coding: string, maxOutputLength: number): Buffer | undefined {
  const options = { maxOutputLength }
  try {
    switch (coding) {
      case 'gzip': case 'x-gzip': return gunzipSync(body, options)
      // RFC 9110 section 8.4.1.2: zlib format, though many send the bare deflate format. zlib's first byte is 0x?8.
      case 'deflate': return (body[0]! & 0x0f) === 8 ? inflateSync(body, options) : inflateRawSync(body, options)
      case 'br': return brotliDecompressSync(body, options)
      default: return undefined
    }
  } catch {
    return undefined
  }
}

/** The body as text: latin1 of the bytes for everything ASCII-based in UTF-8 fashion, real characters for other charsets. */
function readCharset (body: Buffer, contentType: string, to: Collector): string | undefined {
  const declared = [...contentType.matchAll(/charset\s*=\s*["']?([^\s"';,]*)/gi)].map((found) => found[1]!.toLowerCase())
  if (new Set(declared).size > 1) raise(to, 'body-content-type-repeated')
  const sniffed = sniffWide(body)
  const charset = sniffed ?? declared[0] ?? 'utf-8'
  if (/^(?:utf-?8|us-ascii|ascii|iso-8859-1|latin1|windows-1252|)$/.test(charset)) return body.toString('latin1')
  const text = decodeCharset(body, charset)
  if (text === undefined) {
    raise(to, 'body-charset')
    to.value('body', '', body.toString('latin1'))
    return undefined
  }
  if (/^utf-?(?:16|32)/.test(charset)) raise(to, 'body-charset-unusual')
  // The application may ignore the charset and read the bytes.
  to.value('body', '', body.toString('latin1'))
  return text
}

/** Byte order marks, and ASCII spread over two bytes as JSON readers detect it (RFC 4627 section 3). */
function sniffWide (body: Buffer): string | undefined {
  const [a, b, c, d] = [body[0], body[1], body[2], body[3]]
  if (a === 0xfe && b === 0xff) return 'utf-16be'
  if (a === 0xff && b === 0xfe) return 'utf-16le'
  if (a === 0 && b !== 0 && c === 0 && d !== 0 && isText(b) && isText(d)) return 'utf-16be'
  if (a !== 0 && b === 0 && c !== 0 && d === 0 && isText(a) && isText(c)) return 'utf-16le'
  return undefined
}

function isText (byte: number | undefined): boolean {
  return byte !== undefined && (byte >= 0x20 && byte < 0x7f || byte === 9 || byte === 10 || byte === 13)
}

function decodeCharset (body: Buffer, charset: string): string | undefined {
  try {
    return new TextDecoder(charset === 'utf-16' ? 'utf-16le' : charset).decode(body)
  } catch {
    return undefined
  }
}

function all (request: InspectedRequest, name: string): string[] {
  return request.headers.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value)
}
