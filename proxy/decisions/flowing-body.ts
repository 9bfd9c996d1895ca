import type { ChunkAnswer } from '../../proto/codec/index.ts'
import { BodyAround, type Body } from '../pipeline/body.ts'
import { Fault, Refusal } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import type { Consultation } from './consultation.ts'
import { stages, type Ruling, type Stage } from './decide.ts'
import { badReply } from './grpc-stream.ts'
import { notAllowed } from './permissions.ts'
import { ShownPieces, type ShownPiece } from './shown-pieces.ts'
import { seenLines } from './sight.ts'

export interface Flow {
  readonly event: 'request_body' | 'response_body'
  readonly trailers: 'request_trailers' | 'response_trailers' | undefined
  readonly stage: Stage
  /** Most bytes the agent may have held back. */
  readonly maxHeldBytes: number
  /** Whether the agent still wants to see it. */
  readonly wanted: () => boolean
}

interface Asked {
  readonly answer: Promise<ChunkAnswer | Ruling | undefined>
}

const nothing = Buffer.alloc(0)

/**
 * A body whose chunks the agent answers one by one: pass, replace, hold, drop, pass but a tail. Several may be with the agent at once;
 * what comes out is in order. A decision that ends the exchange is thrown as `Refusal` out of `read`.
 */
export class FlowingBody implements Body {
  /** The agent may change it. */
  readonly length = undefined
  readonly #c: Consultation
  readonly #source: Body
  readonly #flow: Flow
  readonly #pieces: ShownPieces<Asked>
  readonly #startMs = performance.now()
  #ready: Buffer[] = []
  #held: Buffer[] = []
  #heldBytes = 0
  #ended = false
  #changed = false

  constructor (c: Consultation, source: Body, flow: Flow) {
    this.#c = c
    this.#source = source
    this.#flow = flow
    this.#pieces = new ShownPieces(source, { credit: () => c.talk.credit, show: (data, end) => this.#show(data, end) })
    c.talk.onCredit(() => this.#pieces.widened())
  }

  get trailers (): HeaderList | undefined {
    return this.#source.trailers
  }

  async read (): Promise<Buffer | undefined> {
    for (;;) {
      const chunk = this.#ready.shift()
      if (chunk !== undefined) return chunk
      if (this.#ended) return undefined
      const first = await this.#pieces.first()
      if (first !== undefined) await this.#take(first)
    }
  }

  cancel (reason?: Fault): void {
    this.#ended = true
    this.#pieces.stop()
    this.#ready = []
    this.#held = []
    this.#source.cancel(reason)
  }

  async #show (data: Buffer, end: boolean): Promise<Asked> {
    const { event, stage, wanted } = this.#flow
    const asked = wanted() ? await this.#c.askChunk({ kind: event, value: { data, end, truncated: false } }, stage) : { answer: Promise.resolve(undefined) }
    // The reader may have gone by then; whoever reads on awaits it below.
    asked.answer.catch(() => {})
    return asked
  }

  async #take (first: ShownPiece<Asked>): Promise<void> {
    try {
      const answer = await first.asked.answer
      if (this.#ended) return
      this.#pieces.taken()
      this.#apply(first, answer)
      if (first.end) await this.#finish()
    } catch (error) {
      this.cancel(error instanceof Fault ? error : undefined)
      throw error
    }
  }

  #apply (shown: ShownPiece<Asked>, answer: ChunkAnswer | Ruling | undefined): void {
    if (answer !== undefined && 'verdict' in answer && answer.reply !== undefined) throw new Refusal(answer.reply)
    if (answer === undefined || 'verdict' in answer || !this.#c.enforces) return this.#pass(shown.data)
    switch (answer.kind) {
      case 'pass': return this.#pass(shown.data)
      case 'replace':
        if (this.#mayNotChange()) return this.#fail(notAllowed('to replace pieces of a body'), shown.data)
        this.#drop()
        if (answer.value.length > 0) this.#ready.push(answer.value)
        return
      case 'drop':
        if (this.#mayNotChange()) return this.#fail(notAllowed('to drop pieces of a body'), shown.data)
        return this.#drop()
      case 'hold':
        if (shown.end) return this.#fail(badReply('the end of a body cannot be held back'), shown.data)
        return this.#hold(shown.data)
      case 'pass_but_tail':
        if (shown.end) return this.#pass(shown.data)
        return this.#passButTail(shown.data, answer.value)
      case undefined: return this.#fail(badReply('an answer for a chunk of a kind that this version does not know'), shown.data)
    }
  }

  #mayNotChange (): boolean {
    return this.#c.settings.may?.replaceBodies === false
  }

  #pass (chunk: Buffer): void {
    this.#ready.push(...this.#held)
    if (chunk.length > 0) this.#ready.push(chunk)
    this.#held = []
    this.#heldBytes = 0
  }

  #drop (): void {
    this.#changed = true
    this.#held = []
    this.#heldBytes = 0
  }

