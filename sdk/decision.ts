import {
  emptyAudit, noEntries, type Audit, type Decision as WireDecision, type DecisionOneOf, type Wants,
} from '../proto/codec/index.ts'
import { checkText, checkToken, editsOf, linesOf, type HeaderEdit, type HeaderEdits, type HeadersInit } from './headers.ts'

/** What may be attached to any decision. */
export interface Extras {
  /** Facts for later agents of the chain and for the access log. An empty text removes one. */
  readonly attributes?: Readonly<Record<string, string>>
  /** Facts for log and evidence; clients never see them. */
  readonly audit?: Partial<Omit<Audit, 'details'>> & { readonly details?: Readonly<Record<string, string>> }
  /** Changes of the request on its way to the upstream; only in answers to request events. */
  readonly requestHeaders?: HeaderEdits
  /** Changes of the response; in answers to request events they are kept until the response comes. */
  readonly responseHeaders?: HeaderEdits
  /** Replaces the whole body that the handler was given (buffer mode), the arguments of a call or the result of one (as JSON). */
  readonly replaceBody?: string | Uint8Array
  /** New path, as it is to be sent: percent-encoded, beginning with "/". */
  readonly rewritePath?: string
  /** New query without "?". Empty: none. */
  readonly rewriteQuery?: string
  /** Another upstream that the route lists. */
  readonly upstream?: string
}

const extraNames: Readonly<Record<keyof Extras, true>> = {
  attributes: true, audit: true, requestHeaders: true, responseHeaders: true, replaceBody: true, rewritePath: true, rewriteQuery: true, upstream: true,
}

/** Authors without a compiler learn of a slip where they made it: a `redact` whose body is misspelt must not pass on what it should hide. */
export function checkExtras (extras: Extras): void {
  for (const name in extras) if (!(name in extraNames)) throw new TypeError(`nothing called "${name}" can be attached: ${Object.keys(extraNames).join(', ')}`)
  const { attributes, audit } = extras
  for (const name in attributes) checkText(attributes[name], 'attribute', name)
  for (const name in audit) if (!(name in emptyAudit)) throw new TypeError(`an audit has no "${name}": ${Object.keys(emptyAudit).join(', ')}`)
  for (const name in audit?.details) checkText(audit.details[name], 'detail', name)
}

/** What an agent can decide. */
export type DecisionKind = 'allow' | 'flag' | 'review' | 'block' | 'redirect' | 'challenge' | 'redact'

type Outcome = Exclude<DecisionOneOf, { kind: undefined }>

/** What an agent decided. Made by `allow`, `block` and the others; never changed afterwards. */
export class Decision {
  /** @internal What goes to the proxy. */
  readonly outcome: Outcome
  /** What is attached to it. */
  readonly extras: Extras

  /** @internal What the body looks like; sent as Content-Type where the author says nothing of it. */
  readonly bodyType: string

  /** @internal */
  constructor (outcome: Outcome, extras: Extras, bodyType = '') {
    checkExtras(extras)
    this.outcome = outcome
    this.extras = extras
    this.bodyType = bodyType
  }

  /** Which decision it is. */
  get kind (): DecisionKind {
    return this.outcome.kind
  }

  /** The same decision with more attached. What was attached already stays, unless the same thing is given again. */
  with (extras: Extras): this {
    const { attributes, audit } = this.extras
    // Nothing that is attached makes another kind of it.
    return new Decision(this.outcome, {
      ...this.extras,
      ...extras,
      ...(attributes && extras.attributes ? { attributes: { ...attributes, ...extras.attributes } } : {}),
      ...(audit && extras.audit ? { audit: { ...audit, ...extras.audit } } : {}),
    }, this.bodyType) as this
  }

  /** The same `block` or `challenge` with this body for the client: text, bytes, or anything else as JSON. Throws a TypeError for other decisions. */
  withBody<D extends Block | Challenge> (this: D, body: NonNullable<Answer['body']>): D {
    const { outcome } = this
    const content = contentOf(body)
    if (outcome.kind === 'challenge') return new Decision({ ...outcome, value: { ...outcome.value, body: content.bytes } }, this.extras) as D
    if (outcome.kind !== 'block') throw new TypeError(`the client gets no body with "${outcome.kind}"; only a block and a challenge have one`)
    return new Decision({ ...outcome, value: { ...outcome.value, body: content.bytes } }, this.extras, content.type) as D
  }

