import type {
  BodyChunk, BodyMode, Event, FieldLines, ReplyOneOf, RequestHeaders, ResponseHeaders, Wants,
} from '../proto/codec/index.ts'
import { noEntries } from '../proto/codec/index.ts'
import { answerOf } from './answer.ts'
import { AskedBody, type BodyAsker } from './asked-body.ts'
import { hold, type ChunkAnswer } from './chunk.ts'
import type { Configuration } from './configuration.ts'
import { ExchangeContext, type ContextSource, type EventContext } from './context.ts'
import { allow, block, wireDecision, type Decision, type Recorded } from './decision.ts'
import { wantedBody, type AnyDefinition } from './definition.ts'
import { AgentFailure, ExchangeEnded, InvalidBody } from './failure.ts'
import { HeaderView } from './headers.ts'
import { Collector, LateBody, type BodyEvent } from './late-body.ts'
import { inspectionOf, wireFindings } from './guardrail.ts'
import type { Log } from './log.ts'
import type { WebSocketMessage } from './message.ts'
import { MessageLane, type MessageEvent } from './message-lane.ts'
import type { Metrics } from './metrics.ts'
import type { Program } from './program.ts'
import { AgentRequest, type LateBodyOptions } from './request.ts'
import { AgentResponse } from './response.ts'
import type { Store } from './store/store.ts'
import type { AgentStream } from './stream.ts'
import { ToolCall, ToolResult } from './tools.ts'
import type { Condition } from './vitals.ts'

/** Nobody gives an agent more time than that. */
export const longestMs = 600_000

/** What a handler gave: nothing, a decision, a chunk answer, or, from JavaScript, anything. */
type Outcome = unknown

/** A piece of a body of which the rest must come first: a later event is answered. */
const later = Symbol('answered with a later event')

const plainAllow = allow()
const badBody = block(400, { body: 'The body of the request is not what it should be.\n', audit: { reason: 'invalid_body' } })
const nothingRecorded: Recorded = { requestHeaders: [], responseHeaders: [], attributes: noEntries }

/** Events of one exchange that wait for its handlers. A proxy that sends more without waiting is not one of ours. */
const maxQueuedEvents = 1024

/** One exchange as the agent sees it: hands its events to the handlers, one at a time, and their answers to the stream. */
export class Exchange implements ContextSource, BodyAsker {
  readonly id: number
  readonly #head: RequestHeaders
  readonly #configuration: Configuration
  readonly #program: Program
  readonly #stream: AgentStream
  readonly #request: AgentRequest
  readonly #context: ExchangeContext
  readonly #asked = new AskedBody(this)
  #response: AgentResponse | undefined
  #responseHead: ResponseHeaders | undefined
  #lastSequence = 0
  #queue: Event[] = []
  #queuedBytes = 0
  #running = false
  /** The event whose reply the proxy awaits. */
  #answering: Event | undefined
  #askedForTime = false
  deadlineAt = Infinity
  /** Set when the handler of the headers asked for the body. */
  #late: LateBody | undefined
  /** What that handler decided before the body was there. */
  #early: { readonly outcome: Outcome } | { readonly error: unknown } | undefined
  #requestBody: Collector | undefined
  #responseBody: Collector | undefined
  #isRequestBodyCut = false
  #isResponseBodyCut = false
  /** Of a WebSocket, made with the first message of each direction. */
  #fromClient: MessageLane | undefined
  #fromUpstream: MessageLane | undefined
  #ended = false

  constructor (id: number, head: RequestHeaders, configuration: Configuration, program: Program, stream: AgentStream) {
    this.id = id
    this.#head = head
    this.#configuration = configuration
    this.#program = program
    this.#stream = stream
    this.#request = new AgentRequest(head, this.#asked, () => this.#isRequestBodyCut)
    this.#context = new ExchangeContext(this, head.attributes)
  }

