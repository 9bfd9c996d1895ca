import { ipBytes } from '../../config/schema/address.ts'

/** Whom a limit for each client counts: whoever has one IPv6 address has its /64, or whatever prefix is said. */
export function clientKey (address: string, bits = 64): string {
  if (!address.includes(':')) return address
  const bytes = ipBytes(address)
  if (bytes === undefined) return address
  return bytes.length === 4 ? bytes.join('.') : prefixOf(bytes, bits)
}

function prefixOf (bytes: readonly number[] | Uint8Array, bits: number): string {
  const prefix = Buffer.from(bytes.slice(0, Math.ceil(bits / 8)))
  if (bits % 8 > 0) prefix[prefix.length - 1]! &= 0xff << (8 - bits % 8)
  return prefix.toString('latin1')
}
