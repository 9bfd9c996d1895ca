import { STATUS_CODES } from 'node:http'
import { bodyOf } from './body.ts'
import type { Exchange, Reply } from './exchange.ts'
import { faults, type Fault, type FaultCode } from './faults.ts'
import { grpcFaultReply, isGrpc } from './grpc.ts'
import { chosenFormat, mediaTypeOf, written } from './fault-formats.ts'
import { HeaderList } from './headers.ts'

/** What a stranger may know when the fault is not theirs: who failed, not which part. */
const sentences = {
  upstream: 'The application behind this proxy did not give a usable answer.',
  agent: 'This request could not be checked, so it was not let through.',
  sentinel: 'The proxy could not serve this request.',
} as const

/** Makes the answer for a fault, where the operator has pages of his own. */
export type FaultPages = (x: Exchange, code: FaultCode, retryAfterMs?: number) => Reply

/** The answer for a fault, as the client of an exchange reads it. `otherwise`: pages where no route was found. */
export function faultAnswer (x: Exchange, code: FaultCode, retryAfterMs?: number, otherwise?: FaultPages): Reply {
  if (isGrpc(x)) return grpcFaultReply(code, sentenceFor(code), x.id)
  const pages = x.route === undefined ? otherwise : x.route.faultPages
  return pages === undefined ? faultReply(code, x.id, x.request.headers.get('accept'), retryAfterMs) : pages(x, code, retryAfterMs)
}

/** The answer of whoever refuses an exchange by itself: the filters see it, unlike that for a fault which is thrown. `fields`: more for its head. */
export function refusal (x: Exchange, fault: Fault, fields: readonly string[] = []): Reply {
  x.fault = fault
  const reply = faultAnswer(x, fault.code, fault.retryAfterMs)
  for (let i = 0; i < fields.length; i += 2) reply.headers.set(fields[i]!, fields[i + 1]!)
  return reply
}

/** One sentence for a stranger. */
export function sentenceFor (code: FaultCode): string {
  const { blame, doc } = faults[code]
  return blame === 'client' ? doc : sentences[blame]
}

export function titleOf (status: number): string {
  return STATUS_CODES[status] ?? 'Error'
}

/**
 * The answer for a fault, in the form that the client likes. It says that it comes from Sentinel and gives the request id; code and detail stay in the log
 * unless the client itself is to blame.
 */
export function faultReply (code: FaultCode, requestId: string, accept = '', retryAfterMs?: number): Reply {
  const { status } = faults[code]
  const format = chosenFormat(accept, 'json')
  const text = written(format, { status, title: titleOf(status), message: sentenceFor(code), requestId, detail: '' })
  return replyFor(status, requestId, mediaTypeOf[format], text, retryAfterMs)
}

/** An error in words that were made already, with the fields that belong to its status. */
export function replyFor (status: number, requestId: string, type: string, text: string, retryAfterMs = 1_000): Reply {
  const headers = HeaderList.from({ 'Content-Type': type, 'Cache-Control': 'no-store', 'X-Request-Id': requestId })
  if (status === 503) headers.append('Retry-After', String(Math.max(1, Math.ceil(retryAfterMs / 1_000))))
  // RFC 9110 section 15.5.22 and RFC 6455 section 4.4; listeners of other protocols leave `Upgrade` out.
  if (status === 426) {
    headers.append('Upgrade', 'websocket')
    headers.append('Sec-WebSocket-Version', '13')
  }
  return { status, headers, body: bodyOf(Buffer.from(text)) }
}

/** Problem details that say more than a fault does: `more` are members of their own (RFC 9457 section 3.2). */
export function problemReply (status: number, detail: string, requestId: string, more: Readonly<Record<string, unknown>>): Reply {
  const title = STATUS_CODES[status] ?? 'Error'
  const text = JSON.stringify({ type: 'about:blank', title, status, detail, request_id: requestId, server: 'sentinel', ...more }) + '\n'
  const headers = HeaderList.from({ 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', 'X-Request-Id': requestId })
  return { status, headers, body: bodyOf(Buffer.from(text)) }
}
