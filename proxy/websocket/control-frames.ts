import { randomBytes } from 'node:crypto'

/** Status codes that the proxy gives (RFC 6455 section 7.4.1). */
export type CloseCode = 1001 | 1002 | 1009

/** Answers carry it back; nobody looks at it. */
const pingBytes = 4

/** `masked`: for a server, which takes no other frames (RFC 6455 section 5.3). */
export function pingFrame (masked: boolean): Buffer {
  return controlFrame(9, randomBytes(pingBytes), masked)
}

export function closeFrame (code: CloseCode, masked: boolean): Buffer {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  return controlFrame(8, payload, masked)
}

function controlFrame (opcode: number, payload: Buffer, masked: boolean): Buffer {
  const head = Buffer.from([0x80 | opcode, (masked ? 0x80 : 0) | payload.length])
  if (!masked) return Buffer.concat([head, payload])
  const key = randomBytes(4)
  return Buffer.concat([head, key, payload.map((octet, i) => octet ^ key[i % 4]!)])
}
