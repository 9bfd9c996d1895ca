import type { Body } from '../pipeline/body.ts'
import { EndSignal } from '../pipeline/end-signal.ts'
import type { Exchange, Filter, MessageJudge, Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { AgentClient } from './client.ts'
import { Consultation } from './consultation.ts'
import { stages } from './decide.ts'
import { requestEvent, responseEvent } from './events.ts'
import {
  absenceRecord, consultationWith, inPlaceOf, inspectToolsOfAnswer, inspectToolsOfRequest, isAway, laterSettings, requestFlow,
  responseBodyOf, responseFlow, restoreRequest, withoutBody,
} from './filter.ts'
import { FlowingBody, withTrailersAsked } from './flowing-body.ts'
import { FlowingTogether, type FlowMember } from './flowing-together.ts'
import { AgentMessageJudge } from './message-judge.ts'
import { isUnconcerned, remember, type FilterSettings, type PlanOf } from './plan.ts'
import { shadowFilter } from './shadow.ts'
import { decidedElsewhere } from './talk.ts'
import { settleTogether, stopsWith, type Asked, type Outcome } from './together.ts'
import { inspectTogether, wholeRequest, wholeResponse } from './whole-body.ts'

export interface StageMember {
  readonly client: AgentClient
  readonly settings: FilterSettings
}

interface Asking extends StageMember {
  readonly planOf: PlanOf
}

type Absent = Extract<Asked, { readonly absent: Fault }>

/**
 * Several agents as one step of a route: all are asked at once, about the same. The first in file order that does not allow decides; when all
 * allow, what they change is applied in file order.
 */
export function parallelFilter (name: string, members: readonly StageMember[]): Filter {
  const named = members.map(({ client, settings }) => ({ client, settings: { ...settings, stage: name } }))
  const shadows = named.filter(({ settings }) => settings.mode === 'shadow').map(({ client, settings }) => shadowFilter(client, settings))
  const asking = named.filter(({ settings }) => settings.mode !== 'shadow').map((member) => ({ ...member, planOf: remember(member.settings) }))
  const open = new WeakMap<Exchange, Round>()
  return {
    name,
    onRequest (x) {
      // They get copies of what the others are shown, and are never waited for.
      for (const shadow of shadows) void shadow.onRequest?.(x)
      const round = new Round(x)
      open.set(x, round)
      return round.request(asking)
    },
    onResponse (x, reply) {
      for (const shadow of shadows) void shadow.onResponse?.(x, reply)
      return open.get(x)?.response(reply, asking)
    },
    onDone (x) {
      for (const shadow of shadows) shadow.onDone?.(x)
      open.get(x)?.finish()
      open.delete(x)
    },
  }
}

/** One exchange as the agents of a stage are consulted about it. */
class Round {
  readonly #x: Exchange
  /** In file order, those that could be asked. */
  #members: Consultation[] = []
  /** The same with gaps for the others. */
  readonly #begun: Array<Consultation | undefined> = []

  constructor (x: Exchange) {
    this.#x = x
  }

  async request (asking: readonly Asking[]): Promise<Reply | undefined> {
    const x = this.#x
    const concerned = asking.filter(({ client, settings, planOf }) => !isUnconcerned(x, client.describe, settings, planOf))
    const { reply } = await this.#settle(await this.#askHeads(concerned))
    const refused = reply ?? await this.#tools((c) => c.plan.tools && inspectToolsOfRequest(c, c.plan.tools)) ?? await this.#requestBody()
    if (refused === undefined && this.#x.upgrade?.judges !== undefined) this.#judgeMessages(this.#x.upgrade.judges, asking)
    return refused
  }

  async response (reply: Reply, asking: readonly Asking[]): Promise<Reply | undefined> {
    // In the reverse order of what was asked for.
    for (const member of this.#members.toReversed()) restoreRequest(member)
    this.#heedStops(reply)
    this.#editReply(reply)
    const answer = await this.#responseHead(reply) ?? await this.#tools((c) => inspectToolsOfAnswer(c, reply)) ?? await this.#responseBody(reply)
    for (const { settings: { agentId, mode } } of asking) {
      if (mode !== 'dry-run') continue
      const member = this.#members.find(({ settings }) => settings.agentId === agentId)
      const told = answer ?? reply
      told.headers.append('x-sentinel-dry-run', `${agentId}=${member?.verdict ?? 'failed'}`)
    }
    return answer === undefined ? undefined : inPlaceOf(reply, answer)
  }

  finish (): void {
    for (const member of this.#members) member.finish()
  }

  get #live (): Consultation[] {
    return this.#members.filter(({ over }) => !over)
  }

  /** Who is there is asked at once; who is away and may come back, as soon as it does, unless it is decided before. */
  async #askHeads (concerned: readonly Asking[]): Promise<Asked[]> {
    const { ending } = this.#x
    const waiting = new EndSignal()
    const listener = { onExchangeEnd: (reason: Fault): void => waiting.end(reason) }
    if (ending.reason === undefined) ending.listen(listener)
    // Those before the first that is away and could have its way instead.
    const away = concerned.findIndex(({ client, settings }) => isAway(client) && settings.mode === 'enforce')
    const coming = concerned.map(async (one, i) => {
      const asked = await this.#askHead(one, i, waiting)
      if (away < 0 || i < away) void Promise.all(asked.map(stopsWith)).then(([stops]) => { if (stops === true) waiting.end(decidedElsewhere) })
      return asked
    })
    // Each is kept as soon as it has begun: one that cannot any more, because the client has left, must not hide the others.
    const attempts = await Promise.allSettled(coming)
    ending.ignore(listener)
    return attempts.flatMap((one) => {
      if (one.status === 'rejected') throw one.reason
      return one.value
    })
  }

  /** `at`: its place in the file. */
  async #askHead (one: Asking, at: number, waiting: EndSignal): Promise<Asked[]> {
    const c = await this.#begin(one, waiting)
    if (c === undefined) return []
    if (!(c instanceof Consultation)) return [c]
    this.#begun[at] = c
    this.#members = this.#begun.flatMap((member) => member ?? [])
    const event = requestEvent(this.#x, c.plan, c.settings, c.talk.configVersion)
    if (c.plan.requestHeaders) return [{ c, stage: stages.requestHeaders, heard: c.hear(event, stages.requestHeaders) }]
    c.talk.tell(event)
    return []
  }

  /** `undefined`: it was decided before it could begin. */
  async #begin ({ client, settings: given, planOf }: Asking, waiting: EndSignal): Promise<Consultation | Absent | undefined> {
    const startMs = performance.now()
    const settings = isAway(client) ? await laterSettings(client, given, waiting) : given
    if (waiting.reason === decidedElsewhere) return undefined
    const begun = consultationWith(this.#x, client, settings, planOf)
    return begun instanceof Consultation ? begun : { absent: begun, record: absenceRecord(begun, client, settings, startMs) }
  }

  /** Whoever had its way, the others hear nothing more but that it is over. */
  async #settle (asked: readonly Asked[]): Promise<Outcome> {
    try {
      const outcome = await settleTogether(asked, (record) => this.#x.recordDecision(record))
      if (outcome.reply !== undefined) this.#stop()
      return outcome
    } catch (error) {
      this.#stop()
      throw error
    }
  }

  #stop (): void {
    for (const member of this.#members) member.withdraw()
  }

  async #requestBody (): Promise<Reply | undefined> {
    const x = this.#x
    const body = x.requestBody
    if (body === undefined) return undefined
    const shown = body.length === 0 ? [] : this.#live
    const whole = shown.filter(({ plan }) => plan.requestBody.kind === 'buffer').map((c) => ({ c, plan: c.plan.requestBody }))
    if (whole.length > 0) {
      const inspected = await inspectTogether(whole, body, x.request.headers, wholeRequest, (asked) => this.#settle(asked))
      x.requestBody = inspected.body
      if (inspected.reply !== undefined) return inspected.reply
    }
    const flowing = this.#live.filter((c) => c.plan.requestBody.kind === 'stream' && shown.includes(c))
    // Set above, or it was there before.
    x.requestBody = this.#flow(flowing.map((c) => ({ c, flow: requestFlow(c) })), x.requestBody!)
    for (const c of this.#live) {
      if (c.plan.requestTrailers && !flowing.includes(c)) x.requestBody = withTrailersAsked(c, x.requestBody, 'request_trailers')
    }
    return undefined
  }

  /** Calls of tools go from one to the next: what one has made of them is what the next is asked about. */
  async #tools (inspect: (c: Consultation) => Promise<Reply | undefined> | undefined): Promise<Reply | undefined> {
    try {
      for (const c of this.#live) {
        const inspected = inspect(c)
        const reply = inspected === undefined ? undefined : await inspected
        if (reply === undefined) continue
        this.#stop()
        return reply
      }
      return undefined
    } catch (error) {
      this.#stop()
      throw error
    }
  }

  /** Messages of a tunnel go from one to the next, as pieces of a body do. */
  #judgeMessages (judges: MessageJudge[], asking: readonly Asking[]): void {
    for (const c of this.#live) {
      const { client, planOf } = asking.find(({ settings }) => settings.agentId === c.settings.agentId)! // It was begun with one of them.
      if (c.plan.webSocketMessages) judges.push(new AgentMessageJudge(c, client, planOf))
    }
  }

  async #responseHead (reply: Reply): Promise<Reply | undefined> {
    const asked = this.#live.flatMap((c): Asked[] => {
      const plan = responseBodyOf(c, reply)
      const event = responseEvent(this.#x, reply, plan, c.settings)
      if (c.plan.responseHeaders) return [{ c, stage: stages.responseHeaders, heard: c.hear(event, stages.responseHeaders) }]
      if (plan.kind !== 'none') c.talk.tell(event)
      return []
    })
    const outcome = await this.#settle(asked)
    if (outcome.reply === undefined) this.#editReply(reply)
    return outcome.reply
  }

  async #responseBody (reply: Reply): Promise<Reply | undefined> {
    this.#heedStops(reply)
    const { body } = reply
    const shown = this.#live.filter((c) => !withoutBody(c, reply))
    if (body === undefined || shown.length === 0) return undefined
    const plans = new Map(shown.map((c) => [c, responseBodyOf(c, reply)]))
    const whole = [...plans].filter(([, { kind }]) => kind === 'buffer' && body.length !== 0).map(([c, plan]) => ({ c, plan }))
    if (whole.length > 0) {
      const inspected = await inspectTogether(whole, body, reply.headers, wholeResponse, (asked) => this.#settle(asked))
      if (inspected.reply !== undefined) return inspected.reply
      reply.body = inspected.body
      this.#editReply(reply)
    }
    const live = [...plans].filter(([c]) => !c.over)
    const flowing = live.filter(([, { kind }]) => kind === 'stream' && body.length !== 0)
    // It was there before, and is set anew above.
    reply.body = this.#flow(flowing.map(([c, plan]) => ({ c, flow: responseFlow(c, plan) })), reply.body!)
    for (const [c, plan] of live) {
      if (c.plan.responseTrailers && !(plan.kind === 'stream' && body.length !== 0)) reply.body = withTrailersAsked(c, reply.body, 'response_trailers')
    }
    return undefined
  }

  #flow (members: readonly FlowMember[], body: Body): Body {
    const [first, second] = members
    if (first === undefined) return body
    return second === undefined ? new FlowingBody(first.c, body, first.flow) : new FlowingTogether(members, body, () => this.#stop())
  }

  #heedStops (own: Reply): void {
    for (const member of this.#members) member.heedStop(own)
  }

  #editReply (reply: Reply): void {
    for (const member of this.#members) member.editReply(reply)
  }
}
