import { emptyComplete, type CancelReason, type Complete, type Event, type EventOneOf, type Reply } from '../../proto/codec/index.ts'
import type { TalkTap } from '../pipeline/agent-tap.ts'
import { Fault } from '../pipeline/faults.ts'
import type { Admission, Asker } from './admission.ts'
import type { AgentBreaker } from './agent-breaker.ts'
import type { AgentConnection, Line } from './connection.ts'
import { badReply, gone } from './grpc-stream.ts'
import { Question, type Answer, type Terms } from './question.ts'
import { retryPauseMs } from './retry.ts'
import type { Settings } from './settings.ts'

/** What talks of one client share. */
export interface Switchboard {
  readonly settings: Settings
  readonly admission: Admission
  readonly breaker: AgentBreaker | undefined
  /** A ready connection that is not `except`; throws the fault that says why there is none. */
  pick (except?: AgentConnection): AgentConnection
  count (durationMs: number, fault: Fault | undefined): void
  /** There is no decision: that is the last failure now. */
  failed (fault: Fault): void
}

/** Events that may be asked again elsewhere when the connection broke before anything came back. */
const repeatable = new Set<Event['kind']>(['request_headers', 'response_headers'])

/** Why most talks end. Made once: an error costs more than a decision, and every exchange ends. */
export const agentDone = new Fault('INTERNAL', 'the agent is done with this exchange')
const complete = new Fault('INTERNAL', 'the exchange is complete')

/** Why a question is not waited for any more: of those that were put at the same time, another one was answered so. */
export const decidedElsewhere = new Fault('CLIENT_GONE', 'another agent decided')

const busy = new Fault('AGENT_QUEUE_FULL')

/** One exchange as one agent hears of it. The first event is that of the request's head. */
export class Talk implements Line, Asker {
  readonly #board: Switchboard
  #connection: AgentConnection
  #exchange: number
  #sequence = 0
  /** What the agent must know of the request when the talk moves to another connection. */
  #opening: EventOneOf | undefined
  #questions = new Map<number, Question>()
  #expired: Set<number> | undefined
  #bodyShown = false
  /** How often it was put on another connection, or on the same one anew. */
  #moves = 0
  #over: Fault | undefined
  /** Those who wait for a place or for room, to put something. */
  #waits: Set<(why: Fault) => void> | undefined
  /** Why the agent was told to stop, and how many answers it may have given before it knew. */
  #cancelled: Fault | undefined
  #crossing = 0
  /** The event in whose answer the agent said that it is done: those after it were on their way, and it owes nothing for them. */
  #doneAt = Infinity
  /** Bytes of a streamed body that the agent is ready to have unanswered, beyond the usual window. */
  credit = 0
  /** Called when there is more of it. */
  #onCredit: Array<() => void> | undefined
  /** `undefined` while nobody looks on. */
  readonly #tap: TalkTap | undefined

  /** Throws AGENT_NOT_CONNECTED, AGENT_NOT_CONFIGURED or AGENT_QUEUE_FULL at once when there is nobody to talk to. */
  constructor (board: Switchboard) {
    this.#board = board
    this.#connection = board.pick()
    this.#exchange = this.#connection.open(this)
    this.#tap = board.settings.taps?.tap?.begin(board.settings.id)
  }

  get configVersion (): string {
    return this.#connection.configVersion
  }

  /** Nothing can be asked any more. */
  get over (): boolean {
    return this.#over !== undefined
  }

  get waiting (): boolean {
    return this.#questions.size > 0 || this.#waits !== undefined && this.#waits.size > 0
  }

  get stopped (): Fault | undefined {
    return this.#over ?? this.#cancelled
  }

  whenStopped (listener: (why: Fault) => void): () => void {
    const waits = this.#waits ??= new Set()
    waits.add(listener)
    return () => { waits.delete(listener) }
  }

  /** Puts a question and waits for its answer. Rejects with a `Fault`. */
  async ask (event: EventOneOf, terms: Terms): Promise<Answer> {
    return (await this.put(event, terms, false)).answer
  }

