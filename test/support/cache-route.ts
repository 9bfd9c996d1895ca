import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { openCache, type Cache, type RouteCacheSettings, type StoreSettings } from '../../proxy/cache/index.ts'
import { bodyOf, gather, type Body } from '../../proxy/pipeline/body.ts'
import type { EndSignal } from '../../proxy/pipeline/end-signal.ts'
import type { Exchange, Reply } from '../../proxy/pipeline/exchange.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { exchangeOf } from './exchange.ts'
import { patienceMs } from './patience.ts'

export const second = 1000
/** In the middle of a second, as times are. */
const start = Date.UTC(2030, 0, 2, 3, 4, 5, 500)

export interface Origin {
  readonly status?: number
  /** Field lines; a Date of now is added when there is none. */
  readonly headers?: readonly string[]
  readonly body?: string | Body
}

export interface Asked {
  readonly method?: string
  readonly headers?: readonly string[]
  readonly authority?: string
  readonly address?: string
  readonly body?: Body
  readonly ending?: EndSignal
  /** Before it reaches the cache, as filters and agents would. */
  readonly change?: (x: Exchange) => void
}

export interface Got {
  readonly status: number
  readonly headers: HeaderList
  readonly text: string
  readonly cache: string
}

export interface CacheRoute {
  readonly cache: Cache
  /** What reached the upstream. */
  readonly requests: readonly Exchange[]
  origin: (x: Exchange, count: number) => Origin | Promise<Origin>
  ask (target: string, asked?: Asked): Promise<Got>
  reply (target: string, asked?: Asked): Promise<Reply>
  /** The body, which names the number of the answer where nothing else was said. */
  text (target: string, asked?: Asked): Promise<string>
  advance (ms: number): void
}

const plain: RouteCacheSettings = {
  route: 'all', defaultTtlMs: 0, negativeTtlMs: 0, maxBytes: 1024 * 1024, cachePrivate: false, respectCacheControl: true, staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0, methods: new Set(['GET', 'HEAD']), statuses: new Set([200, 203, 204, 206, 300, 301, 302, 308, 404, 410, 500, 599]), varyHeaders: [],
  varyQueryParams: [], ignoreQueryParams: [], excludeExtensions: [], excludePaths: [], minUses: 1, lockTimeoutMs: 5_000, statusName: 'sentinel',
  guardedHeaders: () => new Set(),
}

export const backends = ['memory', 'disk', 'hybrid'] as const

export function storeFor (t: TestContext, backend: StoreSettings['backend'] = 'memory', more: Partial<StoreSettings> = {}): StoreSettings {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-cache-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return { backend, maxBytes: 8 * 1024 * 1024, diskPath: folder, diskShards: 2, diskMaxBytes: 64 * 1024 * 1024, ...more }
}

/** A route that keeps answers, without sockets: the clock is the test's. */
export function cacheRoute (t: TestContext, rules: Partial<RouteCacheSettings> = {}, place: StoreSettings = storeFor(t)): CacheRoute {
  t.mock.timers.enable({ apis: ['Date'], now: start })
  const cache = openCache(place, { isShared: false, trouble: (what, error) => { throw new Error(what, { cause: error }) } })
  t.after(() => cache.close())
  const requests: Exchange[] = []
  const responder = cache.before({
    name: 'app',
    async respond (x) {
      requests.push(x)
      const { status = 200, headers = [], body = String(requests.length) } = await route.origin(x, requests.length)
      const list = new HeaderList([...headers])
      if (!list.has('date')) list.append('Date', new Date().toUTCString())
      const empty = status === 304 || status === 204 || x.request.method === 'HEAD'
      return { status, headers: list, body: empty ? undefined : typeof body === 'string' ? bodyOf(Buffer.from(body)) : body }
    },
  }, { ...plain, ...rules }, cache)
  const reply = (target: string, { change, ...asked }: Asked = {}): Promise<Reply> => {
    const x = exchangeOf({ target, ...asked })
    change?.(x)
    return Promise.resolve(responder.respond(x))
  }
  const ask = async (target: string, { change, ...asked }: Asked = {}): Promise<Got> => {
    const x = exchangeOf({ target, ...asked })
    change?.(x)
    const { status, headers, body } = await responder.respond(x)
    const { chunks } = body === undefined ? { chunks: [] } : await gather(body, Infinity)
    // An answer on disk is in place a moment later.
    await settled()
    return { status, headers, cache: x.cache, text: Buffer.concat(chunks).toString() }
  }
  const route: CacheRoute = {
    cache, requests, ask, reply,
    origin: () => ({ headers: ['Cache-Control', 'max-age=60'] }),
    text: async (target, asked) => (await ask(target, asked)).text,
    advance: (ms) => t.mock.timers.setTime(Date.now() + ms),
  }
  const settled = async (): Promise<void> => {
    for (const until = performance.now() + patienceMs; cache.isBusy && performance.now() < until;) await new Promise((go) => { setTimeout(go, 1) })
  }
  return route
}
