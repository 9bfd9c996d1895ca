const nothing: Buffer = Buffer.alloc(0)

/** What came and could not be read yet. It may come octet by octet: the memory doubles, so that each octet is copied a few times at most. */
export class HeldBytes {
  bytes = nothing
  /** Memory of our own that `bytes` is the beginning of, when it came in pieces. */
  #room = nothing

  add (more: Buffer): void {
    const before = this.bytes.length
    if (before === 0) {
      this.bytes = more
      return
    }
    const length = before + more.length
    if (this.#room.length < length) {
      this.#room = Buffer.allocUnsafeSlow(length * 2)
      this.bytes.copy(this.#room)
    }
    more.copy(this.#room, before)
    this.bytes = this.#room.subarray(0, length)
  }

  /** Only these are left. */
  become (bytes: Buffer): void {
    this.bytes = bytes
    this.#room = nothing
  }

  clear (): void {
    this.become(nothing)
  }
}
