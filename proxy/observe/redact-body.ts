import { isCredentialName } from '../../config/schema/sensitive.ts'
import type { PlainJson } from '../../proto/message-json.ts'
import { REDACTED, redactQuery, redactUrl, scrubText } from './redact.ts'

/** Deeper ones are nothing that somebody sends in earnest. */
const deepest = 200
/** JSON in strings of JSON, as arguments of tools are; parts in parts. */
const deepestText = 4

/**
 * A body without the values of fields whose names say that they are secret: JSON, lines of it, event streams, forms, parts of forms and markup; any other text
 * without what looks like a credential. `undefined` when it is none of those and looks as if it were, so that nobody can say what is in it.
 */
export function redactBody (text: string, inside = 0): string | undefined {
  // Some put a mark of byte order before it, which JSON does not know.
  const start = /^\ufeff?\s*/.exec(text)![0].length // Matches everything.
  const first = text[start]
  if (first === '{' || first === '[' || first === '"') return redactDocuments(text, start)
  if (/^--(?!---BEGIN )/.test(text)) return inside < deepestText ? redactParts(text, inside + 1) : undefined
  if (first === '<') return redactMarkup(text)
  if (/^(?:data|event|id|retry)?:/.test(text)) return redactEvents(text)
  // A form has no spaces; a new line at the end comes from files.
  const form = text.trimEnd()
  if (/^[^\s=&]{1,128}=/.test(form) && !/\s/.test(form)) return redactQuery(form) + text.slice(form.length)
  return redactText(text)
}

