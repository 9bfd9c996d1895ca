import { keepEncoded, noEntries, type AgentMode, type BodyMode, type Complete, type EventOneOf, type FieldLines } from '../../proto/codec/index.ts'
import type { DecisionRecord, Exchange, Reply } from '../pipeline/exchange.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import type { BodyPlan, FilterSettings, Plan } from './plan.ts'
import { seenLines, seenTls, type Sight } from './sight.ts'

type Viewing = 'sight' | 'amongOthers'

const modes: Readonly<Record<DecisionRecord['mode'], AgentMode>> = { enforce: 'enforce', monitor: 'monitor', shadow: 'shadow', 'dry-run': 'dry_run' }

/** The request as it is now, earlier agents' changes included, as far as the agent may see it. */
export function requestEvent (
  x: Exchange, plan: Pick<Plan, 'requestBody'>, { mode, sight, amongOthers }: Pick<FilterSettings, 'mode' | Viewing>, configVersion: string,
): EventOneOf {
  const { request, requestBody, peer } = x
  return {
    kind: 'request_headers',
    value: {
      requestId: x.id,
      method: request.method,
      scheme: request.scheme,
      authority: sees(sight, 'host') ? request.authority : '',
      rawPath: request.rawPath,
      path: request.path,
      query: sight?.query === false ? '' : request.query,
      httpVersion: request.version,
      headers: shown(request.headers, { sight, amongOthers }),
      clientIp: x.clientIp,
      clientPort: x.clientPort,
      tls: seenTls(peer.tls, sight),
      route: x.route?.name ?? '',
      listener: x.listener,
      traceparent: fieldSeen(request.headers, 'traceparent', sight),
      tracestate: fieldSeen(request.headers, 'tracestate', sight),
      attributes: x.attributes === undefined ? noEntries : new Map(x.attributes),
      hasBody: requestBody !== undefined && requestBody.length !== 0,
      contentLength: sees(sight, 'content-length') ? requestBody?.length : undefined,
      mode: modes[mode],
      bodyMode: wireMode(plan.requestBody),
      configVersion,
    },
  }
}

export function responseEvent (x: Exchange, reply: Reply, body: BodyPlan, { sight, amongOthers }: Pick<FilterSettings, Viewing>): EventOneOf {
  return {
    kind: 'response_headers',
    value: {
      status: reply.status,
      headers: shown(reply.headers, { sight, amongOthers }),
      upstream: x.upstream,
      target: x.target,
      hasBody: reply.body !== undefined && reply.body.length !== 0 && reply.status !== 101,
      contentLength: sees(sight, 'content-length') ? reply.body?.length : undefined,
      bodyMode: wireMode(body),
    },
  }
}

/** A chain of agents sees the same lines, until one of them changes something. */
function shown (headers: HeaderList, { sight, amongOthers }: Pick<FilterSettings, Viewing>): FieldLines {
  const lines = seenLines(headers, sight)
  return amongOthers === true && sight === undefined ? keepEncoded(lines) : lines
}

function fieldSeen (headers: HeaderList, name: string, sight: Sight | undefined): string {
  return sees(sight, name) ? headers.get(name) ?? '' : ''
}

function sees (sight: Sight | undefined, name: string): boolean {
  return sight === undefined || sight.field(name)
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