  /** The same `block` with one more header for the client. Throws a TypeError for other decisions: `withResponseHeaders` is for those. */
  withHeader (this: Block, name: string, value: string): Block {
    const { outcome } = this
    if (outcome.kind !== 'block') throw new TypeError(`"${outcome.kind}" has no answer of its own to put a header in; use withResponseHeaders`)
    const headers = [...outcome.value.headers, ...linesOf([[name, value]])]
    return new Decision({ ...outcome, value: { ...outcome.value, headers } }, this.extras, this.bodyType) as Block
  }

  /** The same decision with changes of the request on its way to the upstream, after those attached already. */
  withRequestHeaders (edits: HeaderEdits): this {
    return this.with({ requestHeaders: joined(this.extras.requestHeaders, edits) })
  }

  /** The same decision with changes of the response on its way to the client, after those attached already. */
  withResponseHeaders (edits: HeaderEdits): this {
    return this.with({ responseHeaders: joined(this.extras.responseHeaders, edits) })
  }

  /** The same decision with one more fact for later agents and the access log. An empty value removes one. */
  withAttribute (name: string, value: string): this {
    return this.with({ attributes: { [name]: value } })
  }

  /** The same decision with facts for log and evidence, beside those attached already. Clients never see them. */
  withAudit (audit: NonNullable<Extras['audit']>): this {
    return this.with({ audit })
  }

  /** The same decision with another body in place of the one the handler was given. */
  withReplacedBody (body: string | Uint8Array): this {
    return this.with({ replaceBody: body })
  }

  /** The same decision with another path for the upstream (percent-encoded, beginning with "/"), and another query without "?" when one is given. */
  withPath (path: string, query?: string): this {
    return this.with({ rewritePath: path, ...(query === undefined ? {} : { rewriteQuery: query }) })
  }

  /** The same decision with another upstream of those that the route lists. */
  withUpstream (name: string): this {
    return this.with({ upstream: name })
  }
}

/** A decision with an answer of the agent's own: `withBody` and `withHeader` are about that. */
export interface Block extends Decision {
  /** Which decision it is. */
  readonly kind: 'block'
}

/** A question for credentials: `withBody` is what a client shows that has none. */
export interface Challenge extends Decision {
  /** Which decision it is. */
  readonly kind: 'challenge'
}

function joined (first: HeaderEdits | undefined, second: HeaderEdits): HeaderEdit[] {
  return [...(first === undefined ? [] : editsOf(first)), ...editsOf(second)]
}

/** Goes on. The same as returning nothing. */
export function allow (extras: Extras = {}): Decision {
  return new Decision({ kind: 'allow', value: {} }, extras)
}

/** Goes on, and is remembered as evidence. */
export function flag (extras: Extras = {}): Decision {
  return new Decision({ kind: 'flag', value: {} }, extras)
}

/** Needs a person. Without a review queue the proxy refuses and tells the client the ticket. */
export function review (ticket = '', extras: Extras = {}): Decision {
  return new Decision({ kind: 'review', value: { ticket } }, extras)
}

/** Goes on, changed by the edits or the body that come with it. */
export function redact (extras: Extras = {}): Decision {
  return new Decision({ kind: 'redact', value: {} }, extras)
}

/** What the client gets. */
export interface Answer {
  /** Text, bytes, or anything else as JSON. The matching Content-Type is added when `headers` has none. */
  readonly body?: string | Uint8Array | Readonly<Record<string, unknown>>
  /** Header fields of the answer. */
  readonly headers?: HeadersInit
}

/** Ends here with this answer. `status` 400–599; without it 403, or what fits what is refused (a call of a tool: an error of its protocol). */
export function block (status?: number, { body, headers = {}, ...extras }: Answer & Extras = {}): Block {
  if (status !== undefined && (!Number.isInteger(status) || status < 400 || status > 599)) {
    throw new RangeError(`a block needs a status from 400 to 599, not ${status}`)
  }
  const content = contentOf(body)
  return new Decision({ kind: 'block', value: { status: status ?? 0, headers: linesOf(headers), body: content.bytes } }, extras, content.type) as Block
}

/** Sends the client elsewhere. Characters that cannot stand in a header are percent-encoded. */
export function redirect (location: string, status: 301 | 302 | 303 | 307 | 308 = 302, extras: Extras = {}): Decision {
  if (![301, 302, 303, 307, 308].includes(status)) throw new RangeError(`a redirect needs status 301, 302, 303, 307 or 308, not ${status}`)
  if (location === '') throw new TypeError('a redirect needs a location')
  return new Decision({ kind: 'redirect', value: { status, location: location.replace(/[^\x21-\x7e]+/g, encodeURIComponent) } }, extras)
}

