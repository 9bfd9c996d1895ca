import { createDeflateRaw, createInflateRaw, constants, type DeflateRaw, type InflateRaw } from 'node:zlib'
import { tooLong, type Violation } from '../frame-head.ts'
import type { Packing } from './extensions.ts'

/** What every packed message ends with, and no sender sends (RFC 7692 section 7.2.1). */
const tail = Buffer.from([0, 0, 0xff, 0xff])

export interface Unpacked {
  readonly data: Buffer
  /** It has an end inside: what follows that is read by some and not by others, so only what was read may go on. */
  readonly endsInside: boolean
}

/** Unpacks the messages of one sender, one at a time. */
export class Unpacker {
  readonly #packing: Packing
  #inflate: InflateRaw | undefined = undefined
  /** Ends what is under way. */
  #abandon: (() => void) | undefined = undefined

  constructor (packing: Packing) {
    this.#packing = packing
  }

  /** Stops at the limit, however much a few bytes would become. */
  unpack (payload: Buffer, maxBytes: number): Promise<Unpacked | Violation> {
    const inflate = this.#inflate ??= createInflateRaw({ windowBits: 15 })
    return new Promise((resolve) => {
      const chunks: Buffer[] = []
      let bytes = 0
      let endsInside = false
      const done = (result: Unpacked | Violation): void => {
        this.#abandon = undefined
        inflate.removeAllListeners('data').removeAllListeners('error').removeAllListeners('end')
        if ('code' in result || endsInside) this.close()
        else if (!this.#packing.takeover) inflate.reset()
        resolve(result)
      }
      const all = (): void => done({ data: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes), endsInside })
      this.#abandon = () => resolve(abandoned)
      inflate.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > maxBytes) return done(tooLong(maxBytes))
        chunks.push(chunk)
      })
      inflate.once('end', () => {
        endsInside = true
        all()
      })
      inflate.once('error', () => done({ code: 1007, detail: 'a compressed message that cannot be unpacked' }))
      inflate.write(payload)
      inflate.write(tail)
      inflate.flush(() => { if (this.#inflate === inflate && !endsInside && bytes <= maxBytes) all() })
    })
  }

  /** Nobody needs the rest; what is under way gives nothing. */
  close (): void {
    const inflate = this.#inflate
    this.#inflate = undefined
    this.#abandon?.()
    // What is still under way may fail: nobody waits for it any more.
    inflate?.on('error', () => {}).close()
  }
}

const abandoned: Unpacked = { data: Buffer.alloc(0), endsInside: false }

/** zlib's smallest window is larger than the smallest that can be agreed on. */
const smallestWindowBits = 9
/** Shorter ones are not worth it. */
const worthBytes = 64

/** Packs messages for one receiver, one at a time. What it packs refers to nothing that others have packed before. */
export class Packer {
  readonly #packing: Packing
  #deflate: DeflateRaw | undefined = undefined
  #abandon: (() => void) | undefined = undefined

  constructor (packing: Packing) {
    this.#packing = packing
  }

  /** `undefined`: it goes as it is, which any message may (RFC 7692 section 6). */
  pack (data: Buffer): Promise<Buffer> | undefined {
    const { takeover, windowBits } = this.#packing
    if (windowBits < smallestWindowBits || data.length < worthBytes) return undefined
    const deflate = this.#deflate ??= createDeflateRaw({ windowBits, memLevel: 7 })
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      this.#abandon = () => resolve(abandoned.data)
      deflate.on('data', (chunk: Buffer) => { chunks.push(chunk) })
      deflate.once('error', reject)
      deflate.write(data)
      deflate.flush(constants.Z_SYNC_FLUSH, () => {
        deflate.removeAllListeners('data').removeAllListeners('error')
        this.#abandon = undefined
        if (!takeover) deflate.reset()
        const packed = Buffer.concat(chunks)
        resolve(packed.subarray(0, packed.length - tail.length))
      })
    })
  }

  close (): void {
    this.#deflate?.on('error', () => {}).close()
    this.#deflate = undefined
    this.#abandon?.()
  }
}
