import type { ChunkAnswer } from '../../proto/codec/index.ts'
import type { Body } from '../pipeline/body.ts'
import { Fault, Refusal } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import type { Consultation } from './consultation.ts'
import type { Ruling, Stage } from './decide.ts'
import { askTrailers, type Flow } from './flowing-body.ts'
import { badReply } from './grpc-stream.ts'
import { notAllowed } from './permissions.ts'
import { ShownPieces, type ShownPiece } from './shown-pieces.ts'
import { decidedElsewhere } from './talk.ts'

export interface FlowMember {
  readonly c: Consultation
  readonly flow: Flow
}

/** Bytes of the source that an agent put others in the place of; offsets count from the beginning of the body. */
interface Change {
  readonly from: number
  readonly to: number
  readonly data: Buffer
}

/** What one agent has let go so far. */
interface Progress extends FlowMember {
  /** Everything before it is decided. */
  decided: number
  /** Bytes that it has answered while others have not. */
  ahead: number
  changes: Change[]
  changed: boolean
}

interface Asked {
  /** Where the piece ends. */
  readonly to: number
  /** In file order. */
  readonly answers: ReadonlyArray<Promise<ChunkAnswer | Ruling | undefined>>
}

const nothing = Buffer.alloc(0)

/**
 * A body whose pieces several agents are shown at once: each sees the bytes as they came. What all have let go flows on, with what one of them
 * changed; changes of the same bytes by two of them exclude each other. Of several that end the exchange at one piece the first in file order does.
 */
export class FlowingTogether implements Body {
  /** The agents may change it. */
  readonly length = undefined
  readonly #source: Body
  readonly #members: readonly Progress[]
  readonly #stage: Stage
  readonly #onStop: () => void
  readonly #pieces: ShownPieces<Asked>
  readonly #startMs = performance.now()
  #ready: Buffer[] = []
  /** Source bytes from `#emitted` on. */
  #kept: Buffer[] = []
  #emitted = 0
  #ended = false
  /** Which of them stops the exchange, and with what: those before it in the file may still do so in its place. */
  #stopped: { readonly by: number, readonly why: unknown } | undefined