/** Names and values in lines: fields of HTTP, settings, dumps of a request. */
const fieldLine = /\b((?:[\w]{0,20}-)?authorization|(?:set-)?cookie)(["']?[=:](?![ \t"']{0,3}(?:bearer|basic|digest|negotiate)[ \t]{1,4}\[redacted\])[ \t"']{0,3})[^\r\n"']{1,4096}/gi
const otherPair = /(^|[\s,;&{(])(["']?)([\w.-]{1,64})\2([=:][ \t]{0,3})(["']?)[^\s"'&,;})]{1,4096}/g

/** Running text, or the value of a field. */
export function redactText (text: string): string {
  let out = scrubText(text)
  if (/authorization|cookie/i.test(out)) out = out.replace(fieldLine, `$1$2${REDACTED}`)
  return out.replace(otherPair, (all, before: string, quote: string, name: string, between: string, open: string) =>
    isCredentialName(name) && !all.endsWith(REDACTED) && !/(?:bearer|basic|digest|negotiate)$/i.test(all) ? `${before}${quote}${name}${quote}${between}${open}${REDACTED}` : all)
}

/** One document, or one on each line. */
function redactDocuments (text: string, start: number): string | undefined {
  const one = redactDocument(text.slice(start))
  if (one !== undefined) return one === text.slice(start) ? text : one
  const lines: string[] = []
  for (const line of text.slice(start).split('\n')) {
    const shown = line.trim() === '' ? line : redactDocument(line)
    if (shown === undefined) return undefined
    lines.push(shown)
  }
  return text.slice(0, start) + lines.join('\n')
}

/** `undefined` when it is no JSON, or too deep. */
function redactDocument (text: string, inside = 0): string | undefined {
  try {
    const value = JSON.parse(text) as PlainJson // What JSON.parse gives.
    const shown = redactJson(value, deepest, inside)
    const scrubbed = JSON.stringify(shown)
    // What holds no secret stays byte for byte.
    return scrubbed === JSON.stringify(value) ? text : scrubbed
  } catch {
    return undefined
  }
}

function redactJson (value: PlainJson, depth: number, inside: number): PlainJson {
  if (depth === 0) throw new RangeError('too deep')
  if (typeof value === 'string') return redactString(value, inside)
  if (isList(value)) {
    // ["Authorization", "…"], as fields are listed.
    const [name, secret] = value
    if (value.length === 2 && typeof name === 'string' && typeof secret === 'string' && isCredentialName(name)) return [name, REDACTED]
    return value.map((item) => redactJson(item, depth - 1, inside))
  }
  if (typeof value !== 'object' || value === null) return value
  const named = [value['name'], value['key'], value['field'], value['header']].some((name) => typeof name === 'string' && isCredentialName(name))
  return Object.fromEntries(Object.entries(value).map(([name, one]) =>
    [name, (isCredentialName(name) || named && name === 'value') && isValue(one) ? REDACTED : redactJson(one, depth - 1, inside)]))
}

function isValue (value: PlainJson): boolean {
  return value !== null && value !== '' && typeof value !== 'boolean'
}

function redactString (text: string, inside: number): string {
  if (/^\s*[[{]/.test(text) && inside < deepestText) {
    const shown = redactDocument(text, inside + 1)
    if (shown !== undefined) return shown
  }
  const shown = /^(?:https?|wss?):\/\/\S*$/.test(text) ? redactUrl(text) : text
  return text.length < 8 ? shown : redactText(shown)
}

/** An event stream: what it says of data is JSON more often than not. */
function redactEvents (text: string): string {
  return text.split('\n').map((line) => {
    const [, head, data] = /^(data: ?)(.*)$/.exec(line) ?? []
    if (head === undefined || data === undefined) return redactText(line)
    return head + (/^\s*[[{]/.test(data) ? redactDocument(data) ?? `{"omitted":${Buffer.byteLength(data)}}` : redactText(data))
  }).join('\n')
}

/** multipart/form-data and its like. Of a part that is named like a secret, everything goes. */
function redactParts (text: string, inside: number): string | undefined {
  const border = /^--[^\r\n]{1,200}/.exec(text)?.[0].trimEnd()
  if (border === undefined) return redactText(text)
  const parts: string[] = []
  for (const part of text.split(border)) {
    const [, head, body] = /^(\r?\n(?:[^\r\n]+\r?\n)*\r?\n)([^]*)$/.exec(part) ?? []
    if (head === undefined || body === undefined) {
      if (part.trim() !== '' && part.trim() !== '--') return undefined
      parts.push(part)
      continue
    }
    const name = /;\s*name="?([^";\r\n]+)/i.exec(head)?.[1] ?? ''
    const end = /\r?\n$/.exec(body)?.[0] ?? ''
    const content = body.slice(0, body.length - end.length)
    const shown = isCredentialName(name) ? REDACTED : redactBody(content, inside)
    if (shown === undefined) return undefined
    parts.push(redactText(head) + shown + end)
  }
  return parts.join(border)
}

const element = /<((?:[\w-]{1,64}:)?([\w.-]{1,64}))((?:\s[^<>]{0,4096})?)>([^<]{1,65536})/g
const tag = /<[\w:.-]{1,128}\s[^<>]{1,8192}>/g
const attribute = /([\w:.-]{1,64})(\s*=\s*)("[^"]{0,512}"|'[^']{0,512}'|[^\s"'>]{1,512})/g

/** XML and HTML: elements and attributes that are named like secrets, and fields of forms that are. */
function redactMarkup (text: string): string {
  return redactText(text
    .replace(element, (all, name: string, local: string, attributes: string) => isCredentialName(local) ? `<${name}${attributes}>${REDACTED}` : all)
    .replace(tag, (all) => {
      const named = [...all.matchAll(attribute)].some(([, name = '', , value = '']) => /^(?:name|id|key|property)$/i.test(name) && isCredentialName(value.replace(/["']/g, '')))
      return all.replace(attribute, (pair, name: string, equals: string) =>
        isCredentialName(name) || named && /^(?:value|content)$/i.test(name) ? `${name}${equals}"${REDACTED}"` : pair)
    }))
}

/** `Array.isArray` does not know readonly lists. */
function isList (value: PlainJson): value is readonly PlainJson[] {
  return Array.isArray(value)
}
