import { isSensitiveName } from '../../config/schema/sensitive.ts'
import type { DecisionRecord, Exchange, TryRecord, WaitRecord } from '../pipeline/exchange.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { quote, quoted } from './quote.ts'
import { REDACTED, redactPath, redactQuery, redactUrl, scrubText } from './redact.ts'

/**
 * The access log's lines. Built by hand: this runs once per request (test/bench/access-log.bench.ts). Everything that comes from
 * outside passes through `quote`, so that no value can end a line or a field.
 */

/** Who ended the exchange before the upstream's answer was delivered. */
export type TerminatedBy = 'client' | 'upstream' | 'agent' | 'sentinel' | 'none'

export function terminatedBy (x: Exchange): TerminatedBy {
  if (x.fault !== undefined) return x.fault.row.blame
  return x.decisions?.some((d) => d.applied && d.status > 0) === true ? 'agent' : 'none'
}

/** One JSON object and a newline; `more` goes to its end. `ts` is when the exchange ended; durations are milliseconds, sizes bytes of body. */
export function jsonLine (x: Exchange, nowMs: number, attributes: readonly string[], more = ''): string {
  const { request, fault } = x
  const tls = x.peer.tls
  let line = `{"ts":"${isoTime(nowMs)}","request_id":"${x.id}","client_ip":${quoted(x.clientIp)},"peer_ip":${quoted(x.peer.address)}` +
    `,"listener":${quoted(x.listener)},"host":${quote(request.authority)},"method":${quoted(request.method)},"path":${quote(redactPath(request.rawPath))}`
  if (x.attributes !== undefined) line += countryPart(x.attributes)
  if (x.trace !== undefined) line += `,"trace_id":"${x.trace.traceId}"`
  if (request.query !== '') line += `,"query":${quote(redactQuery(request.query))}`
  line += `,"protocol":"HTTP/${request.version}","status":${x.reply?.status ?? 0},"bytes_in":${x.requestBytes},"bytes_out":${x.responseBytes}` +
    `,"duration_ms":${millis(x.durationMs)}`
  if (x.firstByteMs > 0) line += `,"first_byte_ms":${millis(x.firstByteMs)}`
  if (x.queuedMs > 0) line += `,"queue_ms":${millis(x.queuedMs)}`
  if (x.waits !== undefined) line += waitsPart(x.waits)
  line += `,"route":${x.route === undefined ? 'null' : quoted(x.route.name)}`
  const { namespace, service } = x.route ?? {}
  if (namespace !== undefined) line += `,"namespace":${quoted(namespace)}${service === undefined ? '' : `,"service":${quoted(service)}`}`
  if (x.upstream !== '') {
    line += `,"upstream":${quoted(x.upstream)},"target":${quoted(x.target)},"tries":${x.tries},"upstream_ms":${millis(x.upstreamMs)}`
    if (x.poolMs > 0) line += `,"pool_ms":${millis(x.poolMs)}`
    if (x.connectMs > 0) line += `,"connect_ms":${millis(x.connectMs)}`
    if (x.tlsMs > 0) line += `,"tls_ms":${millis(x.tlsMs)}`
    if (x.attempts !== undefined) line += attemptsPart(x.attempts)
    if (x.notRetried !== undefined) line += `,"not_retried":"${x.notRetried}"`
  }
  if (x.cache !== '') line += `,"cache":"${x.cache}"`
  line += limitPart(x)
  if (fault !== undefined) {
    line += `,"fault":"${fault.code}"`
    if (fault.detail !== undefined) line += detailPart(fault.detail)
  }
  line += `,"terminated_by":"${terminatedBy(x)}"`
  const userAgent = request.headers.get('user-agent')
  if (userAgent !== undefined) line += `,"user_agent":${quote(userAgent, 1024)}`
  line += refererPart(request.headers)
  if (tls !== undefined) line += `,"tls":{"version":${quote(tls.version)},"sni":${quote(tls.sni)}}`
  if (x.decisions !== undefined) line += agentsPart(x.decisions)
  if (attributes.length > 0 && x.attributes !== undefined) line += attributesPart(x.attributes, attributes)
  return `${line}${more}}\n`
}

