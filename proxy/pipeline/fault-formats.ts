/** Forms in which an error is told. */
export type FaultFormat = 'json' | 'html' | 'text' | 'xml'

/** What is told of one. */
export interface Told {
  readonly status: number
  /** "Not Found". */
  readonly title: string
  readonly message: string
  readonly requestId: string
  /** What went wrong inside, where the operator wants that told; else "". */
  readonly detail: string
}

export const mediaTypeOf: Readonly<Record<FaultFormat, string>> = {
  json: 'application/problem+json', html: 'text/html; charset=utf-8', text: 'text/plain; charset=utf-8', xml: 'application/problem+xml',
}

const formatOf: Readonly<Record<string, FaultFormat>> = {
  'text/html': 'html', 'application/xhtml+xml': 'html', 'application/json': 'json', 'application/problem+json': 'json', 'text/plain': 'text',
  'application/xml': 'xml', 'text/xml': 'xml', 'application/problem+xml': 'xml', 'text/*': 'text', 'application/*': 'json',
}

const mostItems = 32

/** The form that a client likes best (RFC 9110 section 12.5.1), the first of several; `otherwise` where it does not say, or likes none of them. */
export function chosenFormat (accept: string, otherwise: FaultFormat): FaultFormat {
  if (accept === '' || accept === '*/*') return otherwise
  let best = otherwise
  let most = 0
  for (const item of accept.toLowerCase().split(',', mostItems)) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim())
    const format = type === '*/*' ? otherwise : formatOf[type]
    if (format === undefined) continue
    const q = parameters.find((parameter) => parameter.startsWith('q='))
    const weight = q === undefined ? 1 : Number(q.slice(2))
    if (weight > most && weight <= 1) [best, most] = [format, weight]
  }
  return best
}

/** Small and whole: JSON and XML are problem details (RFC 9457), HTML needs nothing from elsewhere. */
export function written (format: FaultFormat, told: Told): string {
  const { status, title, message, requestId, detail } = told
  switch (format) {
    case 'json': {
      const problem = { type: 'about:blank', title, status, detail: message, request_id: requestId, server: 'sentinel', ...detail === '' ? {} : { cause: detail } }
      return JSON.stringify(problem) + '\n'
    }
    case 'text': return `${status} ${title}\n\n${message}\n${detail === '' ? '' : `\n${detail}\n`}\nFrom Sentinel, the proxy. Request id: ${requestId}\n`
    case 'xml': return `<?xml version="1.0" encoding="UTF-8"?>
<problem xmlns="urn:ietf:rfc:7807">
<type>about:blank</type><title>${escaped(title)}</title><status>${status}</status><detail>${escaped(message)}</detail>
<request_id>${escaped(requestId)}</request_id><server>sentinel</server>${detail === '' ? '' : `<cause>${escaped(detail)}</cause>`}
</problem>
`
    case 'html': return page(told)
  }
}

/** For the inside of HTML and XML, attributes too. What no XML can hold is left out. */
export function escaped (text: string): string {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '').replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}

/** No request data but the id, which the proxy made itself, goes into the page. */
function page ({ status, title, message, requestId, detail }: Told): string {
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${status} ${title}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}
h1{font-size:1.4rem}small{opacity:.7}</style>
<h1>${status} ${title}</h1>
<p>${escaped(message)}</p>${detail === '' ? '' : `\n<pre>${escaped(detail)}</pre>`}
<p><small>This page comes from Sentinel, the proxy, not from the application. Request id: <code>${escaped(requestId)}</code></small></p>
</html>
`
}