/** 401 with `WWW-Authenticate: scheme params` (RFC 9110 section 11.6.1). */
export function challenge (
  scheme: string,
  params: Readonly<Record<string, string>> = {},
  { body, ...extras }: Pick<Answer, 'body'> & Extras = {},
): Challenge {
  checkToken(scheme, 'scheme')
  for (const name of Object.keys(params)) checkToken(name, 'parameter')
  const value = { scheme, params: new Map(Object.entries(params)), body: contentOf(body).bytes }
  return new Decision({ kind: 'challenge', value }, extras) as Challenge
}

/** Recorded on the views while a handler ran. */
export interface Recorded {
  readonly requestHeaders: readonly HeaderEdit[]
  readonly responseHeaders: readonly HeaderEdit[]
  readonly attributes: ReadonlyMap<string, string>
}

/** The decision as the protocol has it. */
export function wireDecision (decision: Decision, recorded: Recorded, wants: Wants | undefined): WireDecision {
  const { extras } = decision
  const { kind, value } = withType(decision.outcome, decision.bodyType)
  // Not `{ ...fields, kind, value }`: V8 keeps what such an object points to until the next full collection of garbage.
  return {
    requestHeaders: extras.requestHeaders ? [...recorded.requestHeaders, ...editsOf(extras.requestHeaders)] : recorded.requestHeaders,
    responseHeaders: extras.responseHeaders ? [...recorded.responseHeaders, ...editsOf(extras.responseHeaders)] : recorded.responseHeaders,
    replaceBody: extras.replaceBody === undefined ? undefined : bytesOf(extras.replaceBody),
    rewritePath: extras.rewritePath === undefined ? undefined : checkedPath(extras.rewritePath),
    rewriteQuery: extras.rewriteQuery === undefined ? undefined : checkedTarget(extras.rewriteQuery, 'query'),
    upstream: extras.upstream ?? '',
    attributes: extras.attributes ? new Map([...recorded.attributes, ...Object.entries(extras.attributes)]) : recorded.attributes,
    audit: extras.audit === undefined ? undefined : wireAudit(extras.audit),
    wants,
    kind,
    value,
  } as WireDecision // `kind` and `value` are those of one outcome.
}

/** What the author says of the type goes before what the body looks like. */
function withType (outcome: Outcome, type: string): Outcome {
  if (outcome.kind !== 'block' || type === '') return outcome
  const { headers } = outcome.value
  const hasType = headers.some((text, i) => i % 2 === 0 && text.toLowerCase() === 'content-type')
  return hasType ? outcome : { ...outcome, value: { ...outcome.value, headers: [...headers, 'Content-Type', type] } }
}

export function wireAudit (audit: NonNullable<Extras['audit']>): Audit {
  return { ...emptyAudit, ...audit, details: audit.details ? new Map(Object.entries(audit.details)) : noEntries }
}

/** Text becomes UTF-8; bytes are taken as they are, not copied. */
export function bytesOf (body: string | Uint8Array): Buffer {
  if (typeof body === 'string') return Buffer.from(body)
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

function contentOf (body: Answer['body']): { bytes: Buffer, type: string } {
  if (body === undefined) return { bytes: bytesOf(''), type: '' }
  if (typeof body === 'string') return { bytes: bytesOf(body), type: body === '' ? '' : 'text/plain; charset=utf-8' }
  if (body instanceof Uint8Array) return { bytes: bytesOf(body), type: '' }
  return { bytes: Buffer.from(JSON.stringify(body)), type: 'application/json' }
}

function checkedPath (path: string): string {
  if (!path.startsWith('/')) throw new TypeError(`a path begins with "/", not ${JSON.stringify(path.slice(0, 20))}`)
  if (path.includes('?')) throw new TypeError('a path has no "?"; use rewriteQuery')
  return checkedTarget(path, 'path')
}

/** The request line has no place for blanks and control characters: they would end it early (RFC 9112 section 3). */
function checkedTarget (text: string, what: string): string {
  if (!/^[\x21-\x7e\x80-\xff]*$/.test(text) || text.includes('#')) throw new TypeError(`a ${what} must be percent-encoded`)
  return text
}
