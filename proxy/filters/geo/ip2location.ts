import { isIP } from 'node:net'
import ip2location from 'ip2location-nodejs'
import { asCountry, type CountryDatabase } from './country-lookup.ts'

/** A database in IP2Location's BIN form, read where it lies. Throws when the file is none. */
export function openIp2Location (file: string): CountryDatabase {
  const reader = new ip2location.IP2Location()
  reader.open(file)
  // It opens nothing before it is asked, and answers with a sentence when it cannot.
  const probe = reader.getCountryShort('192.0.2.1')
  if (probe.length > 2) throw new Error(probe)
  return {
    countryOf: (address) => isIP(address) === 0 ? undefined : asCountry(reader.getCountryShort(address)),
    close: () => { reader.close() },
  }
}
