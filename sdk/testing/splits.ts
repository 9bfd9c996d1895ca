/** Every way to cut a body in two, the uncut one first: a pattern on a border must be found like any other. */
export function * splits (body: string | Uint8Array): IterableIterator<Uint8Array[]> {
  const bytes = Buffer.from(body)
  yield [bytes]
  for (let at = 1; at < bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)]
}

/** A body in pieces of `size` bytes; the last one may be shorter. */
export function pieces (body: string | Uint8Array, size: number): Uint8Array[] {
  const bytes = Buffer.from(body)
  const cut: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += size) cut.push(bytes.subarray(at, at + size))
  return cut
}
