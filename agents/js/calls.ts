import type { AgentRequest, AgentResponse, WebSocketMessage } from 'sentinel/sdk'
import { withBody } from './frames.ts'
import type { Call } from './realm/realm.ts'

const noBody = Buffer.alloc(0)

export interface Occasion {
  readonly hook: Call['hook']
  readonly request: AgentRequest
  readonly response?: AgentResponse
  readonly body?: Uint8Array
  readonly message?: WebSocketMessage
  readonly memory?: string | undefined
}

/** A call as a runner takes it. */
export function payloadOf ({ hook, request, response, body, message, memory }: Occasion): Buffer {
  const call: Call = {
    hook,
    request: requestFacts(request),
    ...response === undefined ? {} : { response: responseFacts(response) },
    ...message === undefined ? {} : { message: { fromClient: message.fromClient, direction: message.direction, binary: message.binary } },
    ...memory === undefined ? {} : { memory },
  }
  return withBody(JSON.stringify(call), body ?? noBody)
}

function requestFacts (request: AgentRequest): Call['request'] {
  const { id, method, scheme, authority, path, rawPath, query, httpVersion, ip, port, tls, route, listener, traceparent, user } = request
  const { hasBody, contentLength, bodyTruncated } = request
  return {
    id, method, scheme, authority, path, rawPath, query, httpVersion, ip, port, tls, route, listener, traceparent, user,
    hasBody, contentLength, bodyTruncated,
    headers: [...request.headers].flat(),
  }
}

function responseFacts (response: AgentResponse): NonNullable<Call['response']> {
  const { status, upstream, target, hasBody, contentLength, bodyTruncated } = response
  return { status, upstream, target, hasBody, contentLength, bodyTruncated, headers: [...response.headers].flat() }
}
