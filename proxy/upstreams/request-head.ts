import { isFieldValue, isTargetCode, isToken } from '../http1/characters.ts'
import type { Body } from '../pipeline/body.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'

/** Fields that this hop writes itself, and those that have no meaning behind it. `Expect` goes on while the body is with the client (RFC 9110 section 10.1.1). */
const notSent: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'expect', 'content-length'])

/** Methods whose requests say that they have no body (RFC 9110 section 8.6): some servers wait for one otherwise. */
export const expectsBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

/** The head as it goes out. Filters and agents may have written any part of it, so all of it is looked at: a line break would be another request. */
export function requestHead ({ request, requestBody, target, upgrade }: Exchange): string {
  const { upstreamPath, query, headers } = request
  // Other protocols ask for it in another way (RFC 8441 section 5).
  const method = upgrade === undefined ? request.method : 'GET'
  const path = query === '' ? upstreamPath : `${upstreamPath}?${query}`
  if (!isToken(method)) throw new Fault('INTERNAL', `the method ${JSON.stringify(method)} is not valid HTTP`)
  if (!isTarget(path)) throw new Fault('INTERNAL', `the request target ${JSON.stringify(path.slice(0, 200))} is not valid HTTP`)
  let text = ''
  let hosts = 0
  const raw = headers.raw()
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    const { length } = name
    if ((length === 6 || length === 7 || length === 10 || length === 14 || length === 17) && notSent.has(name.toLowerCase())) continue
    if (!isToken(name) || !isFieldValue(value)) throw new Fault('INTERNAL', `the head of the request is not valid HTTP: the field ${JSON.stringify(name)}`)
    if (length === 4 && name.toLowerCase() === 'host') hosts++
    text += `${name}: ${value}\r\n`
  }
  if (hosts > 1) throw new Fault('INTERNAL', 'the head of the request is not valid HTTP: more than one Host')
  // HTTP/1.0 clients need not say which host they mean.
  const host = hosts === 0 ? `Host: ${target}\r\n` : ''
  return `${method} ${path} HTTP/1.1\r\n${host}${text}${upgrade === undefined ? framing(method, requestBody) : `Connection: Upgrade\r\nUpgrade: ${upgrade.protocol}\r\n`}\r\n`
}

function framing (method: string, body: Body | undefined): string {
  if (body === undefined) return expectsBody.has(method) ? 'Content-Length: 0\r\n' : ''
  const expect = body.expectsContinue === true ? 'Expect: 100-continue\r\n' : ''
  return `${body.length === undefined ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`}\r\n${expect}`
}

export function isTarget (text: string): boolean {
  for (let at = 0; at < text.length; at++) if (!isTargetCode(text.charCodeAt(at))) return false
  return true
}
