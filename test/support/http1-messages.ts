/** Requests in a row of bytes, read with the grammar that the listener reads with, in pieces of any size. */
import { ChunkedDecoder, LengthDecoder } from '../../proxy/http1/body-decoder.ts'
import { Malformed, readFields } from '../../proxy/http1/fields.ts'
import { readRequestLine } from '../../proxy/http1/request-line.ts'
import { readRequestHead } from '../../proxy/listeners/request-head.ts'

export interface Message {
  readonly method: string
  readonly target: string
  readonly fields: readonly string[]
  readonly body: string
  readonly trailers: readonly string[]
}

export interface Read {
  readonly messages: Message[]
  /** Why what came then was refused. */
  readonly refused: string | undefined
}

/** `pieceLength` says how many bytes of a body come at a time. */
export function readMessages (bytes: Buffer, pieceLength: () => number): Read {
  const messages: Message[] = []
  let at = 0
  for (;;) {
    if (bytes[at] === 0x0d && bytes[at + 1] === 0x0a) at += 2
    const end = bytes.indexOf('\r\n\r\n', at, 'latin1')
    if (end === -1) return { messages, refused: undefined }
    const text = bytes.toString('latin1', at, end + 4)
    const line = readRequestLine(text, 0)
    if (line instanceof Malformed) return { messages, refused: line.detail }
    const fields: string[] = []
    const read = readFields(text, line.end, fields, 100)
    if (read instanceof Malformed) return { messages, refused: read.detail }
    const all = fields.slice()
    const { method, target, version } = line
    const received = readRequestHead({ method, target, version, fields, scheme: 'http', maxFields: 100 })
    if ('code' in received) return { messages, refused: received.detail }
    at += text.length
    const out: Buffer[] = []
    const trailers: string[] = []
    if (received.framing.hasBody) {
      const { length } = received.framing
      const decoder = length === undefined ? new ChunkedDecoder({ maxTrailerBytes: 8192, maxTrailerFields: 100 }) : new LengthDecoder(length)
      while (!decoder.complete) {
        if (at >= bytes.length) return { messages, refused: undefined }
        const piece = bytes.subarray(at, at + pieceLength())
        const used = decoder.decode(piece, 0, out)
        if (used instanceof Malformed) return { messages, refused: used.detail }
        at += used
      }
      trailers.push(...decoder.trailers)
    }
    messages.push({ method, target, fields: all, body: Buffer.concat(out).toString('latin1'), trailers })
    if (!received.persistent) return { messages, refused: undefined }
  }
}
