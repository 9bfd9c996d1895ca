import { block, optionalBlock } from '../schema/blocks.ts'
import type { OlderForm } from '../schema/field.ts'
import { list, optional, required, setting } from '../schema/fields.ts'
import { durationWithin, size } from '../schema/quantities.ts'
import { bool, existingFile, ref } from '../schema/values.ts'
import { verdict } from './filter-addresses.ts'
import { addressLists, withFiles } from './address-lists.ts'
import { failureMode } from './failure-mode.ts'
import { checkGeoFile, country, geoForm } from './filter-geo.ts'
import { requestHeaders, responseHeaders } from './header-edits.ts'
import { keyInTwo, rateKey } from './rate-key.ts'
import { rateStore } from './rate-store.ts'
import { many } from './route-types.ts'
import { token, urlPath } from './types.ts'

const wait = durationWithin('1ms')

const rateLimitFields = {
  requestsPerSecond: required(many, 'Requests of a second.', { aliases: ['max-rps', 'rps'] }),
  burst: setting(many, 10, 'Requests that may come at once beyond that.'),
  key: setting(rateKey, 'client-ip', 'Whose requests are counted together.'),
  backend: setting(rateStore, 'local', 'Where the counts are kept.'),
}


/** `security-headers { Name "value" }` is nothing but fields to set. */
const securityHeaders: OlderForm = {
  doc: 'write response-headers { set { Name "value" } }',
  into: node => [{ name: 'response-headers', at: node.at, args: [], props: [], children: [{ ...node, name: 'set' }] }],
}

const fields = {
  timeout: optional(wait, 'Time for the whole exchange; the same as `timeouts { request }`.', { aliases: ['timeout-secs', 'timeout-ms'] }),
  maxBodySize: optional(size, 'Largest request body; the limit of `limits` without it. 0 = no limit.', { aliases: ['max-body-size-bytes'] }),
  failureMode: optional(failureMode, 'What a failing agent means on this route, in place of the agents\' own; a filter that names the agent may say otherwise.', { aliases: ['fail-mode'] }),
  bufferRequests: setting(bool, false, 'Take in the whole body of a request before the upstream gets any of it: up to `max-body-size`, and to `max-body-buffer-total` for all requests together.'),
  bufferResponses: setting(bool, false, 'Take in a whole answer before the client gets any of it; one that is larger than `max-body-size` becomes 502. Streams of events and gRPC go on as they come.'),
  requestHeaders,
  responseHeaders,
  rateLimit: optionalBlock(rateLimitFields, 'Requests in a time; more get 429.', {
    older: { key: keyInTwo },
    example: `rate-limit {
    requests-per-second 100
    burst 20
    key "client-ip"
}`,
  }),
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
    ...addressLists,
  }, 'Addresses that may come in.', {
    example: `ip-access-control {
    default-action "block"
    allow "10.0.0.0/8"
}`,
    build (value, here) {
      const { allow, block: kept, defaultAction } = withFiles(value, here)
      if (here.clean && defaultAction === 'block' && allow.length === 0) {
        here.report.warning('CONFIG_NO_EFFECT', `${here.scope} lets in nobody`, here.at, 'write allow "10.0.0.0/8"')
      }
      return { allow, block: kept, defaultAction: defaultAction ?? (allow.length > 0 || value.allowFile !== undefined ? 'block' as const : 'allow' as const) }
    },
  }),
  geoAccessControl: optionalBlock({
    database: required(existingFile, 'Database of countries.', { aliases: ['database-path'] }),
    databaseType: optional(geoForm, 'Its form; by the file\'s extension (.mmdb or .bin) without it.'),
    action: optional(verdict, 'What happens to those that no list names, and where no country is known: block where there is `allow-countries`, else allow.', { aliases: ['default-action'] }),
    allowCountries: list(country, [], 'Who may come in.', { commas: true }),
    blockCountries: list(country, [], 'Who may not.', { commas: true, aliases: ['deny-countries'] }),
  }, 'Countries that may come in.', {
    example: `geo-access-control {
    database "/var/lib/geoip/country.mmdb"
    allow-countries "DE" "FR"
}`,
    build (value, here) {
      const { database, databaseType, allowCountries, blockCountries, action = allowCountries.length > 0 ? 'block' as const : 'allow' as const } = value
      if (here.clean) {
        checkGeoFile(database, databaseType, 'database', here)
        const both = allowCountries.find(one => blockCountries.includes(one))
        if (both !== undefined) here.report.error('CONFIG_CONTRADICTION', `${here.scope} lets in ${both} and keeps it out`, here.where('blockCountries'))
        if (action === 'block' && allowCountries.length === 0) here.report.warning('CONFIG_NO_EFFECT', `${here.scope} lets in nobody`, here.at, 'write allow-countries "DE" "FR"')
        else if (action === 'allow' && blockCountries.length === 0) here.report.warning('CONFIG_NO_EFFECT', `${here.scope} keeps out nobody`, here.at, 'write block-countries "XX"')
      }
      return { ...value, action }
    },
  }),
  globalRateLimit: optionalBlock(rateLimitFields, 'Requests in a time, for all clients together; more get 429.', {
    older: { key: keyInTwo },
    example: 'global-rate-limit { requests-per-second 5000 }',
    build: (value, here) => here.given('key') ? value : { ...value, key: [] },
  }),
}

export const policies = block(fields, 'Rules for the route\'s requests.', {
  older: { 'security-headers': securityHeaders },
  build (value, here) {
    if (value.timeout !== undefined && value.timeouts?.request !== undefined && value.timeout !== value.timeouts.request) {
      here.report.error('CONFIG_CONTRADICTION', `'timeout' and 'timeouts { request }' of ${here.scope} say different things`, here.where('timeout'), 'they are the same: write one of them')
    }
    const none = { connect: undefined, firstByte: undefined, request: undefined, read: undefined, write: undefined }
    const timeouts = value.timeout === undefined ? value.timeouts : { ...value.timeouts ?? none, request: value.timeout }
    return { ...value, timeouts }
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
