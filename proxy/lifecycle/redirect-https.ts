import { leadsTo, type ListenerConfig } from '../../config/sentinel/index.ts'
import type { Exchange, Route } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { HeaderList } from '../pipeline/headers.ts'

const standardPort = 443

type Bound = Pick<ListenerConfig, 'protocol' | 'address' | 'namespace'>

/** Where clients of a listener find the same under https: the usual port when it is listened on, or when somebody else must be meant. */
export function httpsPort (listeners: readonly Bound[], { namespace }: Pick<Bound, 'namespace'>): number {
  const same = listeners.filter((one) => leadsTo(one, { scope: namespace ?? '' }))
  const ports = same.filter(({ protocol, address }) => protocol === 'https' && address.port !== 0).map(({ address }) => address.port)
  return ports.includes(standardPort) ? standardPort : ports[0] ?? standardPort
}

/** Answers everything with a redirect to the same address under https. */
export function redirectRoute (port: number): Route {
  return {
    name: 'redirect-https',
    filters: [],
    maxBodyBytes: Number.POSITIVE_INFINITY,
    responder: {
      name: '',
      respond: async (x) => {
        const redirect = redirectFor(x, port)
        return { status: redirect.status, headers: HeaderList.from({ Location: redirect.location }), body: undefined }
      },
    },
  }
}

/** Status and address of that redirect. */
export function redirectFor (x: Exchange, port: number): { readonly status: number, readonly location: string } {
  return { status: statusFor(x.request.method), location: location(x, port) }
}

/** The client spoke https to a trusted proxy in front: a redirect would send it around for ever. */
export function cameByHttps ({ request }: Pick<Exchange, 'request'>): boolean {
  return request.headers.get('x-forwarded-proto') === 'https'
}

/** 301 makes old clients repeat a POST as a GET. */
function statusFor (method: string): number {
  return method === 'GET' || method === 'HEAD' ? 301 : 308
}

function location ({ request: { headers, rawPath, query } }: Pick<Exchange, 'request'>, port: number): string {
  // Rebuilt by the pipeline: what the client asked for, as far as the proxies in front can be believed.
  const host = headers.get('x-forwarded-host')?.replace(/:\d+$/, '')
  if (host === undefined || host === '') throw new Fault('BAD_REQUEST', 'no host to redirect to')
  return `https://${host}${port === standardPort ? '' : `:${port}`}${rawPath.startsWith('/') ? rawPath : '/'}${query === '' ? '' : `?${query}`}`
}
