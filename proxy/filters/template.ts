import type { Template } from '../../config/sentinel/index.ts'
import { cookieOf } from '../pipeline/cookies.ts'
import type { Exchange } from '../pipeline/exchange.ts'

/** The text of a template for one exchange; a fact that is missing is empty. */
export type Text = (x: Exchange) => string

/** Made once at load. What names no fact is the same text for all. */
export function compileTemplate (template: Template): Text {
  const [only, ...more] = template
  if (only === undefined) return () => ''
  if (typeof only === 'string' && more.length === 0) return () => only
  const parts = template.map((part): string | Text => typeof part === 'string' ? part : safely(factOf(part.variable)))
  return (x) => {
    let text = ''
    for (const part of parts) text += typeof part === 'string' ? part : part(x)
    return text
  }
}

const facts: Readonly<Record<string, Text>> = {
  'client.ip': ({ clientIp }) => clientIp,
  'client.port': ({ clientPort }) => String(clientPort),
  'request.id': ({ id }) => id,
  'request.method': ({ request }) => request.method,
  'request.scheme': ({ request }) => request.scheme,
  'request.host': ({ request }) => request.authority,
  'request.path': ({ request }) => request.path,
  'request.query': ({ request }) => request.query,
  'request.uri': ({ request: { rawPath, query } }) => query === '' ? rawPath : `${rawPath}?${query}`,
  'tls.version': ({ peer }) => peer.tls?.version ?? '',
  'tls.cipher': ({ peer }) => peer.tls?.cipher ?? '',
  'tls.sni': ({ peer }) => peer.tls?.sni ?? '',
  'tls.client-subject': ({ peer }) => peer.tls?.clientSubject ?? '',
  'tls.client-fingerprint': ({ peer }) => peer.tls?.clientFingerprint ?? '',
  'listener.id': ({ listener }) => listener,
  'route.id': ({ route }) => route?.name ?? '',
  'upstream.id': ({ upstream }) => upstream,
  'upstream.target': ({ target }) => target,
  'response.status': ({ reply }) => reply === undefined ? '' : String(reply.status),
}

/** Facts with a name of their own behind the last of these dots. */
const families: Readonly<Record<string, (name: string) => Text>> = {
  'request.header.': (name) => {
    const lower = name.toLowerCase()
    return ({ request }) => request.headers.getAll(lower).join(', ')
  },
  'request.cookie.': (name) => ({ request }) => cookieOf(request.headers, name) ?? '',
  'request.query.': (name) => ({ request }) => new URLSearchParams(request.query).get(name) ?? '',
  'agent.': (name) => ({ attributes }) => attributes?.get(name) ?? '',
}

export function factOf (variable: string): Text {
  const known = facts[variable]
  if (known !== undefined) return known
  const family = Object.keys(families).find((start) => variable.startsWith(start))
  if (family === undefined) throw new Error(`no fact is called ${variable}`)
  return families[family]!(variable.slice(family.length))
}

/** A fact may come from a client or an agent: what could end a line, or is no byte, does not go into a header field (RFC 9110 section 5.5). */
function safely (fact: Text): Text {
  return (x) => {
    const text = fact(x)
    return unsafe.test(text) ? text.replace(unsafeAll, '') : text
  }
}

const unsafe = /[^\t\x20-\x7e\x80-\xff]/
const unsafeAll = /[^\t\x20-\x7e\x80-\xff]/g
