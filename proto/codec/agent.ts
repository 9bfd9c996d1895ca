// Made from proto/sentinel/agent/v1/agent.proto by proto/generate.ts (node dist/proto/generate.js). Do not edit.
import { noEntries, readEntry, writeEntries, type Entries } from './entries.ts'
import { readFieldLine, writeFieldLines, type FieldLines } from './field-lines.ts'
import { decode, type Reader } from './reader.ts'
import { numberOf, type Unrecognized } from './words.ts'
import { encode, type Writer } from './writer.ts'

const noBytes: Buffer = Buffer.alloc(0)

/** Words of `EventKind`; the index is the number on the wire. */
export const eventKindWords = [
  'unspecified', 'request_headers', 'request_body', 'request_trailers', 'response_headers', 'response_body',
  'response_trailers', 'websocket_message', 'tool_call', 'tool_result', 'complete', 'guardrail',
] as const
/** A word of `EventKind`, or "unrecognized" for a number that this version has no word for. */
export type EventKind = typeof eventKindWords[number] | Unrecognized
const eventKindNumbers = new Map<string, number>(eventKindWords.map((word, i) => [word, i]))

/** Words of `AgentMode`; the index is the number on the wire. */
export const agentModeWords = [
  'enforce', 'monitor', 'shadow', 'dry_run',
] as const
/** A word of `AgentMode`, or "unrecognized" for a number that this version has no word for. */
export type AgentMode = typeof agentModeWords[number] | Unrecognized
const agentModeNumbers = new Map<string, number>(agentModeWords.map((word, i) => [word, i]))

/** Words of `Inspection`; the index is the number on the wire. */
export const inspectionWords = [
  'unspecified', 'prompt_injection', 'pii',
] as const
/** A word of `Inspection`, or "unrecognized" for a number that this version has no word for. */
export type Inspection = typeof inspectionWords[number] | Unrecognized
const inspectionNumbers = new Map<string, number>(inspectionWords.map((word, i) => [word, i]))

/** Words of `CancelReason`; the index is the number on the wire. */
export const cancelReasonWords = [
  'unspecified', 'client_gone', 'timeout', 'decided', 'upstream_failed', 'shutdown',
] as const
/** A word of `CancelReason`, or "unrecognized" for a number that this version has no word for. */
export type CancelReason = typeof cancelReasonWords[number] | Unrecognized
const cancelReasonNumbers = new Map<string, number>(cancelReasonWords.map((word, i) => [word, i]))

/** Words of `HeaderEditAction`; the index is the number on the wire. */
export const headerEditActionWords = [
  'unspecified', 'set', 'append', 'remove',
] as const
/** A word of `HeaderEditAction`, or "unrecognized" for a number that this version has no word for. */
export type HeaderEditAction = typeof headerEditActionWords[number] | Unrecognized
const headerEditActionNumbers = new Map<string, number>(headerEditActionWords.map((word, i) => [word, i]))

/** Words of `Severity`; the index is the number on the wire. */
export const severityWords = [
  'unspecified', 'info', 'low', 'medium', 'high', 'critical',
] as const
/** A word of `Severity`, or "unrecognized" for a number that this version has no word for. */
export type Severity = typeof severityWords[number] | Unrecognized
const severityNumbers = new Map<string, number>(severityWords.map((word, i) => [word, i]))

/** Words of `BodyModeKind`; the index is the number on the wire. */
export const bodyModeKindWords = [
  'default', 'none', 'buffer', 'stream',
] as const
/** A word of `BodyModeKind`, or "unrecognized" for a number that this version has no word for. */
export type BodyModeKind = typeof bodyModeKindWords[number] | Unrecognized
const bodyModeKindNumbers = new Map<string, number>(bodyModeKindWords.map((word, i) => [word, i]))

/** Words of `BodyModeOver`; the index is the number on the wire. */
export const bodyModeOverWords = [
  'block', 'prefix', 'skip',
] as const
/** A word of `BodyModeOver`, or "unrecognized" for a number that this version has no word for. */
export type BodyModeOver = typeof bodyModeOverWords[number] | Unrecognized
const bodyModeOverNumbers = new Map<string, number>(bodyModeOverWords.map((word, i) => [word, i]))

/** Words of `AgentHealth`; the index is the number on the wire. */
export const agentHealthWords = [
  'unspecified', 'serving', 'degraded', 'draining',
] as const
/** A word of `AgentHealth`, or "unrecognized" for a number that this version has no word for. */
export type AgentHealth = typeof agentHealthWords[number] | Unrecognized
const agentHealthNumbers = new Map<string, number>(agentHealthWords.map((word, i) => [word, i]))

/** Words of `MetricKind`; the index is the number on the wire. */
export const metricKindWords = [
  'unspecified', 'counter', 'gauge', 'histogram',
] as const
/** A word of `MetricKind`, or "unrecognized" for a number that this version has no word for. */
export type MetricKind = typeof metricKindWords[number] | Unrecognized
const metricKindNumbers = new Map<string, number>(metricKindWords.map((word, i) => [word, i]))

export interface DescribeRequest {
  /** Protocol versions the proxy speaks, best first. This file is version 1. */
  readonly protocolVersions: readonly number[]
  /** Name and version of the proxy, for the agent's log. */
  readonly proxy: string
  /** The id the operator gave this agent in the KDL file. */
  readonly agentId: string
}

/** Every field at its default, to be spread. */
export const emptyDescribeRequest: DescribeRequest = {
  protocolVersions: [],
  proxy: '',
  agentId: '',
}

export function writeDescribeRequest (w: Writer, m: DescribeRequest): void {
  if (m.agentId !== '') {
    w.string(m.agentId)
    w.uint32(26)
  }
  if (m.proxy !== '') {
    w.string(m.proxy)
    w.uint32(18)
  }
  if (m.protocolVersions.length > 0) {
    const mark = w.used
    for (let i = m.protocolVersions.length - 1; i >= 0; i--) w.uint32(m.protocolVersions[i]!)
    w.close(mark, 10)
  }
}

export function readDescribeRequest (r: Reader, until: number): DescribeRequest {
  const protocolVersions: number[] = []
  let proxy = ''
  let agentId = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: protocolVersions.push(r.uint32()); break
      case 10: {
        const last = r.open(until)
        while (r.pos < last) protocolVersions.push(r.uint32())
        r.close(last)
        break
      }
      case 18: proxy = r.string(); break
      case 26: agentId = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    protocolVersions, proxy, agentId,
  }
}

export function encodeDescribeRequest (message: DescribeRequest): Buffer {
  return encode(writeDescribeRequest, message)
}

export function decodeDescribeRequest (bytes: Uint8Array): DescribeRequest {
  return decode(readDescribeRequest, bytes)
}

export interface DescribeResponse {
  /** The agent's own name, for instance "waf". */
  readonly name: string
  /** The agent's own version. */
  readonly version: string
  /** The protocol version chosen from those offered; 0 when none fits. */
  readonly protocolVersion: number
  /** What the agent is able to handle. The proxy sends the intersection of this and what the KDL file lists. */
  readonly events: readonly EventKind[]
  /** Bounds the agent sets for itself. */
  readonly limits: Limits | undefined
  /** JSON Schema (2020-12) of the `config {}` block; empty when the agent takes any. */
  readonly configSchema: string
  /**
   * Request header fields the agent sets as facts for the upstream (for instance "x-user"). The proxy removes copies
   * that come from clients, `_` and `.` aliases included, before any filter runs.
   */
  readonly setsRequestHeaders: readonly string[]
  /** How the agent wants request and response bodies when it wants them at all. An operator's setting wins. */
  readonly requestBody: BodyMode | undefined
  readonly responseBody: BodyMode | undefined
}

/** Every field at its default, to be spread. */
export const emptyDescribeResponse: DescribeResponse = {
  name: '',
  version: '',
  protocolVersion: 0,
  events: [],
  limits: undefined,
  configSchema: '',
  setsRequestHeaders: [],
  requestBody: undefined,
  responseBody: undefined,
}

export function writeDescribeResponse (w: Writer, m: DescribeResponse): void {
  if (m.responseBody !== undefined) {
    const mark = w.used
    writeBodyMode(w, m.responseBody)
    w.close(mark, 74)
  }
  if (m.requestBody !== undefined) {
    const mark = w.used
    writeBodyMode(w, m.requestBody)
    w.close(mark, 66)
  }
  for (let i = m.setsRequestHeaders.length - 1; i >= 0; i--) {
    w.string(m.setsRequestHeaders[i]!)
    w.uint32(58)
  }
  if (m.configSchema !== '') {
    w.string(m.configSchema)
    w.uint32(50)
  }
  if (m.limits !== undefined) {
    const mark = w.used
    writeLimits(w, m.limits)
    w.close(mark, 42)
  }
  if (m.events.length > 0) {
    const mark = w.used
    for (let i = m.events.length - 1; i >= 0; i--) w.uint32(numberOf(eventKindNumbers, m.events[i]!))
    w.close(mark, 34)
  }
  if (m.protocolVersion !== 0) {
    w.uint32(m.protocolVersion)
    w.uint32(24)
  }
  if (m.version !== '') {
    w.string(m.version)
    w.uint32(18)
  }
  if (m.name !== '') {
    w.string(m.name)
    w.uint32(10)
  }
}

export function readDescribeResponse (r: Reader, until: number): DescribeResponse {
  let name = ''
  let version = ''
  let protocolVersion = 0
  const events: EventKind[] = []
  let limits: Limits | undefined
  let configSchema = ''
  const setsRequestHeaders: string[] = []
  let requestBody: BodyMode | undefined
  let responseBody: BodyMode | undefined
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: name = r.string(); break
      case 18: version = r.string(); break
      case 24: protocolVersion = r.uint32(); break
      case 32: events.push(eventKindWords[r.uint32()] ?? 'unrecognized'); break
      case 34: {
        const last = r.open(until)
        while (r.pos < last) events.push(eventKindWords[r.uint32()] ?? 'unrecognized')
        r.close(last)
        break
      }
      case 42: limits = readLimits(r, r.open(until)); break
      case 50: configSchema = r.string(); break
      case 58: setsRequestHeaders.push(r.string()); break
      case 66: requestBody = readBodyMode(r, r.open(until)); break
      case 74: responseBody = readBodyMode(r, r.open(until)); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    name, version, protocolVersion, events, limits, configSchema, setsRequestHeaders, requestBody, responseBody,
  }
}

export function encodeDescribeResponse (message: DescribeResponse): Buffer {
  return encode(writeDescribeResponse, message)
}

export function decodeDescribeResponse (bytes: Uint8Array): DescribeResponse {
  return decode(readDescribeResponse, bytes)
}

export interface Limits {
  /** Exchanges the agent is ready to have open at once on all streams; 0 = no bound of its own. */
  readonly maxExchanges: number
  /** Bytes of one body the agent is ready to take; 0 = no bound of its own. */
  readonly maxBodyBytes: number
}

/** Every field at its default, to be spread. */
export const emptyLimits: Limits = {
  maxExchanges: 0,
  maxBodyBytes: 0,
}

