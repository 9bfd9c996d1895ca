import { HeaderList } from './headers.ts'

/** Fields that must not come after the body, because they steer what was decided before it (RFC 9110 section 6.5.1). */
const forbidden: ReadonlySet<string> = new Set([
  'transfer-encoding', 'content-length', 'host', 'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade', 'expect',
  'authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'content-encoding', 'content-type', 'content-range', 'range', 'forwarded',
])

/** Trailer fields as received, `[name, value, …]`, without those that may not be there. `undefined` when nothing is left. */
export function trailersOf (fields: readonly string[]): HeaderList | undefined {
  if (fields.length === 0) return undefined
  const trailers = new HeaderList(fields.slice())
  trailers.removeIf((name) => forbidden.has(name.toLowerCase()))
  return trailers.size === 0 ? undefined : trailers
}
