import {
  emptyComplete, emptyRequestHeaders, emptyResponseHeaders, type BodyMode, type CancelReason, type Complete, type DescribeResponse,
  type Event, type EventOneOf, type Findings, type Reply, type Wants,
} from '../../proto/codec/index.ts'
import { wantedBody } from '../definition.ts'
import { linesOf, type HeadersInit } from '../headers.ts'
import { checkInspection, checkMessage, checkResponse, checkToolCall, checkToolResult } from './check-options.ts'
import type { TestClock } from './fake-clock.ts'
import { PassedBody } from './passed-body.ts'
import { stages, whyNotApplied, type Stage } from './stages.ts'
import { partsOfUrl } from './url.ts'
import type {
  TestBody, TestInspection, TestMessageInit, TestRequestInit, TestResponseInit, TestToolCall, TestToolResult,
} from './harness.ts'
import { messageVerdictOf, type MessageVerdict } from './message-verdict.ts'
import { verdictOf, type Verdict } from './verdict.ts'

/** The agent's end of the exchange. */
export interface Link {
  readonly id: number
  readonly description: DescribeResponse
  readonly clock: TestClock
  send (event: Event): void
  isOpen (): boolean
  forget (): void
}

/** An event that waits for its answer. */
interface Waiting {
  readonly stage: Stage
  readonly resolve: (reply: Reply) => void
  readonly giveUp: (reason: Error) => void
  /** Moves the deadline, once. */
  readonly moreTime: (ms: number) => void
}

type BodyKind = 'request_body' | 'response_body'

/** One request through an agent, with the proxy played by the test. */
export class TestExchange {
  readonly #link: Link
  readonly #init: TestRequestInit
  readonly #method: string
  readonly #url: string
  #sequence = 0
  readonly #waiting = new Map<number, Waiting>()
  #replies: Reply[] = []
  #isCancelled = false
  /** What the agent asked for beside what it subscribed to. */
  #wants: Wants | undefined
  #verdict: Promise<Verdict> | undefined

  /** @internal */
  constructor (link: Link, method: string, url: string, init: TestRequestInit) {
    this.#link = link
    this.#method = method
    this.#url = url
    this.#init = init
  }

  /** What the agent decided about the request; rejects when it is cancelled first. */
  get verdict (): Promise<Verdict> {
    return this.#verdict ??= this.#request()
  }

  /** What was asked: "GET /path". */
  get about (): string {
    return `${this.#method} ${this.#url}`
  }

  /** All replies so far, `more_time` and the like included. */
  get replies (): readonly Reply[] {
    return this.#replies
  }

  /** @internal Sends the head of the request, and what follows it. */
  begin (): void {
    void this.verdict.catch(() => {})
  }

