import type { RateKeyPart } from '../../config/sentinel/index.ts'
import { clientKey } from '../pipeline/client-key.ts'
import { cookieOf } from '../pipeline/cookies.ts'
import type { Exchange } from '../pipeline/exchange.ts'

type KeyOf = (x: Exchange) => string

/** Longest part of a key that is kept as it is; longer ones are cut, so that a client cannot fill memory with them. */
const longest = 256
/** Longest token that is looked into. */
const maxTokenChars = 16 * 1024

/** What requests are counted by. No parts: all together. */
export function compileRateKey (parts: readonly RateKeyPart[]): KeyOf {
  const readers = parts.map(readerOf)
  const [first, ...more] = readers
  if (first === undefined) return () => ''
  if (more.length === 0) return first
  // The length in front: "a" and "bc" must not be "ab" and "c".
  return (x) => {
    let key = ''
    for (const read of readers) {
      const part = read(x)
      key += `${part.length}:${part}`
    }
    return key
  }
}

function readerOf ({ kind, name = '' }: RateKeyPart): KeyOf {
  const lower = name.toLowerCase()
  switch (kind) {
    case 'client-ip': return name === '' ? ({ clientIp }) => clientKey(clientIp) : ({ clientIp }) => clientKey(clientIp, Number(name))
    case 'path': return ({ request }) => bounded(request.path)
    case 'route': return ({ route }) => route?.name ?? ''
    case 'host': return ({ request }) => bounded(request.authority)
    case 'header': return ({ request }) => bounded(request.headers.getAll(lower).join(', '))
    case 'cookie': return ({ request }) => bounded(cookieOf(request.headers, name) ?? '')
    case 'query': return ({ request }) => bounded(new URLSearchParams(request.query).get(name) ?? '')
    case 'jwt': return ({ request }) => bounded(claimOf(request.headers.get('authorization'), name))
    case 'attribute': return ({ attributes }) => bounded(attributes?.get(name) ?? '')
  }
}

function bounded (text: string): string {
  return text.length > longest ? text.slice(0, longest) : text
}

/**
 * A claim of a bearer token (RFC 7519), as it says: nobody has looked at its signature here. An agent that checks tokens attaches what it found as an
 * attribute, which is the key to use where clients may lie.
 */
function claimOf (authorization: string | undefined, name: string): string {
  const [, payload] = /^Bearer +[^.\s]+\.([^.\s]+)\.[^.\s]*$/i.exec(authorization === undefined || authorization.length > maxTokenChars ? '' : authorization) ?? []
  if (payload === undefined) return ''
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const value = claims !== null && typeof claims === 'object' && Object.hasOwn(claims, name) ? Object(claims)[name] as unknown : undefined
    return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
  } catch {
    return ''
  }
}
