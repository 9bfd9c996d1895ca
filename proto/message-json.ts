import {
  emptyAudit, emptyBlock, emptyBodyChunk, emptyBodyMode, emptyCancel, emptyChallenge, emptyComplete, emptyCredit, emptyDecision, emptyFailure, emptyFinding,
  emptyFindings, emptyGuardrail, emptyGuardrailText, emptyHeaderEdit, emptyMessageAnswer, emptyMessageClose, emptyMessagePayload, emptyMoreTime, emptyRedirect,
  emptyRequestHeaders, emptyResponseHeaders, emptyReview, emptyTls, emptyToolCall, emptyToolResult, emptyTrailers, emptyWants, emptyWebSocketMessage,
  type EventOneOf, type ReplyOneOf,
} from './codec/index.ts'

/**
 * Events and replies as JSON for people and files, and back. Fields have the names of agent.proto and are left out at their defaults; a message that holds
 * one of several has `kind` and, where there is more to say, `value`. Header lines are pairs of name and value, one character for each byte; bytes are `{"text": …}`
 * when they are printable UTF-8, else `{"base64": …}`.
 */
export type PlainJson = string | number | boolean | null | readonly PlainJson[] | PlainObject
export interface PlainObject { readonly [name: string]: PlainJson }

/** Somebody wrote JSON that is no event or reply; the message says where. */
export class NotAMessage extends Error {}

type Template = Readonly<Record<string, unknown>>

/** What an event or a reply of each kind holds; a kind that is missing here cannot be written. */
const eventTemplates: Readonly<Record<NonNullable<EventOneOf['kind']>, Template>> = {
  request_headers: { ...emptyRequestHeaders },
  request_body: { ...emptyBodyChunk },
  request_trailers: { ...emptyTrailers },
  response_headers: { ...emptyResponseHeaders },
  response_body: { ...emptyBodyChunk },
  response_trailers: { ...emptyTrailers },
  websocket_message: { ...emptyWebSocketMessage },
  tool_call: { ...emptyToolCall },
  tool_result: { ...emptyToolResult },
  guardrail: { ...emptyGuardrail },
  complete: { ...emptyComplete },
  cancel: { ...emptyCancel },
  credit: { ...emptyCredit },
}

const replyTemplates: Readonly<Record<NonNullable<ReplyOneOf['kind']>, Template>> = {
  decision: { ...emptyDecision },
  error: { ...emptyFailure },
  chunk: {},
  message: { ...emptyMessageAnswer },
  findings: { ...emptyFindings },
  more_time: { ...emptyMoreTime },
  credit: { ...emptyCredit },
}

const decisionTemplates: Readonly<Record<string, Template>> = {
  allow: {}, flag: {}, redact: {}, review: { ...emptyReview }, block: { ...emptyBlock }, redirect: { ...emptyRedirect }, challenge: { ...emptyChallenge },
}

const messageTemplates: Readonly<Record<string, Template>> = { allow: {}, drop: {}, replace: { ...emptyMessagePayload }, close: { ...emptyMessageClose } }

/** Messages in lists. */
const listed: Readonly<Record<string, Template>> = {
  requestHeaders: { ...emptyHeaderEdit }, responseHeaders: { ...emptyHeaderEdit }, texts: { ...emptyGuardrailText }, findings: { ...emptyFinding },
}

/** Messages in fields that may be missing, whose default says nothing of their shape. */
const nested: Readonly<Record<string, Template>> = {
  tls: { ...emptyTls }, bodyMode: { ...emptyBodyMode }, requestBody: { ...emptyBodyMode }, responseBody: { ...emptyBodyMode },
  audit: { ...emptyAudit }, wants: { ...emptyWants },
}

const chunkKinds = new Set(['pass', 'replace', 'hold', 'drop', 'pass_but_tail'])

export function plainEvent (event: EventOneOf): PlainObject {
  return plainOneOf(event.kind, event.value, event.kind === undefined ? {} : eventTemplates[event.kind])
}

