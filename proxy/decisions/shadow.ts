import type { EventOneOf } from '../../proto/codec/index.ts'
import { watched, type Body } from '../pipeline/body.ts'
import { isEndless } from '../pipeline/endless.ts'
import type { DecisionRecord, Exchange, Filter, MessageJudge, MessageVerdict, Reply, TunnelMessage } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import type { AgentClient } from './client.ts'
import { decisionRecord, failureRecord, isDecisive, maxRecords } from './consultation.ts'
import { rule, stages, type Ruling, type Stage } from './decide.ts'
import { completeFacts, requestEvent, responseEvent } from './events.ts'
import { badReply } from './grpc-stream.ts'
import { messageEvent } from './message-judge.ts'
import { ruleMessage } from './message-ruling.ts'
import type { Permissions } from './permissions.ts'
import {
  isUnconcerned, planOfRequest, remember, settled, termsFor, type BodyPlan, type FilterSettings, type Plan, type PlanOf, type ToolPlan,
} from './plan.ts'
import type { Answer } from './question.ts'
import { agentDone, type Talk } from './talk.ts'
import type { Pending } from './tools/mcp.ts'

/** Bytes of a flowing body that wait for the agent; more are not copied. */
const maxWaitingBytes = 1024 * 1024

/** Messages, and pieces of bodies, that wait for the agent, however short they are. */
const maxWaiting = 256

/**
 * An agent that is shown a copy of everything and whose answers change nothing: the exchange never waits for it. What does not fit into
 * the bounded line is dropped, and recorded as dropped.
 */
export function shadowFilter (client: AgentClient, settings: FilterSettings): Filter {
  const open = new WeakMap<Exchange, ShadowCopy>()
  const planOf = remember(settings)
  return {
    name: settings.agentId,
    onRequest (x) {
      if (isUnconcerned(x, client.describe, settings, planOf)) return undefined
      const copy = ShadowCopy.begin(x, client, settings, planOf)
      if (copy === undefined) return undefined
      open.set(x, copy)
      if (copy.plan.webSocketMessages) x.upgrade?.judges?.push(copy)
      return undefined
    },
    onResponse (x, reply) {
      const copy = open.get(x)
      if (copy === undefined) return undefined
      const { plan } = copy
      const body = responsePlan(plan, reply)
      if (plan.responseHeaders) copy.ask(responseEvent(x, reply, body, settings), stages.responseHeaders)
      else if (body.kind !== 'none') copy.tell(responseEvent(x, reply, body, settings))
      if (reply.body !== undefined) reply.body = copy.copyingTools(copy.copying(reply.body, body, 'response_body'), 'answer', reply)
      return undefined
    },
    onDone (x) {
      open.get(x)?.finish()
      open.delete(x)
    },
  }
}

/** What passes through a tunnel is no body. */
function responsePlan (plan: Plan, { status, headers, body }: Reply): BodyPlan {
  const responseBody = settled(plan.responseBody, body)
  if (status === 101) return { ...responseBody, kind: 'none' }
  return responseBody.kind === 'buffer' && isEndless(headers.get('content-type'), body?.length) ? { ...responseBody, kind: 'stream' } : responseBody
}

class ShadowCopy implements MessageJudge {
  readonly plan: Plan
  readonly #x: Exchange
  readonly #talk: Talk
  readonly #settings: FilterSettings
  /** Everything is said in order, whatever has to wait for room. */
  #said: Promise<unknown> = Promise.resolve()
  readonly #answers = new Set<Promise<void>>()
  #stopped = false
  #exchangeOver = false
  #records = 0
  /** What was sent to an MCP server. */
  #pending: Pending = new Map()
  /** Bytes of messages that wait for the agent. */
  #messageBytes = 0
  #missedMessages = false

  constructor (x: Exchange, talk: Talk, settings: FilterSettings, plan: Plan) {
    this.#x = x
    this.#talk = talk
    this.#settings = settings
    this.plan = plan
  }

