import type { Decision, HeaderEdit, Wants } from '../../proto/codec/index.ts'

/** What a decision may change at the point of an exchange where it is given. */
export interface Stage {
  readonly isHeadOfRequest: boolean
  /** The head of the response was shown before. */
  readonly isBehindResponse: boolean
  /** The request has not left yet: its head, path and upstream may change. */
  readonly requestOpen: boolean
  /** The head of the response has not left yet. */
  readonly responseOpen: boolean
  /** A whole body was shown. */
  readonly bodyOpen: boolean
}

const closed: Stage = { isHeadOfRequest: false, isBehindResponse: false, requestOpen: false, responseOpen: false, bodyOpen: false }

export const stages = {
  requestHeaders: { ...closed, isHeadOfRequest: true, requestOpen: true, responseOpen: true },
  wholeRequestBody: { ...closed, requestOpen: true, responseOpen: true, bodyOpen: true },
  requestPrefix: { ...closed, requestOpen: true, responseOpen: true },
  requestChunk: { ...closed, responseOpen: true },
  responseHeaders: { ...closed, responseOpen: true },
  wholeResponseBody: { ...closed, isBehindResponse: true, responseOpen: true, bodyOpen: true },
  responsePrefix: { ...closed, isBehindResponse: true, responseOpen: true },
  responseChunk: { ...closed, isBehindResponse: true },
  webSocketMessage: { ...closed, isBehindResponse: true, bodyOpen: true },
} as const satisfies Readonly<Record<string, Stage>>

/** Fields that belong to a connection, to the framing, or to the choice of the route (RFC 9110 sections 7.6.1 and 8.6): no agent edits them. */
const ofTheProxy: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings', 'content-length', 'host', 'expect',
])

const maxEdits = 128
const maxEditChars = 64 * 1024
const maxAttributes = 64
const maxAttributeChars = 16 * 1024

/** Why the proxy would apply nothing of a decision that was given here; `undefined` when it would. The rules are those of `proto/REFERENCE.md`. */
export function whyNotApplied (decision: Decision, stage: Stage): string | undefined {
  const { kind, upstream, attributes, replaceBody, rewritePath, rewriteQuery, requestHeaders, responseHeaders } = decision
  if (kind === undefined) return 'a decision of a kind that this version does not know'
  if (!stage.requestOpen) {
    if (requestHeaders.length > 0) return 'edits of a request that has left already'
    if (rewritePath !== undefined || rewriteQuery !== undefined) return 'a rewrite of a request that has left already'
    if (upstream !== '') return 'an upstream for a request that has left already'
  }
  if (!stage.responseOpen && responseHeaders.length > 0) return 'edits of a response that has left already'
  if (replaceBody !== undefined && !stage.bodyOpen) return 'another body where no whole body was shown'
  return wrongWants(decision.wants, stage) ?? wrongAttributes(attributes) ?? wrongOutcome(decision) ??
    wrongEdits(requestHeaders) ?? wrongEdits(responseHeaders) ??
    wrongTarget(rewritePath, /^\/[\x21\x22\x24-\x3e\x40-\x7e]*$/, 'path') ?? wrongTarget(rewriteQuery, /^[\x21\x22\x24-\x7e]*$/, 'query')
}

function wrongWants (wants: Wants | undefined, stage: Stage): string | undefined {
  const late = (mode: string | undefined): boolean => mode === 'buffer' || mode === 'stream'
  if (!stage.isHeadOfRequest && late(wants?.requestBody?.kind)) return 'the request body was asked for after the answer to its headers'
  return stage.isBehindResponse && (late(wants?.responseBody?.kind) || wants?.responseHeaders === true) ? 'the response was asked for after it was shown' : undefined
}

function wrongAttributes (attributes: ReadonlyMap<string, string>): string | undefined {
  if (attributes.size > maxAttributes) return `${attributes.size} attributes, at most ${maxAttributes} are taken`
  let chars = 0
  for (const [name, value] of attributes) {
    if (!/^[\x21-\x7e]{1,128}$/.test(name)) return 'an attribute with a name that is none'
    chars += name.length + value.length
  }
  return chars > maxAttributeChars ? `attributes of more than ${maxAttributeChars} characters` : undefined
}

/** Of what `block`, `redirect` and the others let through, what no client could be sent. */
function wrongOutcome (decision: Decision): string | undefined {
  if (decision.kind === 'block') return wrongLines(decision.value.headers)
  if (decision.kind === 'redirect') {
    const { location } = decision.value
    return location.length > 8192 || !/^[\x21-\x7e]+$/.test(location) ? 'redirect to something that is no URI' : undefined
  }
  if (decision.kind === 'challenge') {
    const bad = [...decision.value.params].find(([, value]) => value.length > 4096 || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
    return bad === undefined ? undefined : `challenge with a bad parameter ${JSON.stringify(bad[0].slice(0, 80))}`
  }
  if (decision.kind !== 'review' || decision.value.ticket === '') return undefined
  return /^[\x21-\x7e]{1,128}$/.test(decision.value.ticket) ? undefined : 'review with a ticket that no header can carry'
}

function wrongLines (lines: readonly string[]): string | undefined {
  if (lines.length > 2 * maxEdits) return `${lines.length / 2} header fields, at most ${maxEdits} are taken`
  for (let i = 0; i < lines.length; i += 2) {
    const why = wrongField(lines[i]!, lines[i + 1]!)
    if (why !== undefined) return why
  }
  return undefined
}

function wrongEdits (edits: readonly HeaderEdit[]): string | undefined {
  if (edits.length > maxEdits) return `${edits.length} header edits, at most ${maxEdits} are taken`
  let chars = 0
  for (const { name, value } of edits) {
    chars += name.length + value.length
    const why = wrongField(name, '') ?? (chars > maxEditChars ? `header edits of more than ${maxEditChars} characters` : wrongField(name, value))
    if (why !== undefined) return why
  }
  return undefined
}

function wrongField (name: string, value: string): string | undefined {
  if (name.length > 256) return `a header name that is none: ${JSON.stringify(name.slice(0, 80))}`
  // Some servers read `_`, and anything else that is neither letter nor digit, as "-".
  if (ofTheProxy.has(name.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-'))) return `an edit of ${name}, which belongs to the proxy`
  return value.length > maxEditChars ? `a value of ${name} with bytes that no header value may have` : undefined
}

function wrongTarget (text: string | undefined, shape: RegExp, what: string): string | undefined {
  return text !== undefined && (text.length > 8192 || !shape.test(text)) ? `a ${what} to rewrite to that is none` : undefined
}
