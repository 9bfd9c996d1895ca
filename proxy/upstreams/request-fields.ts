import { isFieldValue, isToken } from '../http1/characters.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { expectsBody, isTarget } from './request-head.ts'

/** Fields that this hop writes itself, and those that HTTP/2 does not have (RFC 9113 section 8.2.2). */
const notSent: ReadonlySet<string> = new Set([
  'te', 'host', 'expect', 'upgrade', 'connection', 'keep-alive', 'content-length', 'proxy-connection', 'transfer-encoding',
])

/** Only names of these lengths are looked up. */
const notSentLengths: ReadonlySet<number> = new Set([...notSent].map(({ length }) => length))

/** What an extended CONNECT says in another way (RFC 8441 section 5). */
const keyField = 'sec-websocket-key'

/** The head of a request as a stream takes it (RFC 9113 section 8.3.1), looked at like one of HTTP/1.1: filters and agents may have written any part of it. */
export function requestFields (x: Exchange, scheme: 'http' | 'https'): string[] {
  const { request, requestBody, upgrade } = x
  const path = request.query === '' ? request.upstreamPath : `${request.upstreamPath}?${request.query}`
  if (!isToken(request.method)) throw new Fault('INTERNAL', `the method ${JSON.stringify(request.method)} is not valid HTTP`)
  if (!isTarget(path)) throw new Fault('INTERNAL', `the request target ${JSON.stringify(path.slice(0, 200))} is not valid HTTP`)
  const fields = [':method', upgrade === undefined ? request.method : 'CONNECT', ':scheme', scheme, ':authority', '', ':path', path]
  if (upgrade !== undefined) fields.push(':protocol', upgrade.protocol)
  const host = addFields(fields, request.headers.raw(), upgrade !== undefined)
  // Whoever says no host means the one that is asked.
  fields[5] = host === undefined || host === '' ? x.target : host
  if (x.takesTrailers) fields.push('te', 'trailers')
  if (upgrade !== undefined) return fields
  if (requestBody === undefined) {
    if (expectsBody.has(request.method)) fields.push('content-length', '0')
    return fields
  }
  if (requestBody.length !== undefined) fields.push('content-length', String(requestBody.length))
  if (requestBody.expectsContinue === true) fields.push('expect', '100-continue')
  return fields
}

/** Gives the value of Host. */
function addFields (fields: string[], raw: readonly string[], tunnel: boolean): string | undefined {
  let host: string | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    if (!isToken(name) || !isFieldValue(value)) throw new Fault('INTERNAL', `the head of the request is not valid HTTP: the field ${JSON.stringify(name)}`)
    const lower = name.toLowerCase()
    if (lower === 'host') {
      if (host !== undefined) throw new Fault('INTERNAL', 'the head of the request is not valid HTTP: more than one Host')
      host = trimmed(value)
    } else if (!(notSentLengths.has(lower.length) && notSent.has(lower)) && !(tunnel && lower === keyField)) {
      fields.push(lower, trimmed(value))
    }
  }
  return host
}

/** White space around a value, which HTTP/1.1 takes for nothing, makes a message of HTTP/2 malformed. */
function trimmed (value: string): string {
  const first = value.charCodeAt(0)
  const last = value.charCodeAt(value.length - 1)
  return first === 0x20 || first === 0x09 || last === 0x20 || last === 0x09 ? value.replace(/^[ \t]+|[ \t]+$/g, '') : value
}
