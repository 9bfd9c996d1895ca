import { isIP } from 'node:net'
import { schemeOf, type ListenerConfig, type SentinelConfig } from '../../config/sentinel/index.ts'
import { peerMatcher } from '../../config/schema/index.ts'
import { fieldsOfFilters } from '../lifecycle/more-needed.ts'
import { agentsBehind, filtersBehind } from '../lifecycle/route-plan.ts'
import { limitsOfListener } from '../lifecycle/scope-rules.ts'
import { readRequestHead } from '../listeners/request-head.ts'
import { EndSignal } from '../pipeline/end-signal.ts'
import { Exchange } from '../pipeline/exchange.ts'
import { canonicalName } from '../pipeline/headers.ts'
import { prepareHead } from '../pipeline/serve.ts'

/** What `sentinel explain` was asked. */
export interface Asked {
  readonly method: string
  readonly url: string
  /** "Name: value" each. */
  readonly headers: readonly string[]
  readonly clientIp: string | undefined
  readonly listener: string | undefined
}

export interface ReadRequest {
  readonly listener: ListenerConfig
  /** How the listener was found, when the URL does not say it. */
  readonly note: string | undefined
  /** As routes see it; or why the listener would refuse it. */
  readonly exchange: Exchange | { readonly status: number, readonly detail: string }
  /** Header fields as the client sends them. */
  readonly sent: readonly string[]
}

/** The request as the proxy would read it, by the proxy's own functions. A text instead: the command line is wrong. */
export function readAsked (asked: Asked, config: SentinelConfig): ReadRequest | string {
  const { method, url } = asked
  const clientIp = asked.clientIp ?? '127.0.0.1'
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method)) return `'${method}' is not an HTTP method`
  if (isIP(clientIp) === 0) return `'${clientIp}' is not an IP address`
  const parts = /^(?:(https?):\/\/([^/?#]*))?((?:\/|$|\?)[^#\s]*|\*)(?:#.*)?$/i.exec(url)
  if (parts === null || url === '') return `'${url}' is neither a URL (https://shop.example.com/cart) nor a path (/cart)`
  const [, scheme, authority, rest = ''] = parts
  const fields = fieldsOf(asked.headers)
  if (typeof fields === 'string') return fields
  const found = listenerFor(asked.listener, scheme?.toLowerCase(), authority ?? '', config)
  if (typeof found === 'string') return found
  // A field given by hand counts, as it does with every client.
  if (!fields.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'host')) fields.unshift('Host', authority ?? 'localhost')
  const sent = [...fields]
  const limits = limitsOfListener(found.listener, config)
  const read = readRequestHead({
    method, target: rest.startsWith('/') || rest === '*' ? rest : `/${rest}`, version: '1.1', fields, scheme: schemeOf(found.listener), maxFields: limits.maxHeaderCount,
    maxNameBytes: limits.maxHeaderNameSize, maxValueBytes: limits.maxHeaderValueSize,
  })
  if ('code' in read) return { ...found, sent, exchange: { status: read.code === 'BAD_REQUEST' ? 400 : 431, detail: read.detail } }
  const exchange = new Exchange({
    id: '(request id)', startedMs: 0, listener: found.listener.id, peer: { address: clientIp, port: 0, tls: undefined }, request: read.head,
    requestBody: undefined, ending: new EndSignal(),
  })
  const { trustedProxies } = found.listener
  const guarded = new Set([
    ...fieldsOfFilters(filtersBehind(found.listener, config)), ...agentsBehind(found.listener, config).flatMap(({ setsHeaders }) => setsHeaders),
  ].map(canonicalName))
  prepareHead(exchange, { isTrusted: peerMatcher(trustedProxies), guardedHeaders: () => guarded })
  return { ...found, sent, exchange }
}

function fieldsOf (lines: readonly string[]): string[] | string {
  const fields: string[] = []
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*$/.exec(line) ?? []
    if (name === undefined || value === undefined) return `'${line}' is not a header field: write -H "Name: value"`
    fields.push(name, value)
  }
  return fields
}

interface Found {
  readonly listener: ListenerConfig
  readonly note: string | undefined
}

/** The listener that was named; else the one of the URL's scheme and port, else of its scheme, else the first. */
function listenerFor (named: string | undefined, scheme: string | undefined, authority: string, { listeners }: SentinelConfig): Found | string {
  const known = listeners.map(({ id }) => `'${id}'`).join(', ')
  if (named !== undefined) {
    const listener = listeners.find(({ id }) => id === named)
    return listener === undefined ? `there is no listener '${named}'; there is ${known}` : { listener, note: undefined }
  }
  const first = listeners[0]! // A configuration without listeners is not valid.
  if (scheme === undefined) return { listener: first, note: listeners.length > 1 ? 'the first one; name another with --listener' : undefined }
  const port = Number(/:(\d+)$/.exec(authority)?.[1] ?? (scheme === 'https' ? 443 : 80))
  const ofScheme = listeners.filter((listener) => schemeOf(listener) === scheme)
  const exact = ofScheme.find(({ address }) => address.port === port)
  if (exact !== undefined) return { listener: exact, note: undefined }
  const listener = ofScheme[0]
  if (listener !== undefined) return { listener, note: `no listener has port ${port}: taken for the first that speaks ${scheme}` }
  return { listener: first, note: `no listener speaks ${scheme}: taken for the first one` }
}
