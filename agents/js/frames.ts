/** What passes between the agent and a runner: length of the rest (4 bytes, big endian), kind (1 byte), payload. */

export const toRunner = { boot: 0, call: 1, settle: 2 } as const
export const fromRunner = { ready: 0, failed: 1, done: 2, log: 3, ask: 4 } as const

/** Nothing that either side has to say is longer. */
export const maxFrameBytes = 64 * 1024 * 1024
/** What a script answers, without the body that goes with it, and what stands in a line of the log: the agent reads it in the time of all calls. */
export const maxAnswerChars = 512 * 1024
export const maxLineChars = 32 * 1024

const headBytes = 5

export function frame (kind: number, payload: string | Buffer): Buffer {
  const bytes = Buffer.byteLength(payload)
  const whole = Buffer.allocUnsafe(headBytes + bytes)
  whole.writeUInt32BE(bytes + 1, 0)
  whole[4] = kind
  if (typeof payload === 'string') whole.write(payload, headBytes, 'utf8')
  else payload.copy(whole, headBytes)
  return whole
}

/** A text and a body behind it, as one payload. */
export function withBody (text: string, body: Uint8Array): Buffer {
  const bytes = Buffer.byteLength(text)
  const whole = Buffer.allocUnsafe(4 + bytes + body.length)
  whole.writeUInt32BE(bytes, 0)
  whole.write(text, 4, 'utf8')
  whole.set(body, 4 + bytes)
  return whole
}

export function splitBody (payload: Buffer): { readonly text: string, readonly body: Buffer } {
  const bytes = payload.readUInt32BE(0)
  return { text: payload.toString('utf8', 4, 4 + bytes), body: payload.subarray(4 + bytes) }
}

/** Takes what arrives and calls `take` for each whole frame. Throws a RangeError for one that is longer than any may be. */
export function frameReader (take: (kind: number, payload: Buffer) => void): (chunk: Buffer) => void {
  let pieces: Buffer[] = []
  let bytes = 0
  let wanted = headBytes
  const keep = (rest: Buffer): void => {
    pieces = rest.length === 0 ? [] : [rest]
    bytes = rest.length
  }
  return (chunk) => {
    pieces.push(chunk)
    bytes += chunk.length
    if (bytes < wanted) return
    let rest = pieces.length === 1 ? chunk : Buffer.concat(pieces, bytes)
    wanted = headBytes
    while (rest.length >= headBytes) {
      const size = rest.readUInt32BE(0)
      if (size < 1 || size > maxFrameBytes) throw new RangeError(`a message of ${size} bytes`)
      if (rest.length < 4 + size) {
        wanted = 4 + size
        break
      }
      const [kind, payload] = [rest[4]!, rest.subarray(headBytes, 4 + size)]
      rest = rest.subarray(4 + size)
      // Before it is taken: one that makes `take` throw must not come again with the next chunk, as if it were another call.
      keep(rest)
      take(kind, payload)
    }
    keep(rest)
  }
}
