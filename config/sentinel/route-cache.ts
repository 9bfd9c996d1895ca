import { optionalBlock } from '../schema/blocks.ts'
import { list, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { bool, integer, oneOf, text, textLike } from '../schema/values.ts'
import { someBytes } from './route-types.ts'
import { statusCode, token } from './types.ts'

/** Nobody waits for it: it may be longer than a timer. */
const age = durationWithin('0s', '3650d')

const ending = textLike('the ending of a file name', /^\.?[A-Za-z0-9_-]+$/, '"php" "html"')
const pathPattern = textLike('a path that begins with "/", with * and ** for what varies', /^\/[^\s?#]*\??$/, '"/admin/**"')

const fields = {
  enabled: setting(bool, false, 'Whether answers are kept.'),
  defaultTtl: setting(age, '1h', 'How long an answer is kept that does not say so itself; a tenth of the time since its `Last-Modified`, where that is shorter. Answers to requests with a cookie or a password have to say so themselves.', { aliases: ['default-ttl-secs', 'ttl', 'ttl-secs'] }),
  negativeTtl: setting(age, '1m', 'The same for answers with a status from 400 on, where that is shorter.', { aliases: ['negative-ttl-secs'] }),
  minUses: setting(integer(1, 1000), 1, 'How many times an answer is asked for until it is kept.'),
  maxSize: setting(someBytes, '10MiB', 'Largest answer that is kept.', { aliases: ['max-size-bytes', 'max-size-mb', 'max-cacheable-size', 'max-cacheable-size-bytes'] }),
  cachePrivate: setting(bool, false, 'Also keep answers that are meant for one client; they are given to nobody with another `Authorization`, `Cookie` or address.'),
  respectCacheControl: setting(bool, true, 'Do what `Cache-Control` of the answer says.'),
  staleWhileRevalidate: setting(age, '60s', 'How long an outdated answer may be given while a new one is fetched.', { aliases: ['stale-while-revalidate-secs'] }),
  staleIfError: setting(age, '5m', 'How long an outdated answer may be given when no new one can be had.', { aliases: ['stale-if-error-secs'] }),
  cacheableMethods: list(oneOf('GET', 'HEAD', 'OPTIONS'), ['GET', 'HEAD'], 'Methods whose answers are kept.'),
  cacheableStatusCodes: list(statusCode, [200, 203, 204, 206, 300, 301, 308, 404, 410], 'Statuses of answers that are kept.'),
  varyHeaders: list(token, [], 'Request header fields that make another answer.'),
  varyQueryParams: list(text, [], 'Parameters of the query that make another answer; without them all do.'),
  ignoreQueryParams: list(text, [], 'Parameters of the query that do not make another answer.'),
  excludeExtensions: list(ending, [], 'Endings of paths whose answers are not kept.'),
  excludePaths: list(pathPattern, [], 'Paths whose answers are not kept: * stands for a part of a segment, ** for any number of segments.'),
}

export const routeCache = optionalBlock(fields, 'Keep answers, and give them again.', {
  example: `cache {
    enabled #true
    default-ttl "5m"
    vary-headers "Accept-Encoding" "Accept-Language"
    ignore-query-params "utm_source" "utm_medium"
    exclude-paths "/api/auth/**"
}`,
  build (value, here) {
    if (!here.given('enabled') && Object.keys(fields).some(name => name !== 'enabled' && here.nodes(name as keyof typeof fields).length > 0)) {
      here.report.warning('CONFIG_NO_EFFECT', `${here.scope} keeps nothing`, here.at, 'write enabled #true')
    }
    const both = value.varyQueryParams.find(name => value.ignoreQueryParams.includes(name))
    if (both !== undefined) here.report.error('CONFIG_CONTRADICTION', `${here.scope} both varies by parameter '${both}' and ignores it`, here.where('ignoreQueryParams'))
    return value
  },
})
