import type { TestContext } from 'node:test'
import { startRecordingUpstream, type Received, type RecordingUpstream } from './recording-upstream.ts'
import type { RequestInit } from './request.ts'
import { startSentinel, type RunningSentinel } from './sentinel.ts'
import { eventually } from './eventually.ts'

/** What the application says: fields, and what stands in the body before the number of the answer. */
export interface Said {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
}

export interface Cached {
  readonly sentinel: RunningSentinel
  readonly upstream: RecordingUpstream
  /** Body of the answer: "1" from the first that the application gave, "2" from the second. */
  get (path: string, init?: RequestInit): Promise<string>
  /** What was told of the kept answers: "hit", "fwd=uri-miss" … */
  told (path: string, init?: RequestInit): Promise<string>
}

export interface CachedGiven {
  readonly say: (request: Received, count: number) => Said
  /** In the route's `cache` block. */
  readonly rules?: string
  /** In the block `cache`. */
  readonly place?: string
  /** Beside `cache` in the route. */
  readonly route?: string
  /** Beside the route's block. */
  readonly more?: string
}

/** A real program in front of an application whose answers count up. Nothing is given that is out of date, unless `rules` say so. */
export async function startCached (t: TestContext, { say, rules = '', place = '', route = '', more = '' }: CachedGiven): Promise<Cached> {
  let count = 0
  const upstream = await startRecordingUpstream(t, (request, response) => {
    const { status = 200, headers = {}, body } = say(request, ++count)
    response.writeHead(status, Object.entries(headers).flatMap(([name, values]) => [values].flat().flatMap((value) => [name, value])))
    response.end(status === 304 || status === 204 ? undefined : body ?? String(count))
  })
  const sentinel = await startSentinel(t, configuration(upstream.port, { rules, place, route, more }))
  return {
    sentinel, upstream,
    get: async (path, init) => (await sentinel.get(path, init)).text,
    told: async (path, init) => String((await sentinel.get(path, init)).headers['cache-status']).replace(/^.*?sentinel; ?/, ''),
  }
}

export function configuration (port: number, { rules = '', place = '', route = '', more = '' }: Omit<CachedGiven, 'say'>): string {
  return `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; ${route}
  cache { enabled #true; ${rules.includes('stale-while-revalidate') ? '' : 'stale-while-revalidate "0s";'} ${rules.includes('stale-if-error') ? '' : 'stale-if-error "0s";'} ${rules} } } }
upstreams { upstream "app" { target "127.0.0.1:${port}" } }
cache { status-header #true; ${place} }
observability { metrics { address "127.0.0.1:0" } }
${more}
`
}

/** So many requests have reached the proxy and are not answered yet. */
export function waiting (sentinel: RunningSentinel, count: number): Promise<void> {
  return eventually(`${count} requests wait`, async () => Number(/^sentinel_active_requests (\d+)$/m.exec(await sentinel.metrics())?.[1]) >= count)
}