export function writeLimits (w: Writer, m: Limits): void {
  if (m.maxBodyBytes !== 0) {
    w.uint64(m.maxBodyBytes)
    w.uint32(16)
  }
  if (m.maxExchanges !== 0) {
    w.uint32(m.maxExchanges)
    w.uint32(8)
  }
}

export function readLimits (r: Reader, until: number): Limits {
  let maxExchanges = 0
  let maxBodyBytes = 0
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: maxExchanges = r.uint32(); break
      case 16: maxBodyBytes = r.uint64(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    maxExchanges, maxBodyBytes,
  }
}

export interface ConfigureRequest {
  /**
   * The `config {}` block as JSON (UTF-8). One argument becomes a scalar, several an array, a block an object, a
   * repeated node an array.
   */
  readonly configJson: Buffer
  /**
   * Only judge: answer as if it were applied and keep the configuration that is active. A reload asks every agent
   * this way first, so that either all change or none.
   */
  readonly validateOnly: boolean
  /** The proxy's name for this configuration (a digest); comes back with decisions and health. */
  readonly version: string
}

/** Every field at its default, to be spread. */
export const emptyConfigureRequest: ConfigureRequest = {
  configJson: noBytes,
  validateOnly: false,
  version: '',
}

export function writeConfigureRequest (w: Writer, m: ConfigureRequest): void {
  if (m.version !== '') {
    w.string(m.version)
    w.uint32(26)
  }
  if (m.validateOnly) {
    w.bool(m.validateOnly)
    w.uint32(16)
  }
  if (m.configJson.length > 0) {
    w.bytes(m.configJson)
    w.uint32(10)
  }
}

export function readConfigureRequest (r: Reader, until: number): ConfigureRequest {
  let configJson = noBytes
  let validateOnly = false
  let version = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: configJson = r.bytes(); break
      case 16: validateOnly = r.bool(); break
      case 26: version = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    configJson, validateOnly, version,
  }
}

export function encodeConfigureRequest (message: ConfigureRequest): Buffer {
  return encode(writeConfigureRequest, message)
}

export function decodeConfigureRequest (bytes: Uint8Array): ConfigureRequest {
  return decode(readConfigureRequest, bytes)
}

export interface ConfigureResponse {
  readonly accepted: boolean
  /** Why not. Empty when accepted. */
  readonly problems: readonly ConfigProblem[]
}

/** Every field at its default, to be spread. */
export const emptyConfigureResponse: ConfigureResponse = {
  accepted: false,
  problems: [],
}

export function writeConfigureResponse (w: Writer, m: ConfigureResponse): void {
  for (let i = m.problems.length - 1; i >= 0; i--) {
    const mark = w.used
    writeConfigProblem(w, m.problems[i]!)
    w.close(mark, 18)
  }
  if (m.accepted) {
    w.bool(m.accepted)
    w.uint32(8)
  }
}

export function readConfigureResponse (r: Reader, until: number): ConfigureResponse {
  let accepted = false
  const problems: ConfigProblem[] = []
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: accepted = r.bool(); break
      case 18: problems.push(readConfigProblem(r, r.open(until))); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    accepted, problems,
  }
}

export function encodeConfigureResponse (message: ConfigureResponse): Buffer {
  return encode(writeConfigureResponse, message)
}

export function decodeConfigureResponse (bytes: Uint8Array): ConfigureResponse {
  return decode(readConfigureResponse, bytes)
}

export interface ConfigProblem {
  /**
   * Steps from the top of `config {}` to the value: names, and an index behind the name of a list or a repeated
   * node ("rules", "3", "pattern"). Empty: the block as a whole.
   */
  readonly path: readonly string[]
  /** One sentence for the operator. */
  readonly message: string
  /** What would be right, or what was probably meant. May be empty. */
  readonly hint: string
}

/** Every field at its default, to be spread. */
export const emptyConfigProblem: ConfigProblem = {
  path: [],
  message: '',
  hint: '',
}

export function writeConfigProblem (w: Writer, m: ConfigProblem): void {
  if (m.hint !== '') {
    w.string(m.hint)
    w.uint32(26)
  }
  if (m.message !== '') {
    w.string(m.message)
    w.uint32(18)
  }
  for (let i = m.path.length - 1; i >= 0; i--) {
    w.string(m.path[i]!)
    w.uint32(10)
  }
}

export function readConfigProblem (r: Reader, until: number): ConfigProblem {
  const path: string[] = []
  let message = ''
  let hint = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: path.push(r.string()); break
      case 18: message = r.string(); break
      case 26: hint = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    path, message, hint,
  }
}

/** The events one turn of the proxy's event loop produced, in order. */
export interface ToAgent {
  readonly events: readonly Event[]
}

/** Every field at its default, to be spread. */
export const emptyToAgent: ToAgent = {
  events: [],
}

export function writeToAgent (w: Writer, m: ToAgent): void {
  for (let i = m.events.length - 1; i >= 0; i--) {
    const mark = w.used
    writeEvent(w, m.events[i]!)
    w.close(mark, 10)
  }
}

export function readToAgent (r: Reader, until: number): ToAgent {
  const events: Event[] = []
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: events.push(readEvent(r, r.open(until))); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    events,
  }
}

export function encodeToAgent (message: ToAgent): Buffer {
  return encode(writeToAgent, message)
}

export function decodeToAgent (bytes: Uint8Array): ToAgent {
  return decode(readToAgent, bytes)
}

export type Event = EventFields & EventOneOf

export interface EventFields {
  /** Number of the exchange on this stream. Starts at 1, rises by one for each new exchange, is never used twice. */
  readonly exchange: number
  /** Number of this event within the exchange; starts at 1, rises by one. A reply repeats it. */
  readonly sequence: number
  /** Milliseconds left until the proxy gives up waiting for the reply. 0: no reply is awaited. */
  readonly timeoutMs: number
}

/** `kind` is undefined when the peer set none, or one that this version does not know. */
export type EventOneOf =
  | { readonly kind: undefined, readonly value: undefined }
  | { readonly kind: 'request_headers', readonly value: RequestHeaders }
  | { readonly kind: 'request_body', readonly value: BodyChunk }
  | { readonly kind: 'request_trailers', readonly value: Trailers }
  | { readonly kind: 'response_headers', readonly value: ResponseHeaders }
  | { readonly kind: 'response_body', readonly value: BodyChunk }
  | { readonly kind: 'response_trailers', readonly value: Trailers }
  | { readonly kind: 'websocket_message', readonly value: WebSocketMessage }
  | { readonly kind: 'tool_call', readonly value: ToolCall }
  | { readonly kind: 'tool_result', readonly value: ToolResult }
  | { readonly kind: 'complete', readonly value: Complete }
  | { readonly kind: 'cancel', readonly value: Cancel }
  | { readonly kind: 'credit', readonly value: Credit }
  | { readonly kind: 'guardrail', readonly value: Guardrail }

/** Every field at its default, to be spread. */
export const emptyEvent: Event = {
  exchange: 0,
  sequence: 0,
  timeoutMs: 0,
  kind: undefined,
  value: undefined,
}

export function writeEvent (w: Writer, m: Event): void {
  switch (m.kind) {
    case 'request_headers': {
      const mark = w.used
      writeRequestHeaders(w, m.value)
      w.close(mark, 82)
      break
    }
    case 'request_body': {
      const mark = w.used
      writeBodyChunk(w, m.value)
      w.close(mark, 90)
      break
    }
    case 'request_trailers': {
      const mark = w.used
      writeTrailers(w, m.value)
      w.close(mark, 98)
      break
    }
    case 'response_headers': {
      const mark = w.used
      writeResponseHeaders(w, m.value)
      w.close(mark, 106)
      break
    }
    case 'response_body': {
      const mark = w.used
      writeBodyChunk(w, m.value)
      w.close(mark, 114)
      break
    }
    case 'response_trailers': {
      const mark = w.used
      writeTrailers(w, m.value)
      w.close(mark, 122)
      break
    }
    case 'websocket_message': {
      const mark = w.used
      writeWebSocketMessage(w, m.value)
      w.close(mark, 130)
      break
    }
    case 'tool_call': {
      const mark = w.used
      writeToolCall(w, m.value)
      w.close(mark, 138)
      break
    }
    case 'tool_result': {
      const mark = w.used
      writeToolResult(w, m.value)
      w.close(mark, 146)
      break
    }
    case 'complete': {
      const mark = w.used
      writeComplete(w, m.value)
      w.close(mark, 154)
      break
    }
    case 'cancel': {
      const mark = w.used
      writeCancel(w, m.value)
      w.close(mark, 162)
      break
    }
    case 'credit': {
      const mark = w.used
      writeCredit(w, m.value)
      w.close(mark, 170)
      break
    }
    case 'guardrail': {
      const mark = w.used
      writeGuardrail(w, m.value)
      w.close(mark, 178)
      break
    }
  }
  if (m.timeoutMs !== 0) {
    w.uint32(m.timeoutMs)
    w.uint32(24)
  }
  if (m.sequence !== 0) {
    w.uint32(m.sequence)
    w.uint32(16)
  }
  if (m.exchange !== 0) {
    w.uint64(m.exchange)
    w.uint32(8)
  }
}

export function readEvent (r: Reader, until: number): Event {
  let exchange = 0
  let sequence = 0
  let timeoutMs = 0
  let kind: Event['kind']
  let value: Event['value']
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: exchange = r.uint64(); break
      case 16: sequence = r.uint32(); break
      case 24: timeoutMs = r.uint32(); break
      case 82: kind = 'request_headers'; value = readRequestHeaders(r, r.open(until)); break
      case 90: kind = 'request_body'; value = readBodyChunk(r, r.open(until)); break
      case 98: kind = 'request_trailers'; value = readTrailers(r, r.open(until)); break
      case 106: kind = 'response_headers'; value = readResponseHeaders(r, r.open(until)); break
      case 114: kind = 'response_body'; value = readBodyChunk(r, r.open(until)); break
      case 122: kind = 'response_trailers'; value = readTrailers(r, r.open(until)); break
      case 130: kind = 'websocket_message'; value = readWebSocketMessage(r, r.open(until)); break
      case 138: kind = 'tool_call'; value = readToolCall(r, r.open(until)); break
      case 146: kind = 'tool_result'; value = readToolResult(r, r.open(until)); break
      case 154: kind = 'complete'; value = readComplete(r, r.open(until)); break
      case 162: kind = 'cancel'; value = readCancel(r, r.open(until)); break
      case 170: kind = 'credit'; value = readCredit(r, r.open(until)); break
      case 178: kind = 'guardrail'; value = readGuardrail(r, r.open(until)); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  // `kind` and `value` are only ever set together.
  return {
    exchange, sequence, timeoutMs, kind, value,
  } as Event
}

