/**
 * How other servers read a row of requests: written from the habits that advisories describe, not from our grammar. What leaves the proxy has to be the
 * same requests for all of them.
 */
export interface Habits {
  readonly name: string
  /** A line may end with a bare LF, or with a bare CR. */
  readonly lineEnd: RegExp
  /** A line that begins with white space goes on with the one before, or is a field of its own. */
  readonly folds: boolean
  /** `_` and other characters in a name are taken for `-`. */
  readonly aliases: boolean
  /** With both framings: which one counts. */
  readonly prefers: 'length' | 'chunked'
  /** Which of several Content-Length counts. */
  readonly takes: 'first' | 'last'
  /** What a coding must be for chunked. */
  readonly isChunked: (value: string) => boolean
  /** What ends a size, and what follows a chunk. */
  readonly sizeOf: (line: string) => number
}

export interface Seen {
  readonly method: string
  readonly target: string
  readonly body: string
}

export const otherReaders: readonly Habits[] = [
  { name: 'goes by the length, forgives line ends', lineEnd: /\r?\n/g, folds: true, aliases: false, prefers: 'length', takes: 'first', isChunked: (value) => value === 'chunked', sizeOf: (line) => Number.parseInt(line, 16) },
  { name: 'goes by the coding wherever it is named', lineEnd: /\r?\n/g, folds: false, aliases: false, prefers: 'chunked', takes: 'last', isChunked: (value) => value.toLowerCase().includes('chunked'), sizeOf: (line) => Number.parseInt(line, 16) },
  { name: 'reads names as an environment does', lineEnd: /\r\n/g, folds: true, aliases: true, prefers: 'length', takes: 'last', isChunked: (value) => value.toLowerCase().split(',').some((item) => item.trim() === 'chunked'), sizeOf: (line) => Number(`0x${line.trim().split(/[ ;]/)[0]}`) },
  { name: 'ends lines at CR as well', lineEnd: /\r\n|\r|\n/g, folds: false, aliases: true, prefers: 'chunked', takes: 'first', isChunked: (value) => value.toLowerCase().endsWith('chunked'), sizeOf: (line) => Number.parseInt(line.replace(/[^0-9a-f].*/i, ''), 16) },
]

/** The whole requests in `text`, as one of them sees them. */
export function seenBy (habits: Habits, text: string): Seen[] {
  const seen: Seen[] = []
  for (let at = 0; at < text.length;) {
    const head = headAt(habits, text, at)
    if (head === undefined) return seen
    const [method = '', target = ''] = head.lines[0]!.split(/\s+/)
    const body = bodyAt(habits, text, head.end, fieldsOf(habits, head.lines))
    if (body === undefined) return seen
    seen.push({ method, target, body: body.content })
    at = body.end
  }
  return seen
}

function lineAt ({ lineEnd }: Habits, text: string, at: number): { line: string, next: number } | undefined {
  lineEnd.lastIndex = at
  const found = lineEnd.exec(text)
  return found === null ? undefined : { line: text.slice(at, found.index), next: lineEnd.lastIndex }
}

function headAt (habits: Habits, text: string, start: number): { lines: string[], end: number } | undefined {
  const lines: string[] = []
  for (let at = start; ;) {
    const read = lineAt(habits, text, at)
    if (read === undefined) return undefined
    at = read.next
    if (read.line !== '') lines.push(read.line)
    else if (lines.length > 0) return { lines, end: at }
  }
}

function fieldsOf ({ folds, aliases }: Habits, lines: readonly string[]): Array<[name: string, value: string]> {
  const fields: Array<[string, string]> = []
  for (const line of lines.slice(1)) {
    const last = fields.at(-1)
    if (folds && last !== undefined && /^[ \t]/.test(line)) {
      last[1] += ` ${line.trim()}`
      continue
    }
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).trim().toLowerCase()
    fields.push([aliases ? name.replace(/[^a-z0-9]/g, '-') : name, line.slice(colon + 1).trim()])
  }
  return fields
}

function bodyAt (habits: Habits, text: string, at: number, fields: ReadonlyArray<[string, string]>): { content: string, end: number } | undefined {
  const lengths = fields.filter(([name]) => name === 'content-length').map(([, value]) => Number.parseInt(value, 10))
  const length = habits.takes === 'first' ? lengths[0] : lengths.at(-1)
  const chunked = fields.some(([name, value]) => name === 'transfer-encoding' && habits.isChunked(value))
  if (chunked && (length === undefined || habits.prefers === 'chunked')) return chunksAt(habits, text, at)
  if (length === undefined) return { content: '', end: at }
  return text.length < at + length ? undefined : { content: text.slice(at, at + length), end: at + length }
}

function chunksAt (habits: Habits, text: string, start: number): { content: string, end: number } | undefined {
  let content = ''
  let at = start
  for (;;) {
    const size = lineAt(habits, text, at)
    if (size === undefined) return undefined
    const octets = habits.sizeOf(size.line)
    at = size.next
    if (!(octets > 0)) break
    if (text.length < at + octets + 2) return undefined
    content += text.slice(at, at + octets)
    at += octets + 2
  }
  // Trailer fields, to the empty line.
  for (;;) {
    const read = lineAt(habits, text, at)
    if (read === undefined) return undefined
    at = read.next
    if (read.line === '') return { content, end: at }
  }
}
