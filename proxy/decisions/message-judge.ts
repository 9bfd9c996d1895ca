import type { DescribeResponse, EventOneOf } from '../../proto/codec/index.ts'
import type { DecisionRecord, MessageJudge, MessageVerdict, TunnelMessage } from '../pipeline/exchange.ts'
import { Fault, type FaultCode } from '../pipeline/faults.ts'
import type { AgentClient } from './client.ts'
import { decisionRecord, failureRecord, maxRecords, type Consultation } from './consultation.ts'
import { mergeAttributes, stages } from './decide.ts'
import { completeFacts, requestEvent } from './events.ts'
import { afterFailure } from './failure-mode.ts'
import { ruleMessage, type MessageRuling } from './message-ruling.ts'
import { leftOf, termsFor, type Plan } from './plan.ts'
import { awaitAgent } from './retry.ts'
import { agentDone, type Talk } from './talk.ts'

const { phase } = stages.webSocketMessage

/**
 * An agent that is shown the messages of one WebSocket. Where its failure mode lets messages pass, it is asked about the next one all the same:
 * one that it was too slow for must not blind it for as long as the connection lasts.
 */
export class AgentMessageJudge implements MessageJudge {
  readonly #c: Consultation
  readonly #client: AgentClient
  readonly #plan: (description: DescribeResponse) => Plan | string
  #allowed = false
  #records = 0
  /** It has ended the tunnel: nothing passes any more, in neither direction. */
  #closed = false

  /** `plan`: for the agent as it describes itself. */
  constructor (c: Consultation, client: AgentClient, plan: (description: DescribeResponse) => Plan | string) {
    this.#c = c
    this.#client = client
    this.#plan = plan
  }

  get wanted (): boolean {
    return this.#closed || !this.#c.over
  }

  async judge (message: TunnelMessage): Promise<MessageVerdict> {
    const c = this.#c
    if (this.#closed) return dropped
    const startMs = performance.now()
    let asked: Talk | undefined
    try {
      const terms = termsFor(c.settings, phase, false)
      if (c.talk.over) await this.#callAgain(terms.timeoutMs)
      asked = c.talk
      const answer = await c.answerTo(messageEvent(message), leftOf(terms, performance.now() - startMs))
      return this.#settle(ruleMessage(answer, message, c.settings.may), startMs)
    } catch (error) {
      const fault = Fault.from(error)
      const verdict = this.#fail(fault, startMs)
      if (verdict.kind === 'pass' && hasForgotten(fault)) asked?.complete(completeFacts(c.x))
      return verdict
    }
  }

  /** The agent was lost since it was asked last; it, another connection to it, or who goes by its name now may be there. */
  async #callAgain (withinMs: number): Promise<void> {
    const c = this.#c
    const client = c.settings.successor?.() ?? this.#client
    const { retry } = client.settings
    if (retry !== undefined && client.state !== 'ready') await awaitAgent(client, retry, withinMs, c.x.ending)
    if (c.gone !== undefined) throw c.gone
    // The other direction may have called meanwhile.
    if (!c.talk.over) return
    const talk = client.talk()
    const plan = this.#plan(client.describe!) // Whoever can be talked to has described itself.
    if (typeof plan === 'string' || !plan.webSocketMessages) {
      const fault = new Fault('AGENT_NOT_CONFIGURED', typeof plan === 'string' ? plan : 'the agent does not look at messages any more')
      talk.end(fault)
      throw fault
    }
    c.talk = talk
    talk.tell(requestEvent(c.x, plan, c.settings, talk.configVersion))
  }

  #settle (ruling: MessageRuling, startMs: number): MessageVerdict {
    const c = this.#c
    const { verdict, outcome, attributes } = ruling
    if (c.enforces && attributes.size > 0) c.x.attributes = mergeAttributes(c.x.attributes, attributes)
    // The first that passes is told of, all are counted.
    if (verdict !== 'allow' || ruling.audit !== undefined || !this.#allowed) {
      this.#record(decisionRecord(c.settings, stages.webSocketMessage, ruling, startMs, c.talk.configVersion))
    }
    if (verdict === 'allow') this.#allowed = true
    else c.verdict = verdict
    c.heed(ruling)
    if (!c.enforces) return passed
    if (outcome.kind === 'close') this.#closed = true
    return outcome
  }

  /** A WebSocket may be open for days: what is more than its line in the log holds is told at once, and forgotten. */
  #record (record: DecisionRecord): void {
    const { x, settings, talk } = this.#c
    if (record.fault !== undefined) talk.failed(record.fault)
    if (++this.#records <= maxRecords) x.recordDecision(record)
    else settings.recordLate?.(x, record)
  }

  #fail (fault: Fault, startMs: number): MessageVerdict {
    const c = this.#c
    // Nobody is there any more to whom a failure mode could matter.
    if (c.gone !== undefined || this.#closed) return dropped
    // Done by what it said of the other direction, before it was asked this. What it was asked before, it still owed.
    if (fault === agentDone) return passed
    c.verdict = 'failed'
    const { mode, failureMode } = c.settings
    const next = afterFailure({ mode, failureMode, bodyGone: false })
    this.#record(failureRecord(c.settings, stages.webSocketMessage, fault, next === 'continue' ? 'open' : 'closed', startMs, c.talk.configVersion))
    if (next === 'continue') return passed
    this.#closed = true
    c.talk.cancel(fault.code === 'AGENT_TIMEOUT' ? 'timeout' : 'decided', fault)
    return { kind: 'close', code: mayHelpLater.has(fault.code) ? 1013 : 1011, reason: '', fault }
  }
}

/** The agent knows nothing of this WebSocket any more, and never will again under its number: the next message begins anew. */
function hasForgotten ({ code, detail = '' }: Fault): boolean {
  return code === 'AGENT_ERROR' && /^(?:unknown_exchange|worker_crashed|worker_stuck): /.test(detail)
}

/** Too much for now (1013, "try again later"); the others are unexpected (1011). */
const mayHelpLater: ReadonlySet<FaultCode> = new Set<FaultCode>(['AGENT_QUEUE_FULL', 'AGENT_BREAKER_OPEN'])

export function messageEvent ({ fromClient, binary, data }: TunnelMessage): EventOneOf {
  return { kind: 'websocket_message', value: { fromClient, binary, data, partial: false } }
}

const passed: MessageVerdict = { kind: 'pass' }
const dropped: MessageVerdict = { kind: 'drop' }