export interface RequestHeaders {
  /** The request id of the access log and of evidence. */
  readonly requestId: string
  readonly method: string
  readonly scheme: string
  /** Host (and port, when one was sent), as the client named it; lower case. */
  readonly authority: string
  /** Path as received, without the query. */
  readonly rawPath: string
  /**
   * Path with percent-encoding of unreserved characters undone, dot segments removed and slashes merged
   * (RFC 3986 section 6.2.2). What routes match on.
   */
  readonly path: string
  /** Query as received, without "?". */
  readonly query: string
  /** "1.0", "1.1", "2". */
  readonly httpVersion: string
  readonly headers: FieldLines
  /** Client address after trusted-proxy rules. */
  readonly clientIp: string
  readonly clientPort: number
  readonly tls: Tls | undefined
  readonly route: string
  readonly listener: string
  /** W3C trace context, as it will be sent to the upstream. */
  readonly traceparent: string
  readonly tracestate: string
  /** What earlier agents of the chain attached. */
  readonly attributes: Entries
  /** Whether a body follows. False for requests that have none. */
  readonly hasBody: boolean
  /** Body length when the client said it. */
  readonly contentLength: number | undefined
  /** The mode the operator gave this agent for this route; for the agent's log only. */
  readonly mode: AgentMode
  /** How the body will be sent if the agent is subscribed to it. */
  readonly bodyMode: BodyMode | undefined
  /** Version of the configuration the proxy believes to be active. */
  readonly configVersion: string
}

/** Every field at its default, to be spread. */
export const emptyRequestHeaders: RequestHeaders = {
  requestId: '',
  method: '',
  scheme: '',
  authority: '',
  rawPath: '',
  path: '',
  query: '',
  httpVersion: '',
  headers: [],
  clientIp: '',
  clientPort: 0,
  tls: undefined,
  route: '',
  listener: '',
  traceparent: '',
  tracestate: '',
  attributes: noEntries,
  hasBody: false,
  contentLength: undefined,
  mode: 'enforce',
  bodyMode: undefined,
  configVersion: '',
}

export function writeRequestHeaders (w: Writer, m: RequestHeaders): void {
  if (m.configVersion !== '') {
    w.string(m.configVersion)
    w.uint32(178)
  }
  if (m.bodyMode !== undefined) {
    const mark = w.used
    writeBodyMode(w, m.bodyMode)
    w.close(mark, 170)
  }
  if (m.mode !== 'enforce') {
    w.uint32(numberOf(agentModeNumbers, m.mode))
    w.uint32(160)
  }
  if (m.contentLength !== undefined) {
    w.uint64(m.contentLength)
    w.uint32(152)
  }
  if (m.hasBody) {
    w.bool(m.hasBody)
    w.uint32(144)
  }
  writeEntries(w, m.attributes, 138)
  if (m.tracestate !== '') {
    w.string(m.tracestate)
    w.uint32(130)
  }
  if (m.traceparent !== '') {
    w.string(m.traceparent)
    w.uint32(122)
  }
  if (m.listener !== '') {
    w.string(m.listener)
    w.uint32(114)
  }
  if (m.route !== '') {
    w.string(m.route)
    w.uint32(106)
  }
  if (m.tls !== undefined) {
    const mark = w.used
    writeTls(w, m.tls)
    w.close(mark, 98)
  }
  if (m.clientPort !== 0) {
    w.uint32(m.clientPort)
    w.uint32(88)
  }
  if (m.clientIp !== '') {
    w.string(m.clientIp)
    w.uint32(82)
  }
  writeFieldLines(w, m.headers, 74)
  if (m.httpVersion !== '') {
    w.string(m.httpVersion)
    w.uint32(66)
  }
  if (m.query !== '') {
    w.latin1(m.query)
    w.uint32(58)
  }
  if (m.path !== '') {
    w.string(m.path)
    w.uint32(50)
  }
  if (m.rawPath !== '') {
    w.latin1(m.rawPath)
    w.uint32(42)
  }
  if (m.authority !== '') {
    w.string(m.authority)
    w.uint32(34)
  }
  if (m.scheme !== '') {
    w.string(m.scheme)
    w.uint32(26)
  }
  if (m.method !== '') {
    w.string(m.method)
    w.uint32(18)
  }
  if (m.requestId !== '') {
    w.string(m.requestId)
    w.uint32(10)
  }
}

export function readRequestHeaders (r: Reader, until: number): RequestHeaders {
  let requestId = ''
  let method = ''
  let scheme = ''
  let authority = ''
  let rawPath = ''
  let path = ''
  let query = ''
  let httpVersion = ''
  const headers: string[] = []
  let clientIp = ''
  let clientPort = 0
  let tls: Tls | undefined
  let route = ''
  let listener = ''
  let traceparent = ''
  let tracestate = ''
  let attributes: Entries = noEntries
  let hasBody = false
  let contentLength: number | undefined
  let mode: AgentMode = 'enforce'
  let bodyMode: BodyMode | undefined
  let configVersion = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: requestId = r.string(); break
      case 18: method = r.string(); break
      case 26: scheme = r.string(); break
      case 34: authority = r.string(); break
      case 42: rawPath = r.latin1(); break
      case 50: path = r.string(); break
      case 58: query = r.latin1(); break
      case 66: httpVersion = r.string(); break
      case 74: readFieldLine(r, until, headers); break
      case 82: clientIp = r.string(); break
      case 88: clientPort = r.uint32(); break
      case 98: tls = readTls(r, r.open(until)); break
      case 106: route = r.string(); break
      case 114: listener = r.string(); break
      case 122: traceparent = r.string(); break
      case 130: tracestate = r.string(); break
      case 138: {
        if (attributes === noEntries) attributes = new Map()
        // Made by the line above; only the type says that others may not change it.
        readEntry(r, until, attributes as Map<string, string>)
        break
      }
      case 144: hasBody = r.bool(); break
      case 152: contentLength = r.uint64(); break
      case 160: mode = agentModeWords[r.uint32()] ?? 'unrecognized'; break
      case 170: bodyMode = readBodyMode(r, r.open(until)); break
      case 178: configVersion = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    requestId, method, scheme, authority, rawPath, path, query, httpVersion, headers, clientIp, clientPort, tls, route,
    listener, traceparent, tracestate, attributes, hasBody, contentLength, mode, bodyMode, configVersion,
  }
}

/** Facts of the client's TLS connection. Absent on plain connections. */
export interface Tls {
  /** "TLSv1.3" or "TLSv1.2". */
  readonly version: string
  /** Name of the cipher suite. */
  readonly cipher: string
  /** The host that the client asked for (RFC 6066 section 3); empty when it did not. */
  readonly sni: string
  /** Subject of the client's certificate; empty without one. */
  readonly clientSubject: string
  /** Subject alternative names of the client's certificate. */
  readonly clientSans: readonly string[]
  /** SHA-256 of the client certificate, hex, lower case. */
  readonly clientFingerprint: string
}

/** Every field at its default, to be spread. */
export const emptyTls: Tls = {
  version: '',
  cipher: '',
  sni: '',
  clientSubject: '',
  clientSans: [],
  clientFingerprint: '',
}

export function writeTls (w: Writer, m: Tls): void {
  if (m.clientFingerprint !== '') {
    w.string(m.clientFingerprint)
    w.uint32(50)
  }
  for (let i = m.clientSans.length - 1; i >= 0; i--) {
    w.string(m.clientSans[i]!)
    w.uint32(42)
  }
  if (m.clientSubject !== '') {
    w.string(m.clientSubject)
    w.uint32(34)
  }
  if (m.sni !== '') {
    w.string(m.sni)
    w.uint32(26)
  }
  if (m.cipher !== '') {
    w.string(m.cipher)
    w.uint32(18)
  }
  if (m.version !== '') {
    w.string(m.version)
    w.uint32(10)
  }
}

export function readTls (r: Reader, until: number): Tls {
  let version = ''
  let cipher = ''
  let sni = ''
  let clientSubject = ''
  const clientSans: string[] = []
  let clientFingerprint = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: version = r.string(); break
      case 18: cipher = r.string(); break
      case 26: sni = r.string(); break
      case 34: clientSubject = r.string(); break
      case 42: clientSans.push(r.string()); break
      case 50: clientFingerprint = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    version, cipher, sni, clientSubject, clientSans, clientFingerprint,
  }
}

export interface BodyChunk {
  readonly data: Buffer
  /** No more data follows (trailers may). */
  readonly end: boolean
  /** Buffer mode: the body is longer than the limit and `data` is its beginning (over = "prefix"). */
  readonly truncated: boolean
}

/** Every field at its default, to be spread. */
export const emptyBodyChunk: BodyChunk = {
  data: noBytes,
  end: false,
  truncated: false,
}

export function writeBodyChunk (w: Writer, m: BodyChunk): void {
  if (m.truncated) {
    w.bool(m.truncated)
    w.uint32(24)
  }
  if (m.end) {
    w.bool(m.end)
    w.uint32(16)
  }
  if (m.data.length > 0) {
    w.bytes(m.data)
    w.uint32(10)
  }
}

export function readBodyChunk (r: Reader, until: number): BodyChunk {
  let data = noBytes
  let end = false
  let truncated = false
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: data = r.bytes(); break
      case 16: end = r.bool(); break
      case 24: truncated = r.bool(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    data, end, truncated,
  }
}

export interface Trailers {
  readonly headers: FieldLines
}

/** Every field at its default, to be spread. */
export const emptyTrailers: Trailers = {
  headers: [],
}

export function writeTrailers (w: Writer, m: Trailers): void {
  writeFieldLines(w, m.headers, 10)
}

export function readTrailers (r: Reader, until: number): Trailers {
  const headers: string[] = []
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: readFieldLine(r, until, headers); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    headers,
  }
}

export interface ResponseHeaders {
  readonly status: number
  readonly headers: FieldLines
  /** Who answered: the upstream's name, or empty when the proxy or an agent did. */
  readonly upstream: string
  readonly target: string
  readonly hasBody: boolean
  readonly contentLength: number | undefined
  readonly bodyMode: BodyMode | undefined
}

/** Every field at its default, to be spread. */
export const emptyResponseHeaders: ResponseHeaders = {
  status: 0,
  headers: [],
  upstream: '',
  target: '',
  hasBody: false,
  contentLength: undefined,
  bodyMode: undefined,
}

export function writeResponseHeaders (w: Writer, m: ResponseHeaders): void {
  if (m.bodyMode !== undefined) {
    const mark = w.used
    writeBodyMode(w, m.bodyMode)
    w.close(mark, 58)
  }
  if (m.contentLength !== undefined) {
    w.uint64(m.contentLength)
    w.uint32(48)
  }
  if (m.hasBody) {
    w.bool(m.hasBody)
    w.uint32(40)
  }
  if (m.target !== '') {
    w.string(m.target)
    w.uint32(34)
  }
  if (m.upstream !== '') {
    w.string(m.upstream)
    w.uint32(26)
  }
  writeFieldLines(w, m.headers, 18)
  if (m.status !== 0) {
    w.uint32(m.status)
    w.uint32(8)
  }
}

