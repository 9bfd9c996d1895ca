import type { Exchange, Filter } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { HeaderList } from '../pipeline/headers.ts'
import { changedPath, type PathChange } from './path.ts'

export interface RedirectSettings extends PathChange {
  readonly statusCode: number
  readonly scheme?: 'http' | 'https' | undefined
  readonly hostname?: string | undefined
  readonly port?: number | undefined
  /** Of the route. */
  readonly prefixes: readonly string[]
}

const standardPorts = { http: 80, https: 443 } as const

/** Answers with the address of another place. The query goes along. */
export function redirectFilter (settings: RedirectSettings): Filter {
  return {
    name: 'redirect',
    onRequest (x) {
      // Whoever gets the address of the place where they are comes again.
      if (settings.pathRegex?.test(x.request.upstreamPath) === false) return undefined
      return { status: settings.statusCode, headers: HeaderList.from({ Location: locationOf(x, settings) }), body: undefined }
    },
  }
}

function locationOf ({ request }: Exchange, { scheme, hostname, port, prefixes, ...change }: RedirectSettings): string {
  const { headers, query, upstreamPath } = request
  // Rebuilt by the pipeline: what the client asked for, as far as the proxies in front can be believed.
  const asked = headers.get('x-forwarded-host') ?? ''
  const [, host = '', ownPort] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(asked) ?? []
  const chosenHost = hostname ?? host
  if (chosenHost === '') throw new Fault('BAD_REQUEST', 'no host to redirect to')
  const own = headers.get('x-forwarded-proto') === 'https' ? 'https' : 'http'
  const chosenScheme = scheme ?? own
  // Another scheme is served at another port, and so is another host.
  const kept = scheme === undefined && hostname === undefined && ownPort !== undefined ? Number(ownPort) : standardPorts[chosenScheme]
  const chosenPort = port ?? kept
  const path = changedPath(upstreamPath.startsWith('/') ? upstreamPath : '/', change, prefixes)
  return `${chosenScheme}://${chosenHost}${chosenPort === standardPorts[chosenScheme] ? '' : `:${chosenPort}`}${path}${query === '' ? '' : `?${query}`}`
}
