import { isCredentialName } from '../../config/schema/sensitive.ts'
import type { PlainJson, PlainObject } from '../../proto/message-json.ts'
import { redactBody, redactText } from './redact-body.ts'
import { isSensitiveKey, REDACTED, redactQuery, redactUrl, scrubText } from './redact.ts'

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
const texts = new Set(['message', 'reason', 'detail', 'call_id', 'ticket'])
const hosts = new Set(['authority', 'host', 'forwarded', 'x-forwarded-host'])
const maps = new Set(['attributes', 'params', 'details'])

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
    if (hosts.has(name)) return changed(withoutUser(value), `the ${name}`)
    return texts.has(name) ? changed(redactText(value), `the ${name}`) : value
  }
  if (isList(value)) return value.map((item) => name === 'headers' && isList(item) ? line(item, marks) : redactItem(name, item, redaction))
  if (typeof value !== 'object' || value === null) return value
  // Before bytes: a fact may be called "text".
  if (maps.has(name)) return redactEntries(name, value, marks)
  if ('text' in value || 'base64' in value) return redactBytes(name, value, redaction)
  return redactMessage(value, redaction)
}

function redactItem (name: string, item: PlainJson, redaction: Redaction): PlainJson {
  if (typeof item !== 'object' || item === null || isList(item)) return typeof item === 'string' ? redactText(item) : item
  const { name: field, value } = item
  if (!name.endsWith('_headers') || typeof field !== 'string' || typeof value !== 'string') return redactMessage(item, redaction)
  const [, shown] = line([field, value], redaction.marks)
  return { ...item, value: shown ?? '' }
}

function line (pair: readonly PlainJson[], marks: Set<string>): string[] {
  const [name = '', value = ''] = pair.map(String)
  const shown = redactField(name, value)
  if (shown !== value) marks.add(`the field ${name.toLowerCase()}`)
  return [name, shown]
}

function redactField (given: string, value: string): string {
  const name = given.toLowerCase()
  // Which cookies there are is no secret; one without a name is all value.
  if (name === 'cookie') return value.split(';').map(redactCookie).join(';')
  if (isSensitiveKey(given)) return value === '' ? '' : REDACTED
  if (name === 'sec-websocket-protocol') return redactProtocols(value)
  if (hosts.has(name)) return redactText(withoutUser(value))
  return urls.has(name) ? redactUrl(value) : redactLoose(value)
}

function redactCookie (pair: string): string {
  const [, name] = /^([ \t]*[^=]{1,4096}=)/.exec(pair) ?? []
  return pair.trim() === '' ? pair : name === undefined ? REDACTED : `${name}${REDACTED}`
}

/** Browsers have no other place for a token: it is the name behind "bearer" and its like, or longer than any name is. */
function redactProtocols (value: string): string {
  let announced = false
  return value.split(',').map((item) => {
    const name = item.trim()
    const secret = announced || name.length > longestProtocol || scrubText(name) !== name
    announced = isCredentialName(name)
    return secret ? item.replace(name, () => REDACTED) : item
  }).join(',')
}

const longestProtocol = 48

/** Before a host, where there is no scheme to know it by. */
function withoutUser (value: string): string {
  return value.replace(/[^\s"'=,;/@]{1,256}:[^\s"'/]{0,256}@/g, `${REDACTED}@`)
}

/** A value may be JSON, as some fields and facts are, or a scheme of somebody's own with what it stands for. */
function redactLoose (value: string): string {
  if (/^\s*[[{]/.test(value)) return redactBody(value) ?? redactText(value)
  return redactText(value).replace(/^(token|api[-_]?key|key)[ \t]{1,4}\S{6,4096}$/i, `$1 ${REDACTED}`)
}

function redactEntries (of: string, entries: PlainObject, marks: Set<string>): PlainObject {
  return Object.fromEntries(Object.entries(entries).map(([name, value]) => {
    const shown = isCredentialName(name) ? REDACTED : redactLoose(typeof value === 'string' ? value : JSON.stringify(value))
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
  return shown ?? { omitted: Buffer.byteLength(text) }
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
  return shown === undefined ? { omitted: length } : { text: shown }
}

/** `Array.isArray` does not know readonly lists. */
function isList (value: PlainJson): value is readonly PlainJson[] {
  return Array.isArray(value)
}