export function readResponseHeaders (r: Reader, until: number): ResponseHeaders {
  let status = 0
  const headers: string[] = []
  let upstream = ''
  let target = ''
  let hasBody = false
  let contentLength: number | undefined
  let bodyMode: BodyMode | undefined
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: status = r.uint32(); break
      case 18: readFieldLine(r, until, headers); break
      case 26: upstream = r.string(); break
      case 34: target = r.string(); break
      case 40: hasBody = r.bool(); break
      case 48: contentLength = r.uint64(); break
      case 58: bodyMode = readBodyMode(r, r.open(until)); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    status, headers, upstream, target, hasBody, contentLength, bodyMode,
  }
}

/**
 * A whole message of a WebSocket: put together from its fragments, unmasked, and unpacked where the two sides compress. Control frames are
 * not shown. Each direction has one message at a time with the agent; the two directions do not wait for each other.
 */
export interface WebSocketMessage {
  readonly fromClient: boolean
  /** Text (UTF-8, checked by the proxy) without it. */
  readonly binary: boolean
  readonly data: Buffer
  /** The next event of this direction has more of the message; only the last one is answered. */
  readonly partial: boolean
}

/** Every field at its default, to be spread. */
export const emptyWebSocketMessage: WebSocketMessage = {
  fromClient: false,
  binary: false,
  data: noBytes,
  partial: false,
}

export function writeWebSocketMessage (w: Writer, m: WebSocketMessage): void {
  if (m.partial) {
    w.bool(m.partial)
    w.uint32(32)
  }
  if (m.data.length > 0) {
    w.bytes(m.data)
    w.uint32(26)
  }
  if (m.binary) {
    w.bool(m.binary)
    w.uint32(16)
  }
  if (m.fromClient) {
    w.bool(m.fromClient)
    w.uint32(8)
  }
}

export function readWebSocketMessage (r: Reader, until: number): WebSocketMessage {
  let fromClient = false
  let binary = false
  let data = noBytes
  let partial = false
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: fromClient = r.bool(); break
      case 16: binary = r.bool(); break
      case 26: data = r.bytes(); break
      case 32: partial = r.bool(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    fromClient, binary, data, partial,
  }
}

/**
 * A call of a tool found in MCP (JSON-RPC) or LLM traffic, already parsed: in a request to an MCP server, or in the answer of a model. Nothing of it
 * goes on before the reply. `replace_body` of the decision is other arguments, as JSON.
 */
export interface ToolCall {
  /** "mcp", "openai-chat", "openai-responses", "anthropic" or "gemini". */
  readonly protocol: string
  /** Name of the upstream, or the server that the call itself names. */
  readonly server: string
  /** As the call spells it. */
  readonly tool: string
  /** The arguments as they stand there: valid JSON without names that are twice. Empty when there are none. */
  readonly argumentsJson: Buffer
  /** What the result will be found by: the JSON-RPC id, or the model's own. Empty when there is none. */
  readonly callId: string
}

/** Every field at its default, to be spread. */
export const emptyToolCall: ToolCall = {
  protocol: '',
  server: '',
  tool: '',
  argumentsJson: noBytes,
  callId: '',
}

export function writeToolCall (w: Writer, m: ToolCall): void {
  if (m.callId !== '') {
    w.string(m.callId)
    w.uint32(42)
  }
  if (m.argumentsJson.length > 0) {
    w.bytes(m.argumentsJson)
    w.uint32(34)
  }
  if (m.tool !== '') {
    w.string(m.tool)
    w.uint32(26)
  }
  if (m.server !== '') {
    w.string(m.server)
    w.uint32(18)
  }
  if (m.protocol !== '') {
    w.string(m.protocol)
    w.uint32(10)
  }
}

export function readToolCall (r: Reader, until: number): ToolCall {
  let protocol = ''
  let server = ''
  let tool = ''
  let argumentsJson = noBytes
  let callId = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: protocol = r.string(); break
      case 18: server = r.string(); break
      case 26: tool = r.string(); break
      case 34: argumentsJson = r.bytes(); break
      case 42: callId = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    protocol, server, tool, argumentsJson, callId,
  }
}

/** What came of a call: in the answer of an MCP server, or in a request to a model. `replace_body` of the decision is another result, as JSON. */
export interface ToolResult {
  readonly callId: string
  /** The result, or the error, as it stands there: valid JSON. */
  readonly resultJson: Buffer
  /** The tool, or the server, says that the call failed. */
  readonly isError: boolean
  /** As in the call. */
  readonly protocol: string
  readonly server: string
  /** Empty when nothing says which tool it was. */
  readonly tool: string
}

/** Every field at its default, to be spread. */
export const emptyToolResult: ToolResult = {
  callId: '',
  resultJson: noBytes,
  isError: false,
  protocol: '',
  server: '',
  tool: '',
}

export function writeToolResult (w: Writer, m: ToolResult): void {
  if (m.tool !== '') {
    w.string(m.tool)
    w.uint32(50)
  }
  if (m.server !== '') {
    w.string(m.server)
    w.uint32(42)
  }
  if (m.protocol !== '') {
    w.string(m.protocol)
    w.uint32(34)
  }
  if (m.isError) {
    w.bool(m.isError)
    w.uint32(24)
  }
  if (m.resultJson.length > 0) {
    w.bytes(m.resultJson)
    w.uint32(18)
  }
  if (m.callId !== '') {
    w.string(m.callId)
    w.uint32(10)
  }
}

export function readToolResult (r: Reader, until: number): ToolResult {
  let callId = ''
  let resultJson = noBytes
  let isError = false
  let protocol = ''
  let server = ''
  let tool = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: callId = r.string(); break
      case 18: resultJson = r.bytes(); break
      case 24: isError = r.bool(); break
      case 34: protocol = r.string(); break
      case 42: server = r.string(); break
      case 50: tool = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    callId, resultJson, isError, protocol, server, tool,
  }
}

/** Texts to look through, because the operator's `guardrails` of a route say so. Answered with `findings` or an error. */
export interface Guardrail {
  readonly inspection: Inspection
  /** In the order in which they stand in the body. All of one question: what is spread over several of them belongs together. */
  readonly texts: readonly GuardrailText[]
  /** Kinds that the operator wants found; all that the agent knows when empty. */
  readonly categories: readonly string[]
  /** The model that the request names; may be empty. */
  readonly model: string
}

/** Every field at its default, to be spread. */
export const emptyGuardrail: Guardrail = {
  inspection: 'unspecified',
  texts: [],
  categories: [],
  model: '',
}

export function writeGuardrail (w: Writer, m: Guardrail): void {
  if (m.model !== '') {
    w.string(m.model)
    w.uint32(34)
  }
  for (let i = m.categories.length - 1; i >= 0; i--) {
    w.string(m.categories[i]!)
    w.uint32(26)
  }
  for (let i = m.texts.length - 1; i >= 0; i--) {
    const mark = w.used
    writeGuardrailText(w, m.texts[i]!)
    w.close(mark, 18)
  }
  if (m.inspection !== 'unspecified') {
    w.uint32(numberOf(inspectionNumbers, m.inspection))
    w.uint32(8)
  }
}

export function readGuardrail (r: Reader, until: number): Guardrail {
  let inspection: Inspection = 'unspecified'
  const texts: GuardrailText[] = []
  const categories: string[] = []
  let model = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: inspection = inspectionWords[r.uint32()] ?? 'unrecognized'; break
      case 18: texts.push(readGuardrailText(r, r.open(until))); break
      case 26: categories.push(r.string()); break
      case 34: model = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    inspection, texts, categories, model,
  }
}

export interface GuardrailText {
  /** "system", "user", "assistant", "tool" or whatever else the body says; "prompt" and "answer" where it says nothing. */
  readonly role: string
  readonly text: string
}

/** Every field at its default, to be spread. */
export const emptyGuardrailText: GuardrailText = {
  role: '',
  text: '',
}

export function writeGuardrailText (w: Writer, m: GuardrailText): void {
  if (m.text !== '') {
    w.string(m.text)
    w.uint32(18)
  }
  if (m.role !== '') {
    w.string(m.role)
    w.uint32(10)
  }
}

export function readGuardrailText (r: Reader, until: number): GuardrailText {
  let role = ''
  let text = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: role = r.string(); break
      case 18: text = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    role, text,
  }
}

/** The exchange is over. Always the last event of an exchange, also after a cancel. Never answered. */
export interface Complete {
  /** Status sent to the client; 0 when none was. */
  readonly status: number
  /** Bytes of the request body that were received. */
  readonly requestBodyBytes: number
  /** Bytes of the response body that were sent. */
  readonly responseBodyBytes: number
  /** Whole duration. */
  readonly durationMs: number
  /** The part of it until the upstream's response head. */
  readonly upstreamMs: number
  /** Fault code when something went wrong, for instance "UPSTREAM_TIMEOUT". */
  readonly error: string
}

/** Every field at its default, to be spread. */
export const emptyComplete: Complete = {
  status: 0,
  requestBodyBytes: 0,
  responseBodyBytes: 0,
  durationMs: 0,
  upstreamMs: 0,
  error: '',
}

export function writeComplete (w: Writer, m: Complete): void {
  if (m.error !== '') {
    w.string(m.error)
    w.uint32(50)
  }
  if (m.upstreamMs !== 0) {
    w.double(m.upstreamMs)
    w.uint32(41)
  }
  if (m.durationMs !== 0) {
    w.double(m.durationMs)
    w.uint32(33)
  }
  if (m.responseBodyBytes !== 0) {
    w.uint64(m.responseBodyBytes)
    w.uint32(24)
  }
  if (m.requestBodyBytes !== 0) {
    w.uint64(m.requestBodyBytes)
    w.uint32(16)
  }
  if (m.status !== 0) {
    w.uint32(m.status)
    w.uint32(8)
  }
}

export function readComplete (r: Reader, until: number): Complete {
  let status = 0
  let requestBodyBytes = 0
  let responseBodyBytes = 0
  let durationMs = 0
  let upstreamMs = 0
  let error = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: status = r.uint32(); break
      case 16: requestBodyBytes = r.uint64(); break
      case 24: responseBodyBytes = r.uint64(); break
      case 33: durationMs = r.double(); break
      case 41: upstreamMs = r.double(); break
      case 50: error = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    status, requestBodyBytes, responseBodyBytes, durationMs, upstreamMs, error,
  }
}

/** The agent may stop working on the exchange. Never answered; `complete` follows. */
export interface Cancel {
  readonly reason: CancelReason
  readonly detail: string
}

/** Every field at its default, to be spread. */
export const emptyCancel: Cancel = {
  reason: 'unspecified',
  detail: '',
}

export function writeCancel (w: Writer, m: Cancel): void {
  if (m.detail !== '') {
    w.string(m.detail)
    w.uint32(18)
  }
  if (m.reason !== 'unspecified') {
    w.uint32(numberOf(cancelReasonNumbers, m.reason))
    w.uint32(8)
  }
}

export function readCancel (r: Reader, until: number): Cancel {
  let reason: CancelReason = 'unspecified'
  let detail = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: reason = cancelReasonWords[r.uint32()] ?? 'unrecognized'; break
      case 18: detail = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    reason, detail,
  }
}

