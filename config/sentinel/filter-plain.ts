/** Filters that are a few settings and no more. */
import * as zlib from 'node:zlib'
import { list, optional, setting } from '../schema/fields.ts'
import { durationWithin, size } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { bool, integer, oneOf, textLike, words } from '../schema/values.ts'
import { token } from './types.ts'

const mediaType = textLike('a media type', /^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/(?:\*|[!#$%&'*+.^_`|~0-9A-Za-z-]+)$/, '"text/html", "text/*"')

export const compressFilter = {
  algorithms: list(words(['gzip', 'br', 'zstd', 'deflate'], { also: { br: ['brotli'], gzip: ['gz'] } }), ['br', 'gzip'], 'Codings, the preferred first.', { commas: true, aliases: ['algorithm'] }),
  level: setting(integer(1, 11), 6, 'How hard to try: 1 = fast, 11 = small.'),
  minSize: setting(size, '1KiB', 'Smallest body that is compressed.', { aliases: ['min-size-bytes'] }),
  contentTypes: list(mediaType, ['text/html', 'text/css', 'text/plain', 'text/javascript', 'application/json', 'application/javascript', 'application/xml', 'image/svg+xml'], 'Bodies that are compressed.', { commas: true, aliases: ['types'] }),
}

/** zstd came to Node.js with 22.15. */
export function checkCompress ({ algorithms }: { readonly algorithms: readonly string[] }, here: Here<typeof compressFilter>): void {
  if (!algorithms.includes('zstd') || 'createZstdCompress' in zlib) return
  const instead = algorithms.length > 1 ? 'clients get the others' : 'nothing is packed'
  here.report.warning('CONFIG_NO_EFFECT', `${here.scope} names zstd, which this Node.js (${process.version}) cannot make: ${instead}`, here.where('algorithms'))
}

export const logFilter = {
  logRequest: setting(bool, true, 'Write a line for the request.'),
  logResponse: setting(bool, true, 'Write a line for the answer.'),
  logBody: setting(bool, false, 'Write bodies too. They may hold secrets.'),
  maxBodyLogSize: setting(size, '4KiB', 'Most of a body that is written.', { aliases: ['max-body-log-size-bytes'] }),
  level: setting(oneOf('trace', 'debug', 'info', 'warn', 'error'), 'info', 'Level of the lines.'),
  fields: list(token, [], 'Header fields that are written.'),
}

const wait = durationWithin('1ms')
const inSeconds = { bareUnitMs: 1000 }

export const timeoutFilter = {
  requestTimeout: optional(wait, 'Time for the whole exchange, as `policies { timeouts { request } }`.', { ...inSeconds, aliases: ['request-timeout-secs', 'request-timeout-ms'] }),
  upstreamTimeout: optional(wait, 'Longest wait for the upstream\'s answer, and for more of it.', { ...inSeconds, aliases: ['upstream-timeout-secs', 'upstream-timeout-ms'] }),
  connectTimeout: optional(wait, 'Time for connecting to the upstream.', { ...inSeconds, aliases: ['connect-timeout-secs', 'connect-timeout-ms'] }),
}

export function checkTimeout (_value: unknown, here: Here<typeof timeoutFilter>): void {
  if (!here.clean || here.given('requestTimeout') || here.given('upstreamTimeout') || here.given('connectTimeout')) return
  here.report.error('CONFIG_MISSING', `${here.scope} has no timeout`, here.at, 'write request-timeout "30s"')
}
