import type { EndSignal } from '../pipeline/end-signal.ts'
import { isEndless } from '../pipeline/endless.ts'
import type { DecisionRecord, Exchange, Filter, Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { AgentClient } from './client.ts'
import { Consultation, failureRecord } from './consultation.ts'
import { stages } from './decide.ts'
import { requestEvent, responseEvent } from './events.ts'
import { afterFailure } from './failure-mode.ts'
import { FlowingBody, withTrailersAsked, type Flow } from './flowing-body.ts'
import { AgentMessageJudge } from './message-judge.ts'
import {
  isUnconcerned, leftOf, planOfRequest, remember, settled, termsFor, type BodyPlan, type FilterSettings, type Plan, type PlanOf, type ToolPlan,
} from './plan.ts'
import { awaitAgent } from './retry.ts'
import { shadowFilter } from './shadow.ts'
import { inspectWhole, wholeRequest, wholeResponse } from './whole-body.ts'

/** What asks about calls of tools: loaded when the first agent wants to know of them. */
let tools: typeof import('./tools/index.ts') | undefined

/** Asks about what a request says of tools: for agents that are (`plan.tools`). */
export async function inspectToolsOfRequest (c: Consultation, plan: ToolPlan): Promise<Reply | undefined> {
  tools ??= await import('./tools/index.ts')
  return tools.inspectRequest(c, plan)
}

/** The same for an answer; nothing where nothing is asked about it. */
export function inspectToolsOfAnswer (c: Consultation, reply: Reply): Promise<Reply | undefined> | undefined {
  if (c.tools === undefined || c.plan.tools?.requestsAlone !== false || c.over || withoutBody(c, reply)) return undefined
  return tools!.inspectAnswer(c, c.plan.tools, c.tools, reply) // It was loaded for the request.
}

/** Whoever packs answers for the client sees what it asked for. */
export function restoreRequest (c: Consultation): void {
  if (c.tools !== undefined) tools!.askAsTheClientDid(c, c.tools) // It was loaded for the request.
}

/** An agent as a step of a route. */
export function agentFilter (client: AgentClient, settings: FilterSettings): Filter {
  if (settings.mode === 'shadow') return shadowFilter(client, settings)
  const open = new WeakMap<Exchange, Consultation>()
  const planOf = remember(settings)
  const { agentId, mode } = settings
  const ofRequest = async (x: Exchange): Promise<Reply | undefined> => {
    const c = begin(x, client, isAway(client) ? await laterSettings(client, settings, x.ending) : settings, planOf)
    if (c === undefined) return undefined
    open.set(x, c)
    const reply = await consultRequest(c)
    const judges = x.upgrade?.judges
    if (judges !== undefined && c.plan.webSocketMessages && !c.over) judges.push(new AgentMessageJudge(c, client, planOf))
    return reply
  }
  const ofResponse = async (x: Exchange, reply: Reply): Promise<Reply | undefined> => {
    const c = open.get(x)
    let answer: Reply | undefined
    if (c !== undefined) {
      restoreRequest(c)
      c.heedStop(reply)
      c.editReply(reply)
      if (!c.over) answer = await consultResponse(c, reply)
    }
    if (mode === 'dry-run') reply.headers.append('x-sentinel-dry-run', `${agentId}=${c?.verdict ?? 'failed'}`)
    return answer
  }
  return {
    name: agentId,
    onRequest: (x) => isUnconcerned(x, client.describe, settings, planOf) ? undefined : ofRequest(x),
    onResponse: (x, reply) => mode === 'dry-run' || open.has(x) ? ofResponse(x, reply) : undefined,
    onDone (x) {
      open.get(x)?.finish()
      open.delete(x)
    },
  }
}

/** It may be waited for. */
export function isAway ({ settings: { retry }, state }: AgentClient): boolean {
  return retry !== undefined && state !== 'ready'
}

/** What is left of the time for the first decision, once an agent that was not there was waited for. */
export async function laterSettings (client: AgentClient, settings: FilterSettings, ending: EndSignal): Promise<FilterSettings> {
  const terms = termsFor(settings, 'request-headers', false)
  const spentMs = await awaitAgent(client, client.settings.retry!, terms.timeoutMs, ending) // Whoever is waited for has some (`isAway`).
  return { ...settings, termsOf: { ...settings.termsOf, 'request-headers': leftOf(terms, spentMs) } }
}

/** `undefined`: the agent cannot be asked, and the failure mode lets the exchange go on without it. */
function begin (x: Exchange, client: AgentClient, settings: FilterSettings, planOf: PlanOf): Consultation | undefined {
  const startMs = performance.now()
  const begun = consultationWith(x, client, settings, planOf)
  if (begun instanceof Consultation) return begun
  const record = absenceRecord(begun, client, settings, startMs)
  x.recordDecision(record)
  if (record.failureMode === 'closed') throw begun
  return undefined
}

/** A fault: why the agent cannot be asked. Throws when nobody waits for the exchange any more. */
export function consultationWith (x: Exchange, client: AgentClient, settings: FilterSettings, planOf: PlanOf): Consultation | Fault {
  if (x.ending.reason !== undefined) throw x.ending.reason
  try {
    const talk = client.talk()
    const plan = planOf(client.describe!) // Whoever can be talked to has described itself.
    if (typeof plan === 'object') return new Consultation(x, talk, settings, planOfRequest(plan, x))
    const fault = new Fault('AGENT_NOT_CONFIGURED', plan)
    talk.end(fault)
    return fault
  } catch (error) {
    return Fault.from(error)
  }
}

/** That an agent could not be asked, and what its failure mode makes of that. */
export function absenceRecord (fault: Fault, { configVersion }: AgentClient, settings: FilterSettings, startMs: number): DecisionRecord {
  const next = afterFailure({ mode: settings.mode, failureMode: settings.failureMode, bodyGone: false })
  return failureRecord(settings, stages.requestHeaders, fault, next === 'continue' ? 'open' : 'closed', startMs, configVersion)
}

async function consultRequest (c: Consultation): Promise<Reply | undefined> {
  const { x } = c
  const event = requestEvent(x, c.plan, c.settings, c.talk.configVersion)
  if (c.plan.requestHeaders) {
    const ruling = await c.ask(event, stages.requestHeaders)
    if (ruling?.reply !== undefined) return ruling.reply
  } else {
    c.talk.tell(event)
  }
  if (c.plan.tools !== undefined && !c.over) {
    const reply = await inspectToolsOfRequest(c, c.plan.tools)
    if (reply !== undefined) return reply
  }
  const { requestBody: body } = x
  if (c.over || body === undefined) return undefined
  const { requestBody: plan, requestTrailers } = c.plan
  if (plan.kind === 'stream' && body.length !== 0) {
    x.requestBody = new FlowingBody(c, body, requestFlow(c))
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

export function requestFlow (c: Consultation): Flow {
  const { requestBody, requestTrailers } = c.plan
  return {
    event: 'request_body',
    trailers: requestTrailers ? 'request_trailers' : undefined,
    stage: stages.requestChunk,
    maxHeldBytes: requestBody.maxBytes,
    wanted: () => c.plan.requestBody.kind !== 'none',
  }
}

/** `plan` is that of this answer. */
export function responseFlow (c: Consultation, { maxBytes }: BodyPlan): Flow {
  return {
    event: 'response_body',
    trailers: c.plan.responseTrailers ? 'response_trailers' : undefined,
    stage: stages.responseChunk,
    maxHeldBytes: maxBytes,
    wanted: () => c.plan.responseBody.kind !== 'none',
  }
}

/** Gives the answer that takes the place of the upstream's, and lets go of that one. */
async function consultResponse (c: Consultation, reply: Reply): Promise<Reply | undefined> {
  const event = responseEvent(c.x, reply, responseBodyOf(c, reply), c.settings)
  if (c.plan.responseHeaders) {
    const ruling = await c.ask(event, stages.responseHeaders)
    if (ruling?.reply !== undefined) return inPlaceOf(reply, ruling.reply)
    c.editReply(reply)
  } else if (c.plan.responseBody.kind !== 'none') {
    c.talk.tell(event)
  }
  const inspected = inspectToolsOfAnswer(c, reply)
  const other = inspected === undefined ? undefined : await inspected
  if (other !== undefined) return inPlaceOf(reply, other)
  const { body } = reply
  const plan = responseBodyOf(c, reply)
  c.heedStop()
  if (c.over || body === undefined || withoutBody(c, reply)) return undefined
  if (plan.kind === 'stream' && body.length !== 0) {
    reply.body = new FlowingBody(c, body, responseFlow(c, plan))
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
export function withoutBody ({ x }: Consultation, { status }: Reply): boolean {
  return x.request.method === 'HEAD' || status === 304 || status === 101
}

export function responseBodyOf ({ plan }: Consultation, reply: Reply): Plan['responseBody'] {
  const responseBody = settled(plan.responseBody, reply.body)
  if (reply.status === 101) return { ...responseBody, kind: 'none' }
  return responseBody.kind === 'buffer' && isEndless(reply.headers.get('content-type'), reply.body?.length) ? { ...responseBody, kind: 'stream' } : responseBody
}

export function inPlaceOf (reply: Reply, other: Reply): Reply {
  reply.body?.cancel()
  return other
}