export function plainReply (reply: ReplyOneOf): PlainObject {
  if (reply.kind === 'chunk') return { kind: 'chunk', value: plainOneOf(reply.value.kind, reply.value.value) }
  if (reply.kind !== 'decision' && reply.kind !== 'message') return plainOneOf(reply.kind, reply.value)
  const { kind, value, ...more } = reply.value
  return { kind: reply.kind, value: { ...plainOneOf(kind, value), ...plainFields(more, replyTemplates[reply.kind]) } }
}

/** Throws `NotAMessage`. */
export function eventFrom (json: unknown): EventOneOf {
  const { kind, value } = oneOf(json, 'an event')
  if (!Object.hasOwn(eventTemplates, kind)) throw new NotAMessage(`an event of the kind ${quoted(kind)} is not known to this version`)
  return { kind, value: fieldsFrom(value, eventTemplates[kind as keyof typeof eventTemplates], kind) } as unknown as EventOneOf // Made after its template.
}

/** Throws `NotAMessage`. */
export function replyFrom (json: unknown): ReplyOneOf {
  const { kind, value } = oneOf(json, 'a reply')
  if (!Object.hasOwn(replyTemplates, kind)) throw new NotAMessage(`a reply of the kind ${quoted(kind)} is not known to this version`)
  if (kind === 'chunk') return { kind, value: chunkFrom(value) } as unknown as ReplyOneOf // Looked at in `chunkFrom`.
  const template = replyTemplates[kind as keyof typeof replyTemplates] // Looked at above.
  if (kind !== 'decision' && kind !== 'message') return { kind, value: fieldsFrom(value, template, kind) } as unknown as ReplyOneOf // Made after its template.
  const outcomes = kind === 'decision' ? decisionTemplates : messageTemplates
  const { kind: verdict, value: said, ...more } = objectOf(value, kind)
  if (typeof verdict !== 'string' || !Object.hasOwn(outcomes, verdict)) throw new NotAMessage(`a ${kind} of the kind ${quoted(verdict)} is not known to this version`)
  const outcome = { kind: verdict, value: fieldsFrom(said ?? {}, outcomes[verdict]!, verdict) }
  return { kind, value: { ...fieldsFrom(more, template, kind), ...outcome } } as unknown as ReplyOneOf // Made after its templates.
}

function chunkFrom (json: unknown): unknown {
  const { kind, value } = oneOf(json, 'an answer for a chunk')
  if (!chunkKinds.has(kind)) throw new NotAMessage(`an answer for a chunk of the kind ${quoted(kind)} is not known to this version`)
  if (kind === 'replace') return { kind, value: bytesFrom(value, kind) }
  if (kind !== 'pass_but_tail') return { kind, value: {} }
  if (typeof value !== 'number') throw new NotAMessage('pass_but_tail is not a number')
  return { kind, value }
}

function plainOneOf (kind: string | undefined, value: unknown, template: object = {}): PlainObject {
  if (kind === undefined) return { kind: 'unrecognized' }
  if (Buffer.isBuffer(value)) return { kind, value: plainBytes(value) }
  if (typeof value !== 'object' || value === null) return { kind, value: value as number }
  const fields = plainFields({ ...value }, template)
  return Object.keys(fields).length === 0 ? { kind } : { kind, value: fields }
}

function plainFields (message: Template | object, template: object): PlainObject {
  const defaults = new Map(Object.entries(template))
  const out: Record<string, PlainJson> = {}
  for (const [name, value] of Object.entries(message)) {
    // Where nothing is the default, an empty text is something.
    const optional = defaults.has(name) && defaults.get(name) === undefined
    if (value === undefined || !optional && (isDefault(value) || defaults.get(name) === value)) continue
    out[snake(name)] = plainValue(name, value)
  }
  return out
}

function isDefault (value: unknown): boolean {
  if (value === '' || value === 0 || value === false || value === 'unspecified') return true
  if (Buffer.isBuffer(value) || Array.isArray(value)) return value.length === 0
  return value instanceof Map && value.size === 0
}