  /**
   * Puts a question; resolves when it is on its way, with the answer to come. Rejects with a `Fault`. A body is sent in pieces
   * unless each piece is a question of its own (`takesChunk`); only the last piece is answered then.
   */
  async put (event: EventOneOf, terms: Terms, takesChunk: boolean): Promise<{ readonly answer: Promise<Answer> }> {
    const { admission, breaker } = this.#board
    breaker?.enter()
    const startMs = performance.now()
    const done = (fault: Fault | undefined): void => {
      admission.leave()
      const ms = performance.now() - startMs
      const failed = fault === agentDone ? undefined : fault
      breaker?.leave(ms, failed)
      this.#board.count(ms, failed)
    }
    try {
      const turn = admission.enter(startMs + terms.timeoutMs, this)
      if (turn !== undefined) await turn
    } catch (error) {
      const fault = Fault.from(error)
      const ms = performance.now() - startMs
      // It waited for a place, not for the agent.
      breaker?.leave(ms, busy)
      this.#board.count(ms, fault === agentDone ? undefined : fault)
      throw fault
    }
    try {
      const last = isLong(event) ? await this.#sendAhead(event, startMs + terms.timeoutMs, takesChunk) : event
      const question = this.#question(last, startMs, terms, takesChunk)
      question.onSettled = done
      return question
    } catch (error) {
      const fault = Fault.from(error)
      done(fault)
      throw fault
    }
  }

