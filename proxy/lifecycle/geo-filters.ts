import { statSync } from 'node:fs'
import { geoFormOf, type GeoForm, type SentinelConfig } from '../../config/sentinel/index.ts'
import { rememberedLookup, type CountryDatabase, type CountryLookup } from '../filters/geo/country-lookup.ts'
import { geoFilter } from '../filters/geo.ts'
import type { Log } from '../observe/log.ts'
import type { Exchange, Filter } from '../pipeline/exchange.ts'
import type { Lend } from './leases.ts'
import { canonicalKey } from './leases.ts'
import type { OwnFilterConfig } from './route-plan.ts'

type Open = (file: string) => CountryDatabase

export type GeoReaders = Readonly<Record<GeoForm, Open>>

/** Loads the readers of those forms that a configuration has. */
export async function loadGeoReaders ({ filters, routes }: SentinelConfig): Promise<GeoReaders> {
  const forms = new Set([
    ...filters.flatMap((filter) => filter.type === 'geo' ? [geoFormOf(filter.databasePath, filter.databaseType)] : []),
    ...routes.flatMap(({ geoAccessControl: geo }) => geo === undefined ? [] : [geoFormOf(geo.database, geo.databaseType)]),
  ])
  const missing: Open = () => { throw new Error('its reader was not loaded') }
  return {
    maxmind: forms.has('maxmind') ? (await import('../filters/geo/maxmind.ts')).openMaxMind : missing,
    ip2location: forms.has('ip2location') ? (await import('../filters/geo/ip2location.ts')).openIp2Location : missing,
  }
}

interface Source {
  readonly file: string
  readonly type: GeoForm | undefined
  readonly ttlMs: number
}

/** A file that is as it was is not read again; one that was replaced is, at the next reload. */
function lookupIn ({ file, type, ttlMs }: Source, readers: GeoReaders, lend: Lend): CountryLookup {
  const { ino, size, mtimeMs } = statSync(file)
  const open = (): CountryDatabase => {
    try {
      return readers[geoFormOf(file, type)!](file) // The form was checked at load.
    } catch (error) {
      throw new Error(`the database ${file} cannot be used: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
  const database = lend(canonicalKey('geo', { file, ino, size, mtimeMs }), open, (value) => value.close())
  return lend(canonicalKey('geo answers', { file, ino, size, mtimeMs, ttlMs }), () => rememberedLookup(database, ttlMs))
}

export function geoStep (filter: Extract<OwnFilterConfig, { readonly type: 'geo' }>, readers: GeoReaders, lend: Lend, log: Log): Filter {
  const { id, databasePath: file, databaseType: type, action, onFailure, cacheTtl: ttlMs } = filter
  const listed = new Set(filter.countries)
  const refuses = (country: string | undefined): boolean => {
    if (action === 'log-only') return false
    return country === undefined ? onFailure === 'closed' : listed.has(country) === (action === 'block')
  }
  const note = action !== 'log-only' ? undefined : (x: Exchange, country: string): void => {
    if (!listed.has(country)) return
    log.info(`filter '${id}' sees a request from ${country}`, { event: 'geo-listed', filter: id, country, client_ip: x.clientIp, request_id: x.id })
  }
  const { statusCode, blockMessage: message, addCountryHeader: addHeader } = filter
  return geoFilter({ name: id, refuses, note, statusCode, message, addHeader }, lookupIn({ file, type, ttlMs }, readers, lend))
}

const policyTtlMs = 3_600_000

export function geoPolicy (policy: NonNullable<SentinelConfig['routes'][number]['geoAccessControl']>, readers: GeoReaders, lend: Lend): Filter {
  const { database: file, databaseType: type, action } = policy
  const allowed = new Set(policy.allowCountries)
  const blocked = new Set(policy.blockCountries)
  const refuses = (country = ''): boolean => blocked.has(country) || !allowed.has(country) && action === 'block'
  return geoFilter({
    name: 'geo-access-control', refuses, note: undefined, statusCode: 403, message: undefined, addHeader: false,
  }, lookupIn({ file, type, ttlMs: policyTtlMs }, readers, lend))
}
