/** One part of `multipart/form-data`; strings are latin1. */
export interface Part {
  readonly name: string
  /** Undefined for an ordinary field. */
  readonly filename: string | undefined
  readonly contentType: string | undefined
  /** The part says its content is encoded (base64, quoted-printable): not allowed any more (RFC 7578 section 4.7). */
  readonly transferEncoding: string | undefined
  readonly head: string
  readonly content: string
}

export type Multipart =
  | { readonly kind: 'parts', readonly parts: readonly Part[] }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'out-of-bounds' }

const maxParts = 1000
const maxPartHead = 8192

/**
 * Strict reading of RFC 7578 and RFC 2046 section 5.1. Anything that two readers may take differently (text before the
 * first or behind the last boundary, bare line feeds, folded or repeated part headers, missing names, no end) is
 * `malformed`, because an attack hides where readers differ.
 */
export function readMultipart (body: string, contentType: string): Multipart {
  const boundary = boundaryOf(contentType)
  if (boundary === undefined) return { kind: 'malformed' }
  const delimiter = `--${boundary}`
  if (!body.startsWith(delimiter)) return { kind: 'malformed' }
  const parts: Part[] = []
  let at = delimiter.length
  for (;;) {
    if (body.startsWith('--', at)) return isEpilogue(body.slice(at + 2)) ? { kind: 'parts', parts } : { kind: 'malformed' }
    if (!body.startsWith('\r\n', at)) return { kind: 'malformed' }
    if (parts.length >= maxParts) return { kind: 'out-of-bounds' }
    const start = at + 2
    const end = body.indexOf(`\r\n${delimiter}`, start - 2)
    if (end < 0) return { kind: 'malformed' }
    const part = readPart(body.slice(start, Math.max(start, end)))
    if (typeof part === 'string') return { kind: part }
    // A line feed alone before the boundary ends the part for lenient readers, and the rest is another part for them.
    if (part.content.includes(`\n${delimiter}`)) return { kind: 'malformed' }
    parts.push(part)
    at = end + 2 + delimiter.length
  }
}

/** One boundary parameter with the characters of RFC 2046; two, or none, are refused. */
function boundaryOf (contentType: string): string | undefined {
  const found = /;[ \t]*boundary=(?:"([0-9A-Za-z'()+_,\-./:=? ]{1,70})"|([0-9A-Za-z'+_\-.]{1,70}))[ \t]*(?:;[ \t]*charset=["\w-]{1,40}[ \t]*)?$/i.exec(contentType)
  if (found === null || /boundary/i.test(contentType.slice(0, found.index))) return undefined
  return found[1] ?? found[2]
}

function isEpilogue (rest: string): boolean {
  return rest === '' || rest === '\r\n'
}

function readPart (text: string): Part | 'malformed' | 'out-of-bounds' {
  const blank = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n')
  if (blank < 0) return 'malformed'
  if (blank > maxPartHead) return 'out-of-bounds'
  const head = text.slice(0, blank)
  const fields = new Map<string, string>()
  for (const line of head.split('\r\n')) {
    const field = /^([A-Za-z-]{1,64}):[ \t]*([^\r\n\0]*)$/.exec(line)
    if (field === null || fields.has(field[1]!.toLowerCase())) return 'malformed'
    fields.set(field[1]!.toLowerCase(), field[2]!.trimEnd())
  }
  const disposition = readDisposition(fields.get('content-disposition') ?? '')
  if (disposition === undefined) return 'malformed'
  return {
    ...disposition,
    contentType: fields.get('content-type'),
    transferEncoding: fields.get('content-transfer-encoding'),
    head,
    content: text.slice(blank + 4)
  }
}

/** `form-data; name="…"; filename="…"`, each at most once. `filename*` must not be used in forms (RFC 7578 section 4.2). */
function readDisposition (value: string): { name: string, filename: string | undefined } | undefined {
  const type = /^form-data[ \t]*(?=;)/i.exec(value)
  if (type === null) return undefined
  let name: string | undefined
  let filename: string | undefined
  const parameter = /;[ \t]*(name|filename)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,=\\]+))[ \t]*/iy
  parameter.lastIndex = type[0].length
  while (parameter.lastIndex < value.length) {
    const found = parameter.exec(value)
    if (found === null) return undefined
    const text = found[2] ?? found[3] ?? ''
    if (found[1]!.toLowerCase() === 'name') {
      if (name !== undefined) return undefined
      name = text
    } else {
      if (filename !== undefined) return undefined
      filename = text
    }
  }
  return name === undefined ? undefined : { name, filename }
}