  #hold (chunk: Buffer): void {
    if (chunk.length > 0) this.#held.push(chunk)
    this.#heldBytes += chunk.length
    const { maxHeldBytes } = this.#flow
    if (this.#heldBytes > maxHeldBytes) this.#fail(badReply(`more than ${maxHeldBytes} bytes of a body are held back`), nothing)
  }

  #passButTail (chunk: Buffer, tail: number): void {
    const all = this.#held.length === 0 ? chunk : Buffer.concat([...this.#held, chunk])
    const at = Math.max(0, all.length - tail)
    this.#held = []
    this.#heldBytes = 0
    if (at > 0) this.#ready.push(all.subarray(0, at))
    this.#hold(all.subarray(at))
  }

  /** Throws, or passes everything on when the agent has no say (or no longer). */
  #fail (fault: Fault, chunk: Buffer): void {
    this.#c.fail(fault, this.#flow.stage, this.#startMs)
    this.#pass(chunk)
  }

  async #finish (): Promise<void> {
    if (!this.#c.over) this.#c.recordFlow(this.#flow.stage, this.#changed, this.#startMs)
    await this.#pieces.finish()
    const reply = await askTrailers(this.#c, this.#source, this.#flow)
    this.#ended = true
    if (reply !== undefined) throw reply
  }
}

/** The field lines behind a body; gives what ends the exchange. */
export async function askTrailers (c: Consultation, source: Body, { trailers: kind, stage }: Pick<Flow, 'trailers' | 'stage'>): Promise<Refusal | undefined> {
  const { trailers } = source
  c.heedStop()
  if (kind === undefined || c.over || trailers === undefined || trailers.size === 0) return undefined
  const ruling = await c.ask({ kind, value: { headers: seenLines(trailers, c.settings.sight) } }, stage)
  return ruling?.reply === undefined ? undefined : new Refusal(ruling.reply)
}

/** A body that flows unseen but for its trailers. */
export function withTrailersAsked (c: Consultation, source: Body, kind: 'request_trailers' | 'response_trailers'): Body {
  return new TrailersAsked(c, source, { trailers: kind, stage: kind === 'request_trailers' ? stages.requestChunk : stages.responseChunk })
}

class TrailersAsked extends BodyAround {
  readonly #c: Consultation
  readonly #asking: Pick<Flow, 'trailers' | 'stage'>
  #asked = false

  constructor (c: Consultation, source: Body, asking: Pick<Flow, 'trailers' | 'stage'>) {
    super(source)
    this.#c = c
    this.#asking = asking
  }

  get expectsContinue (): boolean | undefined {
    return this.source.expectsContinue
  }

  async read (): Promise<Buffer | undefined> {
    const chunk = await this.source.read()
    if (chunk !== undefined || this.#asked) return chunk
    this.#asked = true
    const refusal = await askTrailers(this.#c, this.source, this.#asking)
    if (refusal !== undefined) throw refusal
    return undefined
  }
}