/** What a geo filter found out. */
export function countryPart (attributes: Exchange['attributes']): string {
  const country = attributes?.get('geo.country')
  return country === undefined ? '' : `,"geo_country":${quote(country)}`
}

/** A request over a limit that only notes it is none that failed. */
export function limitPart ({ fault, attributes }: Exchange): string {
  return fault?.code === 'RATE_LIMITED' || attributes?.has('rate-limit.over') === true ? ',"rate_limit_hit":true' : ''
}

export function detailPart (detail: string): string {
  return `,"detail":${quote(scrubText(detail.slice(0, 512)), 512)}`
}

export function refererPart (headers: HeaderList): string {
  const referer = headers.get('referer')
  return referer === undefined ? '' : `,"referer":${quote(redactUrl(referer), 2048)}`
}

/** Each filter by its name; one that was waited for on both sides, or stands there twice, with all its time. */
export function waitsPart (waits: readonly WaitRecord[]): string {
  if (waits.length === 1) return `,"filters_ms":{${quoted(waits[0]!.filter)}:${millis(waits[0]!.ms)}}`
  const sums = new Map<string, number>()
  for (const { filter, ms } of waits) sums.set(filter, (sums.get(filter) ?? 0) + ms)
  let part = ''
  for (const [filter, ms] of sums) part += `${part === '' ? '' : ','}${quoted(filter)}:${millis(ms)}`
  return `,"filters_ms":{${part}}`
}

export function attemptsPart (attempts: readonly TryRecord[]): string {
  let part = ',"upstream_attempts":['
  for (const [i, { target, hedge, status, fault, ms, reason }] of attempts.entries()) {
    part += `${i === 0 ? '' : ','}{"target":${quoted(target)},"ms":${millis(ms)}`
    if (status > 0) part += `,"status":${status}`
    if (fault !== undefined) part += `,"fault":${quote(fault, 64)}`
    if (hedge) part += ',"hedge":true'
    if (reason !== undefined) part += `,"retried":${quote(reason, 64)}`
    part += '}'
  }
  return `${part}]`
}

export function agentsPart (decisions: readonly DecisionRecord[]): string {
  let part = ',"agents":['
  for (let i = 0; i < decisions.length; i++) {
    const d = decisions[i]!
    part += `${i === 0 ? '' : ','}{"agent":${quote(d.agent)},"phase":"${d.phase}","mode":"${d.mode}","verdict":${quote(d.verdict, 64)}` +
      `,"applied":${d.applied ? 'true' : 'false'},"ms":${millis(d.durationMs)}`
    if (d.tool !== undefined) part += `,"tool":${quote(scrubText(d.tool.slice(0, 128)), 128)}`
    if (d.status > 0) part += `,"status":${d.status}`
    if (d.fault !== undefined) part += `,"fault":"${d.fault.code}","failure_mode":"${d.failureMode ?? 'closed'}"`
    if (d.ticket !== undefined) part += `,"ticket":${quote(d.ticket, 128)}`
    if (d.stage !== undefined) part += `,"parallel":${quote(d.stage, 128)}`
    const { audit, routing } = d
    if (routing !== undefined) part += routingPart(routing)
    if (audit !== undefined) {
      if (audit.ruleIds.length > 0) part += `,"rule_ids":${listPart(audit.ruleIds)}`
      if (audit.reason !== '') part += `,"reason":${quote(scrubText(audit.reason.slice(0, 512)), 256)}`
    }
    part += '}'
  }
  return `${part}]`
}

function routingPart ({ upstream, path, query }: NonNullable<DecisionRecord['routing']>): string {
  return (upstream === '' ? '' : `,"upstream":${quote(upstream, 128)}`) + (path === undefined ? '' : `,"path":${quote(redactPath(path))}`) +
    (query === undefined ? '' : `,"query":${quote(redactQuery(query))}`)
}

