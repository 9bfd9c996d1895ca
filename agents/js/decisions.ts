import {
  AgentFailure, allow, block, challenge, close, drop, flag, redact, redirect, replace, review,
  type Decision, type Extras, type HeaderEdit, type HeaderView, type MaybeMessageAnswer,
} from 'sentinel/sdk'
import type { Content } from './realm/decisions.ts'
import type { Result } from './realm/realm.ts'
import type { Answered } from './runner.ts'

type Said = Readonly<Record<string, unknown>>

/** Every word that a decision may have, with the name it goes by here. Scripts for other proxies write the second kind. */
const known: Readonly<Record<string, string>> = {
  decision: 'decision', data: 'data', code: 'code', status: 'status', body: 'body', headers: 'headers', location: 'location', ticket: 'ticket', scheme: 'scheme', params: 'params',
  attributes: 'attributes', audit: 'audit', requestHeaders: 'requestHeaders', responseHeaders: 'responseHeaders', replaceBody: 'replaceBody',
  rewritePath: 'rewritePath', rewriteQuery: 'rewriteQuery', upstream: 'upstream', tags: 'tags', reason: 'reason', confidence: 'confidence', ruleIds: 'ruleIds',
  addRequestHeaders: 'addRequestHeaders', removeRequestHeaders: 'removeRequestHeaders', addResponseHeaders: 'addResponseHeaders', removeResponseHeaders: 'removeResponseHeaders',
  add_request_headers: 'addRequestHeaders', remove_request_headers: 'removeRequestHeaders', add_response_headers: 'addResponseHeaders',
  remove_response_headers: 'removeResponseHeaders', rule_ids: 'ruleIds', reasonCodes: 'reasonCodes', reason_codes: 'reasonCodes', url: 'location', replace_body: 'replaceBody',
  challenge_type: 'scheme', challengeType: 'scheme', challenge_params: 'params', challengeParams: 'params', routing_metadata: 'attributes', routingMetadata: 'attributes', metadata: 'attributes',
}

/** What only some decisions have. Beside no decision at all they show that one was forgotten. */
const ofSome = ['status', 'body', 'headers', 'location', 'ticket', 'scheme', 'params', 'data', 'code']
/** The proxy takes no more, and each costs time that all calls share. */
const mostEdits = 128

/** What a script answered, as the decision it means. Throws `AgentFailure` or a TypeError for what means none: it must not pass for "go on". */
export function decisionOf (answered: Answered, file: string): Decision | undefined {
  const said = saidIn(answered, file)
  return said === undefined ? undefined : decided(said, file)
}

/** The same about a message of a WebSocket, where there are a few more words. */
export function messageAnswerOf (answered: Answered, file: string): MaybeMessageAnswer {
  const said = saidIn(answered, file)
  if (said === undefined) return undefined
  const { attributes, audit } = extrasOf(said, file)
  const extras = { ...attributes === undefined ? {} : { attributes }, ...audit === undefined ? {} : { audit } }
  switch (said['decision']) {
    case 'drop': return drop().with(extras)
    case 'replace': {
      const data = contentOf(said['data'])
      if (data === undefined) throw wrong(file, '\'data\' of what replaces a message is a text or bytes')
      return replace(data.form === 'text' ? data.bytes.toString() : data.bytes).with(extras)
    }
    case 'close': return close(number(said, 'code', file) ?? 1008, text(said, 'reason', file) ?? '', attributes === undefined ? {} : { attributes })
    default: return decided(said, file)
  }
}

/** Its names as they go here; `undefined` when nothing was said. */
function saidIn ({ result: { decision, content }, content: bytes }: Answered, file: string): Said | undefined {
  if (decision === null) return undefined
  const said: Record<string, unknown> = {}
  const whole = content === undefined ? decision : { ...decision, [content.name]: { form: content.form, bytes } satisfies Written }
  for (const [name, value] of Object.entries(whole)) {
    const word = Object.hasOwn(known, name) ? known[name]! : undefined
    if (word === undefined) throw wrong(file, `a decision has no '${name}'`)
    said[word] = value
  }
  const [forgotten] = said['decision'] === undefined ? ofSome.filter((word) => said[word] !== undefined && said[word] !== null) : []
  if (forgotten !== undefined) throw wrong(file, `'${forgotten}' without a decision: write decision: 'block', or what it is`)
  return said
}

