import type { Body } from '../../pipeline/body.ts'
import { Fault } from '../../pipeline/faults.ts'
import type { HeaderList } from '../../pipeline/headers.ts'
import type { Consultation } from '../consultation.ts'
import { badReply } from '../grpc-stream.ts'
import { askAll, cannotBeJudged, editsOf, refuseUnseen } from './ask.ts'
import { edited } from './edits.ts'
import { assemblers, eventJson, readingOfEvent } from './event-reading.ts'
import { Unfit, type Found, type Outcome, type Reading } from './found.ts'
import { Unreadable, type Json } from './json.ts'
import type { Pending } from './mcp.ts'
import { EventSplitter, withData, type ServerEvent } from './server-events.ts'
import type { Passing, StreamedCall } from './streamed.ts'

export interface EventsAround {
  readonly pending: Pending
  readonly server: string
  /** Bytes of one event, and of all that are held back at a time. */
  readonly maxBytes: number
}

/**
 * An event stream in which calls of tools and their results are asked about. What belongs to a call is held back, with everything behind it, until it
 * is complete and there is a verdict: nothing of a call that is refused reaches the client. Events that say nothing of tools pass at once.
 */
export class FlowingEvents implements Body {
  /** Something may be taken out. */
  readonly length = undefined
  readonly #c: Consultation
  readonly #source: Body
  readonly #around: EventsAround
  readonly #splitter = new EventSplitter()
  readonly #assemblers = assemblers()
  /** What was decided about calls by all that they say: some answers say everything once more in the end. */
  readonly #known = new Map<string, Outcome | undefined>()
  #ready: Buffer[] = []
  #held: Passing[] = []
  #heldBytes = 0
  /** Nothing is looked at any more. */
  #passes = false
  #ended = false

  constructor (c: Consultation, source: Body, around: EventsAround) {
    this.#c = c
    this.#source = source
    this.#around = around
  }

  get trailers (): HeaderList | undefined {
    return this.#source.trailers
  }

