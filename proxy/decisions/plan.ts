import type { BodyMode, DescribeResponse, EventKind, Wants } from '../../proto/codec/index.ts'
import type { Body } from '../pipeline/body.ts'
import type { DecisionRecord, Exchange } from '../pipeline/exchange.ts'
import type { Admission } from './admission.ts'
import type { AgentClient } from './client.ts'
import { eventMismatch } from './handshake.ts'
import type { Permissions } from './permissions.ts'
import type { Terms } from './question.ts'
import type { Sight } from './sight.ts'

export interface FilterSettings {
  readonly agentId: string
  readonly mode: DecisionRecord['mode']
  readonly failureMode: 'open' | 'closed'
  /** For each question, from putting it to applying its answer; and as far as the agent may move that. */
  readonly timeoutMs: number
  readonly maxTimeoutMs: number
  /** The same of one kind of question, where it is another. */
  readonly termsOf?: { readonly [K in DecisionRecord['phase'] | 'chunk']?: Terms } | undefined
  /** Events the configuration lists; what the agent describes when absent. */
  readonly events?: readonly EventKind[] | undefined
  /** What the operator wrote wins over what the agent describes. */
  readonly requestBodyMode?: BodyModeWish | undefined
  readonly responseBodyMode?: BodyModeWish | undefined
  /** What becomes of a body longer than the limit: refused, its beginning shown, or not shown. Without it the agent says so of its own limit; above the operator's, a body is refused. */
  readonly bodyOver?: BodyPlan['over'] | undefined
  /** Largest body shown whole; also the most a streaming agent may hold back. */
  readonly maxRequestBodyBytes: number
  readonly maxResponseBodyBytes: number
  /** What is asked about at all, and whether bodies are shown, whatever `events` says of them. */
  readonly phase?: 'request' | 'response' | 'both'
  readonly bodies?: boolean | undefined
  /** Of the filter, beside the agent's own. */
  readonly places?: Admission | undefined
  /** Takes the agent's choice of another upstream. False: the route does not list it. Without the hook none may be chosen. */
  readonly chooseUpstream?: ((x: Exchange, upstream: string) => boolean) | undefined
  /** What it is shown, and what it may change; all without them. */
  readonly sight?: Sight | undefined
  /** Other agents of the route see the same heads. */
  readonly amongOthers?: boolean | undefined
  readonly may?: Permissions | undefined
  /** The parallel stage that it is part of. */
  readonly stage?: string | undefined
  /** Decisions that come when the exchange is over (shadow), and of a WebSocket those that are too many to be kept until then. */
  readonly recordLate?: ((x: Exchange, record: DecisionRecord) => void) | undefined
  /** Who goes by the agent's name now: a tunnel may outlive the configuration in which it began, and the program that was asked then. */
  readonly successor?: (() => AgentClient | undefined) | undefined
}

/** An object: whole up to so many bytes, where the length is told beforehand, and in pieces otherwise. */
export type BodyModeWish = 'buffer' | 'stream' | { readonly wholeBytes: number }

export interface BodyPlan {
  readonly kind: 'none' | 'buffer' | 'stream'
  readonly maxBytes: number
  readonly over: 'block' | 'prefix' | 'skip'
  /** The limit of the operator and what was written about it, where they are others: what the agent wishes later is held against them. */
  readonly operators?: { readonly maxBytes: number, readonly over: 'block' | 'prefix' | 'skip' | undefined }
  /** The operator does not show it, whatever the agent wants. */
  readonly withheld?: true
  /** Not settled yet (`settled`): the kind is that of a body that is longer, or of unknown length. */
  readonly wholeBytes?: number
}

