import { bodyOf, type Body } from '../../pipeline/body.ts'
import type { Exchange, Reply } from '../../pipeline/exchange.ts'
import type { HeaderList } from '../../pipeline/headers.ts'
import type { Consultation } from '../consultation.ts'
import { forgetOldBody } from '../edits.ts'
import type { ToolPlan } from '../plan.ts'
import { isPacked } from '../../pipeline/unpack.ts'
import { askAll, cannotBeJudged, editsOf, refuseUnseen } from './ask.ts'
import { edited, type Edit } from './edits.ts'
import { FlowingEvents } from './flowing-events.ts'
import { joinedReadings, type Reading } from './found.ts'
import { member, Unreadable, type Json, type JsonObject } from './json.ts'
import { readLlmAnswer } from './llm-answer.ts'
import { readLlmRequest } from './llm-request.ts'
import { pendingOf, readMcpAnswer, readMcpRequest, type McpRequest, type Pending } from './mcp.ts'
import { readBody, saysEvents, type ReadBody } from './readable.ts'

/** What an agent that is asked about tools needs to know of an exchange from its request to its answer. */
export interface ToolTalk {
  /** What was sent to an MCP server, by its ids. */
  pending: Pending
  /** What the client takes of packed answers: asked for is one that can be read. */
  readonly takes: readonly string[]
}

/** Asks about what a request says of tools. Gives the answer that ends the exchange. */
export async function inspectRequest (c: Consultation, plan: ToolPlan): Promise<Reply | undefined> {
  const { x } = c
  const { headers } = x.request
  const talk: ToolTalk = c.tools = { pending: new Map(), takes: headers.getAll('accept-encoding') }
  // An agent that only looks on changes nothing of what the client asks for.
  if (c.enforces && !plan.requestsAlone) headers.set('Accept-Encoding', 'identity')
  if (x.requestBody === undefined || x.requestBody.length === 0) return undefined
  try {
    const { body, json } = await readBody(x.requestBody, headers, plan.maxRequestBytes, 'request', (kept) => { x.requestBody = kept })
    x.requestBody = body
    return json === undefined ? undefined : await askAboutRequest(c, plan, json, talk)
  } catch (error) {
    if (!cannotBeJudged(error)) throw error
    refuseUnseen(c, error, 'tool-call', 'request')
    return undefined
  }
}

/** The request as the client sent it, for who packs answers for it. */
export function askAsTheClientDid ({ x }: Consultation, { takes }: ToolTalk): void {
  const { headers } = x.request
  headers.remove('accept-encoding')
  for (const value of takes) headers.append('Accept-Encoding', value)
}

async function askAboutRequest (c: Consultation, plan: ToolPlan, { text, root }: ReadBody, talk: ToolTalk): Promise<Reply | undefined> {
  const { x } = c
  const calls = readMcpRequest(text, root)
  talk.pending = pendingOf(text, root)
  const reading: Reading | undefined = calls ?? readLlmRequest(text, root)
  if (reading === undefined || plan.answersAlone) return undefined
  const { found } = joinedReadings([reading])
  const { outcomes, reply } = await askAll(c, { found }, {
    requestOpen: true, responseOpen: true, refuses: 'exchange', server: serverOf(x), ...calls === undefined ? {} : { refusal: (calls satisfies McpRequest).refusal },
  })
  if (reply !== undefined) return reply
  const edits = editsOf(c, reading, outcomes, calls === undefined ? 'tool-result' : 'tool-call')
  if (edits.length > 0) x.requestBody = otherBody(text, edits, x.requestBody!, x.request.headers) // It was read.
  return undefined
}

/** Who gets the calls of a request: the upstream that the route, or an agent, chose. */
function serverOf ({ responder, route }: Exchange): string {
  return (responder ?? route?.responder)?.name ?? ''
}

/** Asks about what an answer says of tools, whole or while it flows. Gives the answer that takes its place. */
export async function inspectAnswer (c: Consultation, plan: ToolPlan, talk: ToolTalk, reply: Reply): Promise<Reply | undefined> {
  const { body, headers } = reply
  if (body === undefined || body.length === 0) return undefined
  const server = c.x.upstream || serverOf(c.x)
  const flowing = (events: Body): Body => new FlowingEvents(c, events, { pending: talk.pending, server, maxBytes: plan.maxResponseBytes })
  if (saysEvents(headers)) {
    if (isPacked(headers)) refuseUnseen(c, new Unreadable('it is a packed event stream, although none was asked for'), 'tool-result', 'answer')
    else reply.body = flowing(body)
    return undefined
  }
  try {
    const { body: same, json, isEvents } = await readBody(body, headers, plan.maxResponseBytes, 'answer', (kept) => { reply.body = kept })
    reply.body = isEvents ? flowing(same) : same
    if (json === undefined) return undefined
    const reading = readAnswer(json.text, json.root, talk.pending)
    const { outcomes, reply: other } = await askAll(c, reading, { requestOpen: false, responseOpen: true, refuses: 'part', server })
    if (other !== undefined) return other
    const edits = editsOf(c, reading, outcomes, 'tool-call')
    if (edits.length > 0) reply.body = otherBody(json.text, edits, same, headers)
  } catch (error) {
    if (!cannotBeJudged(error)) throw error
    refuseUnseen(c, error, 'tool-result', 'answer')
  }
  return undefined
}

/** Everything that an answer says of tools. */
export function readAnswer (text: string, root: Json, pending: Pending): Reading {
  const objects = (root.kind === 'array' ? root.items : [root]).filter((item): item is JsonObject => item.kind === 'object')
  return joinedReadings([
    readMcpAnswer(text, root, pending),
    ...objects.filter((object) => member(object, 'jsonrpc') === undefined).flatMap((object) => readLlmAnswer(text, object)),
  ])
}

/** The text with its edits, in the place of a body that may have been packed. */
function otherBody (text: string, edits: readonly Edit[], before: Body, headers: HeaderList): Body {
  forgetOldBody(headers)
  headers.remove('content-encoding')
  return bodyOf(Buffer.from(edited(text, edits)), before.trailers)
}
