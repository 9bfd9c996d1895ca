import type { Event, FromAgent, Reply, ToAgent } from '../proto/codec/index.ts'
import { Numbered } from '../proto/numbered.ts'
import { Exchange, longestMs } from './exchange.ts'
import { AgentFailure, ExchangeEnded } from './failure.ts'
import type { Program } from './program.ts'

/** One `Process` stream: events in, replies out, every exchange by its number. Knows nothing of gRPC. */
export class AgentStream {
  readonly #program: Program
  readonly #send: (message: FromAgent) => void
  readonly #forgotten: ((exchange: number) => void) | undefined
  readonly #exchanges = new Numbered<Exchange>()
  #highest = 0
  #replies: Reply[] = []
  #flush: NodeJS.Immediate | undefined
  #closed = false
  /** What to do when nothing is owed any more. */
  #finished: (() => void) | undefined

  /** `forgotten` hears of every exchange of which nothing is left. */
  constructor (program: Program, send: (message: FromAgent) => void, forgotten?: (exchange: number) => void) {
    this.#program = program
    this.#send = send
    this.#forgotten = forgotten
  }

  receive (message: ToAgent): void {
    for (const event of message.events) this.#dispatch(event)
  }

  /** The proxy says nothing more. Calls `done` when every question is answered, or the last of their deadlines is over. */
  finish (done: () => void): void {
    const owing = this.#exchanges.values().filter(({ owes }) => owes)
    const lastMs = Math.max(0, ...owing.map(({ deadlineAt }) => deadlineAt - performance.now()))
    const timer = setTimeout(() => this.#finished?.(), Math.min(lastMs, longestMs)).unref()
    this.#finished = () => {
      clearTimeout(timer)
      this.#finished = undefined
      this.flush()
      done()
    }
    this.#lookForEnd()
  }

  /** The proxy is gone: every exchange is cancelled and forgotten. */
  close (): void {
    this.#closed = true
    clearImmediate(this.#flush)
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
    try {
      this.#send({ replies })
    } catch {
      // One of them cannot be written down: the others have nothing to do with it.
      for (const reply of replies) this.#sendAlone(reply)
    }
    // Who has just answered still counts as owing.
    if (this.#finished !== undefined) setImmediate(() => this.#lookForEnd())
  }

  #sendAlone (reply: Reply): void {
    try {
      this.#send({ replies: [reply] })
    } catch (error) {
      this.#program.log.error({ error, code: 'bad_answer' }, 'an answer cannot be sent')
      const message = error instanceof Error ? error.message : String(error)
      this.#send({ replies: [{ exchange: reply.exchange, sequence: reply.sequence, kind: 'error', value: { code: 'bad_answer', message, retryable: false } }] })
    }
  }

  #lookForEnd (): void {
    for (const { owes } of this.#exchanges.values()) if (owes) return
    this.#finished?.()
  }

  has (id: number): boolean {
    return this.#exchanges.has(id)
  }

  forget (id: number): void {
    if (!this.#exchanges.delete(id)) return
    this.#program.closed()
    this.#forgotten?.(id)
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
