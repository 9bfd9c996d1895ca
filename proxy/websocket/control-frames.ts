import { randomBytes } from 'node:crypto'

/** Answers carry it back; nobody looks at it. */
const pingBytes = 4

/** `masked`: for a server, which takes no other frames (RFC 6455 section 5.3). */
export function pingFrame (masked: boolean): Buffer {
  return controlFrame(9, randomBytes(pingBytes), masked)
}

/** A status code (RFC 6455 section 7.4), and a reason of at most 123 bytes. */
export function closeFrame (code: number, masked: boolean, reason = ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  return controlFrame(8, payload, masked)
}

export function controlFrame (opcode: number, payload: Buffer, masked: boolean): Buffer {
  const head = Buffer.from([0x80 | opcode, (masked ? 0x80 : 0) | payload.length])
  if (!masked) return Buffer.concat([head, payload])
  const key = randomBytes(4)
  return Buffer.concat([head, key, payload.map((octet, i) => octet ^ key[i % 4]!)])
}