/** More body bytes of this exchange may be sent by the receiver of this message (flow control, both directions). */
export interface Credit {
  readonly bytes: number
}

/** Every field at its default, to be spread. */
export const emptyCredit: Credit = {
  bytes: 0,
}

export function writeCredit (w: Writer, m: Credit): void {
  if (m.bytes !== 0) {
    w.uint64(m.bytes)
    w.uint32(8)
  }
}

export function readCredit (r: Reader, until: number): Credit {
  let bytes = 0
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: bytes = r.uint64(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    bytes,
  }
}

/** Of at most 16 MiB: a longer one ends the connection. */
export interface FromAgent {
  readonly replies: readonly Reply[]
}

/** Every field at its default, to be spread. */
export const emptyFromAgent: FromAgent = {
  replies: [],
}

export function writeFromAgent (w: Writer, m: FromAgent): void {
  for (let i = m.replies.length - 1; i >= 0; i--) {
    const mark = w.used
    writeReply(w, m.replies[i]!)
    w.close(mark, 10)
  }
}

export function readFromAgent (r: Reader, until: number): FromAgent {
  const replies: Reply[] = []
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: replies.push(readReply(r, r.open(until))); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    replies,
  }
}

export function encodeFromAgent (message: FromAgent): Buffer {
  return encode(writeFromAgent, message)
}

export function decodeFromAgent (bytes: Uint8Array): FromAgent {
  return decode(readFromAgent, bytes)
}

export type Reply = ReplyFields & ReplyOneOf

export interface ReplyFields {
  /** Repeat the event's exchange and sequence. */
  readonly exchange: number
  readonly sequence: number
}

/** `kind` is undefined when the peer set none, or one that this version does not know. */
export type ReplyOneOf =
  | { readonly kind: undefined, readonly value: undefined }
  | { readonly kind: 'decision', readonly value: Decision }
  | { readonly kind: 'error', readonly value: Failure }
  /** Stream mode: what becomes of the chunk. */
  | { readonly kind: 'chunk', readonly value: ChunkAnswer }
  | { readonly kind: 'more_time', readonly value: MoreTime }
  | { readonly kind: 'credit', readonly value: Credit }
  /** What becomes of a WebSocket message. A decision fits there, too: one that refuses closes the WebSocket with 1008. */
  | { readonly kind: 'message', readonly value: MessageAnswer }
  /** What was found in the texts of a `guardrail` event. */
  | { readonly kind: 'findings', readonly value: Findings }

/** Every field at its default, to be spread. */
export const emptyReply: Reply = {
  exchange: 0,
  sequence: 0,
  kind: undefined,
  value: undefined,
}

export function writeReply (w: Writer, m: Reply): void {
  switch (m.kind) {
    case 'decision': {
      const mark = w.used
      writeDecision(w, m.value)
      w.close(mark, 82)
      break
    }
    case 'error': {
      const mark = w.used
      writeFailure(w, m.value)
      w.close(mark, 90)
      break
    }
    case 'chunk': {
      const mark = w.used
      writeChunkAnswer(w, m.value)
      w.close(mark, 98)
      break
    }
    case 'more_time': {
      const mark = w.used
      writeMoreTime(w, m.value)
      w.close(mark, 106)
      break
    }
    case 'credit': {
      const mark = w.used
      writeCredit(w, m.value)
      w.close(mark, 114)
      break
    }
    case 'message': {
      const mark = w.used
      writeMessageAnswer(w, m.value)
      w.close(mark, 122)
      break
    }
    case 'findings': {
      const mark = w.used
      writeFindings(w, m.value)
      w.close(mark, 130)
      break
    }
  }
  if (m.sequence !== 0) {
    w.uint32(m.sequence)
    w.uint32(16)
  }
  if (m.exchange !== 0) {
    w.uint64(m.exchange)
    w.uint32(8)
  }
}

export function readReply (r: Reader, until: number): Reply {
  let exchange = 0
  let sequence = 0
  let kind: Reply['kind']
  let value: Reply['value']
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: exchange = r.uint64(); break
      case 16: sequence = r.uint32(); break
      case 82: kind = 'decision'; value = readDecision(r, r.open(until)); break
      case 90: kind = 'error'; value = readFailure(r, r.open(until)); break
      case 98: kind = 'chunk'; value = readChunkAnswer(r, r.open(until)); break
      case 106: kind = 'more_time'; value = readMoreTime(r, r.open(until)); break
      case 114: kind = 'credit'; value = readCredit(r, r.open(until)); break
      case 122: kind = 'message'; value = readMessageAnswer(r, r.open(until)); break
      case 130: kind = 'findings'; value = readFindings(r, r.open(until)); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  // `kind` and `value` are only ever set together.
  return {
    exchange, sequence, kind, value,
  } as Reply
}

/** The agent could not decide. Runs into the operator's failure mode. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly retryable: boolean
}

/** Every field at its default, to be spread. */
export const emptyFailure: Failure = {
  code: '',
  message: '',
  retryable: false,
}

export function writeFailure (w: Writer, m: Failure): void {
  if (m.retryable) {
    w.bool(m.retryable)
    w.uint32(24)
  }
  if (m.message !== '') {
    w.string(m.message)
    w.uint32(18)
  }
  if (m.code !== '') {
    w.string(m.code)
    w.uint32(10)
  }
}

export function readFailure (r: Reader, until: number): Failure {
  let code = ''
  let message = ''
  let retryable = false
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: code = r.string(); break
      case 18: message = r.string(); break
      case 24: retryable = r.bool(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    code, message, retryable,
  }
}

/** What an agent found. What becomes of it is the operator's `action`. */
export interface Findings {
  readonly detected: boolean
  /** 0–1, of all that was found. */
  readonly confidence: number
  readonly findings: readonly Finding[]
  readonly audit: Audit | undefined
}

/** Every field at its default, to be spread. */
export const emptyFindings: Findings = {
  detected: false,
  confidence: 0,
  findings: [],
  audit: undefined,
}

export function writeFindings (w: Writer, m: Findings): void {
  if (m.audit !== undefined) {
    const mark = w.used
    writeAudit(w, m.audit)
    w.close(mark, 34)
  }
  for (let i = m.findings.length - 1; i >= 0; i--) {
    const mark = w.used
    writeFinding(w, m.findings[i]!)
    w.close(mark, 26)
  }
  if (m.confidence !== 0) {
    w.double(m.confidence)
    w.uint32(17)
  }
  if (m.detected) {
    w.bool(m.detected)
    w.uint32(8)
  }
}

export function readFindings (r: Reader, until: number): Findings {
  let detected = false
  let confidence = 0
  const findings: Finding[] = []
  let audit: Audit | undefined
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: detected = r.bool(); break
      case 17: confidence = r.double(); break
      case 26: findings.push(readFinding(r, r.open(until))); break
      case 34: audit = readAudit(r, r.open(until)); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    detected, confidence, findings, audit,
  }
}

export interface Finding {
  /** For instance "email" or "instruction-override". */
  readonly category: string
  /** 0–1. */
  readonly confidence: number
  /** Which text, from 0. */
  readonly text: number
  /** Bytes of its UTF-8, from the first to the one behind the last. Both 0: the text as a whole. */
  readonly start: number
  readonly end: number
}

/** Every field at its default, to be spread. */
export const emptyFinding: Finding = {
  category: '',
  confidence: 0,
  text: 0,
  start: 0,
  end: 0,
}

export function writeFinding (w: Writer, m: Finding): void {
  if (m.end !== 0) {
    w.uint32(m.end)
    w.uint32(40)
  }
  if (m.start !== 0) {
    w.uint32(m.start)
    w.uint32(32)
  }
  if (m.text !== 0) {
    w.uint32(m.text)
    w.uint32(24)
  }
  if (m.confidence !== 0) {
    w.double(m.confidence)
    w.uint32(17)
  }
  if (m.category !== '') {
    w.string(m.category)
    w.uint32(10)
  }
}

export function readFinding (r: Reader, until: number): Finding {
  let category = ''
  let confidence = 0
  let text = 0
  let start = 0
  let end = 0
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: category = r.string(); break
      case 17: confidence = r.double(); break
      case 24: text = r.uint32(); break
      case 32: start = r.uint32(); break
      case 40: end = r.uint32(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    category, confidence, text, start, end,
  }
}

/** Asks once for more time; granted up to the operator's `max-timeout-ms`. */
export interface MoreTime {
  readonly timeoutMs: number
}

/** Every field at its default, to be spread. */
export const emptyMoreTime: MoreTime = {
  timeoutMs: 0,
}

export function writeMoreTime (w: Writer, m: MoreTime): void {
  if (m.timeoutMs !== 0) {
    w.uint32(m.timeoutMs)
    w.uint32(8)
  }
}

export function readMoreTime (r: Reader, until: number): MoreTime {
  let timeoutMs = 0
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: timeoutMs = r.uint32(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    timeoutMs,
  }
}

export type ChunkAnswer = ChunkAnswerOneOf

/** `kind` is undefined when the peer set none, or one that this version does not know. */
export type ChunkAnswerOneOf =
  | { readonly kind: undefined, readonly value: undefined }
  /** Send the chunk on as it is, after anything held. */
  | { readonly kind: 'pass', readonly value: Empty }
  /** Send these bytes instead of the chunk and anything held. */
  | { readonly kind: 'replace', readonly value: Buffer }
  /** Keep the chunk back until a later answer. */
  | { readonly kind: 'hold', readonly value: Empty }
  /** Throw the chunk away, and anything held. */
  | { readonly kind: 'drop', readonly value: Empty }
  /** Send everything held and the chunk but its last `tail` bytes, which stay held. */
  | { readonly kind: 'pass_but_tail', readonly value: number }

/** Every field at its default, to be spread. */
export const emptyChunkAnswer: ChunkAnswer = {
  kind: undefined,
  value: undefined,
}

export function writeChunkAnswer (w: Writer, m: ChunkAnswer): void {
  switch (m.kind) {
    case 'pass': {
      const mark = w.used
      writeEmpty(w, m.value)
      w.close(mark, 10)
      break
    }
    case 'replace': {
      w.bytes(m.value)
      w.uint32(18)
      break
    }
    case 'hold': {
      const mark = w.used
      writeEmpty(w, m.value)
      w.close(mark, 26)
      break
    }
    case 'drop': {
      const mark = w.used
      writeEmpty(w, m.value)
      w.close(mark, 34)
      break
    }
    case 'pass_but_tail': {
      w.uint32(m.value)
      w.uint32(40)
      break
    }
  }
}