/** What is shown to an agent, from its description and the configuration. Changes during an exchange when the agent wants more or less. */
export interface Plan {
  readonly requestHeaders: boolean
  readonly requestBody: BodyPlan
  readonly requestTrailers: boolean
  readonly responseHeaders: boolean
  readonly responseBody: BodyPlan
  readonly responseTrailers: boolean
  /** Where the route lets messages be looked at. */
  readonly webSocketMessages: boolean
  /** It wants to know how every exchange ended, also of those that it is asked nothing about. */
  readonly complete: boolean
  /** The operator does not want it asked about answers. */
  readonly requestsAlone?: true
  /** What it is asked about calls of tools; `undefined`: nothing. */
  readonly tools?: ToolPlan
}

export interface ToolPlan {
  readonly calls: boolean
  readonly results: boolean
  readonly requestsAlone: boolean
  readonly answersAlone: boolean
  /** Largest bodies that are looked into. */
  readonly maxRequestBytes: number
  readonly maxResponseBytes: number
}

/** How long the answer to a question may take. */
export function termsFor (settings: FilterSettings, phase: DecisionRecord['phase'], isChunk: boolean): Terms {
  const { termsOf } = settings
  if (termsOf === undefined) return settings
  return (isChunk ? termsOf.chunk : undefined) ?? termsOf[phase] ?? settings
}

/** What is left of them when so much has passed: at least the time to fail. */
export function leftOf ({ timeoutMs, maxTimeoutMs }: Terms, spentMs: number): Terms {
  return { timeoutMs: Math.max(1, timeoutMs - spentMs), maxTimeoutMs: Math.max(1, maxTimeoutMs - spentMs) }
}

/** The plan for an agent as it describes itself now, or why there is none. Made once for each description. */
export function planFor (description: DescribeResponse, settings: FilterSettings): Plan | string {
  const { events } = settings
  const wrong = eventMismatch(events, description.events)
  if (wrong !== undefined) return wrong
  const has = (event: EventKind): boolean => description.events.includes(event) && isWanted(event, settings)
  const limit = (bytes: number): number => {
    const own = description.limits?.maxBodyBytes ?? 0
    return own > 0 ? Math.min(own, bytes) : bytes
  }
  const body = (subscribed: boolean, mode: BodyModeWish | undefined, wish: BodyMode | undefined, maxBytes: number): BodyPlan => {
    const kind = !subscribed ? 'none' : typeof mode === 'object' ? 'stream' : mode ?? (wish?.kind === 'stream' ? 'stream' : 'buffer')
    const operators = { maxBytes: limit(maxBytes), over: settings.bodyOver }
    const own = bounded(operators, kind === 'buffer' && wish?.kind === 'buffer' ? wish : undefined)
    return {
      kind,
      ...own,
      ...own.maxBytes === operators.maxBytes && own.over === operators.over ? {} : { operators },
      ...settings.bodies === false || settings.sight?.bodies === false ? { withheld: true } : {},
      ...subscribed && typeof mode === 'object' ? { wholeBytes: Math.min(mode.wholeBytes, operators.maxBytes) } : {},
    }
  }
  return {
    requestHeaders: has('request_headers'),
    requestBody: body(has('request_body'), settings.requestBodyMode, description.requestBody, settings.maxRequestBodyBytes),
    requestTrailers: has('request_trailers'),
    responseHeaders: has('response_headers'),
    responseBody: body(has('response_body'), settings.responseBodyMode, description.responseBody, settings.maxResponseBodyBytes),
    responseTrailers: has('response_trailers'),
    webSocketMessages: has('websocket_message'),
    complete: has('complete'),
    ...settings.phase === 'request' ? { requestsAlone: true } : {},
    ...toolsIn(has, limit, settings),
  }
}

function toolsIn (has: (event: EventKind) => boolean, limit: (bytes: number) => number, settings: FilterSettings): { tools?: ToolPlan } {
  const { phase = 'both', maxRequestBodyBytes, maxResponseBodyBytes } = settings
  const calls = has('tool_call')
  const results = has('tool_result')
  if (!calls && !results) return {}
  return {
    tools: {
      calls, results, requestsAlone: phase === 'request', answersAlone: phase === 'response',
      maxRequestBytes: limit(maxRequestBodyBytes), maxResponseBytes: limit(maxResponseBodyBytes),
    },
  }
}

