import { STATUS_CODES } from 'node:http'
import { bodyOf } from './body.ts'
import type { Exchange, Reply } from './exchange.ts'
import { faults, type Fault, type FaultCode } from './faults.ts'
import { grpcFaultReply, isGrpc } from './grpc.ts'
import { HeaderList } from './headers.ts'

/** What a stranger may know when the fault is not theirs: who failed, not which part. */
const sentences = {
  upstream: 'The application behind this proxy did not give a usable answer.',
  agent: 'This request could not be checked, so it was not let through.',
  sentinel: 'The proxy could not serve this request.',
} as const

/** The answer for a fault, as the client of an exchange reads it. */
export function faultAnswer (x: Exchange, code: FaultCode, retryAfterMs?: number): Reply {
  return isGrpc(x) ? grpcFaultReply(code, sentenceFor(code), x.id) : faultReply(code, x.id, x.request.headers.get('accept'), retryAfterMs)
}

/** The answer of whoever refuses an exchange by itself: the filters see it, unlike that for a fault which is thrown. `fields`: more for its head. */
export function refusal (x: Exchange, fault: Fault, fields: readonly string[] = []): Reply {
  x.fault = fault
  const reply = faultAnswer(x, fault.code, fault.retryAfterMs)
  for (let i = 0; i < fields.length; i += 2) reply.headers.set(fields[i]!, fields[i + 1]!)
  return reply
}

function sentenceFor (code: FaultCode): string {
  const { blame, doc } = faults[code]
  return blame === 'client' ? doc : sentences[blame]
}

/**
 * The answer for a fault: problem details (RFC 9457), or a small page for browsers. It says that it comes from Sentinel and
 * gives the request id; code and detail stay in the log unless the client itself is to blame.
 */
export function faultReply (code: FaultCode, requestId: string, accept = '', retryAfterMs = 1_000): Reply {
  const { status } = faults[code]
  const detail = sentenceFor(code)
  const title = STATUS_CODES[status] ?? 'Error'
  const html = prefersHtml(accept)
  const text = html
    ? page(status, title, detail, requestId)
    : JSON.stringify({ type: 'about:blank', title, status, detail, request_id: requestId, server: 'sentinel' }) + '\n'
  const headers = HeaderList.from({
    'Content-Type': html ? 'text/html; charset=utf-8' : 'application/problem+json',
    'Cache-Control': 'no-store',
    'X-Request-Id': requestId,
  })
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

function prefersHtml (accept: string): boolean {
  const html = accept.indexOf('text/html')
  const json = accept.search(/application\/(?:problem\+)?json/)
  return html !== -1 && (json === -1 || html < json)
}

/** No request data but the id, which the proxy made itself, goes into the page. */
function page (status: number, title: string, detail: string, requestId: string): string {
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${status} ${title}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}
h1{font-size:1.4rem}small{opacity:.7}</style>
<h1>${status} ${title}</h1>
<p>${detail}</p>
<p><small>This page comes from Sentinel, the proxy, not from the application. Request id: <code>${requestId}</code></small></p>
</html>
`
}