function plainValue (name: string, value: unknown): PlainJson {
  if (Buffer.isBuffer(value)) return plainBytes(value)
  if (value instanceof Map) return Object.fromEntries(value) as PlainObject
  if (Array.isArray(value)) return isLines(name, value) ? pairsOf(value as string[]) : value.map((item) => plainValue('', item))
  if (typeof value === 'object' && value !== null) return plainFields({ ...value }, {})
  return value as PlainJson
}

/** Lists of field lines are the only flat ones of that name: edits are objects. */
function isLines (name: string, list: readonly unknown[]): boolean {
  return name === 'headers' && list.every((item) => typeof item === 'string')
}

function pairsOf (lines: readonly string[]): PlainJson[] {
  return Array.from({ length: lines.length / 2 }, (_, i) => [lines[2 * i]!, lines[2 * i + 1]!])
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function plainBytes (bytes: Uint8Array): PlainObject {
  try {
    const text = utf8.decode(bytes)
    if (!/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text)) return { text }
  } catch { /* No text. */ }
  return { base64: Buffer.from(bytes).toString('base64') }
}

/** Throws `NotAMessage`. */
function bytesFrom (json: unknown, name: string): Buffer {
  const { text, base64 } = objectOf(json, name)
  if (typeof text === 'string') return Buffer.from(text)
  if (typeof base64 === 'string') return Buffer.from(base64, 'base64')
  // What was left out has no bytes: who needs to know looks at the JSON.
  return Buffer.alloc(0)
}

function fieldsFrom (json: unknown, template: Template, at: string): Record<string, unknown> {
  const given = objectOf(json ?? {}, at)
  const out: Record<string, unknown> = { ...template }
  for (const [name, value] of Object.entries(given)) {
    const field = camel(name)
    // What another version knows and this one does not is ignored, as on the wire.
    if (!Object.hasOwn(template, field)) continue
    out[field] = valueFrom(value, template[field], field, `${at}.${name}`)
  }
  return out
}

function valueFrom (value: unknown, standard: unknown, field: string, at: string): unknown {
  if (Object.hasOwn(nested, field) && standard === undefined) return fieldsFrom(value, nested[field]!, at)
  if (Buffer.isBuffer(standard) || field === 'replaceBody') return bytesFrom(value, at)
  if (standard instanceof Map) return mapFrom(value, at)
  if (Array.isArray(standard)) return listFrom(value, field, at)
  const wanted = typeof (standard ?? (field === 'contentLength' ? 0 : ''))
  if (typeof value !== wanted) throw new NotAMessage(`${at} is not a ${wanted}`)
  return value
}

function mapFrom (json: unknown, at: string): Map<string, string> {
  const entries = Object.entries(objectOf(json, at))
  for (const [name, value] of entries) if (typeof value !== 'string') throw new NotAMessage(`${at}.${name} is not a string`)
  return new Map(entries as Array<[string, string]>) // Looked at above.
}

function listFrom (json: unknown, field: string, at: string): unknown[] {
  if (!Array.isArray(json)) throw new NotAMessage(`${at} is not a list`)
  if (field === 'headers') return json.flatMap((pair: unknown, i) => lineFrom(pair, `${at}[${i}]`))
  if (Object.hasOwn(listed, field)) return json.map((item: unknown, i) => fieldsFrom(item, listed[field]!, `${at}[${i}]`))
  if (!json.every((item) => typeof item === 'string')) throw new NotAMessage(`${at} is not a list of strings`)
  return json
}

function lineFrom (pair: unknown, at: string): string[] {
  const [name, value, ...more] = Array.isArray(pair) ? pair as unknown[] : []
  if (typeof name !== 'string' || typeof value !== 'string' || more.length > 0) throw new NotAMessage(`${at} is not a pair of name and value`)
  return [name, value]
}

function oneOf (json: unknown, what: string): { readonly kind: string, readonly value: unknown } {
  const { kind, value } = objectOf(json, what)
  if (typeof kind !== 'string') throw new NotAMessage(`${what} has no kind`)
  return { kind, value }
}

function objectOf (json: unknown, at: string): Record<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new NotAMessage(`${at} is not an object`)
  return { ...json }
}

function quoted (kind: unknown): string {
  return JSON.stringify(String(kind).slice(0, 80))
}

function snake (name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function camel (name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
