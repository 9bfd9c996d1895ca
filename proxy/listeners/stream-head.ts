import { isTargetCode, isToken } from '../http1/characters.ts'
import type { FaultCode } from '../pipeline/faults.ts'
import { readRequestHead, type Accepted, type FieldLimits } from './request-head.ts'

/** A request that is none (RFC 9113 section 8.1.1): its stream is reset, nobody is asked. */
export interface MalformedStream {
  readonly malformed: string
}

export interface StreamHead {
  readonly accepted: Accepted
  /** Of an extended CONNECT (RFC 8441): what the stream shall become. */
  readonly protocol: string | undefined
}

/** Why a request that can be answered is refused. */
export interface Refused {
  readonly code: FaultCode
  readonly detail: string
}

type Pseudo = Map<string, string>

const known: ReadonlySet<string> = new Set([':method', ':scheme', ':authority', ':path', ':protocol'])

/**
 * Reads the head of a request in HTTP/2 (RFC 9113 section 8.3) by the same rules as one of HTTP/1.1: what goes on from here may go on in that.
 * `fields` are `[name, value, …]` as received.
 */
export function readStreamHead (
  fields: readonly string[], ended: boolean, scheme: 'http' | 'https', maxFields: number, limits: FieldLimits = {},
): StreamHead | Refused | MalformedStream {
  const pseudo: Pseudo = new Map()
  const start = takePseudo(fields, pseudo)
  if (typeof start === 'string') return { malformed: start }
  const malformed = wrongPseudo(pseudo)
  if (malformed !== undefined) return { malformed }
  const method = pseudo.get(':method')!
  const protocol = pseudo.get(':protocol')
  if (method === 'CONNECT' && protocol === undefined) return { code: 'METHOD_REFUSED', detail: 'CONNECT' }
  // A balancer that took TLS off, or put it on, says what its client spoke. Nothing follows from it: whom to believe is said about X-Forwarded-Proto.
  const spoken = pseudo.get(':scheme')
  if (spoken !== 'http' && spoken !== 'https') return bad('a scheme that is neither http nor https')
  const rest = ordinaryFields(fields, start, pseudo.get(':authority'))
  if (rest === undefined) return bad('Host is not the :authority')
  const accepted = readRequestHead({
    // What an extended CONNECT is in HTTP/1.1.
    method: protocol === undefined ? method : 'GET',
    target: pseudo.get(':path')!, version: '2', fields: rest, scheme, maxFields: maxFields + 1, ...limits,
  })
  if ('code' in accepted) return accepted
  const { length } = accepted.framing
  if (ended && length !== undefined && length > 0) return { malformed: `no body where ${length} bytes were announced` }
  if (protocol !== undefined && length !== undefined) return { malformed: 'a tunnel of a known length' }
  return { accepted, protocol }
}

function bad (detail: string): Refused {
  return { code: 'BAD_REQUEST', detail }
}

/** Where the ordinary fields begin, or what is wrong with the others. */
function takePseudo (fields: readonly string[], pseudo: Pseudo): number | string {
  let at = 0
  for (; at < fields.length && fields[at]!.startsWith(':'); at += 2) {
    const name = fields[at]!
    if (!known.has(name)) return `the pseudo-field ${JSON.stringify(name.slice(0, 40))} in a request`
    if (pseudo.has(name)) return `more than one ${name}`
    pseudo.set(name, fields[at + 1]!)
  }
  for (let rest = at; rest < fields.length; rest += 2) if (fields[rest]!.startsWith(':')) return 'a pseudo-field behind an ordinary one'
  return at
}

function wrongPseudo (pseudo: Pseudo): string | undefined {
  const method = pseudo.get(':method')
  const path = pseudo.get(':path')
  const extended = pseudo.has(':protocol')
  if (method === undefined || !isToken(method)) return 'no valid :method'
  if (extended && method !== 'CONNECT') return ':protocol without CONNECT'
  if (method === 'CONNECT' && !extended) {
    return pseudo.has(':scheme') || path !== undefined || !pseudo.has(':authority') ? 'CONNECT with other pseudo-fields than it has' : undefined
  }
  if (!pseudo.has(':scheme')) return 'no :scheme'
  if (path === undefined || !isPath(path, method)) return 'no valid :path'
  return extended && !pseudo.has(':authority') ? 'no :authority' : undefined
}

/** RFC 9113 section 8.3.1: path and query, or "*" for OPTIONS. */
function isPath (path: string, method: string): boolean {
  if (!path.startsWith('/')) return path === '*' && method === 'OPTIONS'
  for (let at = 1; at < path.length; at++) if (!isTargetCode(path.charCodeAt(at))) return false
  return true
}

/** As HTTP/1.1 has them: one Host, in front, and one Cookie. `undefined` when Host and :authority name different hosts. */
function ordinaryFields (fields: readonly string[], start: number, authority: string | undefined): string[] | undefined {
  const rest: string[] = authority === undefined ? [] : ['host', authority]
  let cookieAt = -1
  for (let at = start; at < fields.length; at += 2) {
    const name = fields[at]!
    const value = fields[at + 1]!
    if (name === 'host' && authority !== undefined) {
      if (value.toLowerCase() !== authority.toLowerCase()) return undefined
    } else if (name === 'cookie' && cookieAt !== -1) {
      rest[cookieAt] += `; ${value}`
    } else {
      if (name === 'cookie') cookieAt = rest.length + 1
      rest.push(name, value)
    }
  }
  return rest
}
