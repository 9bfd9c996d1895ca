/** Headers of the PROXY protocol, version 2, right or wrong as a test wants them. */
import { crc32c } from '../../proxy/listeners/crc32c.ts'

export const v2Start = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

export interface V2 {
  readonly versionAndCommand?: number
  readonly family?: number
  readonly body?: Buffer
  /** In place of the true length. */
  readonly length?: number
}

export function v2 ({ versionAndCommand = 0x21, family = 0x11, body = v4Addresses(), length = body.length }: V2 = {}): Buffer {
  return Buffer.concat([v2Start, Buffer.from([versionAndCommand, family, length >> 8, length & 255]), body])
}

/** 198.51.100.7:4321 → 192.0.2.1:443. */
export function v4Addresses (): Buffer {
  return Buffer.from([198, 51, 100, 7, 192, 0, 2, 1, 0x10, 0xe1, 0x01, 0xbb])
}

/** [2001:db8::7]:4321 → [2001:db8::1]:443. */
export function v6Addresses (): Buffer {
  const address = (last: number): number[] => [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]
  return Buffer.from([...address(7), ...address(1), 0x10, 0xe1, 0x01, 0xbb])
}

export function tlv (type: number, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 255]), bytes])
}

/** With a checksum behind everything else; a wrong one when `spoil`. */
export function withChecksum (facts: readonly Buffer[], spoil = false): Buffer {
  const whole = v2({ body: Buffer.concat([v4Addresses(), ...facts, tlv(3, Buffer.alloc(4))]) })
  whole.writeUInt32BE((crc32c(whole) ^ (spoil ? 1 : 0)) >>> 0, whole.length - 4)
  return whole
}
