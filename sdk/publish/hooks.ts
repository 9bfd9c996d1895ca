import { stages, type Stage } from '../testing/stages.ts'

/** What a handler may do where it is called: the one table that the guide's pages are made from. A test holds it against what the proxy takes. */
export interface Hook {
  /** Name of its page in `sdk/docs`, without the ending. */
  readonly page: string
  /** What it is called with, before the context. */
  readonly calledWith: string
  readonly returns: 'decision' | 'chunk answer or decision' | 'message answer or decision' | 'findings' | 'nothing'
  /** Nothing of the request has been sent on: its headers, path and upstream may change. */
  readonly requestOpen: boolean
  /** The head of the response has not been sent on: its headers may change. */
  readonly responseOpen: boolean
  /** The handler has the whole body, which another one may replace. */
  readonly bodyOpen: boolean
  /** The body may be asked for: `request.body()`, `text()`, `json()`, `chunks()`. */
  readonly lateBody: boolean
  /** It may be found in a request and in an answer: what may be changed depends on where. */
  readonly eitherWay?: boolean
}

/** The point of an exchange where a handler is asked. */
function at ({ requestOpen, responseOpen, bodyOpen, isHeadOfRequest }: Stage): Pick<Hook, 'requestOpen' | 'responseOpen' | 'bodyOpen' | 'lateBody'> {
  return { requestOpen, responseOpen, bodyOpen, lateBody: isHeadOfRequest }
}

const nowhere = { requestOpen: false, responseOpen: false, bodyOpen: false, lateBody: false }

export const hooks = {
  onRequest: { page: 'on-request', calledWith: '`request`', returns: 'decision', ...at(stages.requestHeaders) },
  onRequestBody: { page: 'on-request-body', calledWith: 'whole body, `request`', returns: 'decision', ...at(stages.wholeRequestBody) },
  onRequestChunk: { page: 'on-request-chunk', calledWith: 'piece of the body, `request`', returns: 'chunk answer or decision', ...at(stages.requestChunk) },
  onRequestTrailers: { page: 'on-request-trailers', calledWith: 'fields behind the body, `request`', returns: 'decision', ...at(stages.requestChunk) },
  onResponse: { page: 'on-response', calledWith: '`response`, `request`', returns: 'decision', ...at(stages.responseHeaders) },
  onResponseBody: { page: 'on-response-body', calledWith: 'whole body, `response`, `request`', returns: 'decision', ...at(stages.wholeResponseBody) },
  onResponseChunk: { page: 'on-response-chunk', calledWith: 'piece of the body, `response`, `request`', returns: 'chunk answer or decision', ...at(stages.responseChunk) },
  onResponseTrailers: { page: 'on-response-trailers', calledWith: 'fields behind the body, `response`, `request`', returns: 'decision', ...at(stages.responseChunk) },
  onWebSocketMessage: {
    page: 'on-websocket-message', calledWith: 'message of a WebSocket, `request`', returns: 'message answer or decision', ...at(stages.webSocketMessage),
  },
  onToolCall: { page: 'on-tool-call', calledWith: 'call of a tool, `request`', returns: 'decision', ...at(stages.wholeRequestBody), eitherWay: true },
  onToolResult: { page: 'on-tool-result', calledWith: 'what came of one, `request`', returns: 'decision', ...at(stages.wholeRequestBody), eitherWay: true },
  onGuardrail: { page: 'on-guardrail', calledWith: 'texts to look through, `request`', returns: 'findings', ...nowhere },
  onComplete: { page: 'on-complete', calledWith: 'how it ended, `request`', returns: 'nothing', ...nowhere },
} as const satisfies Readonly<Record<string, Hook>>

/** Every handler in a row, with a link to its page. */
export function hooksTable (): string {
  const rows = Object.entries(hooks).map(([name, { page, calledWith, returns }]) => `| [\`${name}\`](docs/${page}.md) | ${calledWith} | ${returns} |`)
  return ['| handler | called with | may return |', '| --- | --- | --- |', ...rows].join('\n')
}

