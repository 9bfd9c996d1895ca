import type { DescribeResponse } from '../../proto/codec/index.ts'
import type { Exchange, Filter, Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { AgentClient } from './client.ts'
import { Consultation, failureRecord } from './consultation.ts'
import { stages } from './decide.ts'
import { requestEvent, responseEvent } from './events.ts'
import { afterFailure } from './failure-mode.ts'
import { FlowingBody, withTrailersAsked } from './flowing-body.ts'
import { neverWhole, planFor, planOfRequest, settled, termsFor, type FilterSettings, type Plan } from './plan.ts'
import { AgentMessageJudge } from './message-judge.ts'
import { awaitAgent, type RetrySettings } from './retry.ts'
import { shadowFilter } from './shadow.ts'
import { inspectWhole, wholeRequest, wholeResponse } from './whole-body.ts'

/** What asks about calls of tools: loaded when the first agent wants to know of them. */
let tools: typeof import('./tools/index.ts') | undefined

/** An agent as a step of a route. */
export function agentFilter (client: AgentClient, settings: FilterSettings): Filter {
  if (settings.mode === 'shadow') return shadowFilter(client, settings)
  const open = new Map<Exchange, Consultation>()
  const planOf = remember(settings)
  const { agentId, mode } = settings
  return {
    name: agentId,
    async onRequest (x) {
      const { retry } = client.settings
      const mayWait = retry !== undefined && client.state !== 'ready'
      const c = begin(x, client, mayWait ? await laterSettings(client, settings, retry) : settings, planOf)
      if (c === undefined) return undefined
      open.set(x, c)
      const reply = await consultRequest(c)
      const judges = x.upgrade?.judges
      if (judges !== undefined && c.plan.webSocketMessages && !c.over) judges.push(new AgentMessageJudge(c, client, planOf))
      return reply
    },
    async onResponse (x, reply) {
      const c = open.get(x)
      let answer: Reply | undefined
      if (c !== undefined) {
        if (c.tools !== undefined) tools!.askAsTheClientDid(c, c.tools) // It was loaded for the request.
        c.editReply(reply)
        if (!c.over) answer = await consultResponse(c, reply)
      }
      if (mode === 'dry-run') reply.headers.append('x-sentinel-dry-run', `${agentId}=${c?.verdict ?? 'failed'}`)
      return answer
    },
    onDone (x) {
      open.get(x)?.finish()
      open.delete(x)
    },
  }
}

/** What is left of the time for a decision, once an agent that was not there was waited for. */
async function laterSettings (client: AgentClient, settings: FilterSettings, retry: RetrySettings): Promise<FilterSettings> {
  const { timeoutMs, maxTimeoutMs } = termsFor(settings, 'request-headers', false)
  const leftMs = Math.max(1, timeoutMs - await awaitAgent(client, retry, timeoutMs))
  if (settings.termsOf === undefined) return { ...settings, timeoutMs: leftMs }
  return { ...settings, termsOf: { ...settings.termsOf, 'request-headers': { timeoutMs: leftMs, maxTimeoutMs } } }
}

/** The plan of a description is made once, not for every exchange. */
function remember (settings: FilterSettings): (description: DescribeResponse) => Plan | string {
  let known: DescribeResponse | undefined
  let plan: Plan | string = ''
  return (description) => {
    if (description !== known) {
      known = description
      plan = planFor(description, settings)
    }
    return plan
  }
}

/** `undefined`: the agent cannot be asked, and the failure mode lets the exchange go on without it. */
function begin (x: Exchange, client: AgentClient, settings: FilterSettings, planOf: ReturnType<typeof remember>): Consultation | undefined {
  const startMs = performance.now()
  if (x.ending.reason !== undefined) throw x.ending.reason
  try {
    const talk = client.talk()
    const plan = planOf(client.describe!) // Whoever can be talked to has described itself.
    if (typeof plan === 'object') return new Consultation(x, talk, settings, planOfRequest(plan, x))
    const fault = new Fault('AGENT_NOT_CONFIGURED', plan)
    talk.end(fault)
    throw fault
  } catch (error) {
    const fault = Fault.from(error)
    const next = afterFailure({ mode: settings.mode, failureMode: settings.failureMode, bodyGone: false })
    x.recordDecision(failureRecord(settings, stages.requestHeaders, fault, next === 'continue' ? 'open' : 'closed', startMs, client.configVersion))
    if (next === 'refuse') throw fault
    return undefined
  }
}

async function consultRequest (c: Consultation): Promise<Reply | undefined> {
  const { x } = c
  const event = requestEvent(x, c.plan, c.settings.mode, c.talk.configVersion)
  if (c.plan.requestHeaders) {
    const ruling = await c.ask(event, stages.requestHeaders)
    if (ruling?.reply !== undefined) return ruling.reply
  } else {
    c.talk.tell(event)
  }
  if (c.plan.tools !== undefined && !c.over) {
    tools ??= await import('./tools/index.ts')
    const reply = await tools.inspectRequest(c, c.plan.tools)
    if (reply !== undefined) return reply
  }
  const { requestBody: body } = x
  if (c.over || body === undefined) return undefined
  const { requestBody: plan, requestTrailers } = c.plan
  if (plan.kind === 'stream' && body.length !== 0) {
    x.requestBody = new FlowingBody(c, body, {
      event: 'request_body',
      trailers: requestTrailers ? 'request_trailers' : undefined,
      stage: stages.requestChunk,
      maxHeldBytes: plan.maxBytes,
      wanted: () => c.plan.requestBody.kind !== 'none',
    })
    return undefined
  }
  if (plan.kind === 'buffer' && body.length !== 0) {
    const inspected = await inspectWhole(c, body, x.request.headers, plan, wholeRequest)
    x.requestBody = inspected.body
    if (inspected.ruling?.reply !== undefined) return inspected.ruling.reply
  }
  if (requestTrailers && !c.over) x.requestBody = withTrailersAsked(c, x.requestBody!, 'request_trailers') // Set above, or it was there before.
  return undefined
}

/** Gives the answer that takes the place of the upstream's, and lets go of that one. */
async function consultResponse (c: Consultation, reply: Reply): Promise<Reply | undefined> {
  const event = responseEvent(c.x, reply, responseBodyOf(c, reply))
  if (c.plan.responseHeaders) {
    const ruling = await c.ask(event, stages.responseHeaders)
    if (ruling?.reply !== undefined) return inPlaceOf(reply, ruling.reply)
    c.editReply(reply)
  } else if (c.plan.responseBody.kind !== 'none') {
    c.talk.tell(event)
  }
  if (c.tools !== undefined && c.plan.tools?.requestsAlone === false && !c.over && !withoutBody(c, reply)) {
    const other = await tools!.inspectAnswer(c, c.plan.tools, c.tools, reply) // It was loaded for the request.
    if (other !== undefined) return inPlaceOf(reply, other)
  }
  const { body } = reply
  const plan = responseBodyOf(c, reply)
  if (c.over || body === undefined || withoutBody(c, reply)) return undefined
  if (plan.kind === 'stream' && body.length !== 0) {
    reply.body = new FlowingBody(c, body, {
      event: 'response_body',
      trailers: c.plan.responseTrailers ? 'response_trailers' : undefined,
      stage: stages.responseChunk,
      maxHeldBytes: plan.maxBytes,
      wanted: () => c.plan.responseBody.kind !== 'none',
    })
    return undefined
  }
  if (plan.kind === 'buffer' && body.length !== 0) {
    const inspected = await inspectWhole(c, body, reply.headers, plan, wholeResponse)
    if (inspected.ruling?.reply !== undefined) return inPlaceOf(reply, inspected.ruling.reply)
    reply.body = inspected.body
    c.editReply(reply)
  }
  if (c.plan.responseTrailers && !c.over) reply.body = withTrailersAsked(c, reply.body!, 'response_trailers') // Set above, or it was there before.
  return undefined
}

/**
 * The answer to HEAD, and 304, tell a length without bytes: there is nothing to show, and the length is that of the answer to GET.
 * What passes through a tunnel is no body.
 */
function withoutBody ({ x }: Consultation, { status }: Reply): boolean {
  return x.request.method === 'HEAD' || status === 304 || status === 101
}

function responseBodyOf ({ plan }: Consultation, reply: Reply): Plan['responseBody'] {
  const responseBody = settled(plan.responseBody, reply.body)
  if (reply.status === 101) return { ...responseBody, kind: 'none' }
  return responseBody.kind === 'buffer' && neverWhole(reply.headers.get('content-type')) ? { ...responseBody, kind: 'stream' } : responseBody
}

function inPlaceOf (reply: Reply, other: Reply): Reply {
  reply.body?.cancel()
  return other
}
