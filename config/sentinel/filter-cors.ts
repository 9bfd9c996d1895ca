import { list, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { wholeRegex, type Pattern } from '../schema/regex.ts'
import { bool } from '../schema/values.ts'
import { method, token } from './types.ts'

/** What a browser sends as Origin: scheme, host and port, nothing after it. */
const origin: ValueType<string> = {
  name: 'origin',
  expected: 'an origin, or "*"',
  example: '"https://app.example.com", "https://*.example.com"',
  json: { type: 'string' },
  parse (raw) {
    if (typeof raw !== 'string') return unfit
    if (raw === '*' || raw === 'null') return { value: raw }
    if (!raw.includes('://')) return { wrong: 'the scheme is missing', hint: `for example "https://${/^[\w.*:-]+$/.test(raw) ? raw : 'app.example.com'}"` }
    const url = raw.replace('://*.', '://any.')
    if (!URL.canParse(url)) return unfit
    const { pathname, search, hash, username } = new URL(url)
    if ((pathname !== '/' && pathname !== '') || search !== '' || hash !== '' || username !== '') return { wrong: 'it has more than scheme, host and port' }
    return raw.endsWith('/') ? { wrong: 'an origin has no "/" at its end' } : { value: raw.toLowerCase() }
  },
}

export const corsFilter = {
  allowedOrigins: list(origin, ['*'], 'Sites whose scripts may read answers.', { commas: true, aliases: ['allow-origins'] }),
  allowedOriginRegex: list(wholeRegex, [], 'More of them, by expressions that match the whole origin.', { aliases: ['allow-origin-regex'] }),
  allowedMethods: list(method, ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'], 'Methods they may use.', { commas: true, aliases: ['allow-methods'] }),
  allowedHeaders: list(token, [], 'Header fields they may send; those that a browser asks for without it.', { commas: true, aliases: ['allow-headers'] }),
  exposedHeaders: list(token, [], 'Header fields of answers they may read.', { commas: true, aliases: ['expose-headers'] }),
  allowCredentials: setting(bool, false, 'Whether their requests may carry cookies and credentials.'),
  allowPrivateNetwork: setting(bool, false, 'Whether public sites may reach this one in a local network (Private Network Access).'),
  maxAge: setting(durationWithin('0s', '1d'), '1d', 'How long a browser may remember all this.', { bareUnitMs: 1000, aliases: ['max-age-secs'] }),
}

interface Cors {
  readonly allowCredentials: boolean
  readonly allowedOrigins: readonly string[]
  readonly allowedOriginRegex: readonly Pattern[]
}

/** An origin that nobody has in mind. */
const stranger = 'https://any-site-at-all.invalid'

export function checkCors (value: Cors, here: Here<typeof corsFilter>): void {
  if (!here.clean || !value.allowCredentials) return
  if (value.allowedOriginRegex.some(pattern => pattern.test(stranger))) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} allows credentials to every origin: any site could act as its visitors`, here.where('allowedOriginRegex'), 'name the domain: #"https://[a-z0-9-]+\\.example\\.com"#')
  }
  if (value.allowedOrigins.includes('null')) {
    here.report.warning('CONFIG_CONTRADICTION', `${here.scope} allows credentials to the origin "null", which any site can have in a sandboxed frame`, here.where('allowedOrigins'))
  }
  if (!value.allowedOrigins.includes('*')) return
  here.report.error('CONFIG_CONTRADICTION', `${here.scope} allows credentials to every origin: any site could act as its visitors`, here.where('allowCredentials'), 'name the origins: allowed-origins "https://app.example.com"')
}