  /** `onStop` is called when one of them ends the exchange. */
  constructor (members: readonly FlowMember[], source: Body, onStop: () => void) {
    this.#source = source
    this.#members = members.map((member) => ({ ...member, decided: 0, ahead: 0, changes: [], changed: false }))
    this.#stage = members[0]!.flow.stage // Several are given, all of one direction.
    this.#onStop = onStop
    // Up to the window of the one that has the least left.
    const credit = (): number => Math.min(...this.#members.map(({ c, ahead }) => c.talk.credit + ahead))
    this.#pieces = new ShownPieces(source, { credit, show: (data, end) => this.#show(data, end) })
    for (const { c } of members) c.talk.onCredit(() => this.#pieces.widened())
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
    this.#kept = []
    this.#source.cancel(reason)
  }

  async #show (data: Buffer, end: boolean): Promise<Asked> {
    if (data.length > 0) this.#kept.push(data)
    const to = this.#pieces.shownBytes
    const answers = (await Promise.all(this.#members.map(async ({ c, flow }) => {
      if (!flow.wanted()) return { answer: Promise.resolve(undefined) }
      return c.askChunk({ kind: flow.event, value: { data, end, truncated: false } }, flow.stage)
    }))).map(({ answer }) => answer)
    // The reader may have gone by then; whoever reads on awaits them below.
    answers.forEach((answer, i) => void answer.then((given) => {
      this.#members[i]!.ahead += data.length // One answer for each.
      this.#pieces.widened()
      if (given !== undefined && 'verdict' in given && given.reply !== undefined) this.#stop(i, new Refusal(given.reply))
    }, (error: unknown) => this.#stop(i, error)))
    return { to, answers }
  }

  /** Nobody waits for those that decide nothing any more, not even about earlier pieces: who comes later in the file, and who only looks on. */
  #stop (by: number, why: unknown): void {
    if (why === decidedElsewhere || this.#stopped !== undefined && this.#stopped.by <= by) return
    this.#stopped = { by, why }
    for (const [i, { c }] of this.#members.entries()) if (i !== by && (i > by || !c.enforces)) c.withdraw()
  }

  async #take ({ data, end, asked: { to, answers } }: ShownPiece<Asked>): Promise<void> {
    try {
      for (const [i, member] of this.#members.entries()) this.#apply(member, { to, end }, await answers[i])
      for (const member of this.#members) member.ahead -= data.length
      if (this.#ended) return
      this.#pieces.taken()
      this.#release()
      if (end) await this.#finish()
    } catch (found) {
      const error = found === decidedElsewhere ? this.#stopped?.why ?? found : found
      this.cancel(error instanceof Fault ? error : undefined)
      this.#onStop()
      throw error
    }
  }

  #apply (member: Progress, { to, end }: { readonly to: number, readonly end: boolean }, answer: ChunkAnswer | Ruling | undefined): void {
    const { c } = member
    if (answer !== undefined && 'verdict' in answer && answer.reply !== undefined) throw new Refusal(answer.reply)
    const fault = answer === undefined || 'verdict' in answer || !c.enforces ? undefined : faultOf(answer, end, c)
    if (fault !== undefined) c.fail(fault, this.#stage, this.#startMs)
    if (fault !== undefined || answer === undefined || 'verdict' in answer || !c.enforces) {
      member.decided = to
      return
    }
    switch (answer.kind) {
      case 'replace': return change(member, to, answer.value)
      case 'drop': return change(member, to, nothing)
      case 'hold': break
      case 'pass_but_tail':
        member.decided = end ? to : Math.max(member.decided, to - answer.value)
        break
      default: member.decided = to
    }
    const { maxHeldBytes } = member.flow
    if (to - member.decided > maxHeldBytes) c.fail(badReply(`more than ${maxHeldBytes} bytes of a body are held back`), this.#stage, this.#startMs)
  }

  /** What all of them have let go flows on. */
  #release (): void {
    const decided = Math.min(...this.#members.map((member) => member.decided))
    for (;;) {
      const next = this.#firstChange()
      if (next === undefined || next.change.from > decided) return this.#emit(decided)
      this.#emit(next.change.from)
      if (next.change.to > decided) return
      this.#excludeOthers(next.by, next.change)
      next.by.changes.shift()
      if (next.change.data.length > 0) this.#ready.push(next.change.data)
      this.#skip(next.change.to)
    }
  }

  #firstChange (): { readonly by: Progress, readonly change: Change } | undefined {
    let found: { readonly by: Progress, readonly change: Change } | undefined
    for (const by of this.#members) {
      const [change] = by.changes
      if (change !== undefined && (found === undefined || change.from < found.change.from)) found = { by, change }
    }
    return found
  }

  /** The same change by two is made once; another one of the same bytes stops the exchange. */
  #excludeOthers (by: Progress, { from, to, data }: Change): void {
    for (const other of this.#members) {
      const [change] = other.changes
      if (other === by || change === undefined || change.from >= to && !(change.from === from && change.to === to)) continue
      if (change.from === from && change.to === to && change.data.equals(data)) {
        other.changes.shift()
        continue
      }
      const fault = new Fault('AGENT_CONFLICT', `${other.c.settings.agentId} changes the same bytes as ${by.c.settings.agentId}, which was asked at the same time: name them one after the other`)
      other.c.fail(fault, this.#stage, this.#startMs)
      other.changes.shift()
    }
  }

  /** Bytes as they came, up to this one. */
  #emit (to: number): void {
    this.#advance(to, (chunk) => this.#ready.push(chunk))
  }

  #skip (to: number): void {
    this.#advance(to, () => {})
  }

  #advance (to: number, take: (chunk: Buffer) => void): void {
    while (this.#emitted < to) {
      const chunk = this.#kept.shift()! // What is decided was received.
      const wanted = to - this.#emitted
      if (chunk.length > wanted) this.#kept.unshift(chunk.subarray(wanted))
      const piece = chunk.length > wanted ? chunk.subarray(0, wanted) : chunk
      this.#emitted += piece.length
      take(piece)
    }
  }

  async #finish (): Promise<void> {
    for (const { c, flow, changed } of this.#members) if (!c.over) c.recordFlow(flow.stage, changed, this.#startMs)
    await this.#pieces.finish()
    for (const { c, flow } of this.#members) {
      const refusal = await askTrailers(c, this.#source, flow)
      if (refusal !== undefined) throw refusal
    }
    this.#ended = true
  }
}

function change (member: Progress, to: number, data: Buffer): void {
  member.changes.push({ from: member.decided, to, data })
  member.decided = to
  member.changed = true
}

/** Why an answer for a piece does not count. */
function faultOf (answer: ChunkAnswer, end: boolean, { settings: { may } }: Consultation): Fault | undefined {
  switch (answer.kind) {
    case undefined: return badReply('an answer for a chunk of a kind that this version does not know')
    case 'hold': return end ? badReply('the end of a body cannot be held back') : undefined
    case 'replace':
    case 'drop': return may?.replaceBodies === false ? notAllowed('to change pieces of a body') : undefined
    default: return undefined
  }
}