export function readChunkAnswer (r: Reader, until: number): ChunkAnswer {
  let kind: ChunkAnswer['kind']
  let value: ChunkAnswer['value']
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: kind = 'pass'; value = readEmpty(r, r.open(until)); break
      case 18: kind = 'replace'; value = r.bytes(); break
      case 26: kind = 'hold'; value = readEmpty(r, r.open(until)); break
      case 34: kind = 'drop'; value = readEmpty(r, r.open(until)); break
      case 40: kind = 'pass_but_tail'; value = r.uint32(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  // `kind` and `value` are only ever set together.
  return {
    kind, value,
  } as ChunkAnswer
}

/** What becomes of a WebSocket message. */
export type MessageAnswer = MessageAnswerFields & MessageAnswerOneOf

export interface MessageAnswerFields {
  /** For later agents of the chain and the access log. An empty value removes. */
  readonly attributes: Entries
  readonly audit: Audit | undefined
  /** `done`: no more messages of this WebSocket. Nothing else can be wanted here. */
  readonly wants: Wants | undefined
}

/** `kind` is undefined when the peer set none, or one that this version does not know. */
export type MessageAnswerOneOf =
  | { readonly kind: undefined, readonly value: undefined }
  /** It goes on. */
  | { readonly kind: 'allow', readonly value: Empty }
  /** It vanishes: the other side never sees it. */
  | { readonly kind: 'drop', readonly value: Empty }
  /** Another message goes on in its place. */
  | { readonly kind: 'replace', readonly value: MessagePayload }
  /** It vanishes, and both sides are told that the WebSocket is closed. */
  | { readonly kind: 'close', readonly value: MessageClose }

/** Every field at its default, to be spread. */
export const emptyMessageAnswer: MessageAnswer = {
  attributes: noEntries,
  audit: undefined,
  wants: undefined,
  kind: undefined,
  value: undefined,
}

export function writeMessageAnswer (w: Writer, m: MessageAnswer): void {
  if (m.wants !== undefined) {
    const mark = w.used
    writeWants(w, m.wants)
    w.close(mark, 178)
  }
  if (m.audit !== undefined) {
    const mark = w.used
    writeAudit(w, m.audit)
    w.close(mark, 170)
  }
  writeEntries(w, m.attributes, 162)
  switch (m.kind) {
    case 'allow': {
      const mark = w.used
      writeEmpty(w, m.value)
      w.close(mark, 10)
      break
    }
    case 'drop': {
      const mark = w.used
      writeEmpty(w, m.value)
      w.close(mark, 18)
      break
    }
    case 'replace': {
      const mark = w.used
      writeMessagePayload(w, m.value)
      w.close(mark, 26)
      break
    }
    case 'close': {
      const mark = w.used
      writeMessageClose(w, m.value)
      w.close(mark, 34)
      break
    }
  }
}

export function readMessageAnswer (r: Reader, until: number): MessageAnswer {
  let attributes: Entries = noEntries
  let audit: Audit | undefined
  let wants: Wants | undefined
  let kind: MessageAnswer['kind']
  let value: MessageAnswer['value']
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 162: {
        if (attributes === noEntries) attributes = new Map()
        // Made by the line above; only the type says that others may not change it.
        readEntry(r, until, attributes as Map<string, string>)
        break
      }
      case 170: audit = readAudit(r, r.open(until)); break
      case 178: wants = readWants(r, r.open(until)); break
      case 10: kind = 'allow'; value = readEmpty(r, r.open(until)); break
      case 18: kind = 'drop'; value = readEmpty(r, r.open(until)); break
      case 26: kind = 'replace'; value = readMessagePayload(r, r.open(until)); break
      case 34: kind = 'close'; value = readMessageClose(r, r.open(until)); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  // `kind` and `value` are only ever set together.
  return {
    attributes, audit, wants, kind, value,
  } as MessageAnswer
}

export interface MessagePayload {
  /** Text without it, which must be valid UTF-8. */
  readonly binary: boolean
  readonly data: Buffer
}

/** Every field at its default, to be spread. */
export const emptyMessagePayload: MessagePayload = {
  binary: false,
  data: noBytes,
}

export function writeMessagePayload (w: Writer, m: MessagePayload): void {
  if (m.data.length > 0) {
    w.bytes(m.data)
    w.uint32(18)
  }
  if (m.binary) {
    w.bool(m.binary)
    w.uint32(8)
  }
}

export function readMessagePayload (r: Reader, until: number): MessagePayload {
  let binary = false
  let data = noBytes
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: binary = r.bool(); break
      case 18: data = r.bytes(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    binary, data,
  }
}

export interface MessageClose {
  /** Status code that may stand in a Close frame (RFC 6455 section 7.4); 0 = 1008. */
  readonly code: number
  /** At most 123 bytes of UTF-8. Both sides read it. */
  readonly reason: string
}

/** Every field at its default, to be spread. */
export const emptyMessageClose: MessageClose = {
  code: 0,
  reason: '',
}

export function writeMessageClose (w: Writer, m: MessageClose): void {
  if (m.reason !== '') {
    w.string(m.reason)
    w.uint32(18)
  }
  if (m.code !== 0) {
    w.uint32(m.code)
    w.uint32(8)
  }
}

export function readMessageClose (r: Reader, until: number): MessageClose {
  let code = 0
  let reason = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: code = r.uint32(); break
      case 18: reason = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    code, reason,
  }
}

export type Empty = Readonly<Record<never, never>>

/** Every field at its default, to be spread. */
export const emptyEmpty: Empty = {}

export function writeEmpty (_w: Writer, _m: Empty): void {
}

export function readEmpty (r: Reader, until: number): Empty {
  while (r.pos < until) {
    const tag = r.uint32()
    r.skip(tag)
  }
  r.close(until)
  return {}
}

export type Decision = DecisionFields & DecisionOneOf

export interface DecisionFields {
  /** Edits of the request on its way to the upstream; only in answers to request events. */
  readonly requestHeaders: readonly HeaderEdit[]
  /** Edits of the response; those of a request event are applied when the response comes. */
  readonly responseHeaders: readonly HeaderEdit[]
  /** Replaces the whole body (buffer mode), the arguments of a call or the result of one (tool events; valid JSON). */
  readonly replaceBody: Buffer | undefined
  /** New path and query, raw. Absent: unchanged. */
  readonly rewritePath: string | undefined
  readonly rewriteQuery: string | undefined
  /** Send to another upstream that the route lists. Refused once the upstream was chosen. */
  readonly upstream: string
  /** For later agents of the chain and the access log. An empty value removes. */
  readonly attributes: Entries
  readonly audit: Audit | undefined
  /** What the agent wants to see of the rest of this exchange. Absent: as subscribed. */
  readonly wants: Wants | undefined
}

/** `kind` is undefined when the peer set none, or one that this version does not know. */
export type DecisionOneOf =
  | { readonly kind: undefined, readonly value: undefined }
  | { readonly kind: 'allow', readonly value: Allow }
  | { readonly kind: 'flag', readonly value: Flag }
  | { readonly kind: 'review', readonly value: Review }
  | { readonly kind: 'block', readonly value: Block }
  | { readonly kind: 'redirect', readonly value: Redirect }
  | { readonly kind: 'challenge', readonly value: Challenge }
  | { readonly kind: 'redact', readonly value: Redact }

/** Every field at its default, to be spread. */
export const emptyDecision: Decision = {
  requestHeaders: [],
  responseHeaders: [],
  replaceBody: undefined,
  rewritePath: undefined,
  rewriteQuery: undefined,
  upstream: '',
  attributes: noEntries,
  audit: undefined,
  wants: undefined,
  kind: undefined,
  value: undefined,
}

export function writeDecision (w: Writer, m: Decision): void {
  if (m.wants !== undefined) {
    const mark = w.used
    writeWants(w, m.wants)
    w.close(mark, 226)
  }
  if (m.audit !== undefined) {
    const mark = w.used
    writeAudit(w, m.audit)
    w.close(mark, 218)
  }
  writeEntries(w, m.attributes, 210)
  if (m.upstream !== '') {
    w.string(m.upstream)
    w.uint32(202)
  }
  if (m.rewriteQuery !== undefined) {
    w.latin1(m.rewriteQuery)
    w.uint32(194)
  }
  if (m.rewritePath !== undefined) {
    w.latin1(m.rewritePath)
    w.uint32(186)
  }
  if (m.replaceBody !== undefined) {
    w.bytes(m.replaceBody)
    w.uint32(178)
  }
  for (let i = m.responseHeaders.length - 1; i >= 0; i--) {
    const mark = w.used
    writeHeaderEdit(w, m.responseHeaders[i]!)
    w.close(mark, 170)
  }
  for (let i = m.requestHeaders.length - 1; i >= 0; i--) {
    const mark = w.used
    writeHeaderEdit(w, m.requestHeaders[i]!)
    w.close(mark, 162)
  }
  switch (m.kind) {
    case 'allow': {
      const mark = w.used
      writeAllow(w, m.value)
      w.close(mark, 10)
      break
    }
    case 'flag': {
      const mark = w.used
      writeFlag(w, m.value)
      w.close(mark, 18)
      break
    }
    case 'review': {
      const mark = w.used
      writeReview(w, m.value)
      w.close(mark, 26)
      break
    }
    case 'block': {
      const mark = w.used
      writeBlock(w, m.value)
      w.close(mark, 34)
      break
    }
    case 'redirect': {
      const mark = w.used
      writeRedirect(w, m.value)
      w.close(mark, 42)
      break
    }
    case 'challenge': {
      const mark = w.used
      writeChallenge(w, m.value)
      w.close(mark, 50)
      break
    }
    case 'redact': {
      const mark = w.used
      writeRedact(w, m.value)
      w.close(mark, 58)
      break
    }
  }
}

export function readDecision (r: Reader, until: number): Decision {
  const requestHeaders: HeaderEdit[] = []
  const responseHeaders: HeaderEdit[] = []
  let replaceBody: Buffer | undefined
  let rewritePath: string | undefined
  let rewriteQuery: string | undefined
  let upstream = ''
  let attributes: Entries = noEntries
  let audit: Audit | undefined
  let wants: Wants | undefined
  let kind: Decision['kind']
  let value: Decision['value']
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 162: requestHeaders.push(readHeaderEdit(r, r.open(until))); break
      case 170: responseHeaders.push(readHeaderEdit(r, r.open(until))); break
      case 178: replaceBody = r.bytes(); break
      case 186: rewritePath = r.latin1(); break
      case 194: rewriteQuery = r.latin1(); break
      case 202: upstream = r.string(); break
      case 210: {
        if (attributes === noEntries) attributes = new Map()
        // Made by the line above; only the type says that others may not change it.
        readEntry(r, until, attributes as Map<string, string>)
        break
      }
      case 218: audit = readAudit(r, r.open(until)); break
      case 226: wants = readWants(r, r.open(until)); break
      case 10: kind = 'allow'; value = readAllow(r, r.open(until)); break
      case 18: kind = 'flag'; value = readFlag(r, r.open(until)); break
      case 26: kind = 'review'; value = readReview(r, r.open(until)); break
      case 34: kind = 'block'; value = readBlock(r, r.open(until)); break
      case 42: kind = 'redirect'; value = readRedirect(r, r.open(until)); break
      case 50: kind = 'challenge'; value = readChallenge(r, r.open(until)); break
      case 58: kind = 'redact'; value = readRedact(r, r.open(until)); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  // `kind` and `value` are only ever set together.
  return {
    requestHeaders, responseHeaders, replaceBody, rewritePath, rewriteQuery, upstream, attributes, audit, wants, kind,
    value,
  } as Decision
}

