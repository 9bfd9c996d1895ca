import type { ChunkAnswer } from '../../proto/codec/index.ts'
import type { Body } from '../pipeline/body.ts'
import { Fault, Refusal } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import type { Consultation } from './consultation.ts'
import { stages, type Ruling, type Stage } from './decide.ts'
import { badReply } from './grpc-stream.ts'
import { notAllowed } from './permissions.ts'
import { seenLines } from './sight.ts'

/** Bytes that may be with the agent unanswered; the agent may widen it with `credit`. */
export const windowBytes = 256 * 1024
/** Chunks that may be with the agent unanswered: each takes one of its places for calls, however small it is. */
export const maxUnanswered = 16
/** Larger chunks are asked about in pieces. */
export const pieceBytes = 256 * 1024

export interface Flow {
  readonly event: 'request_body' | 'response_body'
  readonly trailers: 'request_trailers' | 'response_trailers' | undefined
  readonly stage: Stage
  /** Most bytes the agent may have held back. */
  readonly maxHeldBytes: number
  /** Whether the agent still wants to see it. */
  readonly wanted: () => boolean
}

interface Shown {
  readonly chunk: Buffer
  readonly end: boolean
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
  readonly #startMs = performance.now()
  #shown: Shown[] = []
  #unanswered = 0
  #ready: Buffer[] = []
  #held: Buffer[] = []
  #heldBytes = 0
  #received = 0
  #pulling: Promise<void> | undefined
  #endShown = false
  #error: unknown
  #ended = false
  #changed = false

  constructor (c: Consultation, source: Body, flow: Flow) {
    this.#c = c
    this.#source = source
    this.#flow = flow
  }

  get trailers (): HeaderList | undefined {
    return this.#source.trailers
  }

  async read (): Promise<Buffer | undefined> {
    for (;;) {
      const chunk = this.#ready.shift()
      if (chunk !== undefined) return chunk
      if (this.#ended) return undefined
      this.#pull()
      const first = this.#shown[0]
      if (first !== undefined) {
        await this.#take(first)
      } else if (this.#pulling !== undefined) {
        await this.#pulling
      } else {
        throw this.#error
      }
    }
  }

  cancel (reason?: Fault): void {
    this.#ended = true
    this.#ready = []
    this.#held = []
    this.#source.cancel(reason)
  }

  /** Keeps the agent supplied up to its window, ahead of the reader. */
  #pull (): void {
    if (this.#pulling !== undefined || this.#endShown || this.#ended || this.#error !== undefined) return
    if (this.#unanswered >= windowBytes + this.#c.talk.credit || this.#shown.length >= maxUnanswered) return
    this.#pulling = this.#pullOne().catch((error: unknown) => { this.#error = error }).finally(() => {
      this.#pulling = undefined
      this.#pull()
    })
  }

  async #pullOne (): Promise<void> {
    const chunk = await this.#source.read()
    if (chunk === undefined) {
      this.#endShown = true
      await this.#show(nothing, true)
      return
    }
    this.#received += chunk.length
    const end = this.#source.length === this.#received
    if (end) this.#endShown = true
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      const piece = chunk.subarray(at, at + pieceBytes)
      await this.#show(piece, end && at + pieceBytes >= chunk.length)
    }
  }

  async #show (chunk: Buffer, end: boolean): Promise<void> {
    this.#unanswered += chunk.length
    const shown = !this.#c.over && this.#flow.wanted()
      ? (await this.#c.askChunk({ kind: this.#flow.event, value: { data: chunk, end, truncated: false } }, this.#flow.stage)).answer
      : Promise.resolve(undefined)
    // The reader may have gone by then; whoever reads on awaits it below.
    shown.catch(() => {})
    this.#shown.push({ chunk, end, answer: shown })
  }

  async #take (first: Shown): Promise<void> {
    try {
      const answer = await first.answer
      if (this.#ended) return
      this.#shown.shift()
      this.#unanswered -= first.chunk.length
      this.#apply(first, answer)
      if (first.end) await this.#finish()
    } catch (error) {
      this.cancel(error instanceof Fault ? error : undefined)
      throw error
    }
  }

  #apply (shown: Shown, answer: ChunkAnswer | Ruling | undefined): void {
    if (answer !== undefined && 'verdict' in answer && answer.reply !== undefined) throw new Refusal(answer.reply)
    if (answer === undefined || 'verdict' in answer || !this.#c.enforces) return this.#pass(shown.chunk)
    switch (answer.kind) {
      case 'pass': return this.#pass(shown.chunk)
      case 'replace':
        if (this.#mayNotChange()) return this.#fail(notAllowed('to replace pieces of a body'), shown.chunk)
        this.#drop()
        if (answer.value.length > 0) this.#ready.push(answer.value)
        return
      case 'drop':
        if (this.#mayNotChange()) return this.#fail(notAllowed('to drop pieces of a body'), shown.chunk)
        return this.#drop()
      case 'hold':
        if (shown.end) return this.#fail(badReply('the end of a body cannot be held back'), shown.chunk)
        return this.#hold(shown.chunk)
      case 'pass_but_tail':
        if (shown.end) return this.#pass(shown.chunk)
        return this.#passButTail(shown.chunk, answer.value)
      case undefined: return this.#fail(badReply('an answer for a chunk of a kind that this version does not know'), shown.chunk)
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
    // The end may have been known from the length; only reading on brings the trailers.
    if (this.#received === this.#source.length) await this.#source.read()
    const reply = await askTrailers(this.#c, this.#source, this.#flow)
    this.#ended = true
    if (reply !== undefined) throw reply
  }
}

/** The field lines behind a body; gives what ends the exchange. */
export async function askTrailers (c: Consultation, source: Body, { trailers: kind, stage }: Pick<Flow, 'trailers' | 'stage'>): Promise<Refusal | undefined> {
  const { trailers } = source
  if (kind === undefined || c.over || trailers === undefined || trailers.size === 0) return undefined
  const ruling = await c.ask({ kind, value: { headers: seenLines(trailers.raw(), c.settings.sight) } }, stage)
  return ruling?.reply === undefined ? undefined : new Refusal(ruling.reply)
}

/** A body that flows unseen but for its trailers. */
export function withTrailersAsked (c: Consultation, source: Body, kind: 'request_trailers' | 'response_trailers'): Body {
  const stage = kind === 'request_trailers' ? stages.requestChunk : stages.responseChunk
  let asked = false
  return {
    length: source.length,
    get expectsContinue () { return source.expectsContinue },
    get trailers () { return source.trailers },
    async read () {
      const chunk = await source.read()
      if (chunk !== undefined || asked) return chunk
      asked = true
      const refusal = await askTrailers(c, source, { trailers: kind, stage })
      if (refusal !== undefined) throw refusal
      return undefined
    },
    cancel: (reason) => source.cancel(reason),
  }
}
