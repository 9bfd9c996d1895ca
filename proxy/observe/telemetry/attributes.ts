import type { DecisionRecord, Exchange, RequestHead } from '../../pipeline/exchange.ts'
import { redactQuery, redactUrl } from '../redact.ts'
import type { Attributes, AttributeValue } from './span.ts'

/** What is said of an exchange, in the words of OpenTelemetry's semantic conventions for HTTP (1.37); what they have no word for is `sentinel.…`. */

type Pair = readonly [key: string, value: AttributeValue]

const longestText = 2_048
const mostRules = 32
const known = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY'])

/** Of the server's span. */
export function serverAttributes (x: Exchange): Attributes {
  const { request, peer, reply, fault } = x
  const { host, port } = hostAndPort(request)
  const pairs: Pair[] = [
    ...methodOf(request),
    ['url.scheme', request.scheme],
    ['url.path', text(redactUrl(request.rawPath))],
    ['server.address', text(host)],
    ['server.port', port],
    ['client.address', x.clientIp],
    ['network.peer.address', peer.address],
    ['network.protocol.name', 'http'],
    ['network.protocol.version', request.version],
    ['network.transport', peer.address === 'unix:' ? 'unix' : 'tcp'],
    ['http.request.body.size', x.requestBytes],
    ['http.response.body.size', x.responseBytes],
    ['sentinel.request_id', x.id],
    ['sentinel.listener', x.listener],
  ]
  if (peer.address !== 'unix:') pairs.push(['network.peer.port', peer.port])
  if (request.query !== '') pairs.push(['url.query', text(redactQuery(request.query))])
  if (x.route !== undefined) pairs.push(['sentinel.route', x.route.name])
  if (x.route?.namespace !== undefined) pairs.push(['sentinel.namespace', x.route.namespace])
  if (x.route?.service !== undefined) pairs.push(['sentinel.service', x.route.service])
  if (reply !== undefined) pairs.push(['http.response.status_code', reply.status])
  if (x.upstream !== '') pairs.push(['sentinel.upstream', x.upstream], ['sentinel.target', x.target], ['sentinel.tries', x.tries])
  if (x.cache !== '') pairs.push(['sentinel.cache', x.cache])
  if (fault !== undefined) pairs.push(['sentinel.fault', fault.code], ['sentinel.blame', fault.row.blame])
  if (peer.tls !== undefined) pairs.push(['tls.protocol.version', peer.tls.version.replace(/^TLSv/, '')], ['tls.cipher', peer.tls.cipher])
  const agent = request.headers.get('user-agent')
  if (agent !== undefined) pairs.push(['user_agent.original', text(agent)])
  const error = serverError(x)
  if (error !== undefined) pairs.push(['error.type', error])
  return pairs
}

/** A client's own mistake is no error of the server (semantic conventions, "Status"). */
export function serverError ({ reply, fault }: Exchange): string | undefined {
  if (fault !== undefined && fault.row.blame !== 'client') return fault.code
  return reply !== undefined && reply.status >= 500 ? String(reply.status) : undefined
}

/** Low cardinality: what a client made up is no name. */
export function methodWord ({ method }: RequestHead): string {
  return known.has(method) ? method : 'HTTP'
}

export function serverName ({ request, route }: Exchange): string {
  return route === undefined ? methodWord(request) : `${methodWord(request)} ${route.name}`
}

/** Of the span of one try, as far as they are known when it begins. */
export function tryAttributes (x: Exchange, target: string): Pair[] {
  const { request } = x
  const colon = target.lastIndexOf(':')
  const unix = target.startsWith('unix:')
  const pairs: Pair[] = [
    ...methodOf(request),
    ['server.address', unix ? target.slice('unix:'.length) : target.slice(0, colon).replace(/^\[|\]$/g, '')],
    ['url.full', text(redactUrl(`http://${unix ? 'localhost' : target}${request.upstreamPath}${request.query === '' ? '' : `?${request.query}`}`))],
    ['network.transport', unix ? 'unix' : 'tcp'],
    ['sentinel.upstream', x.upstream],
    ['sentinel.target', target],
  ]
  if (!unix) pairs.push(['server.port', Number(target.slice(colon + 1))])
  if (x.tries > 1) pairs.push(['http.request.resend_count', x.tries - 1])
  return pairs
}

/** Of the span of one question to an agent. */
export function agentAttributes (record: DecisionRecord): Attributes {
  const { agent, phase, tool, mode, verdict, applied, status, fault, failureMode, audit, ticket, configVersion } = record
  const pairs: Pair[] = [
    ['rpc.system', 'grpc'],
    ['sentinel.agent', agent],
    ['sentinel.phase', phase],
    ['sentinel.mode', mode],
    ['sentinel.verdict', text(verdict)],
    ['sentinel.applied', applied],
    ['sentinel.agent.config_version', configVersion],
  ]
  if (tool !== undefined) pairs.push(['gen_ai.tool.name', text(tool)])
  if (status > 0) pairs.push(['http.response.status_code', status])
  if (fault !== undefined) pairs.push(['error.type', fault.code], ['sentinel.failure_mode', failureMode ?? 'closed'])
  if (audit !== undefined && audit.ruleIds.length > 0) pairs.push(['sentinel.rule_ids', audit.ruleIds.slice(0, mostRules).map((id) => id.slice(0, 128))])
  if (ticket !== undefined) pairs.push(['sentinel.ticket', text(ticket)])
  return pairs
}

function methodOf ({ method }: RequestHead): Pair[] {
  return known.has(method) ? [['http.request.method', method]] : [['http.request.method', '_OTHER'], ['http.request.method_original', text(method)]]
}

function hostAndPort ({ authority, scheme }: RequestHead): { readonly host: string, readonly port: number } {
  const [, host = authority, port] = /^(.*?)(?::(\d{1,5}))?$/.exec(authority) ?? []
  return { host: host.replace(/^\[|\]$/g, ''), port: port === undefined ? scheme === 'https' ? 443 : 80 : Number(port) }
}

/** From the wire a text is bytes: those that are UTF-8 are shown as that. Never longer than a collector likes. */
function text (raw: string): string {
  const bounded = raw.length > longestText ? `${raw.slice(0, longestText)}…` : raw
  if (!/[\u0080-\u00ff]/.test(bounded) || /[^\u0000-\u00ff]/.test(bounded)) return bounded
  const read = Buffer.from(bounded, 'latin1').toString('utf8')
  return read.includes('\ufffd') ? bounded : read
}