/** Goes on. */
export type Allow = Readonly<Record<never, never>>

/** Every field at its default, to be spread. */
export const emptyAllow: Allow = {}

export function writeAllow (_w: Writer, _m: Allow): void {
}

export function readAllow (r: Reader, until: number): Allow {
  while (r.pos < until) {
    const tag = r.uint32()
    r.skip(tag)
  }
  r.close(until)
  return {}
}

/** Goes on, and is remembered. */
export type Flag = Readonly<Record<never, never>>

/** Every field at its default, to be spread. */
export const emptyFlag: Flag = {}

export function writeFlag (_w: Writer, _m: Flag): void {
}

export function readFlag (r: Reader, until: number): Flag {
  while (r.pos < until) {
    const tag = r.uint32()
    r.skip(tag)
  }
  r.close(until)
  return {}
}

/** Needs a person. Without a review queue the proxy refuses and gives a ticket. */
export interface Review {
  readonly ticket: string
}

/** Every field at its default, to be spread. */
export const emptyReview: Review = {
  ticket: '',
}

export function writeReview (w: Writer, m: Review): void {
  if (m.ticket !== '') {
    w.string(m.ticket)
    w.uint32(10)
  }
}

export function readReview (r: Reader, until: number): Review {
  let ticket = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: ticket = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    ticket,
  }
}

/** Ends here with this answer. */
export interface Block {
  /** 400–599; 0 = 403, or what fits the event: calls of MCP are refused with an error of JSON-RPC in an answer of status 200. */
  readonly status: number
  readonly headers: FieldLines
  readonly body: Buffer
}

/** Every field at its default, to be spread. */
export const emptyBlock: Block = {
  status: 0,
  headers: [],
  body: noBytes,
}

export function writeBlock (w: Writer, m: Block): void {
  if (m.body.length > 0) {
    w.bytes(m.body)
    w.uint32(26)
  }
  writeFieldLines(w, m.headers, 18)
  if (m.status !== 0) {
    w.uint32(m.status)
    w.uint32(8)
  }
}

export function readBlock (r: Reader, until: number): Block {
  let status = 0
  const headers: string[] = []
  let body = noBytes
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: status = r.uint32(); break
      case 18: readFieldLine(r, until, headers); break
      case 26: body = r.bytes(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    status, headers, body,
  }
}

export interface Redirect {
  /** 301, 302, 303, 307 or 308; 0 = 302. */
  readonly status: number
  readonly location: string
}

/** Every field at its default, to be spread. */
export const emptyRedirect: Redirect = {
  status: 0,
  location: '',
}

export function writeRedirect (w: Writer, m: Redirect): void {
  if (m.location !== '') {
    w.string(m.location)
    w.uint32(18)
  }
  if (m.status !== 0) {
    w.uint32(m.status)
    w.uint32(8)
  }
}

export function readRedirect (r: Reader, until: number): Redirect {
  let status = 0
  let location = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: status = r.uint32(); break
      case 18: location = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    status, location,
  }
}

/** 401 with `WWW-Authenticate: scheme params` (RFC 9110 section 11.6.1). */
export interface Challenge {
  readonly scheme: string
  readonly params: Entries
  readonly body: Buffer
}

/** Every field at its default, to be spread. */
export const emptyChallenge: Challenge = {
  scheme: '',
  params: noEntries,
  body: noBytes,
}

export function writeChallenge (w: Writer, m: Challenge): void {
  if (m.body.length > 0) {
    w.bytes(m.body)
    w.uint32(26)
  }
  writeEntries(w, m.params, 18)
  if (m.scheme !== '') {
    w.string(m.scheme)
    w.uint32(10)
  }
}

export function readChallenge (r: Reader, until: number): Challenge {
  let scheme = ''
  let params: Entries = noEntries
  let body = noBytes
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: scheme = r.string(); break
      case 18: {
        if (params === noEntries) params = new Map()
        // Made by the line above; only the type says that others may not change it.
        readEntry(r, until, params as Map<string, string>)
        break
      }
      case 26: body = r.bytes(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    scheme, params, body,
  }
}

/** Goes on, changed by the edits or the body that come with it. */
export type Redact = Readonly<Record<never, never>>

/** Every field at its default, to be spread. */
export const emptyRedact: Redact = {}

export function writeRedact (_w: Writer, _m: Redact): void {
}

export function readRedact (r: Reader, until: number): Redact {
  while (r.pos < until) {
    const tag = r.uint32()
    r.skip(tag)
  }
  r.close(until)
  return {}
}

export interface HeaderEdit {
  readonly action: HeaderEditAction
  readonly name: string
  readonly value: string
}

/** Every field at its default, to be spread. */
export const emptyHeaderEdit: HeaderEdit = {
  action: 'unspecified',
  name: '',
  value: '',
}

export function writeHeaderEdit (w: Writer, m: HeaderEdit): void {
  if (m.value !== '') {
    w.latin1(m.value)
    w.uint32(26)
  }
  if (m.name !== '') {
    w.latin1(m.name)
    w.uint32(18)
  }
  if (m.action !== 'unspecified') {
    w.uint32(numberOf(headerEditActionNumbers, m.action))
    w.uint32(8)
  }
}

export function readHeaderEdit (r: Reader, until: number): HeaderEdit {
  let action: HeaderEditAction = 'unspecified'
  let name = ''
  let value = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: action = headerEditActionWords[r.uint32()] ?? 'unrecognized'; break
      case 18: name = r.latin1(); break
      case 26: value = r.latin1(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    action, name, value,
  }
}

/** Facts for log and evidence. Never shown to clients. */
export interface Audit {
  /** Rules that matched, by the names their author gave them. */
  readonly ruleIds: readonly string[]
  /** Words to filter evidence by, for instance "waf". */
  readonly tags: readonly string[]
  /** Stable word, for instance "sqli". */
  readonly reason: string
  /** How bad it would have been. */
  readonly severity: Severity
  /** 0–1. */
  readonly confidence: number
  /** Classes of what was redacted, for instance "email". */
  readonly redactions: readonly string[]
  /** Anything else; kept in evidence, not used as metric label. */
  readonly details: Entries
}

/** Every field at its default, to be spread. */
export const emptyAudit: Audit = {
  ruleIds: [],
  tags: [],
  reason: '',
  severity: 'unspecified',
  confidence: 0,
  redactions: [],
  details: noEntries,
}

export function writeAudit (w: Writer, m: Audit): void {
  writeEntries(w, m.details, 58)
  for (let i = m.redactions.length - 1; i >= 0; i--) {
    w.string(m.redactions[i]!)
    w.uint32(50)
  }
  if (m.confidence !== 0) {
    w.double(m.confidence)
    w.uint32(41)
  }
  if (m.severity !== 'unspecified') {
    w.uint32(numberOf(severityNumbers, m.severity))
    w.uint32(32)
  }
  if (m.reason !== '') {
    w.string(m.reason)
    w.uint32(26)
  }
  for (let i = m.tags.length - 1; i >= 0; i--) {
    w.string(m.tags[i]!)
    w.uint32(18)
  }
  for (let i = m.ruleIds.length - 1; i >= 0; i--) {
    w.string(m.ruleIds[i]!)
    w.uint32(10)
  }
}

export function readAudit (r: Reader, until: number): Audit {
  const ruleIds: string[] = []
  const tags: string[] = []
  let reason = ''
  let severity: Severity = 'unspecified'
  let confidence = 0
  const redactions: string[] = []
  let details: Entries = noEntries
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: ruleIds.push(r.string()); break
      case 18: tags.push(r.string()); break
      case 26: reason = r.string(); break
      case 32: severity = severityWords[r.uint32()] ?? 'unrecognized'; break
      case 41: confidence = r.double(); break
      case 50: redactions.push(r.string()); break
      case 58: {
        if (details === noEntries) details = new Map()
        // Made by the line above; only the type says that others may not change it.
        readEntry(r, until, details as Map<string, string>)
        break
      }
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    ruleIds, tags, reason, severity, confidence, redactions, details,
  }
}

export interface Wants {
  /** Nothing more: not even `complete`. */
  readonly done: boolean
  /** Ask for the request body although it was not subscribed, or in another way; only in the answer to headers. */
  readonly requestBody: BodyMode | undefined
  readonly responseHeaders: boolean
  readonly responseBody: BodyMode | undefined
}

/** Every field at its default, to be spread. */
export const emptyWants: Wants = {
  done: false,
  requestBody: undefined,
  responseHeaders: false,
  responseBody: undefined,
}

export function writeWants (w: Writer, m: Wants): void {
  if (m.responseBody !== undefined) {
    const mark = w.used
    writeBodyMode(w, m.responseBody)
    w.close(mark, 34)
  }
  if (m.responseHeaders) {
    w.bool(m.responseHeaders)
    w.uint32(24)
  }
  if (m.requestBody !== undefined) {
    const mark = w.used
    writeBodyMode(w, m.requestBody)
    w.close(mark, 18)
  }
  if (m.done) {
    w.bool(m.done)
    w.uint32(8)
  }
}

export function readWants (r: Reader, until: number): Wants {
  let done = false
  let requestBody: BodyMode | undefined
  let responseHeaders = false
  let responseBody: BodyMode | undefined
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: done = r.bool(); break
      case 18: requestBody = readBodyMode(r, r.open(until)); break
      case 24: responseHeaders = r.bool(); break
      case 34: responseBody = readBodyMode(r, r.open(until)); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    done, requestBody, responseHeaders, responseBody,
  }
}

/** How an agent is sent a body. */
export interface BodyMode {
  /** Not at all, whole, or in pieces. */
  readonly kind: BodyModeKind
  /** Bytes buffered at the most; 0 = the operator's limit. */
  readonly maxBytes: number
  /** What becomes of a longer one. */
  readonly over: BodyModeOver
}

/** Every field at its default, to be spread. */
export const emptyBodyMode: BodyMode = {
  kind: 'default',
  maxBytes: 0,
  over: 'block',
}

export function writeBodyMode (w: Writer, m: BodyMode): void {
  if (m.over !== 'block') {
    w.uint32(numberOf(bodyModeOverNumbers, m.over))
    w.uint32(24)
  }
  if (m.maxBytes !== 0) {
    w.uint64(m.maxBytes)
    w.uint32(16)
  }
  if (m.kind !== 'default') {
    w.uint32(numberOf(bodyModeKindNumbers, m.kind))
    w.uint32(8)
  }
}

export function readBodyMode (r: Reader, until: number): BodyMode {
  let kind: BodyModeKind = 'default'
  let maxBytes = 0
  let over: BodyModeOver = 'block'
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: kind = bodyModeKindWords[r.uint32()] ?? 'unrecognized'; break
      case 16: maxBytes = r.uint64(); break
      case 24: over = bodyModeOverWords[r.uint32()] ?? 'unrecognized'; break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    kind, maxBytes, over,
  }
}

