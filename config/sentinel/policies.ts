import { ipRange } from '../schema/address.ts'
import { block, optionalBlock } from '../schema/blocks.ts'
import type { OlderForm } from '../schema/field.ts'
import { list, notBuilt, optional, required, setting } from '../schema/fields.ts'
import { durationWithin, size } from '../schema/quantities.ts'
import { bool, existingFile, ref, textLike, words } from '../schema/values.ts'
import { failureMode } from './failure-mode.ts'
import { requestHeaders, responseHeaders } from './header-edits.ts'
import { globalRateLimit, rateLimit } from './rate-limit-fields.ts'
import { token, urlPath } from './types.ts'

const wait = durationWithin('1ms')

const keepOut = ['geoAccessControl'] as const
const spelled = { geoAccessControl: 'geo-access-control' } as const

const country = textLike('a country of two letters', /^[A-Za-z]{2}$/, '"DE" "FR"')
const verdict = words(['allow', 'block'], { also: { block: ['deny'] } })

/** `security-headers { Name "value" }` is nothing but fields to set. */
const securityHeaders: OlderForm = {
  doc: 'write response-headers { set { Name "value" } }',
  into: node => [{ name: 'response-headers', at: node.at, args: [], props: [], children: [{ ...node, name: 'set' }] }],
}

/** Said with more words by the check of the block. */
const quiet = { quiet: true }

const fields = {
  timeout: optional(wait, 'Time for the whole exchange; the same as `timeouts { request }`.', { aliases: ['timeout-secs', 'timeout-ms'] }),
  maxBodySize: optional(size, 'Largest request body; the limit of `limits` without it. 0 = no limit.', { aliases: ['max-body-size-bytes'] }),
  failureMode: notBuilt(optional(failureMode, 'What a failing agent means on this route, in place of the agents\' own.', { aliases: ['fail-mode'] })),
  bufferRequests: notBuilt(setting(bool, false, 'Take in the whole request before it goes on.')),
  bufferResponses: notBuilt(setting(bool, false, 'Take in the whole answer before it goes on.')),
  requestHeaders,
  responseHeaders,
  rateLimit,
  timeouts: optionalBlock({
    connect: optional(wait, 'Time for connecting. For connections of HTTP/2, which routes share, that of the upstream counts.', { aliases: ['connect-secs'], bareUnitMs: 1000 }),
    firstByte: optional(wait, 'Longest wait for the head of an answer; `read` without it.', { bareUnitMs: 1000 }),
    request: optional(wait, 'Time for the whole exchange, from its first byte to its last, all tries together. It cuts streams as well, but no WebSocket.', { aliases: ['request-secs'], bareUnitMs: 1000 }),
    read: optional(wait, 'Longest wait for more of the answer.', { aliases: ['read-secs'], bareUnitMs: 1000 }),
    write: optional(wait, 'Longest wait for the target to take more.', { aliases: ['write-secs'], bareUnitMs: 1000 }),
  }, 'Deadlines towards the upstream, in place of its own.', { example: 'timeouts { request "30s" }' }),
  rewritePath: optional(urlPath, 'Path that the upstream is asked for, in place of the client\'s.'),
  agents: list(ref('agent'), [], 'Older place of the route\'s `agents`.'),
  requireHeaders: list(token, [], 'Header fields that a request must have; others get 400.'),
  ipAccessControl: optionalBlock({
    defaultAction: optional(verdict, 'What happens to those that no list names: block where there is an `allow`, else allow.'),
    allow: list(ipRange, [], 'Who may come in.'),
    block: list(ipRange, [], 'Who may not.', { aliases: ['deny'] }),
  }, 'Addresses that may come in.', {
    example: `ip-access-control {
    default-action "block"
    allow "10.0.0.0/8"
}`,
    build (value, here) {
      if (here.clean && value.defaultAction === 'block' && value.allow.length === 0) {
        here.report.warning('CONFIG_NO_EFFECT', `${here.scope} lets in nobody`, here.at, 'write allow "10.0.0.0/8"')
      }
      return { ...value, defaultAction: value.defaultAction ?? (value.allow.length > 0 ? 'block' as const : 'allow' as const) }
    },
  }),
  geoAccessControl: notBuilt(optionalBlock({
    database: required(existingFile, 'Database of countries.', { aliases: ['database-path'] }),
    action: setting(verdict, 'block', 'What happens to the others.'),
    allowCountries: list(country, [], 'Who may come in.'),
    blockCountries: list(country, [], 'Who may not.', { aliases: ['deny-countries'] }),
  }, 'Countries that may come in.', {
    example: `geo-access-control {
    database "/var/lib/geoip/country.mmdb"
    allow-countries "DE" "FR"
}`,
  }), quiet),
  globalRateLimit,
}

export const policies = block(fields, 'Rules for the route\'s requests.', {
  older: { 'security-headers': securityHeaders },
  build (value, here) {
    const protections = keepOut.filter(name => here.given(name))
    for (const name of protections) {
      here.report.warning('CONFIG_NOT_BUILT', `'${spelled[name]}' of ${here.scope} is accepted, but not in effect yet: requests of this route are refused with 501`, here.where(name), 'letting in those who are to be kept out would be worse')
    }
    if (value.timeout !== undefined && value.timeouts?.request !== undefined && value.timeout !== value.timeouts.request) {
      here.report.error('CONFIG_CONTRADICTION', `'timeout' and 'timeouts { request }' of ${here.scope} say different things`, here.where('timeout'), 'they are the same: write one of them')
    }
    const none = { connect: undefined, firstByte: undefined, request: undefined, read: undefined, write: undefined }
    const timeouts = value.timeout === undefined ? value.timeouts : { ...value.timeouts ?? none, request: value.timeout }
    /** Letting everybody in who was to be kept out would be worse than letting in nobody. */
    return { ...value, timeouts, refusesAll: protections.length > 0 }
  },
  example: `policies {
    timeout "30s"
    max-body-size "10MiB"
    failure-mode "closed"
    response-headers {
        set { X-Frame-Options "DENY" }
    }
}`,
})