  async read (): Promise<Buffer | undefined> {
    for (;;) {
      const next = this.#ready.shift()
      if (next !== undefined) return next
      if (this.#ended) return undefined
      try {
        await this.#more()
      } catch (error) {
        this.cancel(error instanceof Fault ? error : undefined)
        throw error
      }
    }
  }

  cancel (reason?: Fault): void {
    this.#ended = true
    this.#ready = []
    this.#held = []
    this.#source.cancel(reason)
  }

  async #more (): Promise<void> {
    const chunk = await this.#source.read()
    if (this.#ended) return
    if (chunk === undefined) return this.#end()
    if (this.#passes) return void this.#ready.push(chunk)
    for (const event of this.#splitter.push(chunk)) await this.#judge(() => this.#see(event), event)
    if (this.#splitter.bytes > this.#around.maxBytes) await this.#judge(() => { throw this.#tooLarge('an event of the stream') })
    if (this.#passes) this.#ready.push(...this.#splitter.rest())
  }

  async #end (): Promise<void> {
    const last = this.#splitter.end()
    if (last !== undefined) await this.#judge(() => this.#see(last), last)
    await this.#judge(async () => {
      await this.#settle(this.#assemblers.flatMap((assembler) => assembler.end()))
      this.#flush()
    })
    this.#ended = true
  }

  /** Looks at something; what cannot be judged ends the exchange, or lets everything pass from here on. */
  async #judge (look: () => Promise<void> | void, event?: ServerEvent): Promise<void> {
    if (this.#passes) return void (event === undefined || this.#ready.push(event.raw))
    try {
      await look()
    } catch (error) {
      if (!cannotBeJudged(error)) throw error
      refuseUnseen(this.#c, error, 'tool-call', 'answer')
      this.#passes = true
    }
    this.#c.heedStop()
    if (this.#passes || this.#c.over) {
      this.#passes = true
      this.#flush()
    }
  }

  async #see (event: ServerEvent): Promise<void> {
    const passing: Passing = { event, text: event.data ?? '', root: undefined, edits: [], dropped: false, behind: [] }
    this.#held.push(passing)
    this.#heldBytes += event.raw.length
    if (event.problem !== undefined) throw new Unreadable(event.problem)
    if (this.#heldBytes > this.#around.maxBytes) throw this.#tooLarge('what belongs to a call')
    const root = eventJson(passing.text)
    if (root !== undefined) {
      if (root.kind === 'object') passing.root = root
      await this.#askAtOnce(passing, root)
    }
    await this.#settle(this.#assemblers.flatMap((assembler) => assembler.see(passing)))
    if (!this.#assemblers.some(({ holding }) => holding)) this.#flush()
  }

  /** Calls and results that are whole in one event. */
  async #askAtOnce (passing: Passing, root: Json): Promise<void> {
    const { reading, again } = this.#readingOf(passing.text, root)
    const { outcomes } = await askAll(this.#c, { found: reading.found.filter((found) => !again.has(found)) }, this.#asking)
    for (const found of reading.found) if (!again.has(found)) this.#remember(found, outcomes.get(found))
    const all = new Map([...again, ...outcomes].flatMap(([found, outcome]) => outcome === undefined ? [] : [[found, outcome] as const]))
    passing.edits.push(...editsOf(this.#c, reading, all, 'tool-call'))
  }

  /** `again`: what the stream said before, and what was decided then. */
  #readingOf (text: string, root: Json): { readonly reading: Reading, readonly again: ReadonlyMap<Found, Outcome | undefined> } {
    const reading = readingOfEvent(text, root, this.#around.pending)
    const again = reading.found.filter((found) => found.value.callId !== '' && this.#known.has(keyOf(found)))
    return { reading, again: new Map(again.map((found) => [found, this.#known.get(keyOf(found))])) }
  }

  async #settle (calls: readonly StreamedCall[]): Promise<void> {
    for (const { found, settle } of calls) {
      const { outcomes } = await askAll(this.#c, { found: [found] }, this.#asking)
      const outcome = outcomes.get(found)
      this.#remember(found, outcome)
      try {
        settle(outcome)
      } catch (error) {
        if (!(error instanceof Unfit)) throw error
        this.#c.fail(badReply(error.message), { phase: 'tool-call', requestOpen: false, responseOpen: false, bodyOpen: true }, performance.now())
        settle(undefined)
      }
    }
  }

  #remember (found: Found, outcome: Outcome | undefined): void {
    if (found.value.callId !== '') this.#known.set(keyOf(found), outcome)
    // A stream may go on for ever.
    if (this.#known.size > maxKnown) this.#known.delete(this.#known.keys().next().value!)
  }

  get #asking () {
    return { requestOpen: false, responseOpen: false, refuses: 'part', server: this.#around.server } as const
  }

  #tooLarge (what: string): Fault {
    return new Fault('AGENT_BODY_TOO_LARGE', `${what} has more than ${this.#around.maxBytes} bytes`)
  }

  #flush (): void {
    for (const passing of this.#held) this.#ready.push(...this.#written(passing))
    this.#held = []
    this.#heldBytes = 0
  }

  #written ({ event, text, edits, dropped, behind }: Passing): Buffer[] {
    if (dropped) return behind.map((one) => Buffer.from(one))
    const plain = event.odd && event.data !== undefined && this.#c.enforces && !this.#passes
    const own = edits.length > 0 ? withData(event, edited(text, edits)) : plain ? withData(event, text) : event.raw
    return [own, ...behind.map((one) => Buffer.from(one))]
  }
}

const maxKnown = 1024

function keyOf (found: Found): string {
  const { callId, tool } = found.value
  return JSON.stringify([found.kind, callId, tool, found.kind === 'tool_call' ? found.value.argumentsJson.toString() : ''])
}
