import type { Decision, EventOneOf } from '../../../proto/codec/index.ts'
import { bodyOf } from '../../pipeline/body.ts'
import type { Reply } from '../../pipeline/exchange.ts'
import { Fault } from '../../pipeline/faults.ts'
import { failureRecord, type Consultation } from '../consultation.ts'
import type { Stage } from '../decide.ts'
import { badReply } from '../grpc-stream.ts'
import { Unfit, type Found, type Outcome, type Outcomes, type Reading } from './found.ts'
import { readJson, Unreadable, utf8 } from './json.ts'

/** What became of asking about everything in one text. */
export interface Asked {
  readonly outcomes: Outcomes
  /** The answer that ends the exchange. */
  readonly reply: Reply | undefined
}

export interface Asking {
  readonly requestOpen: boolean
  /** The head of the answer has not left yet. */
  readonly responseOpen: boolean
  /**
   * Refused is only what is asked about, and everything around it goes on; otherwise a refusal ends the exchange. An agent that says what the
   * answer is to be ends it as well, where that is still possible.
   */
  readonly refuses: 'part' | 'exchange'
  /** The answer that a refusal gives when the agent does not say another. */
  readonly refusal?: (found: Found, sentence: string, ticket: string | undefined) => string
  readonly server: string
}

/** Asks about each call and result, in order. */
export async function askAll (c: Consultation, { found: all }: Pick<Reading, 'found'>, asking: Asking): Promise<Asked> {
  const outcomes = new Map<Found, Outcome>()
  for (const found of all) {
    if (c.over) break
    if (!isWanted(c, found)) continue
    const refusal: { own: boolean } = { own: false }
    const ruling = await c.ask(eventOf(found, asking.server), stageOf(found, asking, refusal))
    if (ruling === undefined) continue
    if (ruling.reply !== undefined) {
      if (asking.refuses === 'exchange' || (refusal.own && asking.responseOpen)) {
        c.over = true
        return { outcomes, reply: ruling.reply }
      }
      outcomes.set(found, { kind: 'refused', sentence: sentenceOf(found, ruling.ticket), ticket: ruling.ticket })
    } else if (ruling.replaceBody !== undefined) {
      outcomes.set(found, { kind: 'replaced', json: ruling.replaceBody.toString() })
    }
  }
  return { outcomes, reply: undefined }
}

/** `server` where the call itself names none. */
export function eventOf (found: Found, server: string): EventOneOf {
  if (found.kind === 'tool_call') return { kind: 'tool_call', value: { ...found.value, server: found.value.server || server } }
  return { kind: 'tool_result', value: { ...found.value, server: found.value.server || server } }
}

function isWanted ({ plan: { tools } }: Consultation, { kind }: Found): boolean {
  return tools !== undefined && (kind === 'tool_call' ? tools.calls : tools.results)
}

function stageOf (found: Found, asking: Asking, told: { own: boolean }): Stage {
  return {
    phase: found.kind === 'tool_call' ? 'tool-call' : 'tool-result',
    tool: found.value.tool,
    requestOpen: asking.requestOpen,
    responseOpen: asking.responseOpen,
    bodyOpen: true,
    partial: asking.refuses === 'part',
    checkBody: checkReplacement,
    refusal (reply, decision, ticket) {
      told.own = saysWhole(decision)
      if (asking.refuses === 'part') return told.own && asking.responseOpen ? reply : { ...reply, status: 0 }
      if (asking.refusal === undefined || (decision.kind !== 'block' && decision.kind !== 'review')) return reply
      return inForm(reply, decision, asking.refusal(found, sentenceOf(found, ticket), ticket))
    },
  }
}

/** A body that replaces another one is JSON for everybody. */
function checkReplacement (replaceBody: Buffer): void {
  try {
    readJson(utf8(replaceBody))
  } catch (error) {
    throw error instanceof Unreadable ? badReply(`what is to replace arguments or a result cannot be read: ${error.message}`) : error
  }
}

/** The agent says what the client is to get. */
function saysWhole (decision: Decision): boolean {
  if (decision.kind === 'block') return decision.value.status !== 0 || decision.value.body.length > 0
  return decision.kind === 'redirect' || decision.kind === 'challenge'
}

/** A refusal in the form of the protocol: what the agent said of status and body counts. */
function inForm (reply: Reply, decision: Decision, json: string): Reply {
  if (decision.kind === 'block' && decision.value.body.length > 0) return reply
  reply.headers.set('Content-Type', 'application/json')
  return { status: decision.kind === 'block' && decision.value.status !== 0 ? reply.status : 200, headers: reply.headers, body: bodyOf(Buffer.from(json)) }
}

function sentenceOf ({ kind, value }: Found, ticket: string | undefined): string {
  const what = value.tool === '' ? `${kind === 'tool_call' ? 'The call' : 'The result'} of a tool` : `${kind === 'tool_call' ? 'The call' : 'The result'} of the tool ${JSON.stringify(value.tool)}`
  return ticket === undefined ? `${what} was refused.` : `${what} waits for a person who has to look at it first. The ticket is ${ticket}.`
}

/**
 * What was decided, as edits of the text. Something that cannot stand where it is to stand is the agent's mistake: the failure mode says what becomes
 * of the exchange, and in the open one the text stays as it is.
 */
export function editsOf (c: Consultation, reading: Reading, outcomes: Outcomes, phase: Stage['phase']): ReturnType<Reading['edits']> {
  if (outcomes.size === 0) return []
  try {
    return reading.edits(outcomes)
  } catch (error) {
    if (!(error instanceof Unfit)) throw error
    c.fail(badReply(error.message), { phase, requestOpen: false, responseOpen: false, bodyOpen: true }, performance.now())
    return []
  }
}

/**
 * A body that cannot be judged: it is too large, or nobody can say what others read in it. `body-over` of the operator says what becomes of it, and
 * no failure mode softens that, since the client chooses what it sends. The beginning alone is of no use, so "prefix" refuses as well.
 */
export function refuseUnseen (c: Consultation, error: unknown, phase: Stage['phase'], side: 'request' | 'answer'): void {
  const fault = unseenFault(error, side)
  const refuse = c.enforces && c.settings.bodyOver !== 'skip'
  c.record(failureRecord(c.settings, { phase, tool: undefined }, fault, refuse ? 'closed' : 'open', performance.now(), c.talk.configVersion))
  if (!refuse) return
  c.over = true
  throw fault
}

/** Why a body cannot be judged, as what goes wrong with an exchange. */
export function unseenFault (error: unknown, side: 'request' | 'answer'): Fault {
  const detail = error instanceof Fault ? error.detail ?? error.code : (error as Error).message
  if (side === 'request') return error instanceof Fault ? error : new Fault('BODY_UNREADABLE', detail)
  return error instanceof Fault && error.code === 'AGENT_BODY_TOO_LARGE' ? new Fault('AGENT_ANSWER_TOO_LARGE', detail) : new Fault('AGENT_ANSWER_UNREADABLE', detail)
}

/** Whether a body that threw this cannot be judged. Anything else is a fault of whoever sends it, or a bug. */
export function cannotBeJudged (error: unknown): boolean {
  return error instanceof Unreadable || (error instanceof Fault && unjudged.has(error.code))
}

const unjudged: ReadonlySet<string> = new Set(['AGENT_BODY_TOO_LARGE', 'BODY_UNREADABLE', 'BODY_EXPANDS', 'BODY_CODING_UNKNOWN'])