  static begin (x: Exchange, client: AgentClient, settings: FilterSettings, planOf: PlanOf): ShadowCopy | undefined {
    const startMs = performance.now()
    try {
      const talk = client.talk()
      const planned = planOf(client.describe!) // Whoever can be talked to has described itself.
      if (typeof planned === 'string') {
        talk.end(new Fault('AGENT_NOT_CONFIGURED', planned))
        throw new Fault('AGENT_NOT_CONFIGURED', planned)
      }
      const plan = planOfRequest(planned, x)
      const copy = new ShadowCopy(x, talk, settings, plan)
      const event = requestEvent(x, plan, settings, talk.configVersion)
      if (plan.requestHeaders) copy.ask(event, stages.requestHeaders)
      else copy.tell(event)
      if (x.requestBody !== undefined) x.requestBody = copy.copyingTools(copy.copying(x.requestBody, plan.requestBody, 'request_body'), 'request', x.request)
      return copy
    } catch (error) {
      x.recordDecision(failureRecord(settings, stages.requestHeaders, Fault.from(error), 'open', startMs, client.configVersion))
      return undefined
    }
  }

  ask (event: EventOneOf, stage: Stage, takesChunk = false, onSettled?: () => void): void {
    if (this.#stopped) return
    const startMs = performance.now()
    const places = takesChunk ? undefined : this.#settings.places
    let entered = false
    const put = this.#said.then(async () => {
      await places?.enter(startMs + this.#settings.timeoutMs, this.#talk)
      entered = places !== undefined
      return this.#talk.put(event, termsFor(this.#settings, stage.phase, takesChunk), takesChunk)
    })
    this.#said = put.catch(() => {})
    const answered = put.then(({ answer }) => answer).then((answer) => {
      if (answer.kind === 'chunk') return
      const { may } = this.#settings
      const ruling = event.kind === 'websocket_message' ? ruleMessage(answer, event.value, may) : ruleAnswer(answer, stage, may)
      this.#record(decisionRecord(this.#settings, stage, ruling, startMs, this.#talk.configVersion))
      if (ruling.wants?.done === true) this.#stop(agentDone)
    }).catch((error: unknown) => this.#fail(Fault.from(error), stage, startMs)).finally(() => {
      this.#answers.delete(answered)
      if (entered) places?.leave()
      onSettled?.()
    })
    // Those that were given are let go: a body may go on for ever.
    this.#answers.add(answered)
  }

  get wanted (): boolean {
    return !this.#stopped
  }

  /** A copy of a message. One that does not fit is left out, which is recorded once. */
  judge (message: TunnelMessage): MessageVerdict {
    const { length } = message.data
    if (this.#messageBytes + length <= maxWaitingBytes && this.#answers.size < maxWaiting) {
      this.#messageBytes += length
      this.ask(messageEvent(message), stages.webSocketMessage, false, () => { this.#messageBytes -= length })
    } else {
      this.#miss(new Fault('AGENT_QUEUE_FULL', 'messages are left out: the agent is slower than they come'), performance.now())
    }
    return { kind: 'pass' }
  }

  #miss (fault: Fault, startMs: number): void {
    if (this.#missedMessages) return
    this.#missedMessages = true
    this.#record(failureRecord(this.#settings, stages.webSocketMessage, fault, 'open', startMs, this.#talk.configVersion))
  }

  tell (event: EventOneOf): void {
    this.#said = this.#said.then(() => this.#talk.tell(event))
  }

  /** The same body, of which the agent gets a copy as it flows by. */
  copying (body: Body, plan: BodyPlan, event: 'request_body' | 'response_body'): Body {
    if (plan.kind === 'none' || this.#stopped) return body
    const copy = plan.kind === 'buffer' ? this.#wholeCopy(plan, event) : this.#flowingCopy(event)
    return watched(body, (chunk) => { if (!this.#stopped) copy(chunk) })
  }

  /** The same body, of which a copy is kept until it is whole, to be looked into for calls of tools. */
  copyingTools (body: Body, side: 'request' | 'answer', { headers }: { readonly headers: HeaderList }): Body {
    const { tools } = this.plan
    if (tools === undefined || this.#stopped || (side === 'answer' && tools.requestsAlone)) return body
    const fields = headers.clone()
    const maxBytes = side === 'request' ? tools.maxRequestBytes : tools.maxResponseBytes
    const chunks: Buffer[] = []
    let bytes = 0
    return watched(body, (chunk) => {
      if (this.#stopped || bytes > maxBytes) return
      if (chunk === undefined) {
        const data = Buffer.concat(chunks)
        chunks.length = 0
        this.#said = this.#said.then(() => this.#askAboutTools(data, side, fields, tools))
        return
      }
      bytes += chunk.length
      if (bytes <= maxBytes) return void chunks.push(chunk)
      chunks.length = 0
      this.#recordUnseen(new Fault('AGENT_BODY_TOO_LARGE', `more than ${maxBytes} bytes`))
    })
  }

  async #askAboutTools (data: Buffer, side: 'request' | 'answer', headers: HeaderList, plan: ToolPlan): Promise<void> {
    const { cannotBeJudged, eventOf, foundInAnswer, foundInRequest, unseenFault } = await import('./tools/index.ts')
    try {
      const { found, pending } = side === 'request' ? await foundInRequest(data, headers, plan)
        : { found: await foundInAnswer(data, headers, plan, this.#pending), pending: this.#pending }
      this.#pending = pending
      const server = this.#x.upstream || (this.#x.responder ?? this.#x.route?.responder)?.name || ''
      for (const one of found) {
        if (!(one.kind === 'tool_call' ? plan.calls : plan.results)) continue
        const phase = one.kind === 'tool_call' ? 'tool-call' : 'tool-result'
        this.ask(eventOf(one, server), { phase, tool: one.value.tool, requestOpen: side === 'request', responseOpen: true, bodyOpen: true })
      }
    } catch (error) {
      this.#recordUnseen(cannotBeJudged(error) ? unseenFault(error, side) : Fault.from(error))
    }
  }

  #recordUnseen (fault: Fault): void {
    this.#record(failureRecord(this.#settings, { phase: 'tool-call', tool: undefined }, fault, 'open', performance.now(), this.#talk.configVersion))
  }

  finish (): void {
    this.#exchangeOver = true
    const facts = completeFacts(this.#x)
    void this.#said.then(() => Promise.all(this.#answers)).then(() => this.#talk.complete(facts))
  }

  #wholeCopy (plan: BodyPlan, event: 'request_body' | 'response_body'): (chunk: Buffer | undefined) => void {
    const stage = event === 'request_body' ? stages.wholeRequestBody : stages.wholeResponseBody
    const chunks: Buffer[] = []
    let bytes = 0
    let done = false
    const show = (truncated: boolean): void => {
      done = true
      this.ask({ kind: event, value: { data: Buffer.concat(chunks).subarray(0, plan.maxBytes), end: true, truncated } }, stage)
    }
    return (chunk) => {
      if (done) return
      if (chunk === undefined) return show(false)
      bytes += chunk.length
      if (bytes <= plan.maxBytes || plan.over === 'prefix') chunks.push(chunk)
      if (bytes <= plan.maxBytes) return
      if (plan.over === 'prefix') return show(true)
      done = true
      chunks.length = 0
      this.#record(failureRecord(this.#settings, stage, new Fault('AGENT_BODY_TOO_LARGE', `more than ${plan.maxBytes} bytes`), 'open', performance.now(), this.#talk.configVersion))
    }
  }

  #flowingCopy (event: 'request_body' | 'response_body'): (chunk: Buffer | undefined) => void {
    const stage = event === 'request_body' ? stages.requestChunk : stages.responseChunk
    let waiting = 0
    return (chunk) => {
      const data = chunk ?? Buffer.alloc(0)
      if (waiting + data.length > maxWaitingBytes || this.#answers.size >= maxWaiting) {
        return this.#fail(new Fault('AGENT_QUEUE_FULL', 'the copy was dropped: the agent is slower than the body'), stage, performance.now())
      }
      waiting += data.length
      this.ask({ kind: event, value: { data, end: chunk === undefined, truncated: false } }, stage, true, () => { waiting -= data.length })
    }
  }

  #fail (fault: Fault, stage: Stage, startMs: number): void {
    if (this.#stopped) return
    // A WebSocket may be open for days: one message that was not judged is none of the others.
    if (stage.phase === 'websocket-message' && !this.#talk.over) return this.#miss(fault, startMs)
    this.#record(failureRecord(this.#settings, stage, fault, 'open', startMs, this.#talk.configVersion))
    this.#stopped = true
    this.#talk.cancel(fault.code === 'AGENT_TIMEOUT' ? 'timeout' : 'decided', fault)
  }

  #stop (why: Fault): void {
    this.#stopped = true
    this.#talk.end(why)
  }

  #record (record: DecisionRecord): void {
    if (record.fault !== undefined) this.#talk.failed(record.fault)
    if (++this.#records > maxRecords && !isDecisive(record)) return
    if (this.#exchangeOver) this.#settings.recordLate?.(this.#x, record)
    else this.#x.recordDecision(record)
  }
}

function ruleAnswer (answer: Answer, stage: Stage, may: Permissions | undefined): Ruling {
  if (answer.kind !== 'decision') throw badReply('an answer for a message where none was asked about')
  return rule(answer.value, stage, may)
}
