import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { Reader, type CountryResponse } from 'mmdb-lib'
import { asCountry, type CountryDatabase } from './country-lookup.ts'

/** A database in MaxMind's form (maxmind.github.io/MaxMind-DB), held in memory. Throws when the file is none. */
export function openMaxMind (file: string): CountryDatabase {
  const reader = new Reader<CountryResponse>(readFileSync(file))
  return {
    countryOf (address) {
      if (isIP(address) === 0) return undefined
      const found = reader.get(address)
      // Where somebody is, and for those who are nowhere in particular (satellites, anonymous networks) where their network is registered.
      return asCountry(found?.country?.iso_code) ?? asCountry(found?.registered_country?.iso_code)
    },
    close: () => { /* the collector takes it */ },
  }
}