const MAX_RULES = 32

function listPart (items: readonly string[]): string {
  let part = '['
  for (let i = 0; i < items.length && i < MAX_RULES; i++) part += `${i === 0 ? '' : ','}${quote(scrubText(items[i]!.slice(0, 256)), 128)}`
  return items.length > MAX_RULES ? `${part},"… ${items.length - MAX_RULES} more"]` : `${part}]`
}

export function attributesPart (attributes: ReadonlyMap<string, string>, names: readonly string[]): string {
  let part = ''
  for (const name of names) {
    const value = attributes.get(name)
    if (value !== undefined) part += `${part === '' ? '' : ','}${quote(name)}:${isSensitiveName(name) ? `"${REDACTED}"` : quote(scrubText(value), 1024)}`
  }
  return part === '' ? '' : `,"attributes":{${part}}`
}

/** Apache's common format. The user is always "-": who it is belongs to the agents. */
export function commonLine (x: Exchange, nowMs: number): string {
  return `${commonPart(x, nowMs)}\n`
}

/** Apache's combined format: the common one, and where the client comes from and what it is. */
export function combinedLine (x: Exchange, nowMs: number): string {
  const { headers } = x.request
  const referer = headers.get('referer')
  const userAgent = headers.get('user-agent')
  return `${commonPart(x, nowMs)} "${referer === undefined ? '-' : inCombined(redactUrl(referer), 2048)}" "${userAgent === undefined ? '-' : inCombined(userAgent, 1024)}"\n`
}

function commonPart (x: Exchange, nowMs: number): string {
  const { request } = x
  const query = request.query === '' ? '' : `?${redactQuery(request.query)}`
  const target = inCombined(`${request.method} ${redactPath(request.rawPath)}${query} HTTP/${request.version}`, 8192)
  return `${x.clientIp} - - [${combinedTime(nowMs)}] "${target}" ${x.reply?.status ?? 0} ${x.responseBytes === 0 ? '-' : x.responseBytes}`
}

/** As Apache does it: what could end the field or the line, and bytes that are not ASCII, become \xHH. */
export function inCombined (text: string, maxChars: number): string {
  const bounded = text.length > maxChars ? text.slice(0, maxChars) : text
  if (!/[^\u0020\u0021\u0023-\u005b\u005d-\u007e]/.test(bounded)) return bounded
  return bounded.replace(/[^\u0020\u0021\u0023-\u005b\u005d-\u007e]/g, (unit) => `\\x${(unit.charCodeAt(0) & 0xff).toString(16).padStart(2, '0')}`)
}

/** Microsecond resolution without a long tail of digits. Put together from whole numbers: printing a fraction costs ten times as much. */
export function millis (ms: number): string {
  const micros = Math.round(ms * 1000)
  if (!(micros >= 0 && micros < 2 ** 31)) return String(Math.round(ms))
  const rest = micros % 1000
  const whole = (micros - rest) / 1000
  if (rest === 0) return `${whole}`
  return rest < 10 ? `${whole}.00${rest}` : rest < 100 ? `${whole}.0${rest}` : `${whole}.${rest}`
}

let second = -1
let secondIso = ''
let combinedSecond = -1
let combinedText = ''

/** `toISOString` once a second, not once a line. */
export function isoTime (nowMs: number): string {
  const now = Math.floor(nowMs / 1000)
  if (now !== second) {
    second = now
    secondIso = new Date(now * 1000).toISOString().slice(0, 20)
  }
  const ms = Math.floor(nowMs) - now * 1000
  return `${secondIso}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

export function combinedTime (nowMs: number): string {
  const now = Math.floor(nowMs / 1000)
  if (now !== combinedSecond) {
    combinedSecond = now
    const iso = new Date(now * 1000).toISOString()
    combinedText = `${iso.slice(8, 10)}/${months[Number(iso.slice(5, 7)) - 1]}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`
  }
  return combinedText
}
