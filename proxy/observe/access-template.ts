import type { LogVariable, Template } from '../../config/sentinel/index.ts'
import { isSensitiveName } from '../../config/schema/sensitive.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { safeField } from './access-fields.ts'
import { combinedTime, inCombined, isoTime, millis, terminatedBy } from './access-line.ts'
import { isSensitiveKey, redactPath, redactQuery, REDACTED, scrubText } from './redact.ts'

type Fact = (x: Exchange, nowMs: number) => string

/** What header values may say of an exchange: known to those who write them. */
export type FactOf = (variable: string) => (x: Exchange) => string

const maxFactChars = 4096

/**
 * Lines of a form of the operator's own, put together once. Whatever comes from outside is escaped as Apache does it, so that it can end neither the line
 * nor a quoted field; what is missing is "-".
 */
export function templateLine (template: Template, factOf: FactOf): (x: Exchange, nowMs: number) => string {
  const pieces = template.map((part): string | Fact => typeof part === 'string' ? part : factNamed(part.variable, factOf))
  return (x, nowMs) => {
    let line = ''
    for (const piece of pieces) line += typeof piece === 'string' ? piece : piece(x, nowMs)
    return `${line}\n`
  }
}

function factNamed (variable: string, factOf: FactOf): Fact {
  const own = Object.hasOwn(facts, variable) ? facts[variable as keyof typeof facts] : ownFamily(variable)
  const fact = own ?? withoutSecrets(variable, factOf(variable))
  // Numbers, addresses and times of the proxy's own making need no second look.
  if (/^(?:log|time)\./.test(variable) || plainFacts.has(variable)) return (x, nowMs) => fact(x, nowMs) || '-'
  return (x, nowMs) => {
    const text = fact(x, nowMs)
    return text === '' ? '-' : inCombined(text, maxFactChars)
  }
}

const plainFacts = new Set(['client.port', 'request.id', 'request.protocol', 'request.bytes', 'response.bytes', 'response.status', 'upstream.tries'])

const facts: Readonly<Record<Exclude<LogVariable, 'response.header.'>, Fact>> = {
  'log.time': (_x, nowMs) => isoTime(nowMs),
  'log.time-common': (_x, nowMs) => combinedTime(nowMs),
  'log.time-unix': (_x, nowMs) => (nowMs / 1000).toFixed(3),
  'peer.ip': ({ peer }) => peer.address,
  'request.protocol': ({ request }) => `HTTP/${request.version}`,
  'request.bytes': ({ requestBytes }) => String(requestBytes),
  'response.bytes': ({ responseBytes }) => String(responseBytes),
  'upstream.tries': ({ tries }) => String(tries),
  'time.total': ({ durationMs }) => millis(durationMs),
  'time.first-byte': ({ firstByteMs }) => millis(firstByteMs),
  'time.queue': ({ queuedMs }) => millis(queuedMs),
  'time.filters': ({ waits = [] }) => waits.map(({ filter, ms }) => `${inCombined(filter, 256)}=${millis(ms)}`).join(','),
  'time.pool': ({ poolMs }) => millis(poolMs),
  'time.connect': ({ connectMs }) => millis(connectMs),
  'time.tls': ({ tlsMs }) => millis(tlsMs),
  'time.upstream': ({ upstreamMs }) => millis(upstreamMs),
  'exchange.fault': ({ fault }) => fault?.code ?? '',
  'exchange.terminated-by': terminatedBy,
  'exchange.decisions': ({ decisions = [] }) => decisions.map(({ agent, verdict, status }) => `${agent}=${verdict}${status === 0 ? '' : `/${status}`}`).join(','),
}

function ownFamily (variable: string): Fact | undefined {
  const start = 'response.header.'
  if (!variable.startsWith(start)) return undefined
  const name = variable.slice(start.length).toLowerCase()
  return ({ reply }) => safeField(name, reply?.headers.getAll(name).join(', ') ?? '')
}

/** Those that may hold secrets are shown without them; an absent value stays absent. */
function withoutSecrets (variable: string, fact: (x: Exchange) => string): Fact {
  const hidden: Fact = (x) => fact(x) === '' ? '' : REDACTED
  if (variable === 'request.path') return (x) => redactPath(fact(x))
  if (variable === 'request.query') return (x) => redactQuery(fact(x))
  if (variable === 'request.uri') return ({ request: { rawPath, query } }) => query === '' ? redactPath(rawPath) : `${redactPath(rawPath)}?${redactQuery(query)}`
  if (variable.startsWith('request.cookie.')) return hidden
  // What counts as a secret may be said anew while this is in use.
  const parameter = nameBehind('request.query.', variable)
  if (parameter !== undefined) return (x, nowMs) => isSensitiveKey(parameter) ? hidden(x, nowMs) : fact(x)
  const attribute = nameBehind('agent.', variable)
  if (attribute !== undefined) return (x, nowMs) => isSensitiveName(attribute) ? hidden(x, nowMs) : scrubText(fact(x))
  const name = nameBehind('request.header.', variable)?.toLowerCase()
  if (name === undefined) return fact
  return (x) => {
    const value = fact(x)
    return value === '' ? '' : safeField(name, value)
  }
}

function nameBehind (start: string, variable: string): string | undefined {
  return variable.startsWith(start) ? variable.slice(start.length) : undefined
}