  /** The answer of the upstream, on its way back through the agent. */
  async respond (status: number, init: TestResponseInit = {}): Promise<Verdict> {
    checkResponse(init)
    const { headers = {}, body = '', upstream = 'test', bodyMode, trailers } = init
    const { events, responseBody } = this.#link.description
    const from = this.#replies.length
    const content = chunksOf(body)
    const mode = bodyMode === undefined ? responseBody : wantedBody(bodyMode, undefined, undefined)
    if (events.includes('response_headers') || this.#wants?.responseHeaders === true) {
      const value = { ...emptyResponseHeaders, status, headers: linesOf(headers), upstream, hasBody: content.length > 0, bodyMode: mode }
      if (!goesOn(await this.#ask({ kind: 'response_headers', value }, stages.responseHeaders))) return this.#since(from, undefined)
    }
    const isShown = content.length > 0 && (events.includes('response_body') || this.#wants?.responseBody !== undefined)
    const passed = isShown ? await this.#sendBody('response_body', content, mode) : undefined
    if (!isShown || passed !== undefined) await this.#sendTrailers('response_trailers', trailers)
    return this.#since(from, passed)
  }

  /** A call of a tool in the body of this exchange. `passedBody` of the verdict is other arguments, where the agent gave some. */
  async toolCall (call: TestToolCall): Promise<Verdict> {
    checkToolCall(call)
    const { tool, arguments: args, id = '1', protocol = 'mcp', server = 'test' } = call
    const argumentsJson = Buffer.from(args === undefined ? '' : JSON.stringify(args))
    return this.#askedAlone({ kind: 'tool_call', value: { protocol, server, tool, argumentsJson, callId: id } }, protocol === 'mcp')
  }

  /** What came of a call. `passedBody` of the verdict is another result, where the agent gave one. */
  async toolResult (outcome: TestToolResult): Promise<Verdict> {
    checkToolResult(outcome)
    const { tool = '', result, isError = false, id = '1', protocol = 'mcp', server = 'test' } = outcome
    return this.#askedAlone({ kind: 'tool_result', value: { protocol, server, tool, resultJson: Buffer.from(JSON.stringify(result)), isError, callId: id } }, protocol !== 'mcp')
  }

  /** Texts for the agent to look through. Gives what it found; rejects with its error. */
  async guardrail (asked: TestInspection): Promise<Findings> {
    checkInspection(asked)
    const { inspection, texts, categories = [], model = '' } = asked
    const value = { inspection, texts: texts.map((text) => typeof text === 'string' ? { role: 'user', text } : text), categories, model }
    const reply = await this.#ask({ kind: 'guardrail', value }, stages.responseChunk)
    if (reply.kind === 'error') throw new Error(`${reply.value.code}: ${reply.value.message}`)
    if (reply.kind !== 'findings') throw new Error(`the agent answered with ${String(reply.kind)}`)
    return reply.value
  }

  /** `inRequest`: calls of MCP, and results for models, stand in requests; the others in answers. */
  async #askedAlone (event: EventOneOf, inRequest: boolean): Promise<Verdict> {
    const from = this.#replies.length
    await this.#ask(event, inRequest ? stages.wholeRequestBody : stages.wholeResponseBody)
    return this.#since(from, undefined)
  }

  /**
   * A message of a WebSocket, on its way through the agent: text, or bytes. From the client unless `from` says something else. Those of the two
   * directions do not wait for each other.
   */
  async message (data: string | Uint8Array, init: TestMessageInit = {}): Promise<MessageVerdict> {
    checkMessage(init)
    const { from = 'client', binary = typeof data !== 'string' } = init
    const sent = { fromClient: from === 'client', binary, data: Buffer.from(data), partial: false }
    if (!this.#link.description.events.includes('websocket_message')) throw new Error('the agent does not ask for websocket_message events')
    return messageVerdictOf(await this.#ask({ kind: 'websocket_message', value: sent }, stages.webSocketMessage), sent)
  }

  /** The exchange is over. Resolves when the agent has forgotten it. */
  async complete (fields: Partial<Complete> = {}): Promise<void> {
    if (this.#link.isOpen()) this.#send({ kind: 'complete', value: { ...emptyComplete, status: 200, ...fields } }, 0)
    const until = performance.now() + this.#timeoutMs
    while (this.#link.isOpen()) {
      if (performance.now() > until) throw new Error('the agent does not let go of the exchange')
      await new Promise(setImmediate)
    }
    this.#link.forget()
  }

  /** Nobody waits for the agent any longer. */
  cancel (reason: CancelReason = 'client_gone'): void {
    this.#isCancelled = true
    this.#send({ kind: 'cancel', value: { reason, detail: '' } }, 0)
    for (const { giveUp } of this.#waiting.values()) giveUp(new Error(`cancelled: ${reason}`))
  }

  /** @internal A reply of the agent. */
  receive (reply: Reply): void {
    const waiting = this.#waiting.get(reply.sequence)
    const judged = waiting === undefined ? reply : judgedReply(reply, waiting.stage)
    this.#replies.push(judged)
    if (judged.kind === 'more_time') waiting?.moreTime(judged.value.timeoutMs)
    else if (judged.kind !== 'credit') waiting?.resolve(judged)
  }

  get #timeoutMs (): number {
    return this.#init.timeoutMs ?? 5000
  }

  async #request (): Promise<Verdict> {
    const { events, requestBody } = this.#link.description
    const content = this.#init.body === undefined ? [] : chunksOf(this.#init.body)
    const configured = this.#init.bodyMode === undefined ? requestBody : wantedBody(this.#init.bodyMode, undefined, undefined)
    const first = await this.#ask({ kind: 'request_headers', value: this.#head(content, configured) }, stages.requestHeaders)
    if (!goesOn(first)) return this.#since(0, undefined)
    this.#wants = first.value.wants
    const wanted = this.#wants?.requestBody
    const mode = wanted && wanted.kind !== 'default' ? wanted : configured
    const isShown = content.length > 0 && mode?.kind !== 'none' && (events.includes('request_body') || wanted !== undefined)
    const passed = isShown ? await this.#sendBody('request_body', content, mode) : undefined
    if (!isShown || passed !== undefined) await this.#sendTrailers('request_trailers', this.#init.trailers)
    return this.#since(0, passed)
  }

  #head (content: readonly Buffer[], bodyMode: BodyMode | undefined): (Event & { kind: 'request_headers' })['value'] {
    const parts = partsOfUrl(this.#url)
    const headers = linesOf(this.#init.headers ?? {})
    if (!headers.some((text, i) => i % 2 === 0 && text.toLowerCase() === 'host')) headers.unshift('Host', parts.authority)
    return {
      ...emptyRequestHeaders,
      ...parts,
      requestId: `test-${this.#link.id}`,
      method: this.#method,
      httpVersion: '1.1',
      headers,
      clientIp: this.#init.ip ?? '192.0.2.1',
      clientPort: 50_000,
      route: this.#init.route ?? 'test',
      listener: 'test',
      attributes: new Map(Object.entries(this.#init.attributes ?? {})),
      hasBody: content.length > 0,
      contentLength: content.length > 0 ? content.reduce((sum, chunk) => sum + chunk.length, 0) : undefined,
      bodyMode,
    }
  }

  /** What would go on, or undefined when nothing does. */
  async #sendBody (kind: BodyKind, content: readonly Buffer[], mode: BodyMode | undefined): Promise<Buffer | undefined> {
    if (mode?.kind === 'stream') return this.#streamBody(kind, content)
    const whole = Buffer.concat(content)
    const at = bodyStages[kind]
    const max = mode?.maxBytes || whole.length
    const isLong = whole.length > max
    if (isLong && mode?.over === 'block') {
      // The proxy answers 413 itself; the agent hears that nobody waits for it.
      this.cancel('decided')
      throw new Error(`413: the body of ${whole.length} bytes is longer than the agent takes (${max})`)
    }
    // Nobody is asked about it.
    if (isLong && mode?.over === 'skip') return whole
    const data = isLong ? whole.subarray(0, max) : whole
    const reply = await this.#ask({ kind, value: { data, end: true, truncated: isLong } }, isLong ? at.cut : at.whole)
    return goesOn(reply) ? whole : undefined
  }

  async #sendTrailers (kind: 'request_trailers' | 'response_trailers', trailers: HeadersInit | undefined): Promise<void> {
    const stage = kind === 'request_trailers' ? stages.requestChunk : stages.responseChunk
    if (trailers !== undefined && this.#link.description.events.includes(kind)) await this.#ask({ kind, value: { headers: linesOf(trailers) } }, stage)
  }

  async #streamBody (kind: BodyKind, content: readonly Buffer[]): Promise<Buffer | undefined> {
    const passed = new PassedBody()
    for (const [i, data] of content.entries()) {
      const reply = await this.#ask({ kind, value: { data, end: i === content.length - 1, truncated: false } }, bodyStages[kind].chunk)
      if (reply.kind === 'chunk') passed.answer(data, reply.value)
      else if (goesOn(reply)) passed.answer(data, { kind: 'pass', value: {} })
      else return undefined
    }
    return passed.end()
  }

  #since (from: number, passed: Buffer | undefined): Verdict {
    return verdictOf(this.#replies.slice(from), passed)
  }

  #ask (kind: EventOneOf, stage: Stage): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#isCancelled) return reject(new Error('cancelled'))
      const { clock } = this.#link
      const sequence = this.#sequence + 1
      const startMs = clock.now()
      let allowedMs = this.#timeoutMs
      const giveUp = (reason: Error): void => {
        stop()
        this.#waiting.delete(sequence)
        reject(reason)
      }
      // As the proxy does: it waits no longer, and tells the agent.
      const expire = (): void => {
        giveUp(new Error(`${this.about}: no answer to ${kind.kind} within ${allowedMs} ms`))
        this.#isCancelled = true
        this.#send({ kind: 'cancel', value: { reason: 'timeout', detail: '' } }, 0)
      }
      let stop = clock.after(allowedMs, expire)
      let isMoved = false
      this.#waiting.set(sequence, {
        stage,
        giveUp,
        moreTime: (ms) => {
          if (isMoved) return
          isMoved = true
          allowedMs = Math.max(allowedMs, Math.min(this.#init.maxTimeoutMs ?? Infinity, clock.now() - startMs + ms))
          stop()
          stop = clock.after(startMs + allowedMs - clock.now(), expire)
        },
        resolve: (reply) => {
          stop()
          this.#waiting.delete(sequence)
          resolve(reply)
        },
      })
      this.#send(kind, this.#timeoutMs)
    })
  }

  #send (kind: EventOneOf, timeoutMs: number): void {
    this.#link.send({ exchange: this.#link.id, sequence: ++this.#sequence, timeoutMs: Math.ceil(timeoutMs), ...kind })
  }
}

const bodyStages: Readonly<Record<BodyKind, { readonly whole: Stage, readonly cut: Stage, readonly chunk: Stage }>> = {
  request_body: { whole: stages.wholeRequestBody, cut: stages.requestPrefix, chunk: stages.requestChunk },
  response_body: { whole: stages.wholeResponseBody, cut: stages.responsePrefix, chunk: stages.responseChunk },
}

/** A decision that the proxy would not apply is the error that it would make of it. */
function judgedReply (reply: Reply, stage: Stage): Reply {
  const why = reply.kind === 'decision' ? whyNotApplied(reply.value, stage) : undefined
  if (why === undefined) return reply
  const { exchange, sequence } = reply
  return { exchange, sequence, kind: 'error', value: { code: 'AGENT_BAD_REPLY', message: `the proxy would not apply this decision: ${why}`, retryable: false } }
}

function goesOn (reply: Reply): reply is Reply & { kind: 'decision' } {
  return reply.kind === 'decision' && (reply.value.kind === 'allow' || reply.value.kind === 'flag' || reply.value.kind === 'redact')
}

function chunksOf (body: TestBody): Buffer[] {
  const list = typeof body === 'string' || body instanceof Uint8Array ? [body] : body
  return list.map((chunk) => Buffer.from(chunk)).filter((chunk, i) => chunk.length > 0 || i > 0)
}
