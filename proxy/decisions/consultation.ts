import type { CancelReason, ChunkAnswer, EventOneOf } from '../../proto/codec/index.ts'
import type { EndListener } from '../pipeline/end-signal.ts'
import type { DecisionRecord, Exchange, Reply } from '../pipeline/exchange.ts'
import { Fault, Refusal } from '../pipeline/faults.ts'
import type { HeaderEdit } from '../pipeline/headers.ts'
import { readPath } from '../pipeline/path.ts'
import { mergeAttributes, rule, type Ruling, type Stage } from './decide.ts'
import { editRequest, editResponse } from './edits.ts'
import { completeFacts } from './events.ts'
import { afterFailure } from './failure-mode.ts'
import { badReply } from './grpc-stream.ts'
import { leftOf, planWith, termsFor, type FilterSettings, type Plan } from './plan.ts'
import type { Answer, Terms } from './question.ts'
import { agentDone, decidedElsewhere, type Talk } from './talk.ts'
import type { ToolTalk } from './tools/whole.ts'

/**
 * Records that one agent may leave of one exchange: an agent that decides about each chunk of a body without end would fill memory and
 * log. Those that end an exchange, and failures, are always kept.
 */
export const maxRecords = 100

export function isDecisive (record: DecisionRecord): boolean {
  return record.status > 0 || record.fault !== undefined
}

/** What came of a question that was put beside others: a decision, or why there is none. */
export interface Heard {
  readonly ruling: Ruling | undefined
  readonly error: unknown
  /** It was taken back because another agent decided. */
  readonly withdrawn: boolean
  readonly startMs: number
  readonly endMs: number
}

/** One exchange as one agent is consulted about it: what was asked, what of the answers still has to be applied. */
export class Consultation implements EndListener {
  readonly x: Exchange
  /** Another one when the agent was lost between two messages. */
  talk: Talk
  readonly settings: FilterSettings
  plan: Plan
  /** Of an agent that is asked about tools. */
  tools: ToolTalk | undefined
  /** Nothing is asked any more: the agent is done, has failed, or its answer ended the exchange. */
  over = false
  /** The last verdict that is not a plain allow. */
  verdict = 'allow'
  #responseEdits: HeaderEdit[] | undefined
  /** Bodies of which a part was handed over and no copy kept. */
  readonly #handed = new Set<DecisionRecord['phase']>()
  #gone: Fault | undefined
  #withdrawn = false
  /** It said itself that it is done. */
  #dismissed = false
  /** What stopped the exchange, or an answer of it. Pieces of a body that were with the agent by then, and those that still come, do not pass. */
  #stop: Fault | Reply | undefined
  #records = 0

  constructor (x: Exchange, talk: Talk, settings: FilterSettings, plan: Plan) {
    this.x = x
    this.talk = talk
    this.settings = settings
    this.plan = plan
    x.ending.listen(this)
  }

  onExchangeEnd (reason: Fault): void {
    this.#gone = reason
    this.talk.cancel(reason.code === 'SHUTTING_DOWN' ? 'shutdown' : 'client_gone', reason)
  }

  /** Why nobody waits for anything any more. */
  get gone (): Fault | undefined {
    return this.#gone
  }

  get enforces (): boolean {
    return this.settings.mode === 'enforce'
  }

  /**
   * Throws what stopped the exchange when that was said of a piece that nobody was waiting for any more: a request whose answer came early. `own`: not where
   * that is this answer itself. What the agent failed about there stops only who is not to go on without it.
   */
  heedStop (own?: Reply): void {
    const stop = this.#stop
    if (stop === undefined || stop === own || stop === decidedElsewhere) return
    if (stop instanceof Fault && this.settings.failureMode === 'open') return
    throw thrown(stop)
  }

  /** Asks; applies what may be applied; gives the answer that ends the exchange, or `undefined` to go on. Throws a fault that stops it. */
  async ask (event: EventOneOf, stage: Stage): Promise<Ruling | undefined> {
    this.heedStop()
    const startMs = performance.now()
    try {
      const answer = await this.answerTo(event, termsFor(this.settings, stage.phase, false))
      return this.settle(answer, stage, startMs)
    } catch (error) {
      this.fail(error, stage, startMs)
      return undefined
    }
  }

