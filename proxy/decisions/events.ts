import { noEntries, type AgentMode, type BodyMode, type Complete, type EventOneOf } from '../../proto/codec/index.ts'
import type { DecisionRecord, Exchange, Reply } from '../pipeline/exchange.ts'
import type { BodyPlan, Plan } from './plan.ts'

const modes: Readonly<Record<DecisionRecord['mode'], AgentMode>> = { enforce: 'enforce', monitor: 'monitor', shadow: 'shadow', 'dry-run': 'dry_run' }

/** The request as it is now, earlier agents' changes included. */
export function requestEvent (x: Exchange, plan: Pick<Plan, 'requestBody'>, mode: DecisionRecord['mode'], configVersion: string): EventOneOf {
  const { request, requestBody, peer } = x
  return {
    kind: 'request_headers',
    value: {
      requestId: x.id,
      method: request.method,
      scheme: request.scheme,
      authority: request.authority,
      rawPath: request.rawPath,
      path: request.path,
      query: request.query,
      httpVersion: request.version,
      headers: request.headers.raw().slice(),
      clientIp: x.clientIp,
      clientPort: x.clientPort,
      tls: peer.tls,
      route: x.route?.name ?? '',
      listener: x.listener,
      traceparent: request.headers.get('traceparent') ?? '',
      tracestate: request.headers.get('tracestate') ?? '',
      attributes: x.attributes === undefined ? noEntries : new Map(x.attributes),
      hasBody: requestBody !== undefined && requestBody.length !== 0,
      contentLength: requestBody?.length,
      mode: modes[mode],
      bodyMode: wireMode(plan.requestBody),
      configVersion,
    },
  }
}

export function responseEvent (x: Exchange, reply: Reply, body: BodyPlan): EventOneOf {
  return {
    kind: 'response_headers',
    value: {
      status: reply.status,
      headers: reply.headers.raw().slice(),
      upstream: x.upstream,
      target: x.target,
      hasBody: reply.body !== undefined && reply.body.length !== 0 && reply.status !== 101,
      contentLength: reply.body?.length,
      bodyMode: wireMode(body),
    },
  }
}

export function completeFacts (x: Exchange): Complete {
  return {
    status: x.reply?.status ?? 0,
    requestBodyBytes: x.requestBytes,
    responseBodyBytes: x.responseBytes,
    durationMs: x.durationMs,
    upstreamMs: x.upstreamMs,
    error: x.fault?.code ?? '',
  }
}

function wireMode ({ kind, maxBytes, over }: BodyPlan): BodyMode {
  return { kind, maxBytes, over }
}