/** What one handler may do, row by row. */
export function allowedTable (hook: Hook): string {
  const asks = hook.returns !== 'nothing'
  const decides = asks && hook.returns !== 'findings'
  const either = hook.eitherWay === true
  const pieces = hook.returns === 'chunk answer or decision'
  const message = hook.returns === 'message answer or decision'
  const rows: readonly (readonly [what: string, how: string])[] = [
    ['return', returnHow(hook)],
    ['`pass()` `replace()` `drop()`', yes(pieces || message, 'there is no piece to answer')],
    ['`hold()` `passButTail()`', yes(pieces, message ? 'a message is answered as a whole' : 'there is no piece to answer')],
    ['`close()`', yes(message, 'there is no WebSocket to close')],
    ['`block()` `redirect()` `challenge()` `review()`', endHow(hook, asks)],
    ['change request headers, `rewritePath`, `rewriteQuery`, `upstream`', either ? 'yes, where it stands in a request' : yes(decides && hook.requestOpen, decides || !asks ? 'the request has left' : 'what is found changes nothing by itself')],
    ['change response headers', either ? 'yes, unless it stands in a stream' : asks && hook.page.startsWith('on-request') ? 'yes; applied when the response comes' : yes(decides && hook.responseOpen, decides || !asks ? 'the response has left' : 'what is found changes nothing by itself')],
    ['`replaceBody`', bodyHow(hook)],
    ['`request.body()` `request.text()` `request.json()` `request.chunks()`', yes(hook.lateBody, 'a body can be asked for in `onRequest` alone')],
    ['`attributes`, `audit`', asks && !decides ? '`audit` alone, with the findings' : yes(asks, 'the exchange is over')],
    ['`context.moreTime(ms)`', yes(asks, 'nothing is awaited')],
    ['`context.store`, `context.memory`, `context.waitUntil()`, `context.log`', 'yes'],
  ]
  return ['| may it … | |', '| --- | --- |', ...rows.map(([what, how]) => `| ${what} | ${how} |`)].join('\n')
}

function returnHow ({ returns }: Hook): string {
  switch (returns) {
    case 'decision': return 'decision; nothing at all is `allow()`'
    case 'chunk answer or decision': return `${returns}; nothing at all passes the piece on`
    case 'message answer or decision': return `${returns}; nothing at all passes the message on`
    case 'findings': return 'findings; nothing at all means that nothing was found'
    case 'nothing': return 'nothing: nobody waits for an answer'
  }
}

function yes (may: boolean, why: string): string {
  return may ? 'yes' : `no: ${why}`
}

function bodyHow ({ bodyOpen, returns, eitherWay }: Hook): string {
  if (eitherWay === true) return 'yes: other arguments, or another result, as JSON'
  if (returns === 'findings') return 'no: the operator says what becomes of what is found'
  if (returns === 'message answer or decision') return 'yes, with `redact()`; `replace()` does the same'
  if (bodyOpen) return 'yes, unless the body was cut off (`bodyTruncated`)'
  return returns === 'chunk answer or decision' ? 'of the piece alone, with `redact()` and nothing beside it; `replace()` does the same' : 'no: no whole body was shown'
}

function endHow ({ page, requestOpen, responseOpen, returns, eitherWay }: Hook, asks: boolean): string {
  if (returns === 'findings') return 'no: the operator says what becomes of what is found'
  if (eitherWay === true) return 'yes; see below'
  if (!asks) return 'no: the exchange is over'
  if (returns === 'message answer or decision') return 'yes; the WebSocket is closed with 1008'
  if (!responseOpen) return 'yes; the client has the head already, so its answer is cut off'
  if (requestOpen) return 'yes; the upstream sees nothing of the request'
  return page.startsWith('on-request') ? 'yes; the upstream has the head and what was passed on' : 'yes; the client gets it in place of the response'
}

/** Where in a page of the guide generated text stands: between these two lines. */
const begin = (name: string): string => `<!-- made from sdk/publish/hooks.ts: ${name} -->`
const end = '<!-- end -->'

/** The page with the text of every marked place made anew. Throws for a mark that nobody fills or that does not end. */
export function filled (page: string): string {
  return page.replaceAll(/<!-- made from sdk\/publish\/hooks\.ts: (\w+) -->[\s\S]*?(?:<!-- end -->|$)/g, (place, name: string) => {
    if (!place.endsWith(end)) throw new Error(`the place of "${name}" in a page has no end`)
    return `${begin(name)}\n${textOf(name)}\n${end}`
  })
}

function textOf (name: string): string {
  if (name === 'hooks') return hooksTable()
  if (!Object.hasOwn(hooks, name)) throw new Error(`a page has a place for "${name}", which is no handler`)
  return allowedTable(hooks[name as keyof typeof hooks])
}
