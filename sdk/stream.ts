import type { Event, FromAgent, Reply, ToAgent } from '../proto/codec/index.ts'
import { Exchange } from './exchange.ts'
import { AgentFailure, ExchangeEnded } from './failure.ts'
import type { Program } from './program.ts'

/** One `Process` stream: events in, replies out, every exchange by its number. Knows nothing of gRPC. */
export class AgentStream {
  readonly #program: Program
  readonly #send: (message: FromAgent) => void
  readonly #exchanges = new Map<number, Exchange>()
  #highest = 0
  #replies: Reply[] = []
  #flush: NodeJS.Immediate | undefined
  #closed = false

  constructor (program: Program, send: (message: FromAgent) => void) {
    this.#program = program
    this.#send = send
  }

  receive (message: ToAgent): void {
    for (const event of message.events) this.#dispatch(event)
  }

  /** The proxy is gone: every exchange is cancelled and forgotten. */
  close (): void {
    this.#closed = true
    clearImmediate(this.#flush)
    // A Map may lose entries while it is walked through.
    for (const exchange of this.#exchanges.values()) {
      exchange.end(new ExchangeEnded('stream_closed'))
      this.forget(exchange.id)
    }
  }

  /**
   * Sent with everything else of this turn of the event loop: a message costs more than what is in it. At once when no other exchange is open: there is
   * nothing to wait for then.
   */
  reply (reply: Reply): void {
    if (this.#closed) return
    this.#replies.push(reply)
    if (this.#exchanges.size <= 1) this.flush()
    else this.#flush ??= setImmediate(() => this.flush())
  }

  flush (): void {
    clearImmediate(this.#flush)
    this.#flush = undefined
    if (this.#replies.length === 0) return
    const replies = this.#replies
    this.#replies = []
    this.#send({ replies })
  }

  has (id: number): boolean {
    return this.#exchanges.has(id)
  }

  forget (id: number): void {
    if (this.#exchanges.delete(id)) this.#program.closed()
  }

  #dispatch (event: Event): void {
    const exchange = this.#exchanges.get(event.exchange)
    if (exchange) exchange.receive(event)
    else if (event.kind === 'request_headers') this.#begin(event)
    // An exchange that the agent is done with may still be cancelled and completed.
    else if (event.timeoutMs > 0) this.#refuse(event, 'unknown_exchange', `no exchange ${event.exchange} is open`)
  }

  #begin (event: Event & { kind: 'request_headers' }): void {
    if (event.exchange <= this.#highest) return this.#refuse(event, 'bad_event', `exchange number ${event.exchange} was used before`)
    this.#highest = event.exchange
    const refusal = this.#program.refusal
    if (refusal) return this.#refuse(event, refusal.code, refusal.message, true)
    const configuration = this.#program.configurations.at(event.value.configVersion)
    if (configuration === undefined) throw new AgentFailure('not_configured', 'no configuration')
    this.#program.opened()
    const exchange = new Exchange(event.exchange, event.value, configuration, this.#program, this)
    this.#exchanges.set(event.exchange, exchange)
    exchange.receive(event)
  }

  #refuse (event: Event, code: string, message: string, retryable = false): void {
    this.reply({ exchange: event.exchange, sequence: event.sequence, kind: 'error', value: { code, message, retryable } })
  }
}
