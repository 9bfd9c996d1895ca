import type { LogField } from '../../config/sentinel/index.ts'
import { isSensitiveName } from '../../config/schema/sensitive.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import {
  agentsPart, attemptsPart, attributesPart, countryPart, detailPart, isoTime, limitPart, millis, refererPart, terminatedBy, waitsPart,
} from './access-line.ts'
import { quote, quoted } from './quote.ts'
import { redactPath, redactQuery, redactUrl, REDACTED } from './redact.ts'

/** What a line has besides its own fields. */
export interface Chosen {
  readonly attributes: readonly string[]
  readonly requestHeaders: readonly string[]
  readonly responseHeaders: readonly string[]
  /** Which proxy this is. */
  readonly instance: string
}

/** `,"name":value`, or nothing. */
type Part = (x: Exchange, nowMs: number) => string

/** Lines of JSON with the chosen fields alone, in the order in which they were chosen. */
export function chosenFields (names: readonly LogField[], chosen: Chosen): (x: Exchange, nowMs: number) => string {
  const parts = partsOf(chosen)
  const all = names.map((name) => parts[name])
  return (x, nowMs) => {
    let line = ''
    for (const part of all) line += part(x, nowMs)
    return `{${line.slice(1)}}\n`
  }
}

/** The header fields that were asked for, for the end of a whole line. */
export function headersPart (chosen: Chosen): Part {
  const { request_headers: request, response_headers: response } = partsOf(chosen)
  return (x, nowMs) => request(x, nowMs) + response(x, nowMs)
}

function partsOf ({ attributes, requestHeaders, responseHeaders, instance }: Chosen): Readonly<Record<LogField, Part>> {
  const ofRequest = fieldsPart('request_headers', requestHeaders)
  const ofResponse = fieldsPart('response_headers', responseHeaders)
  const instancePart = `,"instance_id":${quote(instance)}`
  return {
    ...parts,
    instance_id: () => instancePart,
    attributes: (x) => x.attributes === undefined ? '' : attributesPart(x.attributes, attributes),
    request_headers: (x) => ofRequest(x.request.headers),
    response_headers: (x) => x.reply === undefined ? '' : ofResponse(x.reply.headers),
  }
}

const parts: Readonly<Record<Exclude<LogField, 'instance_id' | 'attributes' | 'request_headers' | 'response_headers'>, Part>> = {
  ts: (_x, nowMs) => `,"ts":"${isoTime(nowMs)}"`,
  request_id: ({ id }) => `,"request_id":"${id}"`,
  client_ip: ({ clientIp }) => `,"client_ip":${quoted(clientIp)}`,
  peer_ip: ({ peer }) => `,"peer_ip":${quoted(peer.address)}`,
  geo_country: ({ attributes }) => countryPart(attributes),
  listener: ({ listener }) => `,"listener":${quoted(listener)}`,
  host: ({ request }) => `,"host":${quote(request.authority)}`,
  method: ({ request }) => `,"method":${quoted(request.method)}`,
  path: ({ request }) => `,"path":${quote(redactPath(request.rawPath))}`,
  trace_id: ({ trace }) => trace === undefined ? '' : `,"trace_id":"${trace.traceId}"`,
  query: ({ request }) => request.query === '' ? '' : `,"query":${quote(redactQuery(request.query))}`,
  protocol: ({ request }) => `,"protocol":"HTTP/${request.version}"`,
  status: ({ reply }) => `,"status":${reply?.status ?? 0}`,
  bytes_in: ({ requestBytes }) => `,"bytes_in":${requestBytes}`,
  bytes_out: ({ responseBytes }) => `,"bytes_out":${responseBytes}`,
  duration_ms: ({ durationMs }) => `,"duration_ms":${millis(durationMs)}`,
  first_byte_ms: ({ firstByteMs }) => time('first_byte_ms', firstByteMs),
  queue_ms: ({ queuedMs }) => time('queue_ms', queuedMs),
  filters_ms: ({ waits }) => waits === undefined ? '' : waitsPart(waits),
  pool_ms: ({ poolMs }) => time('pool_ms', poolMs),
  connect_ms: ({ connectMs }) => time('connect_ms', connectMs),
  tls_ms: ({ tlsMs }) => time('tls_ms', tlsMs),
  route: ({ route }) => `,"route":${route === undefined ? 'null' : quoted(route.name)}`,
  namespace: ({ route }) => route?.namespace === undefined ? '' : `,"namespace":${quoted(route.namespace)}`,
  service: ({ route }) => route?.service === undefined ? '' : `,"service":${quoted(route.service)}`,
  upstream: ({ upstream }) => upstream === '' ? '' : `,"upstream":${quoted(upstream)}`,
  target: ({ target }) => target === '' ? '' : `,"target":${quoted(target)}`,
  connection_reused: ({ target, connectMs }) => target === '' ? '' : `,"connection_reused":${connectMs === 0}`,
  tries: ({ upstream, tries }) => upstream === '' ? '' : `,"tries":${tries}`,
  upstream_ms: ({ upstream, upstreamMs }) => upstream === '' ? '' : `,"upstream_ms":${millis(upstreamMs)}`,
  upstream_attempts: ({ attempts }) => attempts === undefined ? '' : attemptsPart(attempts),
  not_retried: ({ notRetried }) => notRetried === undefined ? '' : `,"not_retried":"${notRetried}"`,
  cache: ({ cache }) => cache === '' ? '' : `,"cache":"${cache}"`,
  rate_limit_hit: limitPart,
  fault: ({ fault }) => fault === undefined ? '' : `,"fault":"${fault.code}"`,
  detail: ({ fault }) => fault?.detail === undefined ? '' : detailPart(fault.detail),
  terminated_by: (x) => `,"terminated_by":"${terminatedBy(x)}"`,
  user_agent: ({ request }) => {
    const value = request.headers.get('user-agent')
    return value === undefined ? '' : `,"user_agent":${quote(value, 1024)}`
  },
  referer: ({ request }) => refererPart(request.headers),
  tls: ({ peer: { tls } }) => tls === undefined ? '' : `,"tls":{"version":${quote(tls.version)},"sni":${quote(tls.sni)}}`,
  agents: ({ decisions }) => decisions === undefined ? '' : agentsPart(decisions),
}

function time (name: string, ms: number): string {
  return ms > 0 ? `,"${name}":${millis(ms)}` : ''
}

const urlFields = new Set(['referer', 'location', 'content-location', 'link', 'refresh'])

/** The value of a header field as it may be read by others. */
export function safeField (lowerName: string, value: string): string {
  if (isSensitiveName(lowerName)) return REDACTED
  return urlFields.has(lowerName) ? redactUrl(value) : value
}

function fieldsPart (group: string, names: readonly string[]): (headers: HeaderList) => string {
  if (names.length === 0) return () => ''
  const wanted = [...new Set(names.map((name) => name.toLowerCase()))].map((name) => [name, quote(name)] as const)
  return (headers) => {
    let part = ''
    for (const [name, key] of wanted) {
      const values = headers.getAll(name)
      if (values.length > 0) part += `${part === '' ? '' : ','}${key}:${quote(safeField(name, values.join(', ')), 2048)}`
    }
    return part === '' ? '' : `,"${group}":{${part}}`
  }
}
