import type { Reply } from '../pipeline/exchange.ts'

/** How an answer is delimited (RFC 9112 section 6.3). */
export type ResponseFraming = 'none' | 'length' | 'chunked' | 'close'

export interface ResponseHead {
  /** `[name, value, …]` with the sender's order and spelling, framing at the end. */
  readonly fields: string[]
  readonly framing: ResponseFraming
}

/** The head of an answer for one request. The fields of `reply` stay as they are. */
export function responseHead (reply: Reply, request: { method: string, version: string }, close: boolean): ResponseHead {
  const framing = framingOf(reply, request)
  const fields = connectionFree(reply.headers.raw(), framing === 'chunked')
  const length = reply.body?.length
  if (framing === 'length') fields.push('Content-Length', String(length ?? 0))
  // RFC 9110 section 8.6: the answer to HEAD may tell the length the body would have; 304 likewise.
  else if (framing === 'none' && length !== undefined && reply.status !== 204) fields.push('Content-Length', String(length))
  else if (framing === 'chunked') fields.push('Transfer-Encoding', 'chunked')
  if (close || framing === 'close') fields.push('Connection', 'close')
  // Clients of 1.0 keep a connection only when they are told that they may.
  else if (request.version === '1.0') fields.push('Connection', 'keep-alive')
  return { fields, framing }
}

function framingOf ({ status, body }: Reply, { method, version }: { method: string, version: string }): ResponseFraming {
  if (method === 'HEAD' || status === 204 || status === 304) return 'none'
  if (body === undefined || body.length !== undefined) return 'length'
  return version === '1.0' ? 'close' : 'chunked'
}

/** A copy without the fields the listener writes itself. Only names of their lengths are worth lower-casing. */
function connectionFree (raw: readonly string[], chunked: boolean): string[] {
  const fields: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    switch (name.length) {
      case 7:
        if (!chunked && name.toLowerCase() === 'trailer') continue
        break
      case 10:
        if (name.toLowerCase() === 'connection' || name.toLowerCase() === 'keep-alive') continue
        break
      case 14:
        if (name.toLowerCase() === 'content-length') continue
        break
      case 17:
        if (name.toLowerCase() === 'transfer-encoding') continue
        break
    }
    fields.push(name, raw[i + 1]!)
  }
  return fields
}
