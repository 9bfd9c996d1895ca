import { encodeToAgent, frame, type Event } from '../../../proto/codec/index.ts'

/** Bytes of protobuf that no version has written yet (https://protobuf.dev/programming-guides/encoding/). */

function varint (value: number): number[] {
  const out: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) out.push(rest % 128 | 0x80)
  return [...out, rest]
}

/** A field of bytes. */
export function lengthDelimited (field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(bytes.length)]), bytes])
}

/** A number, eight bytes, some bytes and four bytes, in fields that nobody has. */
export function fieldsOfLater (): Buffer {
  return Buffer.concat([
    Buffer.from([...varint(2000 * 8), ...varint(300)]),
    Buffer.from([...varint(2001 * 8 + 1), 1, 2, 3, 4, 5, 6, 7, 8]),
    lengthDelimited(2002, Buffer.from('of a later version')),
    Buffer.from([...varint(2003 * 8 + 5), 1, 2, 3, 4]),
  ])
}

/** One event with more behind its fields, in a frame. `more` goes to the event, `beside` to the message around it. */
export function eventWith (event: Event, more: Buffer, beside: Buffer = Buffer.alloc(0)): Buffer {
  const whole = encodeToAgent({ events: [event] })
  // Its tag is one byte; its length is written anew.
  const at = 2 + whole.subarray(1).findIndex((byte) => byte < 0x80)
  return frame(Buffer.concat([lengthDelimited(1, Buffer.concat([whole.subarray(at), more])), beside]))
}

/** A kind of event that this version does not know: field 99 of the oneof. */
export const kindOfLater: Buffer = lengthDelimited(99, Buffer.from([0x0a, 1, 0x61]))
