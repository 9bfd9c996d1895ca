import type { Filter } from '../pipeline/exchange.ts'

export interface SecurityHeaderSettings {
  /** Of `Strict-Transport-Security`; 0 = none. */
  readonly hstsMs: number
  readonly hstsIncludeSubdomains: boolean
  readonly hstsPreload: boolean
  /** Others, with their values. */
  readonly fields: Readonly<Record<string, string>>
  /** Whether what the application says about it is replaced. */
  readonly override: boolean
  readonly remove: readonly string[]
}

/** States on every answer what browsers should not do with it. An application that says so itself knows better, unless the operator says otherwise. */
export function securityHeadersFilter (settings: SecurityHeaderSettings): Filter {
  const { hstsMs, hstsIncludeSubdomains, hstsPreload, override } = settings
  const always = Object.entries(settings.fields).map(([name, value]) => ({ name, lower: name.toLowerCase(), value }))
  const hsts = hstsMs === 0 ? undefined : `max-age=${Math.floor(hstsMs / 1000)}${hstsIncludeSubdomains ? '; includeSubDomains' : ''}${hstsPreload ? '; preload' : ''}`
  const gone = settings.remove.map((name) => name.toLowerCase())
  return {
    name: 'security-headers',
    onResponse (x, { headers }) {
      for (const name of gone) headers.remove(name)
      for (const { name, lower, value } of always) if (override || !headers.has(lower)) headers.set(name, value)
      // RFC 6797 section 7.2: not over plain HTTP. What came by is what the proxies in front say, as far as they can be believed.
      if (hsts === undefined || x.request.headers.get('x-forwarded-proto') !== 'https') return undefined
      if (override || !headers.has('strict-transport-security')) headers.set('Strict-Transport-Security', hsts)
      return undefined
    },
  }
}
