import type { Exchange } from './exchange.ts'
import { HeaderList } from './headers.ts'

/**
 * Hands an interim answer (RFC 9110 section 15.2) of an upstream to the client. Filters do not see it: where one of the route has a say about
 * answers, only `Link` passes, which is what these answers are for (RFC 8297).
 */
export function passInterim (x: Exchange, status: number, headers: HeaderList): void {
  // 100 and 101 are about the connection to the upstream.
  if (x.interim === undefined || status < 102) return
  const judged = x.route?.filters.some(({ onResponse, tunnelsOnly }) => onResponse !== undefined && tunnelsOnly !== true) === true
  if (!judged) return x.interim(status, headers)
  const links = headers.getAll('link')
  if (links.length > 0) x.interim(status, new HeaderList(links.flatMap((link) => ['Link', link])))
}