  /** For bodies of this exchange, of which there are two. */
  onCredit (listener: () => void): void {
    (this.#onCredit ??= []).push(listener)
  }

  /** What came of a question is none, also where the answer came and could not be applied. */
  failed (fault: Fault): void {
    this.#board.failed(fault)
  }

  /** Says something that is not answered. */
  tell (event: EventOneOf): void {
    if (this.#over !== undefined) return
    if (event.kind === 'request_headers') this.#opening = event
    this.#send(event, 0)
  }

  /** The agent may stop working; whoever waits gets `fault`, and nothing can be asked any more. `complete` still follows. */
  cancel (reason: CancelReason, fault: Fault, detail: string = fault.code): void {
    // Who is done may still owe answers.
    if (this.#cancelled !== undefined || this.#over !== undefined && this.#questions.size === 0) return
    this.#cancelled = fault
    this.#crossing += this.#questions.size
    this.#rejectAll(fault)
    this.#endWaits(fault)
    if (this.#sequence > 0 && this.#over === undefined) this.#send({ kind: 'cancel', value: { reason, detail } }, 0)
  }

  /** The exchange is over. Questions that are open (shadow) may still be answered. */
  complete (facts: Complete): void {
    if (this.#over !== undefined) return
    if (this.#sequence > 0) this.#send({ kind: 'complete', value: facts }, 0)
    this.end(complete)
  }

  /** Says nothing more, not even `complete`. */
  end (why: Fault): void {
    this.#over ??= why
    this.#endWaits(why)
    this.#leave()
  }

  onReply (reply: Reply): void {
    this.#connection.proven = true
    if (reply.kind === 'credit') {
      this.credit = Math.min(maxCreditBytes, this.credit + reply.value.bytes)
      if (this.#onCredit !== undefined) for (const listener of this.#onCredit) listener()
      return
    }
    const question = this.#questions.get(reply.sequence)
    if (question === undefined) return this.#stray(reply)
    this.#tap?.answered(reply)
    switch (reply.kind) {
      case 'decision':
        if (question.event.kind !== 'guardrail') return this.#settle(question, reply)
        return this.#outOfPlace(question, 'a decision where findings were asked for')
      case 'findings':
        if (question.event.kind === 'guardrail') return this.#settle(question, reply)
        return this.#outOfPlace(question, 'findings where nobody asked for some')
      case 'chunk':
        if (question.takesChunk) return this.#settle(question, reply)
        return this.#outOfPlace(question, 'an answer for a chunk where none was asked about')
      case 'message':
        if (question.event.kind === 'websocket_message') return this.#settle(question, reply)
        return this.#outOfPlace(question, 'an answer for a message where none was asked about')
      case 'error':
        if (reply.value.retryable && this.#moveOn()) return
        return this.#fail(question, new Fault('AGENT_ERROR', `${reply.value.code}: ${reply.value.message}`.slice(0, 500)))
      case 'more_time':
        if (!question.moreTime(reply.value.timeoutMs)) this.#connection.stray('duplicate', 'more time was asked for twice')
        return
      default: {
        this.#connection.stray('malformed', 'a reply of a kind that this version does not know')
        this.#fail(question, badReply('a reply of a kind that this version does not know'))
      }
    }
  }

  /** The agent did not take it, and asking elsewhere may help: another connection may be to another process. */
  #moveOn (): boolean {
    if (!this.#mayMove()) return false
    const from = this.#connection
    const before = this.#exchange
    try {
      this.#connection = this.#board.pick(from)
    } catch {
      return false
    }
    // It may have begun with it all the same.
    from.send({ exchange: before, sequence: this.#sequence + 1, timeoutMs: 0, kind: 'complete', value: emptyComplete })
    from.left(before)
    this.#moves++
    this.#repeat()
    return true
  }

  onLost (fault: Fault): void {
    const lost = this.#connection
    if (this.#mayMove()) {
      try {
        this.#connection = this.#board.pick(lost)
        this.#moves++
        return this.#repeat()
      } catch {
        // Nobody else is there: the fault of the connection says more than that.
        if (this.#repeatLater(fault)) return
      }
    }
    this.#lose(fault)
  }

  #lose (fault: Fault): void {
    this.#over ??= fault
    this.#rejectAll(fault)
    this.#endWaits(fault)
  }

  #endWaits (why: Fault): void {
    if (this.#waits !== undefined) for (const listener of this.#waits) listener(why)
  }

  /** The agent may be back before the deadline, where the configuration allows as many attempts. */
  #repeatLater (fault: Fault): boolean {
    const { retry } = this.#board.settings
    if (retry === undefined || this.#moves + 1 >= retry.maxAttempts) return false
    this.#moves++
    setTimeout(() => {
      // The question may have run into its deadline, or its client may have left.
      if (this.#over !== undefined || this.#questions.size === 0) return
      try {
        this.#connection = this.#board.pick()
        this.#repeat()
      } catch {
        if (!this.#repeatLater(fault)) this.#lose(fault)
      }
    }, retryPauseMs(this.#moves, retry))
    return true
  }

  #question (event: EventOneOf, startMs: number, terms: Terms, takesChunk: boolean): Question {
    if (this.stopped !== undefined) throw this.stopped
    // What waits to be put again is one question alone: nothing can be said behind it.
    if (this.#connection.state === 'closed') throw gone('the agent was lost')
    if (this.#connection.full) throw new Fault('AGENT_QUEUE_FULL', 'the agent does not read fast enough')
    if (event.kind === 'request_headers') this.#opening = event
    const strays = this.#connection.strays
    const question = new Question(this.#sequence + 1, takesChunk, startMs, terms, event, (expired) => this.#expire(expired, strays))
    this.#questions.set(question.sequence, question)
    this.#send(event, question.leftMs)
    return question
  }

  /** Waits until there is room for a body or a message, and sends all but the last piece of one that is long. */
  async #sendAhead (event: LongEvent, deadlineMs: number, takesChunk: boolean): Promise<EventOneOf> {
    const { data } = event.value
    let at = 0
    for (;;) {
      const room = this.#connection.room(deadlineMs, this)
      const inTime = room === undefined || await room
      if (this.stopped !== undefined) throw this.stopped
      if (!inTime) throw new Fault('AGENT_TIMEOUT', 'the agent does not read fast enough')
      if (takesChunk || data.length - at <= pieceBytes) break
      this.#send(pieceOf(event, data.subarray(at, at += pieceBytes)), 0)
    }
    // The last piece says what the whole would have said.
    return at === 0 ? event : withData(event, data.subarray(at))
  }

  #send (event: EventOneOf, timeoutMs: number): void {
    if (isLong(event)) this.#bodyShown = true
    const sent = { exchange: this.#exchange, sequence: ++this.#sequence, timeoutMs, kind: event.kind, value: event.value } as Event // As `event` is.
    this.#tap?.asked(sent)
    this.#connection.send(sent)
  }

  #settle (question: Question, answer: Answer): void {
    const isDone = (answer.kind === 'decision' || answer.kind === 'message') && answer.value.wants?.done === true
    if (isDone) this.#doneAt = Math.min(this.#doneAt, question.sequence)
    this.#questions.delete(question.sequence)
    question.resolve(answer)
    if (isDone) this.#releaseLater()
    this.#leave()
  }

  /** Whoever says that it is done need not answer what it was asked since. Where it does all the same, nobody minds. */
  #releaseLater (): void {
    for (const question of this.#questions.values()) {
      if (question.sequence < this.#doneAt) continue
      this.#crossing++
      this.#drop(question, agentDone)
    }
  }

  /** It is not waited for any more. */
  #drop (question: Question, fault: Fault): void {
    this.#questions.delete(question.sequence)
    this.#expect(question)
    this.#reject(question, fault)
  }

  /** Its answer may still come. A WebSocket may be open for days: the last are remembered. */
  #expect ({ sequence }: Question): void {
    const expired = this.#expired ??= new Set()
    if (expired.size >= mostExpired) for (const oldest of expired) { expired.delete(oldest); break }
    expired.add(sequence)
  }

  #fail (question: Question, fault: Fault): void {
    this.#questions.delete(question.sequence)
    this.#reject(question, fault)
    this.#leave()
  }

  #reject (question: Question, found: Fault): void {
    const fault = question.sequence > this.#doneAt ? agentDone : found
    this.#tap?.failed(question.sequence, fault)
    question.reject(fault)
  }

  #outOfPlace (question: Question, what: string): void {
    this.#connection.stray('wrong_phase', what)
    this.#fail(question, badReply(what))
  }

  #expire (question: Question, strays: number): void {
    this.#expect(question)
    const confused = this.#connection.strays > strays
    this.#fail(question, confused
      ? badReply('no reply in time, but replies that fit nothing came')
      : new Fault('AGENT_TIMEOUT', `no reply in ${Math.round(question.allowedMs)} ms`))
  }

  #stray ({ sequence, exchange, kind }: Reply): void {
    if (this.#crossing > 0 && this.#expired?.has(sequence) === true) {
      // The answer itself is still to come.
      if (kind !== 'more_time') this.#crossing--
      return
    }
    const what = `a reply for event ${sequence} of exchange ${exchange}`
    if (sequence === 0 || sequence > this.#sequence) this.#connection.stray('unknown', `${what}, which never was`)
    else if (this.#expired?.has(sequence) === true) this.#connection.stray('late', `${what}, after its deadline`)
    else this.#connection.stray('duplicate', `${what}, which was answered before or awaits none`)
  }

  #rejectAll (fault: Fault): void {
    for (const question of this.#questions.values()) this.#drop(question, fault)
    this.#leave()
  }

  /** Frees the number once nothing is said or awaited any more; later replies are late then. */
  #leave (): void {
    if (this.#over === undefined || this.#questions.size > 0) return
    this.#connection.left(this.#exchange)
    if (this.#crossing > 0) this.#connection.withdrawn(this.#exchange, this.#crossing)
    this.#tap?.over()
  }

  /** One head event is open, nothing of a body was shown, and it did not move before, or may more often. */
  #mayMove (): boolean {
    const attempts = this.#board.settings.retry?.maxAttempts ?? 0
    if (this.#moves > 0 && this.#moves + 1 >= attempts) return false
    if (this.#over !== undefined || this.#bodyShown || this.#opening === undefined || this.#questions.size !== 1) return false
    for (const question of this.#questions.values()) if (!repeatable.has(question.event.kind)) return false
    return true
  }

  #repeat (): void {
    this.#tap?.again()
    this.#sequence = 0
    this.#exchange = this.#connection.open(this)
    const [question] = this.#questions.values()
    this.#questions.clear()
    if (question === undefined || this.#opening === undefined) return
    if (question.event.kind !== 'request_headers') this.#send(this.#opening, 0)
    question.sequence = this.#sequence + 1
    this.#questions.set(question.sequence, question)
    this.#send(question.event, question.leftMs)
  }
}

const mostExpired = 1_000

const maxCreditBytes = 4 * 1024 * 1024

/** Agents on other gRPC libraries take messages of at most 4 MiB; smaller pieces let other exchanges through between them. */
const pieceBytes = 256 * 1024

type BodyEvent = Extract<EventOneOf, { kind: 'request_body' | 'response_body' }>
type LongEvent = BodyEvent | Extract<EventOneOf, { kind: 'websocket_message' }>

function isLong (event: EventOneOf): event is LongEvent {
  return event.kind === 'request_body' || event.kind === 'response_body' || event.kind === 'websocket_message'
}

function withData (event: LongEvent, data: Buffer): EventOneOf {
  if (event.kind === 'websocket_message') return { kind: event.kind, value: { ...event.value, data } }
  return { kind: event.kind, value: { ...event.value, data } }
}

function pieceOf (event: LongEvent, data: Buffer): EventOneOf {
  if (event.kind === 'websocket_message') return { kind: event.kind, value: { ...event.value, data, partial: true } }
  return { kind: event.kind, value: { data, end: false, truncated: false } }
}
