import type { DecisionRecord, Exchange } from '../pipeline/exchange.ts'
import { isSensitiveName } from '../../config/schema/sensitive.ts'
import { REDACTED, scrubText } from '../pipeline/redact.ts'
import { sha256 } from './canonical.ts'
import type { Json } from './canonical.ts'
import type { Entry } from './chain.ts'

/** Bounds of what an agent may put into one receipt: it is metadata, never a way to keep payloads. */
const MAX_TEXT = 512
const MAX_ITEM = 128
const MAX_ITEMS = 64
const MAX_DETAILS = 32

/** Details with these names are the hash of what was judged, and get a field of their own. */
const payloadHashNames = ['payload_hash', 'payload-hash', 'payload_sha256', 'payload-sha256']

/**
 * Whether a decision leaves a receipt: everything but a plain allow. An allow that names rules, redaction classes or a payload
 * hash is none: "looked at, nothing changed" has to be provable, too.
 */
export function leavesReceipt (d: DecisionRecord): boolean {
  if (d.verdict !== 'allow' || d.fault !== undefined) return true
  const { audit } = d
  return audit !== undefined && (audit.ruleIds.length > 0 || audit.redactions.length > 0 || payloadHashOf(d) !== undefined)
}

/** Metadata of one decision: who, when, which rule, what came of it. No header, no query, no body. */
export function receipt (x: Exchange, d: DecisionRecord, index: number, context: { deployment: string, time: string }): Entry {
  const { audit } = d
  const rawPath = text(x.request.rawPath, 8192)
  // In the order of canonical JSON: sorting what is sorted already is nearly free.
  return {
    action: actionOf(d),
    agent: text(d.agent, MAX_ITEM),
    applied: d.applied,
    client_ip: text(x.clientIp, MAX_ITEM),
    confidence: number(audit?.confidence ?? 0),
    deployment: context.deployment,
    details: details(audit?.details),
    duration_ms: number(d.durationMs),
    event_id: text(x.id),
    failure_mode: d.failureMode ?? null,
    fault: d.fault?.code ?? null,
    host: text(x.request.authority),
    kind: 'decision',
    listener: text(x.listener),
    method: text(x.request.method, MAX_ITEM),
    mode: d.mode,
    path: maskPath(x.request.path),
    path_sha256: sha256(rawPath),
    payload_sha256: payloadHashOf(d) ?? null,
    phase: d.phase,
    policy_version: text(d.configVersion, MAX_ITEM),
    reason: text(scrubText((audit?.reason ?? '').slice(0, 4 * MAX_TEXT))),
    receipt_id: `rcpt_${text(x.id)}_${index}`,
    redactions: list(audit?.redactions),
    route: x.route === undefined ? null : text(x.route.name),
    rule_ids: list(audit?.ruleIds),
    severity: audit?.severity ?? 'unspecified',
    status: d.status,
    status_sent: x.reply?.status ?? 0,
    tags: list(audit?.tags),
    target: text(x.target, MAX_ITEM),
    ticket: d.ticket === undefined ? null : text(d.ticket, MAX_ITEM),
    time: context.time,
    ...d.tool === undefined ? {} : { tool: text(d.tool, MAX_ITEM) },
    ...x.trace === undefined ? {} : { trace_id: x.trace.traceId },
    upstream: text(x.upstream, MAX_ITEM),
    verdict: text(d.verdict, MAX_ITEM),
  }
}

const changing = new Set(['redact', 'drop', 'replace'])
/** Of a message: there is no answer to give any more. */
const closing = new Set(['close', 'block', 'review', 'redirect', 'challenge'])

/** What the proxy did because of the decision. */
function actionOf (d: DecisionRecord): string {
  if (d.fault !== undefined) return d.failureMode === 'open' || !d.applied ? 'continued' : 'refused'
  if (!d.applied) return 'continued'
  if (d.status > 0) return 'answered'
  // Of a call, or a result: the rest of the exchange goes on.
  if (closing.has(d.verdict)) return d.phase === 'websocket-message' ? 'closed' : 'changed'
  return changing.has(d.verdict) ? 'changed' : 'continued'
}

/**
 * The path with everything that could carry content masked: segments that are long or contain more than letters, digits and `-_.~`
 * (identifiers of links, encoded data, attack strings). `path_sha256`, over the path as received, says which one it was.
 */
export function maskPath (path: string): string {
  const segments = path.split('/')
  const shown = segments.slice(0, 16).map((segment) => /^[\w.~-]{0,32}$/.test(segment) && !isOpaque(segment) ? segment : '*')
  return segments.length > 16 ? `${shown.join('/')}/…` : shown.join('/')
}

/** Letters and digits mixed over twenty characters or more: an identifier that may be a capability. */
function isOpaque (segment: string): boolean {
  return segment.length >= 20 && /\d/.test(segment) && /[A-Za-z]/.test(segment)
}

function payloadHashOf (d: DecisionRecord): string | undefined {
  const given = d.audit?.details
  if (given === undefined) return undefined
  for (const name of payloadHashNames) {
    const value = given[name]
    if (value !== undefined && value !== '') return text(value, MAX_ITEM)
  }
  return undefined
}

/** Lone surrogates have no UTF-8 and no canonical JSON: they become U+FFFD. */
function text (value: string, max = MAX_TEXT): string {
  const bounded = value.length > max ? `${value.slice(0, max - 1)}…` : value
  return bounded.replace(/\p{Surrogate}/gu, '\ufffd')
}

function number (value: number): number {
  return Number.isFinite(value) ? Math.round(value * 1000) / 1000 : 0
}

function list (items: readonly string[] | undefined): readonly string[] {
  return (items ?? []).slice(0, MAX_ITEMS).map((item) => text(scrubText(item.slice(0, 4 * MAX_ITEM)), MAX_ITEM))
}

function details (given: Readonly<Record<string, string>> | undefined): { readonly [name: string]: Json } {
  const kept = Object.entries(given ?? {}).filter(([name]) => !payloadHashNames.includes(name)).slice(0, MAX_DETAILS)
  const shown = (name: string, value: string): string => isSensitiveName(name) ? REDACTED : text(scrubText(value.slice(0, 4 * MAX_TEXT)))
  return Object.fromEntries(kept.map(([name, value]) => [text(name, MAX_ITEM), shown(name, String(value))]))
}
