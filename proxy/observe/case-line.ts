import { plainEvent, plainReply, type PlainObject } from '../../proto/message-json.ts'
import type { EventOneOf } from '../../proto/codec/index.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { RecordTerms } from '../pipeline/tail-filter.ts'
import { jsonText } from './quote.ts'
import type { RecordedTalk, Said } from './recorder.ts'
import { redactMessage, type Redaction } from './redact-message.ts'

/** Version of the shape of a case (proxy/cli/CASES.md). */
export const CASE_VERSION = 1

/** Characters of one case: more is no line that somebody could take. */
const maxChars = 768 * 1024

/** One exchange and what agents were asked about it, as a line of JSON without its end; `undefined` when it would be too long. */
export function caseLine (x: Exchange, talks: readonly RecordedTalk[], terms: RecordTerms, nowMs: number): string | undefined {
  const marks = new Set<string>()
  const { request, reply } = x
  const head = redacted({ authority: request.authority, path: request.rawPath, query: request.query, headers: [] }, terms, true, marks)
  const response = reply === undefined ? undefined : redacted({ status: reply.status, ...plainHeaders(reply.headers.raw()) }, terms, true, marks)
  const attached = Object.fromEntries(x.attributes ?? [])
  const attributes = Object.keys(attached).length === 0 ? {} : redacted({ attributes: attached }, terms, true, marks)
  // Of agents alone: what the client got is of no weight for what they decide.
  marks.clear()
  const agents = talks.map((talk) => agentOf(talk, terms, marks))
  const line = jsonText({
    v: CASE_VERSION, kind: 'case', id: x.id, at: new Date(nowMs).toISOString(), route: x.route?.name ?? null, listener: x.listener,
    request: { method: request.method, host: head['authority'], path: head['path'], ...request.query === '' ? {} : { query: head['query'] }, client_ip: x.clientIp },
    status: reply?.status ?? 0, ...x.fault === undefined ? {} : { fault: x.fault.code }, ...response === undefined ? {} : { response },
    ...attributes, agents, redacted: [...marks].sort(),
  })
  return line.length > maxChars ? undefined : line
}

function plainHeaders (lines: readonly string[]): PlainObject {
  return { headers: Array.from({ length: lines.length / 2 }, (_, i) => [lines[2 * i]!, lines[2 * i + 1]!]) }
}

function agentOf ({ agent, said, cut }: RecordedTalk, terms: RecordTerms, marks: Set<string>): PlainObject {
  const head = said.find(({ event }) => event.kind === 'request_headers')?.event
  const [mode, version] = head?.kind === 'request_headers' ? [head.value.mode, head.value.configVersion] : ['enforce', '']
  const pieces = new Map<string, number>()
  for (const { event } of said) pieces.set(String(event.kind), (pieces.get(String(event.kind)) ?? 0) + 1)
  const inPieces = said.some(({ event }) => event.kind === 'websocket_message' && event.value.partial)
  return {
    agent, mode, config_version: version, ...cut ? { cut: true } : {},
    asked: said.map((one) => askedOf(one, terms, one.event.kind === 'websocket_message' ? !inPieces : pieces.get(String(one.event.kind)) === 1, marks)),
  }
}

function askedOf ({ event, dataBytes, reply, fault, ms }: Said, terms: RecordTerms, alone: boolean, marks: Set<string>): PlainObject {
  const awaited = event.timeoutMs > 0
  return {
    event: withData(redacted(plainEvent(event), terms, alone, marks), event, dataBytes, terms, marks),
    ...awaited ? { timeout_ms: event.timeoutMs, ms: Math.round(ms * 1000) / 1000 } : {},
    // What is taken out of what it said is not what it decided by.
    ...reply === undefined ? {} : { reply: redacted(plainReply(reply), terms, true, new Set()) },
    ...fault === undefined ? {} : { failed: fault.code },
  }
}

function redacted (message: PlainObject, { bodies, unredacted }: RecordTerms, whole: boolean, marks: Set<string>): PlainObject {
  if (unredacted) return message
  const redaction: Redaction = { bodies, whole, marks }
  return redactMessage(message, redaction)
}

/** What of a body is not there: it was left out, or is longer than what is kept. */
function withData (message: PlainObject, event: EventOneOf, dataBytes: number, { bodies, maxBodyBytes }: RecordTerms, marks: Set<string>): PlainObject {
  const field = dataFields.get(event.kind ?? '')
  if (field === undefined || dataBytes === 0) return message
  const kept = bodies && dataBytes <= maxBodyBytes && keptBytes(event) === dataBytes
  if (kept) return message
  marks.add('the body')
  const { value } = message
  return { ...message, value: { ...typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}, [field]: { omitted: dataBytes } } }
}

const dataFields: ReadonlyMap<string, string> = new Map([
  ['request_body', 'data'], ['response_body', 'data'], ['websocket_message', 'data'], ['tool_call', 'arguments_json'], ['tool_result', 'result_json'],
])

function keptBytes (event: EventOneOf): number {
  switch (event.kind) {
    case 'request_body':
    case 'response_body':
    case 'websocket_message': return event.value.data.length
    case 'tool_call': return event.value.argumentsJson.length
    case 'tool_result': return event.value.resultJson.length
    default: return 0
  }
}
