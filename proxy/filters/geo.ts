import { bodyOf } from '../pipeline/body.ts'
import type { Exchange, Filter, Reply } from '../pipeline/exchange.ts'
import { faultAnswer } from '../pipeline/fault-reply.ts'
import { Fault } from '../pipeline/faults.ts'
import { canonicalName } from '../pipeline/headers.ts'
import type { CountryLookup } from './geo/country-lookup.ts'

export interface GeoSettings {
  /** As the operator named it. */
  readonly name: string
  /** Whether a request of this country is refused; `undefined`: nobody knows the country. */
  readonly refuses: (country: string | undefined) => boolean
  /** Told of a request of a country that somebody wants to know of, though it is not refused. */
  readonly note: ((x: Exchange, country: string) => void) | undefined
  readonly statusCode: number
  readonly message: string | undefined
  /** Whether the upstream is told. */
  readonly addHeader: boolean
}

export const countryHeader = 'X-GeoIP-Country'

/** Lets in, keeps out or marks requests by the country of the client's address. */
export function geoFilter (settings: GeoSettings, countryOf: CountryLookup): Filter {
  const { refuses, note, addHeader } = settings
  const alias = canonicalName(countryHeader)
  return {
    name: 'geo',
    onRequest (x) {
      const country = countryOf(x.clientIp)
      if (addHeader) x.request.headers.removeIf((field) => canonicalName(field) === alias)
      if (country !== undefined) {
        x.setAttribute('geo.country', country)
        note?.(x, country)
        if (addHeader) x.request.headers.append(countryHeader, country)
      }
      return refuses(country) ? refusal(x, country, settings) : undefined
    },
  }
}

function refusal (x: Exchange, country: string | undefined, { name, statusCode, message }: GeoSettings): Reply {
  x.fault = new Fault('COUNTRY_REFUSED', `${name}: ${country ?? 'no country is known'}`)
  const reply = faultAnswer(x, 'COUNTRY_REFUSED')
  // gRPC says it in its own way.
  if (reply.status !== 403) return reply
  reply.status = statusCode
  if (message === undefined) return reply
  reply.headers.set('Content-Type', 'text/plain; charset=utf-8')
  reply.body = bodyOf(Buffer.from(message))
  return reply
}