function decided (said: Said, file: string): Decision {
  const extras = extrasOf(said, file)
  switch (said['decision']) {
    case undefined: case 'allow': return allow(extras)
    case 'flag': return flag(extras)
    case 'redact': {
      if (extras.replaceBody === undefined && (said['body'] ?? said['data']) !== undefined) throw wrong(file, 'what \'redact\' passes on in place of a body is \'replaceBody\'')
      return redact(extras)
    }
    case 'review': return review(text(said, 'ticket', file) ?? '', extras)
    case 'block': case 'deny': return block(number(said, 'status', file) ?? 403, { ...extras, ...answerOf(said, file) })
    case 'redirect': {
      const location = text(said, 'location', file) ?? textIn(said['body'])
      if (location === undefined) throw wrong(file, 'a redirect needs a location')
      // `redirect` checks it.
      return redirect(location, (number(said, 'status', file) ?? 302) as 302, extras)
    }
    case 'challenge': return challenge(text(said, 'scheme', file) ?? 'Bearer', texts(said['params'], 'params', file), { ...extras, ...bodyOf(said) })
    default: throw wrong(file, `there is no decision ${JSON.stringify(said['decision'])?.slice(0, 60)}: it is allow, block, redirect, challenge, flag, redact or review`)
  }
}

function extrasOf (said: Said, file: string): Extras {
  const requestHeaders = edits(said, 'requestHeaders', 'addRequestHeaders', 'removeRequestHeaders', file)
  const responseHeaders = edits(said, 'responseHeaders', 'addResponseHeaders', 'removeResponseHeaders', file)
  const audit = auditOf(said, file)
  const replaceBody = contentOf(said['replaceBody'])?.bytes
  // Whoever meant to take something out must not find it passed on.
  if (replaceBody === undefined && said['replaceBody'] !== undefined && said['replaceBody'] !== null) {
    throw wrong(file, '\'replaceBody\' of a decision is a text or bytes')
  }
  const [rewritePath, rewriteQuery, upstream] = (['rewritePath', 'rewriteQuery', 'upstream'] as const).map((name) => text(said, name, file))
  return {
    ...said['attributes'] === undefined ? {} : { attributes: texts(said['attributes'], 'attributes', file) },
    ...audit === undefined ? {} : { audit },
    ...requestHeaders.length === 0 ? {} : { requestHeaders },
    ...responseHeaders.length === 0 ? {} : { responseHeaders },
    ...replaceBody === undefined ? {} : { replaceBody },
    ...rewritePath === undefined ? {} : { rewritePath },
    ...rewriteQuery === undefined ? {} : { rewriteQuery },
    ...upstream === undefined ? {} : { upstream },
  }
}

/** `audit` as the SDK has it; tags, rules and reason may also stand beside the decision. */
function auditOf (said: Said, file: string): Extras['audit'] {
  const audit = objectOf(said['audit'], 'audit', file)
  const own = {
    ...audit,
    ...said['tags'] === undefined ? {} : { tags: list(said['tags'], 'tags', file) },
    ...said['ruleIds'] === undefined ? {} : { ruleIds: list(said['ruleIds'], 'ruleIds', file) },
    ...said['reasonCodes'] === undefined ? {} : { reason: list(said['reasonCodes'], 'reasonCodes', file).join(' ') },
    ...said['reason'] === undefined ? {} : { reason: text(said, 'reason', file) },
    ...said['confidence'] === undefined ? {} : { confidence: number(said, 'confidence', file) },
  }
  if (Object.keys(own).length === 0) return undefined
  for (const [name, value] of Object.entries(own)) {
    const fits = { reason: 'string', severity: 'string', confidence: 'number', tags: 'list', ruleIds: 'list', redactions: 'list', details: 'object' }[name]
    if (fits === undefined || fits !== (Array.isArray(value) ? 'list' : typeof value)) throw wrong(file, `'audit' has no such '${name}'`)
  }
  // Checked above, as far as JSON can be wrong; numbers and texts in it are the codec's to check.
  return own as NonNullable<Extras['audit']>
}

