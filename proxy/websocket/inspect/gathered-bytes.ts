/** The first room for a message; it doubles as bytes come, whatever length its sender has announced. */
const firstBytes = 1024

/** Bytes of one message as they come, in one piece of memory: an object for each of a million fragments costs hundreds of times the byte. */
export class GatheredBytes {
  #bytes = nothing
  #length = 0

  get length (): number {
    return this.#length
  }

  /** Adds `chunk` from `from` to `to`, unmasked where `mask` says so; `offset` is where in the frame's payload it stands. */
  add (chunk: Buffer, from: number, to: number, mask: Buffer | undefined, offset: number): void {
    const at = this.#length
    this.#length += to - from
    this.#grow()
    chunk.copy(this.#bytes, at, from, to)
    if (mask !== undefined) applyMask(this.#bytes, at, this.#length, mask, offset)
  }

  /** All of them; what comes next is another message. */
  take (): Buffer {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#bytes = nothing
    this.#length = 0
    return taken
  }

  #grow (): void {
    if (this.#length <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#length, this.#bytes.length === 0 ? Math.min(firstBytes, 2 * this.#length) : 2 * this.#bytes.length))
    this.#bytes.copy(larger)
    this.#bytes = larger
  }
}

/** Mixes the bytes from `from` to `to` with a key (RFC 6455 section 5.3): what is masked is unmasked. `offset`: where in the payload they stand. */
export function applyMask (bytes: Buffer, from: number, to: number, key: Buffer, offset = 0): void {
  for (let at = from; at < to; at++) bytes[at]! ^= key[(at - from + offset) & 3]!
}

const nothing = Buffer.alloc(0)
