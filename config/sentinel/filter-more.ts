/** Filters of few settings that not many configurations have. */
import { list, optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import type { ValueType } from '../schema/value.ts'
import { bool, integer, words } from '../schema/values.ts'
import { fieldValue } from './header-edits.ts'
import { someOfHundred, token } from './types.ts'

const yearMs = 365 * 86_400_000

/** A word that stands for a header field's value, or for no field. */
const orOff = <const W extends string>(...list: readonly W[]): ValueType<W | 'off'> => words([...list, 'off'], {})

export const securityHeadersFilter = {
  hsts: setting(durationWithin('0s', '3650d'), '365d', 'How long browsers shall use https alone (`Strict-Transport-Security`, over https only); 0s = they are not told.'),
  hstsIncludeSubdomains: setting(bool, false, 'For all domains below as well.'),
  hstsPreload: setting(bool, false, 'Consent to the list that browsers bring along: hard to undo.'),
  contentTypeOptions: setting(bool, true, '`X-Content-Type-Options: nosniff`.'),
  frameOptions: setting(orOff('deny', 'sameorigin'), 'sameorigin', 'Who may show this site in a frame (`X-Frame-Options`).'),
  referrerPolicy: setting(orOff('no-referrer', 'no-referrer-when-downgrade', 'origin', 'origin-when-cross-origin', 'same-origin', 'strict-origin', 'strict-origin-when-cross-origin', 'unsafe-url'),
    'strict-origin-when-cross-origin', 'What other sites learn of where somebody came from (`Referrer-Policy`).'),
  contentSecurityPolicy: optional(fieldValue, '`Content-Security-Policy`.', { aliases: ['csp'] }),
  contentSecurityPolicyReportOnly: setting(bool, false, 'Only report what it would forbid.', { aliases: ['csp-report-only'] }),
  permissionsPolicy: optional(fieldValue, '`Permissions-Policy`.'),
  crossOriginOpenerPolicy: setting(orOff('same-origin', 'same-origin-allow-popups', 'unsafe-none'), 'off', '`Cross-Origin-Opener-Policy`.'),
  crossOriginResourcePolicy: setting(orOff('same-origin', 'same-site', 'cross-origin'), 'off', '`Cross-Origin-Resource-Policy`.'),
  crossOriginEmbedderPolicy: setting(orOff('require-corp', 'credentialless', 'unsafe-none'), 'off', '`Cross-Origin-Embedder-Policy`.'),
  override: setting(bool, false, 'Replace what the application says itself.'),
  remove: list(token, ['Server', 'X-Powered-By'], 'Fields that are taken off.'),
}

interface SecurityHeaders {
  readonly hsts: number
  readonly hstsIncludeSubdomains: boolean
  readonly hstsPreload: boolean
  readonly contentSecurityPolicy: string | undefined
  readonly contentSecurityPolicyReportOnly: boolean
}

export function checkSecurityHeaders (value: SecurityHeaders, here: Here<typeof securityHeadersFilter>): void {
  const { report, scope } = here
  if (value.hstsPreload && (!value.hstsIncludeSubdomains || value.hsts < yearMs)) {
    report.error('CONFIG_CONTRADICTION', `'hsts-preload' of ${scope} needs 'hsts-include-subdomains' and a year of 'hsts'`, here.where('hstsPreload'), 'the list of the browsers takes no other (hstspreload.org)')
  }
  if (value.contentSecurityPolicyReportOnly && value.contentSecurityPolicy === undefined) {
    report.warning('CONFIG_NO_EFFECT', `${scope} has no 'content-security-policy' to report about`, here.where('contentSecurityPolicyReportOnly'))
  }
}

export const faultInjectionFilter = {
  delay: optional(durationWithin('1ms', '5m'), 'How long a request is held.'),
  delayPercentage: setting(someOfHundred, 100, 'Requests that are.'),
  abortStatus: optional(integer(400, 599), 'Status that a request is refused with.'),
  abortPercentage: setting(someOfHundred, 100, 'Requests that are.'),
  header: optional(token, 'Only requests with this header field.'),
}

export function checkFaultInjection (_value: unknown, here: Here<typeof faultInjectionFilter>): void {
  const { report, scope } = here
  if (!here.clean) return
  if (!here.given('delay') && !here.given('abortStatus')) {
    report.error('CONFIG_MISSING', `${scope} injects no fault`, here.at, 'write delay "2s" or abort-status 503')
    return
  }
  for (const [share, of, word] of [['delayPercentage', 'delay', 'delay'], ['abortPercentage', 'abortStatus', 'abort-status']] as const) {
    if (here.given(share) && !here.given(of)) report.error('CONFIG_CONTRADICTION', `${scope} says how many requests, but has no '${word}'`, here.where(share))
  }
  report.warning('CONFIG_FOR_TESTS', `${scope} makes requests of every route that names it fail on purpose`, here.at, 'it is for tests: take it out before others depend on this')
}
