import { randomUUID } from 'node:crypto'
import type { Audit, Decision, Wants } from '../../proto/codec/index.ts'
import { bodyOf } from '../pipeline/body.ts'
import type { AuditFacts, DecisionRecord, Reply } from '../pipeline/exchange.ts'
import { HeaderList, type HeaderEdit } from '../pipeline/headers.ts'
import { checkedEdits, checkedLines, isToken } from './edits.ts'
import { badReply } from './grpc-stream.ts'

/** What an answer may change at the point of the exchange where it is given. */
export interface Stage {
  readonly phase: DecisionRecord['phase']
  /** The request has not left yet: its head, path and upstream may change. */
  readonly requestOpen: boolean
  /** The response's head has not left yet. */
  readonly responseOpen: boolean
  /** A whole body was shown. */
  readonly bodyOpen: boolean
  /** The tool that is asked about. */
  readonly tool?: string | undefined
  /** A refusal takes only what is asked about: the exchange goes on, and so do the questions. */
  readonly partial?: boolean
  /** Throws AGENT_BAD_REPLY for what cannot stand in the place of what was shown. */
  readonly checkBody?: (replaceBody: Buffer) => void
  /** The answer of a refusal in the form that fits here, from the one that it has anywhere. */
  readonly refusal?: (reply: Reply, decision: Decision, ticket: string | undefined) => Reply
}

export const stages = {
  requestHeaders: { phase: 'request-headers', requestOpen: true, responseOpen: true, bodyOpen: false },
  wholeRequestBody: { phase: 'request-body', requestOpen: true, responseOpen: true, bodyOpen: true },
  requestPrefix: { phase: 'request-body', requestOpen: true, responseOpen: true, bodyOpen: false },
  requestChunk: { phase: 'request-body', requestOpen: false, responseOpen: true, bodyOpen: false },
  responseHeaders: { phase: 'response-headers', requestOpen: false, responseOpen: true, bodyOpen: false },
  wholeResponseBody: { phase: 'response-body', requestOpen: false, responseOpen: true, bodyOpen: true },
  responsePrefix: { phase: 'response-body', requestOpen: false, responseOpen: true, bodyOpen: false },
  responseChunk: { phase: 'response-body', requestOpen: false, responseOpen: false, bodyOpen: false },
  webSocketMessage: { phase: 'websocket-message', requestOpen: false, responseOpen: false, bodyOpen: true },
} as const satisfies Record<string, Stage>

/** A decision that was checked whole: every part of it may be applied where it was given. */
export interface Ruling {
  readonly verdict: NonNullable<Decision['kind']>
  /** The answer that ends the exchange here. */
  readonly reply: Reply | undefined
  readonly ticket: string | undefined
  readonly requestEdits: readonly HeaderEdit[]
  readonly responseEdits: readonly HeaderEdit[]
  readonly replaceBody: Buffer | undefined
  readonly rewritePath: string | undefined
  readonly rewriteQuery: string | undefined
  /** "" when the agent did not choose. */
  readonly upstream: string
  readonly attributes: ReadonlyMap<string, string>
  readonly audit: AuditFacts | undefined
  readonly wants: Wants | undefined
}

/** Judges a decision; throws AGENT_BAD_REPLY when any part of it is unknown, malformed or out of place, so that none is applied. */
export function rule (decision: Decision, stage: Stage): Ruling {
  const { kind, upstream, attributes, replaceBody, rewritePath, rewriteQuery, wants } = decision
  if (kind === undefined) throw badReply('a decision of a kind that this version does not know')
  if (!stage.requestOpen) {
    if (decision.requestHeaders.length > 0) throw badReply('edits of a request that has left already')
    if (rewritePath !== undefined || rewriteQuery !== undefined) throw badReply('a rewrite of a request that has left already')
    if (upstream !== '') throw badReply('an upstream for a request that has left already')
  }
  if (!stage.responseOpen && decision.responseHeaders.length > 0) throw badReply('edits of a response that has left already')
  if (replaceBody !== undefined && !stage.bodyOpen) throw badReply('another body where no whole body was shown')
  if (replaceBody !== undefined) stage.checkBody?.(replaceBody)
  checkWants(wants, stage)
  checkAttributes(attributes)
  const { reply: usual, ticket } = replyOf(decision)
  const reply = usual === undefined ? undefined : stage.refusal?.(usual, decision, ticket) ?? usual
  return {
    verdict: kind,
    reply,
    ticket,
    requestEdits: checkedEdits(decision.requestHeaders),
    responseEdits: checkedEdits(decision.responseHeaders),
    replaceBody,
    rewritePath: checkedTarget(rewritePath, /^\/[\x21\x22\x24-\x3e\x40-\x7e]*$/, 'path'),
    rewriteQuery: checkedTarget(rewriteQuery, /^[\x21\x22\x24-\x7e]*$/, 'query'),
    upstream,
    attributes,
    audit: auditOf(decision.audit),
    wants,
  }
}

function replyOf (decision: Decision): { reply: Reply | undefined, ticket?: string | undefined } {
  switch (decision.kind) {
    case 'block': {
      const { status, headers, body } = decision.value
      const chosen = status === 0 ? 403 : status
      if (chosen < 400 || chosen > 599) throw badReply(`block with status ${status}`)
      return { reply: { status: chosen, headers: new HeaderList(checkedLines(headers)), body: bodyOf(body) } }
    }
    case 'redirect': return { reply: redirection(decision.value.status, decision.value.location) }
    case 'challenge': {
      const { scheme, params, body } = decision.value
      return { reply: { status: 401, headers: HeaderList.from({ 'WWW-Authenticate': challenge(scheme, params) }), body: bodyOf(body) } }
    }
    case 'review': return reviewReply(decision.value.ticket)
    default: return { reply: undefined }
  }
}

