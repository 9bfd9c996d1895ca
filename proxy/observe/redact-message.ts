import { isSensitiveName } from '../../config/schema/sensitive.ts'
import type { PlainJson, PlainObject } from '../../proto/message-json.ts'
import { REDACTED, redactQuery, redactUrl, scrubText } from './redact.ts'

/** What is taken out of a message, and where something was. */
export interface Redaction {
  /** Bytes of bodies may be shown, as far as they can be looked into. */
  readonly bodies: boolean
  /** This message holds a body as a whole: a part of one cannot be looked into. */
  readonly whole: boolean
  readonly marks: Set<string>
}

/** Values are whole addresses: what is secret of them stands in their query. */
const urls = new Set(['location', 'raw_path', 'path', 'rewrite_path', 'referer', 'content-location', 'origin'])
const queries = new Set(['query', 'rewrite_query'])
const texts = new Set(['message', 'reason', 'detail', 'call_id'])

/** A message as `plainEvent` and `plainReply` give it, without secrets: by the names that the access log goes by. */
export function redactMessage (message: PlainObject, redaction: Redaction): PlainObject {
  return Object.fromEntries(Object.entries(message).map(([name, value]) => [name, redactValue(name, value, redaction)]))
}

function redactValue (name: string, value: PlainJson, redaction: Redaction): PlainJson {
  const { marks } = redaction
  const changed = (next: string, what: string): string => {
    if (next !== value) marks.add(what)
    return next
  }
  if (typeof value === 'string') {
    if (name === 'text') return redactContent(value, redaction)
    if (queries.has(name)) return changed(redactQuery(value), 'the query')
    if (urls.has(name)) return changed(redactUrl(value), `the ${name.replaceAll('_', ' ')}`)
    return texts.has(name) ? changed(scrubText(value), `the ${name}`) : value
  }
  if (isList(value)) return value.map((item) => name === 'headers' && isList(item) ? line(item, marks) : redactItem(name, item, redaction))
  if (typeof value !== 'object' || value === null) return value
  if ('text' in value || 'base64' in value) return redactBytes(name, value, redaction)
  if (name === 'attributes' || name === 'params' || name === 'details') return redactEntries(name, value, marks)
  return redactMessage(value, redaction)
}

function redactItem (name: string, item: PlainJson, redaction: Redaction): PlainJson {
  if (typeof item !== 'object' || item === null || isList(item)) return typeof item === 'string' ? scrubText(item) : item
  const { name: field, value } = item
  if (!name.endsWith('_headers') || typeof field !== 'string' || typeof value !== 'string') return redactMessage(item, redaction)
  const [, shown] = line([field, value], redaction.marks)
  return { ...item, value: shown ?? '' }
}

function line (pair: readonly PlainJson[], marks: Set<string>): string[] {
  const [name = '', value = ''] = pair.map(String)
  const shown = redactField(name.toLowerCase(), value)
  if (shown !== value) marks.add(`the field ${name.toLowerCase()}`)
  return [name, shown]
}

function redactField (name: string, value: string): string {
  // Which cookies there are is no secret.
  if (name === 'cookie') return value.replace(/(^|;)([ \t]*[^=;]{0,256})=[^;]*/g, `$1$2=${REDACTED}`)
  if (isSensitiveName(name)) return value === '' ? '' : REDACTED
  return urls.has(name) ? redactUrl(value) : scrubText(value)
}

function redactEntries (of: string, entries: PlainObject, marks: Set<string>): PlainObject {
  return Object.fromEntries(Object.entries(entries).map(([name, value]) => {
    const shown = isSensitiveName(name) ? REDACTED : scrubText(typeof value === 'string' ? value : JSON.stringify(value))
    if (shown !== value) marks.add(`${of === 'attributes' ? 'the attribute' : of === 'params' ? 'the parameter' : 'the detail'} ${name}`)
    return [name, shown]
  }))
}

/** Texts that were taken out of bodies. */
function redactContent (text: string, { bodies, marks }: Redaction): PlainJson {
  if (!bodies) {
    marks.add('the text')
    return { omitted: Buffer.byteLength(text) }
  }
  const shown = redactBody(text)
  if (shown !== text) marks.add('the text')
  return shown
}

function redactBytes (name: string, bytes: PlainObject, { bodies, whole, marks }: Redaction): PlainObject {
  const what = `the ${name === 'data' ? 'body' : name.replaceAll('_', ' ')}`
  const { text, base64 } = bytes
  const length = typeof text === 'string' ? Buffer.byteLength(text) : Buffer.byteLength(typeof base64 === 'string' ? base64 : '', 'base64')
  // What cannot be looked into, because it is no text or a part of something, may hold anything.
  if (!bodies || !whole || typeof text !== 'string') {
    marks.add(what)
    return { omitted: length }
  }
  const shown = redactBody(text)
  if (shown !== text) marks.add(what)
  return { text: shown }
}

/** JSON and forms lose the values of fields whose names say that they are secret; any other text what looks like a credential. */
export function redactBody (text: string): string {
  try {
    const value = JSON.parse(text) as PlainJson // What JSON.parse gives.
    const shown = redactJson(value)
    const scrubbed = JSON.stringify(shown)
    return scrubbed === JSON.stringify(value) ? text : scrubbed
  } catch { /* No JSON. */ }
  if (/^[\w.~%+[\]-]{1,128}=[^\s]*$/.test(text)) return redactQuery(text)
  return scrubText(text)
}

function redactJson (value: PlainJson): PlainJson {
  if (typeof value === 'string') return scrubText(value)
  if (isList(value)) return value.map(redactJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, isSensitiveName(name) && one !== null && one !== '' ? REDACTED : redactJson(one)]))
}

/** `Array.isArray` does not know readonly lists. */
function isList (value: PlainJson): value is readonly PlainJson[] {
  return Array.isArray(value)
}
