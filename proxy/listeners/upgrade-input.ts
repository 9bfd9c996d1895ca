import type { Body, MaybePromise } from '../pipeline/body.ts'
import { Fault } from '../pipeline/faults.ts'

interface Reader {
  readonly resolve: (chunk: Buffer | undefined) => void
  readonly reject: (fault: Fault) => void
}

/** What arrived and nobody read yet may grow to this before the connection stops reading. */
const windowBytes = 64 * 1024

/** More pieces than this are joined: a client that sends single octets must not make an object of each. */
const mostPieces = 256

/** What a client says once its connection has become a tunnel: the connection pushes, the pipeline pulls. */
export class UpgradeInput implements Body {
  readonly length = undefined
  readonly trailers = undefined
  /** The switch was announced: bytes of the connection belong here. */
  switched = false
  readonly #onSwitch: () => void
  readonly #flow: (reading: boolean) => void
  #arrived: Buffer[] = []
  #arrivedBytes = 0
  #stopped = false
  #ended = false
  #fault: Fault | undefined = undefined
  #reader: Reader | undefined = undefined
  #over: (() => void) | undefined = undefined

  /** `onSwitch`: the connection hands over what came early. `flow`: it stops and goes on reading. */
  constructor ({ onSwitch, flow }: { onSwitch: () => void, flow: (reading: boolean) => void }) {
    this.#onSwitch = onSwitch
    this.#flow = flow
  }

  switch (): void {
    this.switched = true
    this.#onSwitch()
  }

  push (bytes: Buffer): void {
    if (this.#fault !== undefined || this.#ended || bytes.length === 0) return
    const reader = this.#reader
    if (reader !== undefined) {
      this.#reader = undefined
      return reader.resolve(bytes)
    }
    this.#arrived.push(bytes)
    this.#arrivedBytes += bytes.length
    if (this.#arrived.length > mostPieces) this.#arrived = [Buffer.concat(this.#arrived)]
    if (this.#arrivedBytes <= windowBytes || this.#stopped) return
    this.#stopped = true
    this.#flow(false)
  }

  /** The client has said all it will say. */
  end (): void {
    this.#ended = true
    const reader = this.#reader
    this.#reader = undefined
    reader?.resolve(undefined)
    if (this.#arrived.length === 0) this.#settle()
  }

  /** Whoever reads, now or later, gets this fault. The first one counts. */
  fail (fault: Fault): void {
    if (this.#fault !== undefined) return
    this.#fault = fault
    this.#arrived = []
    this.#arrivedBytes = 0
    const reader = this.#reader
    this.#reader = undefined
    reader?.reject(fault)
    this.#go()
    this.#settle()
  }

  read (): MaybePromise<Buffer | undefined> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    const chunk = this.#arrived.shift()
    if (chunk !== undefined) {
      this.#arrivedBytes -= chunk.length
      if (this.#arrivedBytes === 0) this.#go()
      return chunk
    }
    if (this.#ended) {
      this.#settle()
      return undefined
    }
    return new Promise((resolve, reject) => { this.#reader = { resolve, reject } })
  }

  cancel (reason?: Fault): void {
    this.fail(reason ?? new Fault('CLIENT_GONE', 'the tunnel was given up'))
  }

  /** Resolves when nothing more comes out of it: the client has ended its side and was heard to the end, or nobody wants to hear more. */
  over (): Promise<void> {
    if (this.#fault !== undefined || this.#ended && this.#arrived.length === 0) return Promise.resolve()
    return new Promise((resolve) => { this.#over = resolve })
  }

  #settle (): void {
    this.#over?.()
    this.#over = undefined
  }

  #go (): void {
    if (!this.#stopped) return
    this.#stopped = false
    this.#flow(true)
  }
}
