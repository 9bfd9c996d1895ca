import type { ChunkAnswer } from './chunk.ts'
import { Collector, type LateBody, type BodyEvent } from './late-body.ts'
import type { AnswerableChunk, BodySource, LateBodyOptions } from './request.ts'

/** What `request.body()` and `request.chunks()` need of the exchange. */
export interface BodyAsker {
  readonly hasBody: boolean
  readonly maxBodyBytes: number
  /** Answers the headers with "go on, and show me the body". Throws when it is too late for that. */
  ask (kind: 'buffer' | 'stream', options: LateBodyOptions): LateBody
  /** From now on this is the event that the handler's answer belongs to. */
  answering (event: BodyEvent): void
  /** Answers that event. */
  answer (answer: ChunkAnswer | undefined): void
}

const nothing = Buffer.alloc(0)

/** The body of a request whose handler asks for it when it has seen the headers. */
export class AskedBody implements BodySource {
  readonly #asker: BodyAsker
  #whole: Promise<Uint8Array> | undefined
  /** The answer to the chunk that the loop looks at. */
  current: ChunkAnswer | undefined

  constructor (asker: BodyAsker) {
    this.#asker = asker
  }

  whole (options: LateBodyOptions): Promise<Uint8Array> {
    if (this.#whole === undefined) {
      this.#whole = this.#read(options)
      // A handler may ask and not wait; its process must not end because the exchange did.
      this.#whole.catch(() => {})
    }
    return this.#whole
  }

  async * chunks (): AsyncIterableIterator<AnswerableChunk> {
    if (!this.#asker.hasBody) return
    const late = this.#asker.ask('stream', {})
    for (;;) {
      const event = await late.next()
      this.#asker.answering(event)
      this.current = undefined
      yield { bytes: event.value.data, end: event.value.end, answer: (answer) => { this.current = answer } }
      // The last chunk is answered by the handler's decision.
      if (event.value.end) return
      this.#asker.answer(this.current)
      this.current = undefined
    }
  }

  async #read (options: LateBodyOptions): Promise<Uint8Array> {
    if (!this.#asker.hasBody) return nothing
    // A body that the proxy did not show at all would go on without the handler's decision: it shows the beginning, and the handler does not.
    const skips = options.over === 'skip'
    const late = this.#asker.ask('buffer', skips ? { ...options, over: 'prefix' } : options)
    const collector = new Collector(this.#asker.maxBodyBytes)
    for (;;) {
      const event = await late.next()
      if (event.value.end) this.#asker.answering(event)
      const body = collector.add(skips && event.value.truncated ? { ...event.value, data: nothing } : event.value)
      if (body) return body
    }
  }
}
