import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { createListener, type Listener, type ListenerEvent, type ListenerSettings } from '../../proxy/listeners/index.ts'
import type { Exchange, Filter } from '../../proxy/pipeline/exchange.ts'
import { readPath } from '../../proxy/pipeline/path.ts'
import { serve, type Site } from '../../proxy/pipeline/serve.ts'
import { createUpstream, type RoutePolicy, type TargetSettings, type Upstream, type UpstreamSettings } from '../../proxy/upstreams/index.ts'
import { patienceMs } from './patience.ts'

export interface ProxyGiven {
  readonly targets: readonly (number | TargetSettings)[]
  readonly listener?: Partial<ListenerSettings>
  readonly upstream?: Partial<UpstreamSettings>
  readonly policy?: RoutePolicy
  readonly filters?: readonly Filter[]
  readonly maxBodyBytes?: number
  readonly upgrades?: boolean
}

/** Listener, pipeline and upstream in this process, without configuration: what bytes go in and out is what counts. */
export interface TestProxy {
  readonly port: number
  readonly listener: Listener
  readonly upstream: Upstream
  /** Exchanges that are over. */
  readonly done: readonly Exchange[]
  readonly events: readonly ListenerEvent[]
  /** Resolves with the n-th exchange (from 1) when it is over. */
  exchange (n: number): Promise<Exchange>
}

/** Of time-outs that a test is not about: a machine that is busy is no target or client that is slow. */
const longMs = 60_000

export async function startProxy (t: TestContext | undefined, given: ProxyGiven): Promise<TestProxy> {
  const upstream = createUpstream({
    id: 'app', balance: 'round-robin', connectTimeoutMs: longMs, readTimeoutMs: longMs, writeTimeoutMs: longMs, poolMaxConnections: 100, poolIdleMs: longMs,
    targets: given.targets.map((target) => typeof target === 'number' ? { host: '127.0.0.1', port: target, weight: 1 } : target), ...given.upstream,
  })
  const done: Exchange[] = []
  const events: ListenerEvent[] = []
  const waiting: Array<() => void> = []
  const route = {
    name: 'all', filters: given.filters ?? [], responder: upstream.forRoute(given.policy ?? {}),
    maxBodyBytes: given.maxBodyBytes ?? Infinity,
    upgrades: given.upgrades ?? false,
  }
  const site: Site = {
    isTrusted: () => false,
    guardedHeaders: () => new Set(),
    match: (x) => {
      Object.assign(x.request, readPath(x.request.rawPath))
      return route
    },
    admit: () => undefined,
    release: () => { /* nothing is counted */ },
    observe: (x) => {
      done.push(x)
      for (const check of waiting.splice(0)) check()
    },
  }
  const listener = createListener({
    id: 'main', host: '127.0.0.1', port: 0, requestTimeoutMs: longMs, bodyIdleTimeoutMs: longMs, keepaliveTimeoutMs: longMs, maxHeaderBytes: 8 * 1024,
    maxHeaderCount: 100, maxConnections: 1_000, ...given.listener,
  }, { serve: (x, client) => serve(x, site, client), log: (event) => events.push(event) })
  await listener.start()
  t?.after(async () => {
    await listener.close(AbortSignal.abort())
    await upstream.close(AbortSignal.abort())
    // Whatever happened to exchanges: none is counted for ever.
    for (const deadline = performance.now() + patienceMs; busy() && performance.now() < deadline;) await new Promise((resolve) => { setTimeout(resolve, 5) })
    assert.deepEqual(upstream.set.targets.filter(({ inFlight, tunnels }) => inFlight !== 0 || tunnels !== 0).map(({ inFlight, tunnels }) => ({ inFlight, tunnels })), [])
  })
  const busy = (): boolean => upstream.set.targets.some(({ inFlight, tunnels }) => inFlight !== 0 || tunnels !== 0)
  const exchange = (n: number): Promise<Exchange> => new Promise((resolve) => {
    const check = (): void => {
      const x = done[n - 1]
      if (x === undefined) waiting.push(check)
      else resolve(x)
    }
    check()
  })
  return { port: Number(listener.address.split(':').at(-1)), listener, upstream, done, events, exchange }
}
