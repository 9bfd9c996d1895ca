import { ipBytes } from '../../../config/sentinel/index.ts'

/** Where an address is, by a database. */
export interface CountryDatabase {
  /** ISO 3166-1 alpha-2 in capitals; `undefined` for an address that it does not have. May throw on a damaged file. */
  countryOf (address: string): string | undefined
  close (): void
}

export type CountryLookup = (address: string) => string | undefined

/** Addresses that are remembered; the one that was asked first gives way. */
const mostRemembered = 10_000

interface Known {
  readonly country: string | undefined
  readonly untilMs: number
}

/** Asks the database once for each address in a time. Whoever has no address (a Unix socket) is nowhere. */
export function rememberedLookup (database: Pick<CountryDatabase, 'countryOf'>, ttlMs: number): CountryLookup {
  const known = new Map<string, Known>()
  return (address) => {
    const nowMs = performance.now()
    const found = known.get(address)
    if (found !== undefined && found.untilMs > nowMs) return found.country
    let country: string | undefined
    try {
      country = database.countryOf(plainAddress(address))
    } catch {
      // A part of the file that nobody can read says nothing about anybody: what that means is the operator's word.
      return undefined
    }
    if (known.size >= mostRemembered) known.delete(known.keys().next().value!)
    known.set(address, { country, untilMs: nowMs + ttlMs })
    return country
  }
}

/** An address of IPv4 in the clothes of IPv6 (`::ffff:192.0.2.1`) is where it always was: databases may not know it so. */
function plainAddress (address: string): string {
  const bytes = ipBytes(address)
  return bytes?.length === 4 ? bytes.join('.') : address
}

export function asCountry (code: unknown): string | undefined {
  return typeof code === 'string' && /^[A-Z]{2}$/.test(code) ? code : undefined
}
