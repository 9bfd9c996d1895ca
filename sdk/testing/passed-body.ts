import type { ChunkAnswer } from '../../proto/codec/index.ts'

/** What the chunk answers of an agent let through, as the proxy reckons it. */
export class PassedBody {
  #passed: Buffer[] = []
  #held: Buffer = Buffer.alloc(0)

  answer (chunk: Buffer, answer: ChunkAnswer): void {
    const waiting = Buffer.concat([this.#held, chunk])
    this.#held = Buffer.alloc(0)
    switch (answer.kind) {
      case 'pass': return void this.#passed.push(waiting)
      case 'replace': return void this.#passed.push(answer.value)
      case 'drop': return
      case 'hold':
        this.#held = waiting
        return
      case 'pass_but_tail': {
        // Of what was held and the chunk together: small chunks must not shorten the tail.
        const cut = Math.max(0, waiting.length - answer.value)
        this.#passed.push(waiting.subarray(0, cut))
        this.#held = waiting.subarray(cut)
        return
      }
      case undefined: throw new Error('a chunk answer without a kind')
    }
  }

  /** A tail that is still kept back goes on with the end. */
  end (): Buffer {
    return Buffer.concat([...this.#passed, this.#held])
  }
}
