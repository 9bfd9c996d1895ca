/**
 * As much of DER (X.690) as revocation answers need: definite lengths in their shortest form, tags of one byte, nothing behind the end.
 * What is written in another way is no DER, whoever signed it.
 */

/** One value. */
export interface Element {
  readonly tag: number
  /** What it holds. */
  readonly value: Buffer
  /** Tag, length and what it holds. */
  readonly raw: Buffer
}

export class NotDer extends Error {}

/** The elements that follow one another in `bytes`, to its end. */
export function elementsIn (bytes: Buffer): Element[] {
  const found: Element[] = []
  for (let at = 0; at < bytes.length;) {
    const element = elementAt(bytes, at)
    found.push(element)
    at += element.raw.length
  }
  return found
}

/** The one element that `bytes` are. */
export function onlyElement (bytes: Buffer): Element {
  const element = elementAt(bytes, 0)
  if (element.raw.length !== bytes.length) throw new NotDer('something stands behind the end')
  return element
}

function elementAt (bytes: Buffer, start: number): Element {
  const tag = byteAt(bytes, start)
  if ((tag & 0x1f) === 0x1f) throw new NotDer('a tag of several bytes')
  const { length, at } = lengthAt(bytes, start + 1)
  const end = at + length
  if (end > bytes.length) throw new NotDer('a length beyond the end')
  return { tag, value: bytes.subarray(at, end), raw: bytes.subarray(start, end) }
}

function lengthAt (bytes: Buffer, start: number): { readonly length: number, readonly at: number } {
  const first = byteAt(bytes, start)
  if (first < 0x80) return { length: first, at: start + 1 }
  const size = first & 0x7f
  if (size === 0 || size > 3) throw new NotDer('a length that is open or too long')
  let length = 0
  for (let i = 1; i <= size; i++) length = length * 256 + byteAt(bytes, start + i)
  if (length < 0x80 || length < 256 ** (size - 1)) throw new NotDer('a length that could be shorter')
  return { length, at: start + 1 + size }
}

function byteAt (bytes: Buffer, at: number): number {
  const byte = bytes[at]
  if (byte === undefined) throw new NotDer('it ends too early')
  return byte
}

/** The elements inside of one that must have this tag. */
export function inside (element: Element | undefined, tag: number): Element[] {
  return elementsIn(contentOf(element, tag))
}

export function contentOf (element: Element | undefined, tag: number): Buffer {
  if (element?.tag !== tag) throw new NotDer(`tag ${tag} is missing`)
  return element.value
}

export const tags = { integer: 0x02, bitString: 0x03, octetString: 0x04, null: 0x05, oid: 0x06, enumerated: 0x0a, time: 0x18, sequence: 0x30 } as const

export function encode (tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts)
  if (value.length < 0x80) return Buffer.concat([Buffer.from([tag, value.length]), value])
  const size = value.length < 0x100 ? 1 : value.length < 0x1_0000 ? 2 : 3
  const length = Buffer.alloc(size)
  length.writeUIntBE(value.length, 0, size)
  return Buffer.concat([Buffer.from([tag, 0x80 | size]), length, value])
}