  get config (): unknown { return this.#configuration.config }
  get state (): unknown { return this.#configuration.state }
  get configVersion (): string { return this.#configuration.version }
  get nowMs (): number { return this.#program.now() }
  get log (): Log { return this.#program.log }
  get metrics (): Metrics { return this.#program.vitals.metrics }
  get health (): Condition { return this.#program.vitals }
  get store (): Store { return this.#program.store }
  get hasBody (): boolean { return this.#head.hasBody }
  get maxBodyBytes (): number { return this.#program.agent.maxBodyBytes }

  /** Somebody awaits an answer. */
  get owes (): boolean { return this.#answering !== undefined || this.#queue.some(({ timeoutMs }) => timeoutMs > 0) }

  receive (event: Event): void {
    if (event.sequence <= this.#lastSequence) {
      return this.#refuse(event, 'bad_event', `event ${event.sequence} is not after ${this.#lastSequence}`)
    }
    this.#lastSequence = event.sequence
    if (event.kind === 'cancel') return this.end(new ExchangeEnded(event.value.reason))
    if (event.kind === 'credit') return
    if (event.kind === 'request_body' && this.#late) {
      this.#isRequestBodyCut ||= event.value.truncated
      return this.#receiveLate(event, this.#late)
    }
    const busy = this.#running || this.#fromClient?.running === true || this.#fromUpstream?.running === true
    if (event.kind === 'complete' && busy) this.end(new ExchangeEnded('complete'))
    this.#late?.end(new ExchangeEnded(`${event.kind} came before the body`))
    if (!this.#running) return this.#run(event)
    if (this.#queue.length >= maxQueuedEvents || this.#queuedBytes > this.maxBodyBytes) {
      return this.#refuse(event, 'busy', 'too many events of this exchange are waiting')
    }
    this.#queuedBytes += sizeOf(event)
    this.#queue.push(event)
  }

  /** Nobody awaits an answer any longer. `complete` frees the exchange. */
  end (reason: ExchangeEnded): void {
    this.#ended = true
    this.#answering = undefined
    this.#queue = []
    this.#queuedBytes = 0
    this.#late?.end(reason)
    this.#endMessages()
    this.#context.end(reason)
  }

  moreTime (ms: number): void {
    if (!(ms > 0)) throw new RangeError(`more time is a number of milliseconds above 0, not ${ms}`)
    if (this.#answering === undefined || this.#askedForTime) return
    this.#askedForTime = true
    const timeoutMs = Math.min(Math.ceil(ms), longestMs)
    this.deadlineAt = this.#program.now() + timeoutMs
    this.#reply(this.#answering, { kind: 'more_time', value: { timeoutMs } })
  }

  waitUntil (work: PromiseLike<unknown> | (() => unknown)): boolean {
    return this.#program.background.add(work)
  }

  // ------------------------------------------------------------------------------------------- a body that is asked for late

  ask (kind: 'buffer' | 'stream', { max, over }: LateBodyOptions): LateBody {
    const event = this.#answering
    if (this.#late) throw new Error('the body of this request was asked for already')
    if (event?.kind !== 'request_headers') throw new Error('a body can be asked for in onRequest, before its answer, and nowhere else')
    const wants: Wants = { done: false, requestBody: wantedBody(kind, max, over), responseHeaders: false, responseBody: undefined }
    // A body in chunks follows its head to the upstream, so changes of the head go now; a whole body is held with it.
    const recorded = kind === 'stream' ? this.#takeRecorded() : nothingRecorded
    if (kind === 'stream') this.#request.headers.lock('the head went on when the body was asked for in chunks')
    this.#answering = undefined
    this.#late = new LateBody(kind, this.maxBodyBytes)
    this.#reply(event, { kind: 'decision', value: wireDecision(plainAllow, recorded, wants) })
    const early = this.#queue
    this.#queue = []
    this.#queuedBytes = 0
    for (const queued of early) {
      if (queued.kind === 'request_body') this.#late.push(queued)
      else this.#queue.push(queued)
    }
    return this.#late
  }

  answering (event: Event): void {
    this.#answering = event.timeoutMs > 0 ? event : undefined
    this.#askedForTime = false
    this.deadlineAt = event.timeoutMs > 0 ? this.#program.now() + event.timeoutMs : Infinity
  }

  answer (answer: ChunkAnswer | undefined): void {
    this.#finish(answer)
  }

  #receiveLate (event: BodyEvent, late: LateBody): void {
    if (!late.finished) return late.push(event)
    // The handler is through: what it decided answers the body, and without a decision the rest passes.
    if (late.kind === 'buffer' && !event.value.end) return
    this.answering(event)
    const early = this.#early
    this.#early = undefined
    if (early && 'error' in early) this.#fail(early.error)
    else this.#finish(early?.outcome)
  }

  // --------------------------------------------------------------------------------------------------- events, one at a time

  #run (event: Event): void {
    for (let next: Event | undefined = event; next; next = this.#take()) {
      const handled = this.#handle(next)
      if (handled === undefined) continue
      this.#running = true
      void handled.then(() => {
        this.#running = false
        const following = this.#take()
        if (following) this.#run(following)
      })
      return
    }
  }

  #take (): Event | undefined {
    const event = this.#queue.shift()
    if (event) this.#queuedBytes -= sizeOf(event)
    return event
  }

  /** Never rejects: what a handler throws becomes an error reply. */
  #handle (event: Event): Promise<void> | undefined {
    if (event.kind === 'websocket_message') {
      this.#laneOf(event).receive(event)
      return undefined
    }
    if (event.kind === 'complete') this.#endMessages()
    this.answering(event)
    try {
      const outcome = this.#call(event)
      if (isThenable(outcome)) return this.#settleLater(event, outcome)
      this.#settle(event, { outcome })
    } catch (error) {
      this.#settle(event, { error })
    }
    return undefined
  }

  async #settleLater (event: Event, outcome: PromiseLike<unknown>): Promise<void> {
    try {
      this.#settle(event, { outcome: await outcome })
    } catch (error) {
      this.#settle(event, { error })
    }
  }

  #call (event: Event): Outcome {
    const definition = this.#program.agent.definition
    switch (event.kind) {
      case 'request_headers': return definition.onRequest?.(this.#request, typed(this.#context))
      case 'request_body': return this.#callWithRequestBody(event.value, definition)
      case 'response_headers':
        this.#request.headers.lock('the request was sent already')
        this.#responseHead = event.value
        this.#response = new AgentResponse(event.value, () => this.#isResponseBodyCut)
        return definition.onResponse?.(this.#response, this.#request, typed(this.#context))
      case 'response_body': return this.#callWithResponseBody(event.value, definition)
      case 'request_trailers': return this.#callWithTrailers(event.value.headers, 'request')
      case 'response_trailers': return this.#callWithTrailers(event.value.headers, 'response')
      case 'tool_call':
        checkSubscribed(definition.onToolCall, event.kind)
        return definition.onToolCall?.(new ToolCall(event.value), this.#request, typed(this.#context))
      case 'tool_result':
        checkSubscribed(definition.onToolResult, event.kind)
        return definition.onToolResult?.(new ToolResult(event.value), this.#request, typed(this.#context))
      case 'guardrail':
        checkSubscribed(definition.onGuardrail, event.kind)
        return definition.onGuardrail?.(inspectionOf(event.value), this.#request, typed(this.#context))
      case 'complete': return definition.onComplete?.(event.value, this.#request, typed(this.#context))
      case undefined: throw new AgentFailure('unknown_event', 'an event of a kind that this version does not know')
      default: throw new AgentFailure('not_subscribed', `the agent did not ask for ${event.kind}`)
    }
  }

  #callWithRequestBody (chunk: BodyChunk, definition: AnyDefinition): Outcome {
    this.#isRequestBodyCut ||= chunk.truncated
    const streamed = this.#isStreamed('request_body')
    if (streamed && !definition.onRequestBody) this.#request.headers.lock('the head went on before the body')
    if (definition.onRequestChunk && (streamed || !definition.onRequestBody)) {
      return definition.onRequestChunk({ bytes: chunk.data, end: chunk.end }, this.#request, typed(this.#context))
    }
    if (!definition.onRequestBody) throw new AgentFailure('not_subscribed', 'the agent did not ask for request bodies')
    const body = (this.#requestBody ??= new Collector(this.maxBodyBytes)).add(chunk)
    if (body === undefined) return streamed ? hold() : later
    return definition.onRequestBody(body, this.#request, typed(this.#context))
  }

  #callWithResponseBody (chunk: BodyChunk, definition: AnyDefinition): Outcome {
    if (!this.#response) throw new AgentFailure('bad_event', 'a response body without a response')
    this.#isResponseBodyCut ||= chunk.truncated
    const streamed = this.#isStreamed('response_body')
    if (streamed) this.#response.headers.lock('the head went on before the body')
    if (definition.onResponseChunk && (streamed || !definition.onResponseBody)) {
      return definition.onResponseChunk({ bytes: chunk.data, end: chunk.end }, this.#response, this.#request, typed(this.#context))
    }
    if (!definition.onResponseBody) throw new AgentFailure('not_subscribed', 'the agent did not ask for response bodies')
    const body = (this.#responseBody ??= new Collector(this.maxBodyBytes)).add(chunk)
    if (body === undefined) return streamed ? hold() : later
    return definition.onResponseBody(body, this.#response, this.#request, typed(this.#context))
  }

  #callWithTrailers (lines: FieldLines, of: 'request' | 'response'): Outcome {
    const { onRequestTrailers, onResponseTrailers } = this.#program.agent.definition
    const trailers = new HeaderView(lines, 'fields behind a body pass as they are')
    this.#request.headers.lock('the head went on before the body')
    if (of === 'request') return onRequestTrailers?.(trailers, this.#request, typed(this.#context))
    if (!this.#response) throw new AgentFailure('bad_event', 'fields behind the body of a response that was not shown')
    this.#response.headers.lock('the head went on before the body')
    return onResponseTrailers?.(trailers, this.#response, this.#request, typed(this.#context))
  }

  // ------------------------------------------------------------------------------------------------ messages of a WebSocket

  #laneOf ({ value: { fromClient } }: MessageEvent): MessageLane {
    this.#request.headers.lock('the request was sent already')
    if (fromClient) return this.#fromClient ??= this.#lane()
    return this.#fromUpstream ??= this.#lane()
  }

  #lane (): MessageLane {
    return new MessageLane({
      context: this.#context,
      maxBodyBytes: this.maxBodyBytes,
      handle: (message, context) => this.#callWithMessage(message, context),
      reply: (event, reply) => this.#reply(event, reply),
      fail: (event, error) => this.#failEvent(event, error),
      done: () => this.#stream.forget(this.id),
    })
  }

  #callWithMessage (message: WebSocketMessage, context: EventContext): Outcome {
    const { definition } = this.#program.agent
    if (!definition.onWebSocketMessage) throw new AgentFailure('not_subscribed', 'the agent did not ask for messages of WebSockets')
    return definition.onWebSocketMessage(message, this.#request, context as never)
  }

  #endMessages (): void {
    this.#fromClient?.end()
    this.#fromUpstream?.end()
  }

  // ---------------------------------------------------------------------------------------------------------------- answers

  #settle (event: Event, result: { readonly outcome: Outcome } | { readonly error: unknown }): void {
    if (event.kind === 'complete') {
      if ('error' in result) this.log.error({ error: result.error, request: this.#request.id }, 'onComplete failed')
      return this.#stream.forget(this.id)
    }
    if (event.kind === 'request_headers' && this.#late) {
      this.#late.finished = true
      // Until an event of the body comes there is nothing the decision could answer.
      if (this.#answering === undefined && !this.#ended) this.#early = result
    }
    // Only told, not asked: what the hook would have changed goes with no later answer either.
    if (event.kind === 'request_headers' && event.timeoutMs === 0) this.#takeRecorded()
    if ('error' in result) this.#fail(result.error)
    else if (result.outcome !== later) this.#finish(result.outcome)
  }

  #finish (outcome: Outcome): void {
    const event = this.#answering
    if (event === undefined) return
    try {
      if (event.kind === 'guardrail') {
        this.#reply(event, { kind: 'findings', value: wireFindings(outcome, event.value) })
        this.#answering = undefined
        return
      }
      const answer = answerOf(outcome, this.#bodyOf(event.kind), this.#asked.current)
      if ('wire' in answer) this.#reply(event, { kind: 'chunk', value: checkedAtEnd(answer, event) })
      else this.#decide(event, answer)
      this.#answering = undefined
    } catch (error) {
      this.#fail(error)
    }
  }

  #decide (event: Event, decision: Decision): void {
    if (decision.extras.requestHeaders && this.#response) {
      throw new AgentFailure('bad_answer', 'the request was sent already; its headers cannot be changed')
    }
    const wants = this.#late?.finished === false ? undefined : this.#wantsAfter(event)
    const isLast = wants?.done === true
    const value = wireDecision(decision, this.#takeRecorded(), wants)
    // Nothing in the place of nothing: a handler that changes bodies need not ask whether there is one, but the proxy takes none for a request without.
    const isVoid = event.kind === 'request_headers' && !this.hasBody && value.replaceBody?.length === 0
    this.#reply(event, { kind: 'decision', value: isVoid ? { ...value, replaceBody: undefined } : value })
    if (isLast) this.#stream.forget(this.id)
  }

  /** What comes after the answer to this event; `undefined`: what the agent subscribed to. */
  #wantsAfter (event: Event): Wants | undefined {
    const { wantsOnlyHeaders, definition } = this.#program.agent
    if (wantsOnlyHeaders) return done
    if (definition.concerns === undefined || (event.kind !== 'request_headers' && this.#late === undefined)) return undefined
    const { requestBody, response, responseBody, messages } = definition.concerns(this.#request, typed(this.#context))
    const bodyComes = requestBody && this.#head.hasBody && this.#late === undefined
    if (!bodyComes && !response && !responseBody && !messages && definition.onComplete === undefined) return done
    return {
      done: false,
      requestBody: bodyComes ? wholeBody : undefined,
      responseHeaders: response || responseBody,
      responseBody: responseBody ? wholeBody : undefined,
    }
  }

  #fail (error: unknown): void {
    const event = this.#answering
    if (error instanceof InvalidBody && event && isOfRequest(event)) return this.#finish(badBody)
    this.#answering = undefined
    this.#failEvent(event, error)
  }

  #failEvent (event: Event | undefined, error: unknown): void {
    const failure = error instanceof AgentFailure ? error : undefined
    if (this.#ended) return this.log.debug({ error, request: this.#request.id }, 'a handler failed after its exchange had ended')
    this.log.error({ error, code: failure?.code, request: this.#request.id }, 'a handler failed')
    if (event === undefined) return
    // The message, never the stack: it goes to the log of another program.
    const message = (error instanceof Error ? error.message : String(error)).slice(0, 500)
    this.#reply(event, { kind: 'error', value: { code: failure?.code ?? 'agent_error', message, retryable: failure?.retryable ?? false } })
  }

  #refuse (event: Event, code: string, message: string): void {
    if (event.timeoutMs > 0) this.#reply(event, { kind: 'error', value: { code, message, retryable: false } })
  }

  #reply (event: Event, kind: ReplyOneOf): void {
    this.#stream.reply({ exchange: this.id, sequence: event.sequence, ...kind })
  }

  #takeRecorded (): Recorded {
    return {
      requestHeaders: this.#request.headers.takeEdits(),
      responseHeaders: this.#response?.headers.takeEdits() ?? [],
      attributes: this.#context.attributes.takeChanges(),
    }
  }

  #bodyOf (kind: Event['kind']): 'stream' | 'whole' | 'none' {
    if (kind !== 'request_body' && kind !== 'response_body') return 'none'
    return this.#isStreamed(kind) ? 'stream' : 'whole'
  }

  #isStreamed (kind: Event['kind']): boolean {
    if (kind === 'request_body' && this.#late) return this.#late.kind === 'stream'
    if (kind === 'request_body') return isStream(this.#head.bodyMode, this.#program.agent.requestBody)
    return kind === 'response_body' && isStream(this.#responseHead?.bodyMode, this.#program.agent.responseBody)
  }
}

const wholeBody: BodyMode = { kind: 'buffer', maxBytes: 0, over: 'block' }
const done: Wants = { done: true, requestBody: undefined, responseHeaders: false, responseBody: undefined }

/** An event for which there is no handler is nothing that could be allowed. */
function checkSubscribed (handler: unknown, kind: string): void {
  if (handler === undefined) throw new AgentFailure('not_subscribed', `the agent did not ask for ${kind}`)
}

/** Nothing comes after the end that could let go of what is held: the proxy calls that a bad reply. */
function checkedAtEnd ({ wire }: ChunkAnswer, event: Event): ChunkAnswer['wire'] {
  const isEnd = (event.kind === 'request_body' || event.kind === 'response_body') && event.value.end
  if (isEnd && wire.kind === 'hold') throw new AgentFailure('bad_answer', 'the end of a body cannot be held back')
  return wire
}

function isStream (said: BodyMode | undefined, wished: BodyMode): boolean {
  return (said === undefined || said.kind === 'default' ? wished : said).kind === 'stream'
}

function sizeOf (event: Event): number {
  return event.kind === 'request_body' || event.kind === 'response_body' || event.kind === 'websocket_message' ? event.value.data.length : 0
}

function isOfRequest ({ kind }: Event): boolean {
  return kind === 'request_headers' || kind === 'request_body' || kind === 'request_trailers'
}

function isThenable (value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** The context as the definition knows it: `defineAgent` forgot the types, the values are still of them. */
function typed (context: ExchangeContext): never {
  return context as never
}
