// Counts requests in figures of its own, and says that it is degraded when a request asks for that.
import { defineAgent, oneOf, serve, setting, text } from 'sentinel/sdk'

const waiting: Array<() => void> = []

await serve(defineAgent({
  name: 'vital',
  config: { tag: setting(text, 'none', 'Label of what is counted.'), kind: setting(oneOf('counter', 'gauge'), 'counter', 'What it counts with.') },
  async onRequest (request, { metrics, health, config, signal }) {
    const { path } = request
    if (config.kind === 'gauge') metrics.gauge('requests_seen', 'Requests seen.', ['tag']).add(1, { tag: config.tag })
    else metrics.counter('requests_seen_total', 'Requests seen.', ['tag']).add(1, { tag: config.tag })
    metrics.gauge('last_path_chars', 'Length of the path that was seen last.').set(path.length)
    metrics.histogram('path_chars', 'Lengths of paths.', { buckets: [5, 10, 20] }).observe(path.length)
    if (path === '/degrade') health.degraded('the store is away')
    if (path === '/well') health.well()
    if (path === '/fail') throw new Error('as asked')
    if (path.startsWith('/flood')) for (let i = 0; i < 1_500; i++) metrics.counter('flood_total', 'Too many series.', ['n']).add(1, { n: String(i) })
    if (path === '/go-on') for (const go of waiting.splice(0)) go()
    if (path === '/slow-until-told') return new Promise<void>((resolve) => { waiting.push(resolve) })
    if (!path.startsWith('/slow')) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Number(request.headers.get('x-ms') ?? 300))
      signal.addEventListener('abort', () => { clearTimeout(timer); resolve() }, { once: true })
    })
  },
}))
