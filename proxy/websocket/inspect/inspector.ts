import type { Body, MaybePromise } from '../../pipeline/body.ts'
import type { MessageJudge, MessageVerdict, TunnelMessage } from '../../pipeline/exchange.ts'
import type { Fault } from '../../pipeline/faults.ts'
import { controlFrame } from '../control-frames.ts'
import { opcodes, tooLong } from '../frame-head.ts'
import type { Inspected, InspectorEvents, MessageOutcome } from '../inspection.ts'
import { Packer, Unpacker } from './deflate.ts'
import type { Packing } from './extensions.ts'
import { messageFrame } from './frames.ts'
import { MessageReader, type Said } from './message-reader.ts'
import { isUtf8 } from './validity.ts'

export interface InspectorSettings {
  readonly fromClient: boolean
  readonly maxMessageBytes: number
  readonly events: InspectorEvents
  /** What became of a message that was asked about. */
  readonly told: (outcome: MessageOutcome) => void
}

interface Work {
  /** In the order in which they are asked. */
  readonly judges: readonly MessageJudge[]
  readonly reader: MessageReader
  readonly packing: Packing | undefined
}

type SaidMessage = Extract<Said, { kind: 'message' }>

/**
 * One direction of a tunnel whose messages are asked about, one after the other: nothing is read while one is with those who judge it, so a
 * sender is as fast as they are. What comes out are whole frames.
 *
 * A message that passes keeps the form in which it came, compressed or not. Once one that was compressed did not pass as it was, the receiver
 * lacks what later ones may refer to: from then on they are packed anew.
 */
export class Inspector implements Inspected {
  readonly length = undefined
  readonly trailers = undefined
  readonly #source: Body
  readonly #settings: InspectorSettings
  #work: Work | undefined = undefined
  /** Bytes pass unread. */
  #raw = false
  #begun: (() => void) | undefined = undefined
  #unpacker: Unpacker | undefined = undefined
  #packer: Packer | undefined = undefined
  #apart = false
  /** Its sender has said Close: what it says behind that is no message. */
  #closed = false
  #ended = false
  waiting = false

  constructor (source: Body, settings: InspectorSettings) {
    this.#source = source
    this.#settings = settings
  }

  /** `judges` in the order of the chain; with none bytes pass unread. Nothing is read before. */
  begin (judges: readonly MessageJudge[], packing: Packing | undefined): void {
    const { fromClient, maxMessageBytes } = this.#settings
    if (judges.length === 0) {
      this.#raw = true
    } else {
      const rules = { masked: fromClient, extended: packing === undefined ? false : 'deflate', maxMessageBytes } as const
      this.#work = { judges: fromClient ? judges : judges.toReversed(), reader: new MessageReader(rules), packing }
    }
    this.#begun?.()
  }

  read (): MaybePromise<Buffer | undefined> {
    return this.#raw ? this.#source.read() : this.#next()
  }

  cancel (reason?: Fault): void {
    this.#ended = true
    this.#begun?.()
    this.#unpacker?.close()
    this.#packer?.close()
    this.#source.cancel(reason)
  }

  async #next (): Promise<Buffer | undefined> {
    if (this.#work === undefined && !this.#raw && !this.#ended) await new Promise<void>((resolve) => { this.#begun = resolve })
    if (this.#raw) return this.#source.read()
    const work = this.#work
    while (work !== undefined && !this.#ended) {
      const said = this.#closed ? undefined : work.reader.next()
      if (said !== undefined) {
        const frame = await this.#pass(said, work)
        if (frame !== undefined) return frame
        continue
      }
      const chunk = await this.#source.read()
      if (chunk === undefined) return undefined
      this.#settings.events.heard()
      if (!this.#closed) work.reader.feed(chunk)
    }
    return undefined
  }

  /** The frame that goes on in the place of what was said. */
  #pass (said: Said, work: Work): MaybePromise<Buffer | undefined> {
    if (said.kind === 'control') {
      if (said.opcode === opcodes.close) this.#closed = true
      return controlFrame(said.opcode, said.payload, this.#settings.fromClient)
    }
    if (said.kind === 'message') return this.#passMessage(said, work)
    this.#end()
    this.#settings.events.violated(said.violation)
    return undefined
  }

  async #passMessage (said: SaidMessage, work: Work): Promise<Buffer | undefined> {
    const { fromClient, events, told } = this.#settings
    const wanted = work.judges.some((judge) => judge.wanted)
    const asIs = (): Buffer => messageFrame(said.payload, { binary: said.binary, compressed: said.compressed, masked: fromClient })
    if (!wanted && !this.#apart) return asIs()
    const message = await this.#unpacked(said, work)
    if (message === undefined || this.#ended) return undefined
    if (!wanted) return this.#again(message, said, work)
    this.waiting = true
    const verdict = await judged(message, work.judges)
    this.waiting = false
    if (this.#ended) return undefined
    told(outcomes[verdict.kind])
    // The receiver does not get what it was packed from.
    if (verdict.kind !== 'pass' && said.compressed && work.packing!.takeover) this.#apart = true
    switch (verdict.kind) {
      case 'pass': return this.#apart ? this.#again(message, said, work) : asIs()
      case 'replace': return this.#again(verdict, said, work)
      case 'drop': return undefined
      case 'close':
        this.#end()
        events.closed(verdict)
        return undefined
    }
  }

  async #unpacked ({ payload, binary, compressed }: SaidMessage, { packing }: Work): Promise<TunnelMessage | undefined> {
    const { fromClient, maxMessageBytes, events } = this.#settings
    let data = payload
    if (compressed) {
      const unpacked = await (this.#unpacker ??= new Unpacker(packing!)).unpack(payload, maxMessageBytes)
      if (this.#ended) return undefined
      if ('code' in unpacked) {
        this.#end()
        events.violated(unpacked)
        return undefined
      }
      data = unpacked.data
      if (unpacked.endsInside) this.#apart = true
    }
    if (data.length > maxMessageBytes || !binary && !isUtf8(data)) {
      this.#end()
      events.violated(data.length > maxMessageBytes ? tooLong(maxMessageBytes) : { code: 1007, detail: 'a text that is not valid UTF-8' })
      return undefined
    }
    return { fromClient, binary, data }
  }

  /** A frame that was made here: compressed where the one in its place was. */
  async #again ({ binary, data }: Pick<TunnelMessage, 'binary' | 'data'>, said: SaidMessage, { packing }: Work): Promise<Buffer | undefined> {
    const masked = this.#settings.fromClient
    const packed = said.compressed ? await (this.#packer ??= new Packer(packing!)).pack(data) : undefined
    return this.#ended ? undefined : messageFrame(packed ?? data, { binary, compressed: packed !== undefined, masked })
  }

  #end (): void {
    this.#ended = true
  }
}

const outcomes = { pass: 'passed', drop: 'dropped', replace: 'replaced', close: 'closed' } as const satisfies Record<MessageVerdict['kind'], MessageOutcome>

/** Asks one after the other; what one has put in the place of the message is what the next one sees. */
async function judged (message: TunnelMessage, judges: readonly MessageJudge[]): Promise<MessageVerdict> {
  let verdict: MessageVerdict = passed
  let shown = message
  for (const judge of judges) {
    if (!judge.wanted) continue
    const given = judge.judge(shown)
    const next = given instanceof Promise ? await given : given
    if (next.kind === 'pass') continue
    verdict = next
    if (next.kind !== 'replace') break
    shown = { ...shown, binary: next.binary, data: next.data }
  }
  return verdict
}

const passed: MessageVerdict = { kind: 'pass' }
