import type { Event, EventKind, EventOneOf, Reply } from '../../../proto/codec/index.ts'
import { isGoingOn, whyNot } from '../by-hand/call.ts'
import { chunk, numbered, over, requestHead, responseHead, type MadeUp } from '../by-hand/events.ts'
import { AgentLink, type ProcessStream } from '../by-hand/link.ts'
import { Ledger } from '../by-hand/strays.ts'
import { stages, type Stage } from '../decide.ts'
import { Broken, NotApplicable, type Subject } from './check.ts'

/** How long what must not come is waited for. */
export const quietMs = 200

const harmless: MadeUp = { method: 'GET', target: '/conformance', headers: ['host', 'agent.test', 'user-agent', 'sentinel-conformance'] }

/** Events that begin an exchange and put its first question. */
export interface Question {
  readonly events: readonly Event[]
  /** Of the event that awaits a reply. */
  readonly sequence: number
  readonly stage: Stage
}

/** A connection of its own with one stream, for one check. Closed after it. */
export class Bench {
  readonly subject: Subject
  readonly link: AgentLink
  stream: ProcessStream
  #ledger = new Ledger()

  private constructor (subject: Subject, link: AgentLink) {
    this.subject = subject
    this.link = link
    this.stream = link.process()
  }

  /** Connects, describes and configures as a proxy does. */
  static async use (subject: Subject, work: (bench: Bench) => Promise<void>): Promise<void> {
    const link = await AgentLink.open(subject)
    try {
      await link.describe()
      const { accepted, problems } = await link.configure(subject.config)
      if (!accepted) throw new Broken(`it refuses its configuration: ${problems[0]?.message ?? 'without a reason'}`)
      await work(new Bench(subject, link))
    } finally {
      link.close()
    }
  }

  wants (event: EventKind): boolean {
    return this.subject.describe.events.includes(event)
  }

  /** A new stream on the same connection. */
  anew (): void {
    this.stream = this.link.process()
    this.#ledger = new Ledger()
  }

  send (...events: Event[]): void {
    this.#ledger.note(...events)
    this.stream.send(...events)
  }

  /** An event as somebody else spells it. */
  raw (event: Event, bytes: Buffer): void {
    this.#ledger.note(event)
    this.stream.raw(bytes)
  }

  /** How an exchange of this number begins, up to the first event that this agent answers. */
  question (exchange: number, request: Partial<MadeUp> = {}): Question {
    const { timeoutMs } = this.subject
    const made = { ...harmless, ...request }
    if (this.wants('request_headers')) return { events: [numbered(exchange, 1, timeoutMs, requestHead(made))], sequence: 1, stage: stages.requestHeaders }
    const body = Buffer.from('a=b')
    const head = numbered(exchange, 1, 0, requestHead({ ...made, ...this.wants('request_body') ? { method: 'POST', body } : {} }))
    if (this.wants('response_headers')) return { events: [head, numbered(exchange, 2, timeoutMs, responseHead(200, []))], sequence: 2, stage: stages.responseHeaders }
    if (this.wants('request_body')) return { events: [head, numbered(exchange, 2, timeoutMs, chunk('request_body', body, true))], sequence: 2, stage: stages.wholeRequestBody }
    throw new NotApplicable('it wants neither heads nor request bodies')
  }

  /** Begins an exchange and gives the answer to its first question, which a proxy would apply. */
  async ask (exchange: number, request: Partial<MadeUp> = {}): Promise<Reply> {
    const question = this.question(exchange, request)
    this.send(...question.events)
    return this.decided(exchange, question.sequence, question.stage)
  }

  /** As `ask`, and the exchange goes on: what comes later can be looked at. */
  async begin (exchange: number, request: Partial<MadeUp> = {}): Promise<number> {
    const { sequence } = this.question(exchange, request)
    const reply = await this.ask(exchange, request)
    if (!isGoingOn(reply)) throw new NotApplicable('its answer to a harmless request ends the exchange')
    if (reply.kind === 'decision' && reply.value.wants?.done === true) throw new NotApplicable('it is done with an exchange once it has seen its head')
    return sequence
  }

  /** The answer to this event, within the time. */
  async answer (exchange: number, sequence: number): Promise<Reply> {
    const { timeoutMs } = this.subject
    await this.stream.until(() => this.stream.answer(exchange, sequence) !== undefined, timeoutMs)
    const reply = this.stream.answer(exchange, sequence)
    if (reply !== undefined) return reply
    throw new Broken(`no reply to event ${sequence} of exchange ${exchange} ${this.#why(timeoutMs)}`)
  }

  /** As `answer`, and it is a decision or an answer for a chunk that may be applied. */
  async decided (exchange: number, sequence: number, stage: Stage): Promise<Reply> {
    const reply = await this.answer(exchange, sequence)
    if (reply.kind === 'error') throw new Broken(`it answers with the error ${reply.value.code}: ${reply.value.message}`)
    const refused = whyNot(reply, stage)
    if (refused !== undefined) throw new Broken(`a proxy could not apply its answer: ${refused}`)
    return reply
  }

  end (exchange: number, sequence: number): void {
    this.send(numbered(exchange, sequence, 0, over()))
  }

  tell (exchange: number, sequence: number, event: EventOneOf): void {
    this.send(numbered(exchange, sequence, 0, event))
  }

  /** Waits for what must not come, and throws when a reply came that fits nothing. */
  async quiet (): Promise<void> {
    await this.stream.until(() => false, quietMs)
    const [first] = this.#ledger.strays(this.stream.replies)
    if (first !== undefined) throw new Broken(first)
  }

  /** Throws when the stream has ended. */
  alive (): void {
    if (this.stream.ended !== undefined) throw new Broken(`it ended the stream: ${this.stream.ended.fault.detail ?? this.stream.ended.fault.code}`)
  }

  #why (timeoutMs: number): string {
    const { ended } = this.stream
    const [stray] = this.#ledger.strays(this.stream.replies)
    if (ended !== undefined) return `before the stream ended (${ended.fault.detail ?? ended.fault.code})`
    return `in ${timeoutMs} ms${stray === undefined ? '' : `; but ${stray}`}`
  }
}
