import type { Findings, Guardrail, Inspection } from '../../../proto/codec/index.ts'
import { bodyOf } from '../../pipeline/body.ts'
import type { EndListener } from '../../pipeline/end-signal.ts'
import type { Exchange, Reply } from '../../pipeline/exchange.ts'
import { Fault } from '../../pipeline/faults.ts'
import { HeaderList } from '../../pipeline/headers.ts'
import type { AgentClient } from '../client.ts'
import { decisionRecord, failureRecord } from '../consultation.ts'
import { auditOf } from '../decide.ts'
import { completeFacts, requestEvent } from '../events.ts'
import { badReply } from '../grpc-stream.ts'
import type { BodyPlan, FilterSettings } from '../plan.ts'
import type { Talk } from '../talk.ts'
import { checkFindings } from './redaction.ts'
import type { TextAt } from './texts.ts'

export interface GuardrailSettings {
  readonly inspection: Exclude<Inspection, 'unspecified' | 'unrecognized'>
  readonly client: AgentClient
  readonly agentId: string
  /** Whether the agent's word counts: another mode of its own is only recorded. */
  readonly mode: FilterSettings['mode']
  readonly action: 'block' | 'log' | 'warn' | 'redact'
  readonly failureMode: 'open' | 'closed'
  readonly timeoutMs: number
  readonly categories: readonly string[]
  readonly blockStatus: number
  readonly blockMessage: string | undefined
  /** Most of a body that is looked through, and what a longer one means. */
  readonly maxBytes: number
  readonly bodyOver: FilterSettings['bodyOver']
  /** Counts what came of each inspection. */
  readonly observe: (outcome: 'clean' | 'detected' | 'failed') => void
}

/** What came of looking through the texts of one body. */
export type Verdict =
  | { readonly kind: 'clean' | 'failed' }
  | { readonly kind: 'found', readonly findings: Findings }

/** Nothing of a body is given to the agent as a body. */
const noBody: BodyPlan = { kind: 'none', maxBytes: 0, over: 'block' }

const about = { phase: 'guardrail', tool: undefined } as const

/** One exchange as an agent is told of it whose guardrail looks it through. */
export class GuardrailTalk implements EndListener {
  readonly #x: Exchange
  readonly #settings: GuardrailSettings
  #talk: Talk | undefined
  #gone: Fault | undefined

  constructor (x: Exchange, settings: GuardrailSettings) {
    this.#x = x
    this.#settings = settings
    if (x.ending.reason === undefined) x.ending.listen(this)
  }

  onExchangeEnd (reason: Fault): void {
    this.#gone = reason
    this.#talk?.cancel(reason.code === 'SHUTTING_DOWN' ? 'shutdown' : 'client_gone', reason)
  }

  /** Whether what is found changes anything. */
  get acts (): boolean {
    return this.#settings.mode === 'enforce'
  }

  /**
   * Throws the fault that stops the exchange when there is no answer and the failure mode is closed. `isLate`: what was looked through has left, and
   * nothing is stopped.
   */
  async inspect (texts: readonly Pick<TextAt, 'role' | 'text'>[], model: string, isLate = false): Promise<Verdict> {
    const { inspection, categories, observe } = this.#settings
    if (texts.length === 0) return { kind: 'clean' }
    const startMs = performance.now()
    try {
      const findings = await this.#ask({ inspection, texts: texts.map(({ role, text }) => ({ role, text })), categories, model })
      checkFindings(texts.map(({ text }) => text), findings.findings)
      this.#record(findings, startMs)
      observe(findings.detected ? 'detected' : 'clean')
      return findings.detected ? { kind: 'found', findings } : { kind: 'clean' }
    } catch (error) {
      this.#fail(error, startMs, isLate)
      return { kind: 'failed' }
    }
  }