function edits (said: Said, whole: string, added: string, removed: string, file: string): HeaderEdit[] {
  const given = said[whole]
  const editsIn = (record: unknown, name: string): HeaderEdit[] =>
    Object.entries(objectOf(record, name, file)).flatMap(([field, value]) => editOf(field, value))
  // The SDK checks single edits one by one.
  const ones = Array.isArray(given) ? given as HeaderEdit[] : editsIn(given, whole)
  const adds = editsIn(said[added], added)
  const removes = said[removed] === undefined ? [] : list(said[removed], removed, file).map((name): HeaderEdit => ({ action: 'remove', name, value: '' }))
  const all = [...removes, ...ones, ...adds]
  if (all.length > mostEdits) throw wrong(file, tooManyEdits(all.length))
  return all
}

function editOf (name: string, value: unknown): HeaderEdit[] {
  if (value === null) return [{ action: 'remove', name, value: '' }]
  if (Array.isArray(value)) return value.map((one, i) => ({ action: i === 0 ? 'set' : 'append', name, value: wordOf(one) }))
  return [{ action: 'set', name, value: wordOf(value) }]
}

/** Edits that a script made on the headers themselves. */
export function applyEdits (headers: HeaderView | undefined, given: Result['request'], file: string): void {
  if (given.length > mostEdits) throw wrong(file, tooManyEdits(given.length))
  for (const [action, name, value] of given) {
    if (action === 'set') headers?.set(name, value)
    else if (action === 'append') headers?.append(name, value)
    else headers?.remove(name)
  }
}

interface Written {
  readonly form: Content['form']
  readonly bytes: Buffer
}

/** Body and header fields of an answer to the client. */
function answerOf (said: Said, file: string): { body?: string | Uint8Array, headers?: Record<string, string | string[]> } {
  const body = contentOf(said['body'])
  const given = Object.entries(objectOf(said['headers'], 'headers', file))
  const fields = given.map(([name, value]) => [name, Array.isArray(value) ? value.map(wordOf) : wordOf(value)] as const)
  // It was written as JSON already: nothing here has a reason to read it.
  const type = body?.form !== 'json' || fields.some(([name]) => name.toLowerCase() === 'content-type') ? [] : [['content-type', 'application/json'] as const]
  return { ...bodyOf(said), headers: Object.fromEntries([...fields, ...type]) }
}

function bodyOf (said: Said): { body?: string | Uint8Array } {
  const body = contentOf(said['body'])
  return body === undefined ? {} : { body: body.form === 'text' ? body.bytes.toString() : body.bytes }
}

function textIn (value: unknown): string | undefined {
  const content = contentOf(value)
  return content?.form === 'text' ? content.bytes.toString() : undefined
}

/** A text or bytes, however they came. */
function contentOf (value: unknown): Written | undefined {
  if (typeof value === 'string') return { form: 'text', bytes: Buffer.from(value) }
  if (typeof value !== 'object' || value === null) return undefined
  if ('form' in value && 'bytes' in value && Buffer.isBuffer(value.bytes)) return value as Written
  if ('latin1' in value && typeof value.latin1 === 'string') return { form: 'bytes', bytes: Buffer.from(value.latin1, 'latin1') }
  if ('json' in value && typeof value.json === 'string') return { form: 'json', bytes: Buffer.from(value.json) }
  return undefined
}

function text (said: Said, name: string, file: string): string | undefined {
  const value = said[name]
  if (value === undefined || typeof value === 'string') return value
  throw wrong(file, `'${name}' of a decision is a text`)
}

function number (said: Said, name: string, file: string): number | undefined {
  const value = said[name]
  if (value === undefined || typeof value === 'number') return value
  throw wrong(file, `'${name}' of a decision is a number`)
}

function list (value: unknown, name: string, file: string): string[] {
  if (Array.isArray(value)) return value.map(wordOf)
  throw wrong(file, `'${name}' of a decision is a list`)
}

function texts (value: unknown, name: string, file: string): Record<string, string> {
  return Object.fromEntries(Object.entries(objectOf(value, name, file)).map(([key, one]) => [key, wordOf(one)]))
}

function objectOf (value: unknown, name: string, file: string): Said {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(file, `'${name}' of a decision is an object`)
  return value as Said
}

/** A number or a flag means what it reads as. */
function wordOf (value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value) ?? ''
}

function tooManyEdits (count: number): string {
  return `${count} changes of header fields, at most ${mostEdits} are taken`
}

function wrong (file: string, message: string): AgentFailure {
  return new AgentFailure('bad_answer', `${file}: ${message}`)
}
