import { words } from '../schema/values.ts'
import { templateOf, variables } from './template.ts'

/** Every field of a JSON line of the access log, by what it says. */
export const logFields = {
  ts: 'When the exchange ended.',
  request_id: 'Id of the request.',
  client_ip: 'Address of the client, as trusted proxies state it.',
  peer_ip: 'Address at the other end of the connection.',
  geo_country: 'Country of the client, where a geo filter has looked it up.',
  instance_id: 'Which proxy it was (`system { instance-id }`). Only where it is chosen.',
  listener: 'The listener.',
  host: 'Host and port that the client asked for.',
  method: 'Method.',
  path: 'Path as received.',
  trace_id: 'The trace that it is part of, where requests are traced.',
  query: 'Query, without secrets; left out when there is none.',
  protocol: '`HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.',
  status: 'Status of the answer; 0 when there was none.',
  bytes_in: 'Bytes of request body.',
  bytes_out: 'Bytes of answer body.',
  duration_ms: 'From the first byte of the request to the last of the answer.',
  first_byte_ms: 'From the first byte of the request until the answer began.',
  queue_ms: 'Waited for a place among the requests in flight.',
  filters_ms: 'Filters that were waited for, agents among them, each by its name.',
  pool_ms: 'Waited for a connection that others had.',
  connect_ms: 'Until a new connection stood.',
  tls_ms: 'TLS handshake on it.',
  route: 'The route; null when none matched.',
  namespace: 'The namespace of the route, where it has one.',
  service: 'The service of the route, where it has one.',
  upstream: 'The upstream that was asked.',
  target: 'The target that was asked last.',
  connection_reused: 'Whether the target was asked on a connection that was there before. Only where it is chosen.',
  tries: 'How often a target was asked.',
  upstream_ms: 'From the request to the head of the upstream\'s answer.',
  upstream_attempts: 'Each try, where there were several.',
  not_retried: 'What spoke against another try.',
  cache: 'What the cache had for it, where the route keeps answers.',
  rate_limit_hit: 'true where a rate limit was over; left out where none was.',
  fault: 'What went wrong, as a code.',
  detail: 'Why.',
  terminated_by: 'Who ended it early: client, upstream, agent, sentinel, or none.',
  user_agent: 'User-Agent of the request.',
  referer: 'Referer of the request, without secrets.',
  tls: 'Version and name asked for on the client\'s connection.',
  agents: 'Each decision of an agent.',
  attributes: 'Facts named by `attributes`.',
  request_headers: 'Header fields named by `request-headers`.',
  response_headers: 'Header fields named by `response-headers`.',
} as const satisfies Record<string, string>

export type LogField = keyof typeof logFields

const others: Partial<Record<LogField, readonly string[]>> = {
  ts: ['timestamp', 'time'], request_id: ['correlation-id'], bytes_out: ['body-bytes', 'body-bytes-sent', 'bytes-sent', 'response-size'],
  bytes_in: ['bytes-received', 'request-size'], duration_ms: ['duration', 'latency', 'latency-ms'], route: ['route-id'], upstream: ['upstream-id'],
  target: ['upstream-addr'], query: ['query-string'], client_ip: ['remote-addr'], user_agent: ['useragent'], status: ['status-code'],
}

export const logField = words(Object.keys(logFields) as LogField[], { also: others })

/** What a line of `template` may say besides the facts that header values may have. */
export const logVariables = {
  'log.time': 'When the exchange ended: `2026-01-02T12:00:00.007Z`.',
  'log.time-common': 'The same as Apache writes it: `02/Jan/2026:12:00:00 +0000`.',
  'log.time-unix': 'The same in seconds, with milliseconds behind the point.',
  'peer.ip': 'Address at the other end of the connection.',
  'request.protocol': '`HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.',
  'request.bytes': 'Bytes of request body.',
  'response.bytes': 'Bytes of answer body.',
  'response.header.': 'A header field of the answer.',
  'upstream.tries': 'How often a target was asked.',
  'time.total': 'Milliseconds from the first byte of the request to the last of the answer.',
  'time.first-byte': 'Until the answer began.',
  'time.queue': 'Waited for a place among the requests in flight.',
  'time.filters': 'Waited for filters and agents: `name=1.2,name=0.3`.',
  'time.pool': 'Waited for a connection that others had.',
  'time.connect': 'Until a new connection stood.',
  'time.tls': 'TLS handshake on it.',
  'time.upstream': 'From the request to the head of the upstream\'s answer.',
  'exchange.fault': 'What went wrong, as a code.',
  'exchange.terminated-by': 'Who ended it early: client, upstream, agent, sentinel, or none.',
  'exchange.decisions': 'What agents decided: `denylist=block/403,waf=allow`.',
} as const satisfies Record<string, string>

export type LogVariable = keyof typeof logVariables

/** A line of the access log. */
export const logTemplate = templateOf({ ...variables, ...logVariables }, {
  name: 'line with facts', example: '"${client.ip} ${request.method} ${request.uri} ${response.status} ${time.total}"',
})
