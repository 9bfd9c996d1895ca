import type { Socket } from 'node:net'
import { FrameReader } from './frame-reader.ts'
import { defaultFrameBytes, errorCode, frameType, preface } from './protocol.ts'

/** Work for one connection in one turn of the event loop: the others want their turn. A head costs more than other frames do. */
const turnWork = 512
const headWork = 32

const prefaceBytes = Buffer.from(preface, 'latin1')

export interface IntakeUser {
  /** `Intake.reader` stands at a whole frame. */
  frame (): void
  /** Nothing should be read now: `Intake.goOn` is called later. */
  congested (): boolean
  fail (code: number, detail: string): void
}

/** What comes in on a connection, a bounded piece of work at a time. */
export class Intake {
  readonly reader = new FrameReader(defaultFrameBytes)
  #beganSinceMs: number
  readonly #socket: Socket
  readonly #user: IntakeUser
  #prefaceLeft: number
  #stopped: 'no' | 'turn' | 'congested' = 'no'
  /** Came although the socket was stopped. */
  #unread: Buffer[] = []
  #closed = false

  /** `awaitsPreface`: as servers do. */
  constructor (socket: Socket, awaitsPreface: boolean, user: IntakeUser) {
    this.#socket = socket
    this.#user = user
    this.#prefaceLeft = awaitsPreface ? prefaceBytes.length : 0
    this.#beganSinceMs = awaitsPreface ? performance.now() : Infinity
    socket.on('data', (bytes: Buffer) => this.#receive(bytes))
  }

  /** Since when a frame, or the preface, has begun and not ended, however much of it comes meanwhile; Infinity when none has, and while we do not read. */
  get beganSinceMs (): number {
    return this.#stopped === 'congested' ? Infinity : this.#beganSinceMs
  }

  /** Nothing that still comes is looked at. */
  close (): void {
    this.#closed = true
    this.#unread = []
    this.reader.clear()
  }

  /** There is room again. */
  decongested (): void {
    if (this.#stopped !== 'congested') return
    if (this.#beganSinceMs !== Infinity) this.#beganSinceMs = performance.now()
    this.#goOn()
  }

  #receive (bytes: Buffer): void {
    if (this.#closed) return
    if (this.#stopped !== 'no') {
      this.#unread.push(bytes)
      return
    }
    const rest = this.#prefaceLeft > 0 ? this.#readPreface(bytes) : bytes
    if (rest === undefined) return
    this.reader.push(rest)
    this.#process()
  }

  #readPreface (bytes: Buffer): Buffer | undefined {
    const at = prefaceBytes.length - this.#prefaceLeft
    const taken = Math.min(this.#prefaceLeft, bytes.length)
    if (prefaceBytes.compare(bytes, 0, taken, at, at + taken) !== 0) {
      this.#user.fail(errorCode.protocolError, 'no preface of HTTP/2')
      return undefined
    }
    this.#prefaceLeft -= taken
    return this.#prefaceLeft > 0 ? undefined : bytes.subarray(taken)
  }

  /** Takes frames until there are none, or others want their turn. */
  #process (): void {
    let work = turnWork
    for (;;) {
      if (work <= 0) return this.#stop('turn')
      if (this.#user.congested()) return this.#stop('congested')
      const found = this.reader.next()
      if (found === false) break
      if (found === 'too-large') return this.#user.fail(errorCode.frameSizeError, `a frame of ${this.reader.length} bytes`)
      this.#beganSinceMs = Infinity
      work -= this.reader.type === frameType.headers ? headWork : 1
      this.#user.frame()
      if (this.#closed) return
    }
    if (!this.reader.began) this.#beganSinceMs = Infinity
    else if (this.#beganSinceMs === Infinity) this.#beganSinceMs = performance.now()
  }

  #stop (why: 'turn' | 'congested'): void {
    this.#stopped = why
    this.#socket.pause()
    if (why === 'turn') setImmediate(this.#goOn)
  }

  readonly #goOn = (): void => {
    if (this.#closed) return
    this.#stopped = 'no'
    this.#process()
    while (this.#stopped === 'no' && !this.#closed) {
      const bytes = this.#unread.shift()
      if (bytes !== undefined) this.#receive(bytes)
      else return void this.#socket.resume()
    }
  }
}