  /** Records that nothing is known, and throws when that stops the exchange. */
  #fail (error: unknown, startMs: number, isLate: boolean): void {
    if (this.#gone !== undefined) throw this.#gone
    const { failureMode, observe } = this.#settings
    const fault = Fault.from(error)
    const refuse = this.acts && failureMode === 'closed' && !isLate
    this.#x.recordDecision(failureRecord(this.#asFilter, about, fault, refuse ? 'closed' : 'open', startMs, this.#version))
    observe('failed')
    if (refuse) throw fault
  }

  /** A body that cannot be looked through. The operator's `body-over` says what that means where something could be refused. */
  unseen (fault: Fault): void {
    const { action, bodyOver } = this.#settings
    const refuse = this.acts && bodyOver !== 'skip' && (action === 'block' || action === 'redact')
    this.#x.recordDecision(failureRecord(this.#asFilter, about, fault, refuse ? 'closed' : 'open', performance.now(), this.#version))
    this.#settings.observe('failed')
    if (refuse) throw fault
  }

  finish (): void {
    this.#x.ending.ignore(this)
    this.#talk?.complete(completeFacts(this.#x))
  }

  async #ask (event: Guardrail): Promise<Findings> {
    const { timeoutMs } = this.#settings
    const talk = this.#talk ??= this.#begin()
    const answer = await talk.ask({ kind: 'guardrail', value: event }, { timeoutMs, maxTimeoutMs: timeoutMs })
    if (answer.kind !== 'findings') throw badReply('something else than findings for a guardrail')
    return answer.value
  }

  #begin (): Talk {
    const { client, mode } = this.#settings
    const talk = client.talk()
    if (client.describe?.events.includes('guardrail') !== true) {
      const fault = new Fault('AGENT_NOT_CONFIGURED', `${this.#settings.agentId} does not describe the event guardrail`)
      talk.end(fault)
      throw fault
    }
    talk.tell(requestEvent(this.#x, { requestBody: noBody }, mode, talk.configVersion))
    return talk
  }

  get #version (): string {
    return this.#talk?.configVersion ?? this.#settings.client.configVersion
  }

  get #asFilter (): Pick<FilterSettings, 'agentId' | 'mode'> {
    return this.#settings
  }

  #record ({ detected, confidence, findings, audit }: Findings, startMs: number): void {
    const { action, inspection, blockStatus } = this.#settings
    const categories = [...new Set(findings.map(({ category }) => category))].slice(0, 64)
    const facts = auditOf(audit)
    this.#x.recordDecision({
      ...decisionRecord(this.#asFilter, about, { verdict: verdictOf(detected, action) }, startMs, this.#version),
      status: detected && action === 'block' && this.acts ? blockStatus : 0,
      audit: !detected ? facts : {
        ruleIds: facts?.ruleIds ?? [], severity: facts?.severity ?? 'unspecified', details: facts?.details ?? {},
        reason: facts?.reason || inspection, confidence: facts?.confidence || Math.min(1, Math.max(0, Number.isFinite(confidence) ? confidence : 0)),
        tags: [...facts?.tags ?? [], ...categories], redactions: action === 'redact' ? categories : facts?.redactions ?? [],
      },
    })
  }
}

function verdictOf (detected: boolean, action: GuardrailSettings['action']): 'allow' | 'flag' | 'block' | 'redact' {
  if (!detected) return 'allow'
  return action === 'block' || action === 'redact' ? action : 'flag'
}

/** In the form in which providers of models say what went wrong. */
export function refusalOf ({ inspection, blockStatus, blockMessage }: GuardrailSettings): Reply {
  const message = blockMessage ?? (inspection === 'pii' ? 'The answer was refused: it has personal data in it.' : 'The request was refused: it wants to turn the model against its instructions.')
  const body = JSON.stringify({ error: { type: 'guardrail', code: inspection, message } })
  return {
    status: blockStatus, headers: HeaderList.from({ 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }), body: bodyOf(Buffer.from(body)),
  }
}
