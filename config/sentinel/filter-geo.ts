import { list, optional, required, setting } from '../schema/fields.ts'
import { duration } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { bool, existingFile, oneOf, text, words } from '../schema/values.ts'
import { failureMode } from './failure-mode.ts'
import { geoFileProblem, geoFormOf, type GeoForm } from './geo-file.ts'
import { statusCode } from './types.ts'

let regions: Intl.DisplayNames | undefined

/** The names are read when the first country is: that takes longer than everything else in this folder. */
function isRegion (code: string): boolean {
  regions ??= new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' })
  return regions.of(code) !== undefined
}

/** ISO 3166-1 alpha-2, in capitals. */
export const country: ValueType<string> = {
  name: 'country',
  expected: 'the two-letter code of a country',
  example: '"DE" "US"',
  json: { type: 'string', pattern: '^[A-Za-z]{2}$' },
  parse (raw) {
    if (typeof raw !== 'string') return unfit
    if (!/^[A-Za-z]{2}$/.test(raw)) return unfit
    const code = raw.toUpperCase()
    // Databases know this one as GB.
    if (code === 'UK') return { wrong: '', hint: 'did you mean "GB"?' }
    return !isRegion(code) || code === 'ZZ' ? { wrong: 'there is no such country' } : { value: code }
  },
}

export const geoForm = words(['maxmind', 'ip2location'], { also: { maxmind: ['mmdb'], ip2location: ['bin'] } })

export const geoFilter = {
  databasePath: required(existingFile, 'Database of addresses and countries.', { aliases: ['database'] }),
  databaseType: optional(geoForm, 'Its form; by the file\'s extension (.mmdb or .bin) without it.'),
  action: setting(oneOf('block', 'allow', 'log-only'), 'block', 'block = refuse the countries, allow = refuse all others, log-only = refuse nobody.'),
  countries: list(country, [], 'Countries.', { commas: true }),
  onFailure: setting(failureMode, 'open', 'What an address that is not in the database means: closed = refuse, open = go on.', { aliases: ['failure-mode'] }),
  statusCode: setting(statusCode, 403, 'Status of a refusal.'),
  blockMessage: optional(text, 'Body of a refusal.', { aliases: ['message'] }),
  cacheTtl: setting(duration, '1h', 'How long an answer of the database is remembered.', { bareUnitMs: 1000, aliases: ['cache-ttl-secs'] }),
  addCountryHeader: setting(bool, true, 'Tell the upstream the country in X-GeoIP-Country.'),
}

interface Geo {
  readonly databasePath: string
  readonly databaseType: GeoForm | undefined
  readonly action: string
  readonly countries: readonly string[]
}

/** Of a block whose setting `name` is the path of a database. */
export function checkGeoFile<N extends string> (file: string, type: GeoForm | undefined, name: N, here: Pick<Here<Record<N, never>>, 'scope' | 'report' | 'where' | 'textOnly'>): void {
  const form = geoFormOf(file, type)
  if (form === undefined) {
    here.report.error('CONFIG_MISSING', `the database of ${here.scope} is of no known form by its name`, here.where(name), 'write database-type "maxmind" or "ip2location"')
    return
  }
  const why = here.textOnly ? undefined : geoFileProblem(file, form)
  if (why !== undefined) here.report.error('CONFIG_FILE', `the database of ${here.scope} cannot be used: ${why}`, here.where(name))
}

export function checkGeo (value: Geo, here: Here<typeof geoFilter>): void {
  if (here.clean) checkGeoFile(value.databasePath, value.databaseType, 'databasePath', here)
  if (!here.clean || value.countries.length > 0) return
  if (value.action === 'allow') here.report.error('CONFIG_MISSING', `${here.scope} allows only the countries it lists, and lists none`, here.where('action'), 'write countries "DE" "FR"')
  else if (value.action === 'block' && here.given('action')) here.report.warning('CONFIG_NO_EFFECT', `${here.scope} blocks no country`, here.where('action'), 'write countries "DE" "FR"')
}
