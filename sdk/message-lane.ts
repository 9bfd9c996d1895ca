import { noEntries, type Event, type ReplyOneOf, type WebSocketMessage as WireMessage } from '../proto/codec/index.ts'
import { EventContext, type ExchangeContext } from './context.ts'
import { AgentFailure, InvalidBody } from './failure.ts'
import { answerToMessage, close, WebSocketMessage } from './message.ts'

export type MessageEvent = Event & { readonly kind: 'websocket_message', readonly value: WireMessage }

/** What a lane needs of its exchange. */
export interface MessageHost {
  readonly context: ExchangeContext
  readonly maxBodyBytes: number
  /** Runs the agent's handler. */
  handle (message: WebSocketMessage, context: EventContext): unknown
  reply (event: Event, reply: ReplyOneOf): void
  fail (event: Event, error: unknown): void
  /** The agent wants to hear no more of the exchange. */
  done (): void
}

/** Messages that wait for the handler: a proxy in shadow mode does not wait for answers. */
const maxQueuedMessages = 1024

/** Messages of one direction of a WebSocket, one after the other. The other direction has a lane of its own. */
export class MessageLane {
  readonly #host: MessageHost
  #pieces: Buffer[] = []
  #pieceBytes = 0
  #queue: { readonly event: MessageEvent, readonly message: WebSocketMessage }[] = []
  #queuedBytes = 0
  #running = false
  #ended = false

  constructor (host: MessageHost) {
    this.#host = host
  }

  /** A handler is at it. */
  get running (): boolean {
    return this.#running
  }

  receive (event: MessageEvent): void {
    if (this.#ended) return
    const { data, partial } = event.value
    this.#pieceBytes += data.length
    const isLong = this.#pieceBytes > this.#host.maxBodyBytes
    if (isLong) this.#pieces = []
    else this.#pieces.push(data)
    if (partial) return
    const whole = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#pieceBytes = 0
    if (isLong) return this.#host.fail(event, new AgentFailure('body_too_large', `the message is longer than ${this.#host.maxBodyBytes} bytes`))
    this.#take(event, new WebSocketMessage({ ...event.value, data: whole }))
  }

  /** Nobody awaits an answer any longer. */
  end (): void {
    this.#ended = true
    this.#queue = []
    this.#pieces = []
  }

  #take (event: MessageEvent, message: WebSocketMessage): void {
    if (!this.#running) return void this.#run(event, message)
    if (this.#queue.length >= maxQueuedMessages || this.#queuedBytes > this.#host.maxBodyBytes) {
      return this.#host.fail(event, new AgentFailure('busy', 'too many messages of this WebSocket are waiting'))
    }
    this.#queuedBytes += message.data.length
    this.#queue.push({ event, message })
  }

  /** Never rejects: what a handler throws becomes an error reply. */
  async #run (event: MessageEvent, message: WebSocketMessage): Promise<void> {
    this.#running = true
    const host = this.#host
    const context = new EventContext(host.context, event.timeoutMs, (ms) => host.reply(event, { kind: 'more_time', value: { timeoutMs: ms } }))
    try {
      const outcome = await host.handle(message, context)
      if (!this.#ended) {
        host.reply(event, answerToMessage(outcome, host.context.attributes.takeChanges(), message.isLast))
        if (message.isLast) host.done()
      }
    } catch (error) {
      if (!this.#ended) this.#failed(event, error)
    }
    this.#running = false
    const next = this.#queue.shift()
    if (next === undefined) return
    this.#queuedBytes -= next.message.data.length
    void this.#run(next.event, next.message)
  }
  /** What a client says must not decide whether the failure mode applies. */
  #failed (event: MessageEvent, error: unknown): void {
    const isClients = error instanceof InvalidBody && event.value.fromClient
    if (isClients) this.#host.reply(event, answerToMessage(close(1007, 'the message is not what it should be', { audit: { reason: 'invalid_body' } }), noEntries, false))
    else this.#host.fail(event, error)
  }
}
