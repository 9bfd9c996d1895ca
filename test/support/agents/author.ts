// What an author may write, for scenarios with a real proxy: each path shows one thing.
import { allow, block, defineAgent, integer, ipRange, list, serve, setting } from 'sentinel/sdk'

await serve(defineAgent({
  name: 'author',
  config: {
    limit: setting(integer(1, 100), 10, 'Requests of one client.'),
    networks: list(ipRange, [], 'Clients that are let through.'),
  },
  async onRequest (request, { config, log, store, waitUntil }) {
    if (request.path === '/json') return allow().withRequestHeaders({ 'x-kind': String((await request.json({ max: '1KiB' }) as { kind: string }).kind) })
    if (request.path === '/built') {
      return block(451).withBody({ why: 'law' }).withHeader('X-Why', 'law').withResponseHeaders({ 'x-more': '1' }).withAttribute('law', 'yes').withAudit({ reason: 'law' })
    }
    if (request.path === '/count') return block(429).withBody(String(await store.increment(`seen:${request.ip}`, { ttlMs: 60_000 })))
    if (request.path === '/cookie') return block(403).withBody([...request.cookies].join(' ') + ` ${request.client.ip} ${new URL(request.url).search}`)
    if (request.path === '/after') {
      waitUntil(async () => {
        await new Promise((resolve) => setTimeout(resolve, 300))
        log.info({ limit: config.limit }, 'written after the answer')
      })
    }
    if (request.path === '/spin') spin(Number(request.query))
    return undefined
  },
  onRequestTrailers (trailers, _request, { log }) {
    log.info({ sum: trailers.get('x-sum') }, 'behind the body')
    return trailers.get('x-sum') === 'wrong' ? block(400) : undefined
  },
  onResponseTrailers (trailers, response, _request, { attributes }) {
    attributes.set('outcome', `${response.status} ${trailers.get('grpc-status')}`)
  },
}))

function spin (ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until) continue
}
