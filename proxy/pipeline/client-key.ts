import { ipBytes } from '../../config/schema/address.ts'

/** Whom a limit for each client counts: whoever has one IPv6 address has its /64. */
export function clientKey (address: string): string {
  if (!address.includes(':')) return address
  const bytes = ipBytes(address)
  if (bytes === undefined) return address
  return bytes.length === 4 ? bytes.join('.') : Buffer.from(bytes.slice(0, 8)).toString('latin1')
}