const redirects = new Set([301, 302, 303, 307, 308])

function redirection (status: number, location: string): Reply {
  const chosen = status === 0 ? 302 : status
  if (!redirects.has(chosen)) throw badReply(`redirect with status ${status}`)
  // A URI has ASCII only; what an agent wrote in another script is encoded as browsers do (RFC 3987 section 3.1).
  const encoded = location.replace(/[^\x00-\x7f]+/gu, encodeText)
  if (encoded.length > 8192 || !/^[\x21-\x7e]+$/.test(encoded)) throw badReply('redirect to something that is no URI')
  return { status: chosen, headers: HeaderList.from({ Location: encoded }), body: bodyOf(Buffer.alloc(0)) }
}

function encodeText (text: string): string {
  return Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).toUpperCase()}`).join('')
}

/** challenge = auth-scheme 1*SP #auth-param (RFC 9110 section 11.3); every value as a quoted string, which all readers take. */
function challenge (scheme: string, params: ReadonlyMap<string, string>): string {
  if (!isToken(scheme)) throw badReply('challenge with a scheme that is none')
  const parts: string[] = []
  for (const [name, value] of params) {
    if (!isToken(name) || value.length > 4096 || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) throw badReply(`challenge with a bad parameter ${JSON.stringify(name.slice(0, 80))}`)
    parts.push(`${name}="${value.replace(/["\\]/g, '\\$&')}"`)
  }
  return parts.length === 0 ? scheme : `${scheme} ${parts.join(', ')}`
}

function reviewReply (given: string): { reply: Reply, ticket: string } {
  const ticket = given === '' ? randomUUID() : given
  if (!/^[\x21-\x7e]{1,128}$/.test(ticket)) throw badReply('review with a ticket that no header can carry')
  const problem = { type: 'about:blank', title: 'Forbidden', status: 403, detail: 'A person has to look at this request first. Ask with the ticket.', ticket }
  const headers = HeaderList.from({ 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', 'X-Sentinel-Ticket': ticket })
  return { reply: { status: 403, headers, body: bodyOf(Buffer.from(JSON.stringify(problem) + '\n')) }, ticket }
}

function checkedTarget (text: string | undefined, shape: RegExp, what: string): string | undefined {
  if (text !== undefined && (text.length > 8192 || !shape.test(text))) throw badReply(`a ${what} to rewrite to that is none`)
  return text
}

/** Attributes go to later agents and into every log line of the exchange, so they stay small. */
const maxAttributes = 64
const maxAttributeChars = 16 * 1024

export function checkAttributes (attributes: ReadonlyMap<string, string>): void {
  if (attributes.size === 0) return
  if (attributes.size > maxAttributes) throw badReply(`${attributes.size} attributes, at most ${maxAttributes} are taken`)
  let chars = 0
  for (const [name, value] of attributes) {
    if (!/^[\x21-\x7e]{1,128}$/.test(name)) throw badReply('an attribute with a name that is none')
    chars += name.length + value.length
  }
  if (chars > maxAttributeChars) throw badReply(`attributes of more than ${maxAttributeChars} characters`)
}

/** The attributes of the exchange with these added; an empty value removes. Throws AGENT_BAD_REPLY when there would be too many. */
export function mergeAttributes (held: ReadonlyMap<string, string> | undefined, more: ReadonlyMap<string, string>): Map<string, string> {
  const merged = new Map(held)
  for (const [name, value] of more) {
    if (value === '') merged.delete(name)
    else merged.set(name, value)
  }
  checkAttributes(merged)
  return merged
}

export function checkWants (wants: Wants | undefined, { phase }: Stage): void {
  if (wants === undefined) return
  for (const mode of [wants.requestBody, wants.responseBody]) {
    if (mode?.kind === 'unrecognized' || mode?.over === 'unrecognized') throw badReply('a body wanted in a way that this version does not know')
  }
  const late = (kind: string | undefined): boolean => kind === 'buffer' || kind === 'stream'
  if (phase !== 'request-headers' && late(wants.requestBody?.kind)) throw badReply('the request body was asked for after the answer to its headers')
  if ((phase === 'response-body' || phase === 'websocket-message') && (late(wants.responseBody?.kind) || wants.responseHeaders)) throw badReply('the response was asked for after it was shown')
}

/** Bounds for what goes into log and evidence. */
const maxWords = 64
const maxWordChars = 512

export function auditOf (audit: Audit | undefined): AuditFacts | undefined {
  if (audit === undefined) return undefined
  if (audit.severity === 'unrecognized') throw badReply('an audit of a severity that this version does not know')
  const words = (list: readonly string[]): string[] => list.slice(0, maxWords).map((word) => word.slice(0, maxWordChars))
  return {
    ruleIds: words(audit.ruleIds),
    tags: words(audit.tags),
    reason: audit.reason.slice(0, maxWordChars),
    severity: audit.severity,
    confidence: Number.isFinite(audit.confidence) ? Math.min(1, Math.max(0, audit.confidence)) : 0,
    redactions: words(audit.redactions),
    details: Object.fromEntries([...audit.details].slice(0, maxWords).map(([name, value]) => [name.slice(0, maxWordChars), value.slice(0, maxWordChars)])),
  }
}