  /** Within the limits of the filter, and then of the agent. */
  async answerTo (event: EventOneOf, terms: Terms): Promise<Answer> {
    const { places } = this.settings
    if (places === undefined) return this.talk.ask(event, terms)
    const startMs = performance.now()
    await places.enter(startMs + terms.timeoutMs, this.talk)
    try {
      return await this.talk.ask(event, leftOf(terms, performance.now() - startMs))
    } finally {
      places.leave()
    }
  }

  /** As `ask`, for a piece of a body that flows: resolves when it was sent, with the answer to come. */
  async askChunk (event: EventOneOf, stage: Stage): Promise<{ readonly answer: Promise<ChunkAnswer | Ruling | undefined> }> {
    if (this.over) return { answer: this.#stop === undefined ? Promise.resolve(undefined) : Promise.reject(thrown(this.#stop)) }
    const startMs = performance.now()
    try {
      const { answer } = await this.talk.put(event, termsFor(this.settings, stage.phase, true), true)
      this.#handed.add(stage.phase)
      return {
        answer: answer.then(
          (given) => given.kind === 'chunk' ? this.#chunk(given.value) : this.settle(given, stage, startMs),
        ).catch((error: unknown) => this.fail(error, stage, startMs)),
      }
    } catch (error) {
      this.fail(error, stage, startMs)
      return { answer: Promise.resolve(undefined) }
    }
  }

  /** Records a decision and applies it when the agent may act. Gives it back only then. Throws AGENT_BAD_REPLY and AGENT_NOT_ALLOWED. */
  settle (answer: Answer, stage: Stage, startMs: number): Ruling | undefined {
    return this.adopt(this.#judged(answer, stage), stage, startMs)
  }

  /** Asks beside others: nothing is applied or recorded before `adopt`, `fail` or `setAside` says what becomes of the answer. Never rejects. */
  async hear (event: EventOneOf, stage: Stage): Promise<Heard> {
    const startMs = performance.now()
    try {
      this.heedStop()
      const answer = await this.answerTo(event, termsFor(this.settings, stage.phase, false))
      const ruling = this.#judged(answer, stage)
      // So that a decision that had its way, and silenced others, cannot turn out to be impossible.
      mergeAttributes(this.x.attributes, ruling.attributes)
      return { ruling, error: undefined, withdrawn: false, startMs, endMs: performance.now() }
    } catch (error) {
      return { ruling: undefined, error, withdrawn: this.#withdrawn, startMs, endMs: performance.now() }
    }
  }

  #judged (answer: Answer, stage: Stage): Ruling {
    if (answer.kind !== 'decision') throw badReply('an answer of another kind than a decision')
    return rule(answer.value, stage, this.settings.may)
  }

  /** What `settle` does with a decision that was judged. */
  adopt (ruling: Ruling, stage: Stage, startMs: number, endMs?: number): Ruling | undefined {
    if (this.enforces) this.#apply(ruling, stage)
    if (ruling.verdict !== 'allow') this.verdict = ruling.verdict
    this.record(decisionRecord(this.settings, stage, ruling, startMs, this.talk.configVersion, endMs))
    this.heed(ruling)
    if (!this.enforces) return undefined
    if (ruling.reply !== undefined && stage.partial !== true) {
      this.over = true
      this.#stop = ruling.reply
      // What it was asked before, and has not answered, changes nothing any more.
      if (this.talk.waiting) this.talk.cancel('decided', agentDone)
    }
    return ruling
  }

  /** Another agent decided: the answer to this question, as far as there is one, is recorded and not applied. */
  setAside ({ ruling, error, withdrawn, startMs, endMs }: Heard, stage: Stage): void {
    const { settings, talk: { configVersion } } = this
    if (this.#gone !== undefined) return
    if (ruling !== undefined) {
      if (ruling.verdict !== 'allow') this.verdict = ruling.verdict
      this.record({ ...decisionRecord(settings, stage, ruling, startMs, configVersion, endMs), applied: false })
    } else if (withdrawn) {
      this.record({ ...decisionRecord(settings, stage, { verdict: 'allow' }, startMs, configVersion, endMs), verdict: 'cancelled', applied: false })
    } else {
      this.record(failureRecord(settings, stage, Fault.from(error), 'open', startMs, configVersion, endMs))
    }
  }

  /** Another agent decided: nothing more is asked, and nothing that is open is waited for. */
  withdraw (): void {
    // Who is done may still owe answers.
    if (this.over && !this.talk.waiting) return
    this.over = true
    this.#withdrawn = true
    if (this.enforces) this.#stop ??= decidedElsewhere
    this.talk.cancel('decided', decidedElsewhere, 'another agent decided')
  }

  /** Whether a failure at this point stops the exchange. */
  stoppedBy (stage: Stage): boolean {
    const { mode, failureMode } = this.settings
    return afterFailure({ mode, failureMode, bodyGone: this.#handed.has(stage.phase) }) === 'refuse'
  }

  /** Records that there is no decision, and throws when that stops the exchange. Otherwise nothing is asked any more. */
  fail (error: unknown, stage: Stage, startMs: number): undefined {
    // Nobody is there any more to whom a failure mode could matter.
    if (this.#gone !== undefined) throw this.#gone
    if (this.#stop !== undefined) throw thrown(this.#stop)
    const fault = Fault.from(error)
    const refuse = this.stoppedBy(stage)
    // What it was asked before it said that it is done, or failed, it still owed.
    if (this.over && (!refuse || this.#dismissed && error === agentDone)) return undefined
    this.over = true
    this.verdict = 'failed'
    if (refuse) this.#stop = fault
    this.record(failureRecord(this.settings, stage, fault, refuse ? 'closed' : 'open', startMs, this.talk.configVersion))
    this.talk.cancel(fault.code === 'AGENT_TIMEOUT' ? 'timeout' : 'decided', fault)
    if (refuse) throw fault
    return undefined
  }

  record (record: DecisionRecord): void {
    if (record.fault !== undefined) this.talk.failed(record.fault)
    if (++this.#records <= maxRecords || isDecisive(record)) this.x.recordDecision(record)
  }

  /** One record for a body that flowed through: its chunks are too many to be told one by one. */
  recordFlow (stage: Stage, changed: boolean, startMs: number): void {
    if (changed) this.verdict = 'redact'
    this.record(decisionRecord(this.settings, stage, { verdict: changed ? 'redact' : 'allow' }, startMs, this.talk.configVersion))
  }

  /** Edits that earlier answers asked for, now that there is a response. */
  editReply (reply: Reply): Reply {
    if (this.#responseEdits !== undefined) editResponse(reply.headers, this.#responseEdits)
    this.#responseEdits = undefined
    return reply
  }

  /** The exchange is over: says so to the agent. */
  finish (): void {
    this.x.ending.ignore(this)
    const { fault } = this.x
    const reason = fault === undefined ? undefined : cancelReason(fault)
    const isNews = this.#gone === undefined
    // What was not answered by now failed nobody.
    this.#gone ??= fault ?? exchangeOver
    if (isNews && (reason !== undefined || this.talk.waiting)) this.talk.cancel(reason ?? 'decided', this.#gone)
    this.talk.complete(completeFacts(this.x))
  }

  #chunk (answer: ChunkAnswer): ChunkAnswer {
    if (answer.kind === undefined) throw badReply('an answer for a chunk of a kind that this version does not know')
    return answer
  }

  /** What does not depend on whether the exchange goes on. Nothing is changed before everything was found possible. */
  #apply (ruling: Ruling, { partial }: Stage): void {
    const { x } = this
    const attributes = ruling.attributes.size > 0 ? mergeAttributes(x.attributes, ruling.attributes) : undefined
    if (ruling.reply === undefined) {
      if (ruling.upstream !== '' && this.settings.chooseUpstream?.(x, ruling.upstream) !== true) throw badReply(`the upstream ${JSON.stringify(ruling.upstream.slice(0, 80))} is not one of this route`)
      if (ruling.rewritePath !== undefined) {
        const { path, upstreamPath } = readPath(ruling.rewritePath)
        x.request.path = path
        x.request.upstreamPath = upstreamPath
      }
      if (ruling.rewriteQuery !== undefined) x.request.query = ruling.rewriteQuery
      editRequest(x.request.headers, ruling.requestEdits)
      for (const { name } of ruling.requestEdits) (x.edited ??= new Set()).add(name.toLowerCase())
    }
    if (attributes !== undefined) x.attributes = attributes
    if (ruling.responseEdits.length > 0) (this.#responseEdits ??= []).push(...ruling.responseEdits)
    if (ruling.reply !== undefined && partial !== true) this.editReply(ruling.reply)
  }

  heed ({ wants }: Pick<Ruling, 'wants'>): void {
    if (wants === undefined) return
    this.plan = planWith(this.plan, wants)
    if (!wants.done) return
    this.over = true
    this.#dismissed = true
    this.talk.end(agentDone)
  }
}

const exchangeOver = new Fault('CLIENT_GONE', 'the exchange is over')

/** Made where it is thrown: most exchanges that an agent ends have no body that flows. */
function thrown (stop: Fault | Reply): Fault | Refusal {
  return stop instanceof Fault ? stop : new Refusal(stop)
}

/** What a question was about. */
type Asked = Pick<Stage, 'phase' | 'tool'>

/** What a record tells of a ruling, whatever that is about. */
type Told = { readonly verdict: string } & Partial<Pick<Ruling, 'reply' | 'audit' | 'ticket' | 'upstream' | 'rewritePath' | 'rewriteQuery'>>

export function decisionRecord (
  { agentId, mode, stage }: Pick<FilterSettings, 'agentId' | 'mode' | 'stage'>, { phase, tool }: Asked, ruling: Told, startMs: number, configVersion: string,
  endMs = performance.now(),
): DecisionRecord {
  return {
    agent: agentId,
    phase,
    tool,
    mode,
    verdict: ruling.verdict,
    applied: mode === 'enforce',
    durationMs: endMs - startMs,
    status: ruling.reply?.status ?? 0,
    fault: undefined,
    failureMode: undefined,
    audit: ruling.audit,
    ticket: ruling.ticket,
    configVersion,
    stage,
    routing: routingOf(ruling),
  }
}

/** An answer of the agent's own goes nowhere else. */
function routingOf ({ reply, upstream = '', rewritePath, rewriteQuery }: Told): DecisionRecord['routing'] {
  if (reply !== undefined || (upstream === '' && rewritePath === undefined && rewriteQuery === undefined)) return undefined
  return { upstream, path: rewritePath, query: rewriteQuery }
}

export function failureRecord (
  { agentId, mode, stage }: Pick<FilterSettings, 'agentId' | 'mode' | 'stage'>, { phase, tool }: Asked, fault: Fault, failureMode: 'open' | 'closed', startMs: number, configVersion: string,
  endMs = performance.now(),
): DecisionRecord {
  return {
    agent: agentId,
    phase,
    tool,
    mode,
    verdict: 'failed',
    applied: mode === 'enforce' && failureMode === 'closed',
    durationMs: endMs - startMs,
    status: 0,
    fault,
    failureMode,
    audit: undefined,
    ticket: undefined,
    configVersion,
    stage,
    routing: undefined,
  }
}

function cancelReason (fault: Fault): CancelReason | undefined {
  switch (fault.row.blame) {
    case 'client': return fault.code === 'CLIENT_GONE' ? 'client_gone' : 'decided'
    case 'upstream': return 'upstream_failed'
    case 'agent': return undefined
    case 'sentinel': return fault.code === 'SHUTTING_DOWN' ? 'shutdown' : 'decided'
  }
}
