import { DynamicTable, type Entry } from './dynamic-table.ts'
import { fieldFlaw } from './field-rules.ts'
import { decodeHuffman } from './huffman.ts'
import { staticTable } from './static-table.ts'

/** What may be in one head. */
export interface HeadLimits {
  /** Names and values, four bytes for each field on top. */
  readonly maxBytes: number
  readonly maxFields: number
}

/** What a block says besides its fields. */
export interface DecodedBlock {
  /** `[name, value, …]`; not whole when something is wrong. */
  readonly fields: string[]
  /** The first thing that makes the message malformed. */
  flaw: string | undefined
  /** More than the limits allow; 'line' when a single path is. */
  excess: 'head' | 'line' | undefined
}

const indexed: readonly Entry[] = staticTable.map(([name, value]) => ({ name, value, flaw: fieldFlaw(name, value) }))

/** Two are all that a change of mind needs (RFC 7541 section 4.2). */
const maxSizeUpdates = 2

/**
 * Reads header blocks (RFC 7541). An error is a text: both tables differ from then on, and the connection is lost.
 *
 * What a block costs is bounded by its own bytes, not by what it unfolds to: a reference to an entry makes no text.
 */
export class HpackDecoder {
  readonly #maxTableSize: number
  readonly #limits: HeadLimits
  readonly #table: DynamicTable
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0
  #fields: DecodedBlock = { fields: [], flaw: undefined, excess: undefined }
  #size = 0
  #count = 0

  constructor (maxTableSize: number, limits: HeadLimits) {
    this.#maxTableSize = maxTableSize
    this.#limits = limits
    this.#table = new DynamicTable(maxTableSize)
  }

  decode (bytes: Buffer, start: number, end: number): DecodedBlock | string {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    this.#size = 0
    this.#count = 0
    const block = this.#fields = { fields: [], flaw: undefined, excess: undefined }
    const error = this.#sizeUpdates() ?? this.#representations()
    // Neither the block nor what came with it is kept alive.
    this.#bytes = nothing
    return error ?? block
  }

  #sizeUpdates (): string | undefined {
    for (let updates = 0; this.#at < this.#end && (this.#bytes[this.#at]! & 0xe0) === 0x20; updates++) {
      const size = this.#integer(0x1f)
      if (size === undefined) return 'a number that is not whole'
      if (size > this.#maxTableSize) return 'a table size above the limit'
      if (updates === maxSizeUpdates) return 'too many table sizes'
      this.#table.resize(size)
    }
    return undefined
  }

  #representations (): string | undefined {
    while (this.#at < this.#end) {
      const first = this.#bytes[this.#at]!
      if ((first & 0xe0) === 0x20) return 'a table size behind a field'
      const entry = (first & 0x80) !== 0 ? this.#known(this.#integer(0x7f)) : this.#literal((first & 0x40) !== 0)
      if (typeof entry === 'string') return entry
      this.#take(entry)
    }
    return undefined
  }

  #known (index: number | undefined): Entry | string {
    if (index === undefined) return 'a number that is not whole'
    return (index <= indexed.length ? indexed[index - 1] : this.#table.get(index - indexed.length - 1)) ?? 'an index of nothing'
  }

  #literal (remember: boolean): Entry | string {
    const index = this.#integer(remember ? 0x3f : 0x0f)
    if (index === undefined) return 'a number that is not whole'
    let name: string | undefined
    if (index === 0) {
      name = this.#text()
    } else {
      const named = this.#known(index)
      if (typeof named === 'string') return named
      name = named.name
    }
    const value = name === undefined ? undefined : this.#text()
    if (name === undefined || value === undefined) return 'a text that is not whole or not well coded'
    const entry = { name, value, flaw: fieldFlaw(name, value) }
    if (remember) this.#table.add(entry)
    return entry
  }

  #take ({ name, value, flaw }: Entry): void {
    const block = this.#fields
    this.#size += name.length + value.length + 4
    // Browsers send each cookie as a field of its own; in HTTP/1.1 they are one (RFC 9113 section 8.2.3).
    if (name !== 'cookie') this.#count++
    if (this.#size > this.#limits.maxBytes || this.#count > this.#limits.maxFields) {
      block.excess ??= name === ':path' && value.length > this.#limits.maxBytes ? 'line' : 'head'
    }
    if (flaw !== undefined) block.flaw ??= flaw
    if (block.excess === undefined && block.flaw === undefined) block.fields.push(name, value)
  }

  /** RFC 7541 section 5.1: a number whose first bits share an octet with something else. */
  #integer (mask: number): number | undefined {
    let value = this.#bytes[this.#at++]! & mask
    if (value < mask) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= this.#end) return undefined
      const byte = this.#bytes[this.#at++]!
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    return undefined
  }

  #text (): string | undefined {
    if (this.#at >= this.#end) return undefined
    const coded = this.#bytes[this.#at]! >= 0x80
    const length = this.#integer(0x7f)
    if (length === undefined || length > this.#end - this.#at) return undefined
    const start = this.#at
    this.#at += length
    return coded ? decodeHuffman(this.#bytes, start, this.#at) : this.#bytes.toString('latin1', start, this.#at)
  }
}

const nothing: Buffer = Buffer.alloc(0)