export type PlanOf = (description: DescribeResponse) => Plan | string

/** The plan of a description is made once, not for every exchange. */
export function remember (settings: FilterSettings): PlanOf {
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

/** Events that carry what is not in a head: the operator may keep all of it from an agent. */
const ofContent = /_(?:body|trailers|message)$|^tool_/

function isWanted (event: EventKind, { events, phase = 'both', bodies, sight }: FilterSettings): boolean {
  const word = String(event)
  if (sight?.bodies === false && ofContent.test(word)) return false
  if (phase !== 'both' && (word.startsWith('request_') || word.startsWith('response_')) && !word.startsWith(phase)) return false
  const ofBody = word.endsWith('_body') || word.endsWith('_trailers')
  if (ofBody && bodies !== undefined) return bodies
  // They are what a body says.
  if (word.startsWith('tool_') && bodies === false) return false
  return events === undefined || events.includes(event)
}

/** How a body of this length is shown: the agent is told with its head, so that what is known then counts. */
export function settled (plan: BodyPlan, body: Body | undefined): BodyPlan {
  const { wholeBytes, ...rest } = plan
  return wholeBytes === undefined ? plan : { ...rest, kind: (body?.length ?? Infinity) <= wholeBytes ? 'buffer' : 'stream' }
}

/** The plan for the request of an exchange. */
export function planOfRequest (plan: Plan, { requestBody }: Exchange): Plan {
  return plan.requestBody.wholeBytes === undefined ? plan : { ...plan, requestBody: settled(plan.requestBody, requestBody) }
}

/**
 * There is nothing in the exchange that the agent is to see: it is told nothing of it and costs nothing. Known from what it last said of itself, so
 * that it matters as little whether it is there. A dry run says something in every answer.
 */
export function isUnconcerned (x: Exchange, description: DescribeResponse | undefined, { mode }: FilterSettings, planOf: PlanOf): boolean {
  if (description === undefined || mode === 'dry-run') return false
  const plan = planOf(description)
  return typeof plan === 'object' && !isConcerned(plan, x)
}

function isConcerned (plan: Plan, { requestBody, upgrade }: Exchange): boolean {
  if (plan.requestHeaders || plan.responseHeaders || plan.complete || plan.tools !== undefined) return true
  if (plan.responseBody.kind !== 'none' || plan.responseTrailers) return true
  return requestBody !== undefined && (plan.requestBody.kind !== 'none' || plan.requestTrailers) || upgrade !== undefined && plan.webSocketMessages
}

/** The plan with what the agent asked for during this exchange: less at any time, more while it is not too late (`rule` sees to that). */
export function planWith (plan: Plan, wants: Wants): Plan {
  return {
    ...plan,
    requestBody: bodyWith(plan.requestBody, wants.requestBody),
    ...plan.requestsAlone === true ? {} : {
      responseHeaders: plan.responseHeaders || wants.responseHeaders,
      responseBody: bodyWith(plan.responseBody, wants.responseBody),
    },
  }
}

function bodyWith (plan: BodyPlan, wish: BodyMode | undefined): BodyPlan {
  if (plan.withheld === true || wish === undefined || wish.kind === 'default' || wish.kind === 'unrecognized') return plan
  return { kind: wish.kind, ...bounded(plan.operators ?? plan, wish) }
}

/** An agent may lower the operator's limit, not raise it, and not soften what happens above it. What happens above its own it says itself where the operator does not. */
function bounded ({ maxBytes, over }: NonNullable<BodyPlan['operators']>, wish: BodyMode | undefined): Pick<BodyPlan, 'maxBytes' | 'over'> {
  if (wish === undefined || wish.maxBytes === 0 || wish.maxBytes > maxBytes) return { maxBytes, over: over ?? 'block' }
  return { maxBytes: wish.maxBytes, over: over ?? (wish.over === 'unrecognized' ? 'block' : wish.over) }
}
