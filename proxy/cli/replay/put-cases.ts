import type { DescribeResponse, EventKind, EventOneOf, Reply } from '../../../proto/codec/index.ts'
import { eventFrom, type PlainObject } from '../../../proto/message-json.ts'
import { isGoingOn } from '../../decisions/by-hand/call.ts'
import { numbered, over, responseHead } from '../../decisions/by-hand/events.ts'
import type { AgentLink, ProcessStream } from '../../decisions/by-hand/link.ts'
import { Fault } from '../../pipeline/faults.ts'
import type { AgentCase, AskedCase, Case, Cases } from './cases.ts'
import { asRecorded, compared, differing, goesOn, type Compared, type Difference } from './compare.ts'

/** What came of one question when it was put again. */
export interface Change {
  readonly case: Case
  readonly agent: string
  /** Which event it was about, for instance "request_headers". */
  readonly event: string
  readonly what: readonly Difference[]
  readonly before: Compared
  readonly after: Compared
  /** What the agent would have needed to see to be sure. */
  readonly uncertain: readonly string[]
}

export interface Replayed {
  /** Questions that were put. */
  asked: number
  readonly changes: Change[]
  /** Questions that could not be put, and why, a sentence for each kind with how many there were. */
  readonly notAsked: Map<string, number>
  /** The agent could not be asked any more. */
  broken: string | undefined
}

export interface PutOptions {
  readonly link: AgentLink
  readonly describe: DescribeResponse
  /** Name of the agent in the cases. */
  readonly agent: string
  /** Of the configuration that the agent has now; "" when it is not ours. */
  readonly configVersion: string
  readonly terms: Cases['terms']
  readonly timeoutMs: number
}

/** Exchanges that are with the agent at once. */
const atOnce = 16

/** Puts what was recorded to an agent and compares. Never rejects. */
export async function putCases (cases: readonly Case[], options: PutOptions): Promise<Replayed> {
  const replayed: Replayed = { asked: 0, changes: [], notAsked: new Map(), broken: undefined }
  const stream = options.link.process()
  let next = 0
  const changes: Array<Change[]> = cases.map(() => [])
  const work = async (): Promise<void> => {
    for (let i = next++; i < cases.length && replayed.broken === undefined; i = next++) {
      const found = cases[i]!.agents.find(({ agent }) => agent === options.agent) // Below the length.
      if (found !== undefined) changes[i] = await new OneCase(i + 1, cases[i]!, stream, options, replayed).put(found)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  stream.reset()
  replayed.changes.push(...changes.flat())
  return replayed
}

class OneCase {
  readonly #exchange: number
  readonly #case: Case
  readonly #stream: ProcessStream
  readonly #options: PutOptions
  readonly #replayed: Replayed
  readonly #changes: Change[] = []
  #sequence = 0

  constructor (exchange: number, one: Case, stream: ProcessStream, options: PutOptions, replayed: Replayed) {
    this.#exchange = exchange
    this.#case = one
    this.#stream = stream
    this.#options = options
    this.#replayed = replayed
  }

  async put ({ asked }: AgentCase): Promise<Change[]> {
    let goes = true
    for (const one of asked) {
      goes = await this.#putOne(one)
      if (!goes) break
    }
    // What the client got is what the upstream said where nobody stopped it.
    if (goes && asked.every((one) => one.timeoutMs === undefined || goesOn(one))) await this.#putResponse(asked)
    if (this.#sequence > 0) this.#send(over(this.#case.response?.status ?? 200), 0)
    return this.#changes
  }

  /** False when nothing more of the exchange is put. */
  async #putOne (one: AskedCase): Promise<boolean> {
    const event = this.#eventOf(one.event)
    if (event === undefined) return false
    const wanted = this.#options.describe.events.includes(event.kind as EventKind)
    const isHead = event.kind === 'request_headers' || event.kind === 'response_headers'
    if (!wanted) {
      if (isHead) this.#send(event, 0)
      return true
    }
    if (omits(one.event)) {
      const why = this.#options.terms?.bodies === true ? 'it was no text, too long, or came in pieces' : 'record with --bodies'
      this.#note(`what it would be shown is not in the recording: ${why}`)
      return false
    }
    if (one.timeoutMs === undefined && !isHead) {
      this.#send(event, 0)
      return true
    }
    return this.#ask(event, one.timeoutMs === undefined ? undefined : one)
  }

  /** A response that nobody showed to the agent of then, to one that wants to see it. */
  async #putResponse (asked: readonly AskedCase[]): Promise<void> {
    const { events } = this.#options.describe
    const shown = (kind: string): boolean => asked.some(({ event }) => event['kind'] === kind)
    if (events.includes('request_body') && hasBody(asked) && !shown('request_body')) this.#note('it wants request bodies, which were not recorded')
    const { response } = this.#case
    if (!events.includes('response_headers') || shown('response_headers')) return
    if (response === undefined) return this.#note('it wants responses, which were not recorded')
    await this.#ask(responseHead(response.status, response.headers), undefined)
  }

  async #ask (event: EventOneOf, before: AskedCase | undefined): Promise<boolean> {
    const { timeoutMs, terms } = this.#options
    const sequence = this.#send(event, timeoutMs)
    await this.#stream.until(() => this.#stream.answer(this.#exchange, sequence) !== undefined, timeoutMs)
    const reply = this.#stream.answer(this.#exchange, sequence)
    if (reply === undefined && this.#stream.ended !== undefined) {
      this.#replayed.broken ??= this.#stream.ended.fault.detail ?? this.#stream.ended.fault.code
      return false
    }
    this.#replayed.asked++
    this.#compare(event, before, reply === undefined ? undefined : asRecorded(reply, terms))
    return reply !== undefined && isGoingOn(reply) && !isDone(reply)
  }

  #compare (event: EventOneOf, before: AskedCase | undefined, reply: PlainObject | undefined): void {
    // Who was not asked then let it pass.
    const was = before === undefined ? compared({ kind: 'decision', value: { kind: 'allow' } }, undefined) : compared(before.reply, before.failed)
    const is = compared(reply, reply === undefined ? 'AGENT_TIMEOUT' : undefined)
    const what = differing(was, is, this.#case.receipt)
    if (what.length === 0) return
    this.#changes.push({ case: this.#case, agent: this.#options.agent, event: String(event.kind), what, before: was, after: is, uncertain: this.#case.missing })
  }

  #eventOf (plain: PlainObject): EventOneOf | undefined {
    try {
      const event = eventFrom(plain)
      return event.kind === 'request_headers' ? { ...event, value: { ...event.value, configVersion: this.#options.configVersion } } : event
    } catch (error) {
      this.#note(Fault.from(error).detail ?? 'it cannot be read')
      return undefined
    }
  }

  #send (event: EventOneOf, timeoutMs: number): number {
    this.#stream.send(numbered(this.#exchange, ++this.#sequence, timeoutMs, event))
    return this.#sequence
  }

  #note (why: string): void {
    const { notAsked } = this.#replayed
    notAsked.set(why, (notAsked.get(why) ?? 0) + 1)
  }
}

function isDone (reply: Reply): boolean {
  return reply.kind === 'decision' && reply.value.wants?.done === true
}

/** Bytes of it are not in the file. */
function omits (event: PlainObject): boolean {
  return JSON.stringify(event['value'] ?? {}).includes('{"omitted":')
}

function hasBody (asked: readonly AskedCase[]): boolean {
  return asked.some(({ event }) => event['kind'] === 'request_headers' && JSON.stringify(event).includes('"has_body":true'))
}