export interface ReportRequest {
  /** Milliseconds between two reports; 0 = 1000. An agent may take more time, and takes at least 100. */
  readonly intervalMs: number
}

/** Every field at its default, to be spread. */
export const emptyReportRequest: ReportRequest = {
  intervalMs: 0,
}

export function writeReportRequest (w: Writer, m: ReportRequest): void {
  if (m.intervalMs !== 0) {
    w.uint32(m.intervalMs)
    w.uint32(8)
  }
}

export function readReportRequest (r: Reader, until: number): ReportRequest {
  let intervalMs = 0
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: intervalMs = r.uint32(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    intervalMs,
  }
}

export function encodeReportRequest (message: ReportRequest): Buffer {
  return encode(writeReportRequest, message)
}

export function decodeReportRequest (bytes: Uint8Array): ReportRequest {
  return decode(readReportRequest, bytes)
}

/** Numbers count from the start of the process, so that a report that is lost or comes twice does no harm. */
export interface AgentReport {
  /** A random name of the process, made when it starts. Reports of one process are the same on all of its connections. */
  readonly instance: string
  readonly health: AgentHealth
  /** Why it is not well, in one sentence for the operator. */
  readonly detail: string
  /** Exchanges that are open on all streams. */
  readonly openExchanges: number
  /** Questions that wait for somebody to work on them. */
  readonly queued: number
  /** Questions answered, and how many of these answers were errors. */
  readonly answered: number
  readonly failed: number
  /** Some questions are timed, from their arrival to their answer: how many, and seconds of all together. */
  readonly timed: number
  readonly timedSeconds: number
  /** The configuration that new exchanges begin with. */
  readonly configVersion: string
  /** The agent's own metrics: in the first report of a stream all, then those with a series that has changed. */
  readonly metrics: readonly Metric[]
}

/** Every field at its default, to be spread. */
export const emptyAgentReport: AgentReport = {
  instance: '',
  health: 'unspecified',
  detail: '',
  openExchanges: 0,
  queued: 0,
  answered: 0,
  failed: 0,
  timed: 0,
  timedSeconds: 0,
  configVersion: '',
  metrics: [],
}

export function writeAgentReport (w: Writer, m: AgentReport): void {
  for (let i = m.metrics.length - 1; i >= 0; i--) {
    const mark = w.used
    writeMetric(w, m.metrics[i]!)
    w.close(mark, 90)
  }
  if (m.configVersion !== '') {
    w.string(m.configVersion)
    w.uint32(82)
  }
  if (m.timedSeconds !== 0) {
    w.double(m.timedSeconds)
    w.uint32(73)
  }
  if (m.timed !== 0) {
    w.uint64(m.timed)
    w.uint32(64)
  }
  if (m.failed !== 0) {
    w.uint64(m.failed)
    w.uint32(56)
  }
  if (m.answered !== 0) {
    w.uint64(m.answered)
    w.uint32(48)
  }
  if (m.queued !== 0) {
    w.uint32(m.queued)
    w.uint32(40)
  }
  if (m.openExchanges !== 0) {
    w.uint32(m.openExchanges)
    w.uint32(32)
  }
  if (m.detail !== '') {
    w.string(m.detail)
    w.uint32(26)
  }
  if (m.health !== 'unspecified') {
    w.uint32(numberOf(agentHealthNumbers, m.health))
    w.uint32(16)
  }
  if (m.instance !== '') {
    w.string(m.instance)
    w.uint32(10)
  }
}

export function readAgentReport (r: Reader, until: number): AgentReport {
  let instance = ''
  let health: AgentHealth = 'unspecified'
  let detail = ''
  let openExchanges = 0
  let queued = 0
  let answered = 0
  let failed = 0
  let timed = 0
  let timedSeconds = 0
  let configVersion = ''
  const metrics: Metric[] = []
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: instance = r.string(); break
      case 16: health = agentHealthWords[r.uint32()] ?? 'unrecognized'; break
      case 26: detail = r.string(); break
      case 32: openExchanges = r.uint32(); break
      case 40: queued = r.uint32(); break
      case 48: answered = r.uint64(); break
      case 56: failed = r.uint64(); break
      case 64: timed = r.uint64(); break
      case 73: timedSeconds = r.double(); break
      case 82: configVersion = r.string(); break
      case 90: metrics.push(readMetric(r, r.open(until))); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    instance, health, detail, openExchanges, queued, answered, failed, timed, timedSeconds, configVersion, metrics,
  }
}

export function encodeAgentReport (message: AgentReport): Buffer {
  return encode(writeAgentReport, message)
}

export function decodeAgentReport (bytes: Uint8Array): AgentReport {
  return decode(readAgentReport, bytes)
}

/** The proxy exposes it as `sentinel_agent_custom_<name>` with the label `agent` in front of the agent's own labels. */
export interface Metric {
  /** Lower-case letters, digits and "_". That of a counter ends with "_total". */
  readonly name: string
  readonly help: string
  readonly kind: MetricKind
  /** At most three. */
  readonly labelNames: readonly string[]
  readonly series: readonly Series[]
}

/** Every field at its default, to be spread. */
export const emptyMetric: Metric = {
  name: '',
  help: '',
  kind: 'unspecified',
  labelNames: [],
  series: [],
}

export function writeMetric (w: Writer, m: Metric): void {
  for (let i = m.series.length - 1; i >= 0; i--) {
    const mark = w.used
    writeSeries(w, m.series[i]!)
    w.close(mark, 42)
  }
  for (let i = m.labelNames.length - 1; i >= 0; i--) {
    w.string(m.labelNames[i]!)
    w.uint32(34)
  }
  if (m.kind !== 'unspecified') {
    w.uint32(numberOf(metricKindNumbers, m.kind))
    w.uint32(24)
  }
  if (m.help !== '') {
    w.string(m.help)
    w.uint32(18)
  }
  if (m.name !== '') {
    w.string(m.name)
    w.uint32(10)
  }
}

export function readMetric (r: Reader, until: number): Metric {
  let name = ''
  let help = ''
  let kind: MetricKind = 'unspecified'
  const labelNames: string[] = []
  const series: Series[] = []
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: name = r.string(); break
      case 18: help = r.string(); break
      case 24: kind = metricKindWords[r.uint32()] ?? 'unrecognized'; break
      case 34: labelNames.push(r.string()); break
      case 42: series.push(readSeries(r, r.open(until))); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    name, help, kind, labelNames, series,
  }
}

export interface Series {
  /** As many as the metric has names. */
  readonly labelValues: readonly string[]
  /** Of a counter or gauge. */
  readonly value: number
  /** Of a histogram: all buckets, by rising bound. */
  readonly buckets: readonly Bucket[]
  /** Of a histogram: all that was observed, also what is above the last bound. */
  readonly count: number
  readonly sum: number
}

/** Every field at its default, to be spread. */
export const emptySeries: Series = {
  labelValues: [],
  value: 0,
  buckets: [],
  count: 0,
  sum: 0,
}

export function writeSeries (w: Writer, m: Series): void {
  if (m.sum !== 0) {
    w.double(m.sum)
    w.uint32(41)
  }
  if (m.count !== 0) {
    w.uint64(m.count)
    w.uint32(32)
  }
  for (let i = m.buckets.length - 1; i >= 0; i--) {
    const mark = w.used
    writeBucket(w, m.buckets[i]!)
    w.close(mark, 26)
  }
  if (m.value !== 0) {
    w.double(m.value)
    w.uint32(17)
  }
  for (let i = m.labelValues.length - 1; i >= 0; i--) {
    w.string(m.labelValues[i]!)
    w.uint32(10)
  }
}

export function readSeries (r: Reader, until: number): Series {
  const labelValues: string[] = []
  let value = 0
  const buckets: Bucket[] = []
  let count = 0
  let sum = 0
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: labelValues.push(r.string()); break
      case 17: value = r.double(); break
      case 26: buckets.push(readBucket(r, r.open(until))); break
      case 32: count = r.uint64(); break
      case 41: sum = r.double(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    labelValues, value, buckets, count, sum,
  }
}

export interface Bucket {
  readonly upperBound: number
  /** What is in this bucket and not in those below. */
  readonly count: number
}

/** Every field at its default, to be spread. */
export const emptyBucket: Bucket = {
  upperBound: 0,
  count: 0,
}

export function writeBucket (w: Writer, m: Bucket): void {
  if (m.count !== 0) {
    w.uint64(m.count)
    w.uint32(16)
  }
  if (m.upperBound !== 0) {
    w.double(m.upperBound)
    w.uint32(9)
  }
}

export function readBucket (r: Reader, until: number): Bucket {
  let upperBound = 0
  let count = 0
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 9: upperBound = r.double(); break
      case 16: count = r.uint64(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    upperBound, count,
  }
}

/**
 * Served by every agent, over gRPC on a Unix socket or TCP. The proxy is the client.
 * Agents also serve `grpc.health.v1.Health`, so that ordinary tools can ask them how they are. The proxy calls Check
 * where it has heard nothing for a second; any answer is a sign of life, UNIMPLEMENTED as well.
 *
 * An agent that cannot be connected to connects to the proxy (`reverse-listener`), over TLS or a Unix socket, and says
 *
 * GET /sentinel.agent.v1/connect HTTP/1.1
 * Host: proxy
 * Connection: Upgrade
 * Upgrade: sentinel-agent
 * Sentinel-Agent: <name in the proxy's configuration, percent-encoded>
 * Sentinel-Instance: <a random word for each process>
 * Authorization: Bearer <token>
 *
 * and nothing more until it is answered: "101", and from the next byte on the connection is HTTP/2 with the proxy as the
 * client, as if it had been the one to connect; "102" when all places are taken and this connection waits for one ("101" or
 * "409" follows, whenever that is); "409" when one of this process waits already; "401" for a name or token that is not right;
 * "400" for anything else. An agent goes on connecting until it is told "409", waits then for some seconds, and tries again
 * for ever: each worker of the proxy has places of its own. Where a gRPC library cannot serve on a connection that it did not
 * accept, the agent copies bytes between this connection and one to its own server on a loopback address.
 */
export const agentService = {
  name: 'sentinel.agent.v1.Agent',
  /** Who the agent is and what it wants. Asked after every connect, before anything else. */
  describe: '/sentinel.agent.v1.Agent/Describe',
  /**
   * Hands over the operator's `config {}` block. Asked after Describe, and again on reload. A refused configuration
   * changes nothing in the agent.
   */
  configure: '/sentinel.agent.v1.Agent/Configure',
  /**
   * The long-lived stream on which every exchange is multiplexed. Events of one exchange stay in order and on one
   * stream; exchanges do not wait for each other.
   */
  process: '/sentinel.agent.v1.Agent/Process',
  /**
   * How the agent does: at once, whenever its health changes, and after every interval. Asked after Describe, on every
   * connection. An agent may leave it out (UNIMPLEMENTED): its health is then what `grpc.health.v1.Health` says.
   */
  report: '/sentinel.agent.v1.Agent/Report',
} as const
