import type { Pattern } from '../../config/sentinel/index.ts'
import type { Exchange, Filter, Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { HeaderList } from '../pipeline/headers.ts'
import { addVary } from '../pipeline/vary.ts'

/** Cross-origin resource sharing (fetch.spec.whatwg.org, section 3.2). */
export interface CorsSettings {
  /** "*", "null", an origin, or one with "*." before its domain. Lower case. */
  readonly allowedOrigins: readonly string[]
  /** The whole origin must match. */
  readonly allowedOriginRegex: readonly Pattern[]
  readonly allowedMethods: readonly string[]
  /** Empty: whatever the browser asks for. */
  readonly allowedHeaders: readonly string[]
  readonly exposedHeaders: readonly string[]
  readonly allowCredentials: boolean
  readonly allowPrivateNetwork: boolean
  /** ms */
  readonly maxAge: number
}

/** Answers preflight requests itself, and states on every other answer who may read it. What the application says about it is taken off: one of both has to count. */
export function corsFilter (settings: CorsSettings): Filter {
  const isAllowed = originMatcher(settings)
  const { allowedOrigins, allowCredentials, exposedHeaders } = settings
  const answer = preflightAnswer(settings)
  const everybody = allowedOrigins.includes('*') && !allowCredentials
  const exposed = exposedHeaders.join(', ')

  function state (headers: HeaderList, origin: string): void {
    headers.set('Access-Control-Allow-Origin', everybody ? '*' : origin)
    if (allowCredentials) headers.set('Access-Control-Allow-Credentials', 'true')
  }

  return {
    name: 'cors',
    onRequest (x) {
      const origin = preflightOrigin(x)
      if (origin === undefined) return undefined
      if (!isAllowed(origin)) throw new Fault('ORIGIN_REFUSED', origin.slice(0, 200))
      const reply = answer(x)
      state(reply.headers, origin)
      return reply
    },
    onResponse (x, { headers }) {
      if (preflightOrigin(x) !== undefined) return undefined
      headers.removeIf((name) => name.length > 15 && name.toLowerCase().startsWith('access-control-'))
      // Also where no origin was named: a cache must not give this answer to somebody who names one.
      if (!everybody) addVary(headers, 'Origin')
      const origin = x.request.headers.get('origin')
      if (origin === undefined || !isAllowed(origin)) return undefined
      state(headers, origin)
      if (exposed !== '') headers.set('Access-Control-Expose-Headers', exposed)
      return undefined
    },
  }
}

/** The origin of a request that asks whether another one may be made; `undefined` for any other request. */
function preflightOrigin ({ request: { method, headers } }: Exchange): string | undefined {
  return method === 'OPTIONS' && headers.has('access-control-request-method') ? headers.get('origin') : undefined
}

function preflightAnswer ({ allowedMethods, allowedHeaders, allowPrivateNetwork, maxAge }: CorsSettings): (x: Exchange) => Reply {
  const always = {
    'Access-Control-Allow-Methods': allowedMethods.join(', '),
    'Access-Control-Max-Age': String(Math.floor(maxAge / 1000)),
    'Vary': 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
  }
  const listed = allowedHeaders.join(', ')
  return ({ request }) => {
    const headers = HeaderList.from(always)
    const allowed = listed === '' ? request.headers.getAll('access-control-request-headers').join(', ') : listed
    if (allowed !== '') headers.set('Access-Control-Allow-Headers', allowed)
    // Private Network Access (wicg.github.io/private-network-access): asked before a public site reaches into a local network.
    if (allowPrivateNetwork && request.headers.get('access-control-request-private-network') === 'true') {
      headers.set('Access-Control-Allow-Private-Network', 'true')
    }
    return { status: 204, headers, body: undefined }
  }
}

function originMatcher ({ allowedOrigins, allowedOriginRegex }: CorsSettings): (origin: string) => boolean {
  if (allowedOrigins.includes('*')) return () => true
  const exact = new Set(allowedOrigins.filter((origin) => !origin.includes('://*.')))
  const wild = allowedOrigins.filter((origin) => origin.includes('://*.')).map((origin) => {
    const [scheme = '', domain = ''] = origin.split('://*')
    return { start: `${scheme}://`, end: domain }
  })
  return (origin) => {
    const lower = origin.toLowerCase()
    return exact.has(lower) || wild.some(({ start, end }) => matchesWild(lower, start, end)) || allowedOriginRegex.some((pattern) => pattern.test(origin))
  }
}

/** Something, and no path or port in it, stands where the star does. */
function matchesWild (origin: string, start: string, end: string): boolean {
  if (origin.length <= start.length + end.length || !origin.startsWith(start) || !origin.endsWith(end)) return false
  return /^[a-z0-9.-]+$/.test(origin.slice(start.length, origin.length - end.length))
}
