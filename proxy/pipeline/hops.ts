import type { Exchange, Reply } from './exchange.ts'
import { Fault } from './faults.ts'
import { HeaderList } from './headers.ts'

/** Requests about the way itself. Gives the reply to one that goes no further; counts down how far others may go (RFC 9110 section 7.6.2). */
export function countHops (x: Exchange): Reply | undefined {
  const { method, headers } = x.request
  // It asks for its own head back: with it the client would read what the proxy and agents wrote there for the upstream.
  if (method === 'TRACE') throw new Fault('METHOD_REFUSED', 'TRACE')
  if (method !== 'OPTIONS') return undefined
  const left = headers.get('max-forwards')
  if (left === undefined) return undefined
  if (!/^\d{1,9}$/.test(left)) throw new Fault('BAD_REQUEST', 'Max-Forwards is not a number')
  if (Number(left) === 0) return { status: 204, headers: new HeaderList(), body: undefined }
  headers.set('Max-Forwards', String(Number(left) - 1))
  return undefined
}
