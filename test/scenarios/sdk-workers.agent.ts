// The agent that sdk-workers.test.ts starts: its handlers run in threads.
import { threadId } from 'node:worker_threads'
import { block, defineAgent, redact, serve, setting, text } from 'sentinel/sdk'

await serve(defineAgent({
  name: 'threads',
  version: '1.2.3',
  workers: { threads: 2, maxWaiting: Number(process.env['MAX_WAITING'] ?? 1000), stuckMs: Number(process.env['STUCK_MS'] ?? 60_000) },
  config: { word: setting(text, 'attack', 'Path segment that is blocked.') },
  async onRequest (request, { config, store, attributes, log, signal, waitUntil, memory }) {
    attributes.set('thread', String(threadId))
    switch (request.path) {
      case '/spin': return spin(Number(request.query))
      case '/stuck': return spin(Infinity)
      case '/exit': return process.exit(7)
      case '/crash': setImmediate(() => { throw new Error('crashed on purpose') })
        return await new Promise(() => {})
      case '/throw': throw new Error('broken on purpose')
      case '/count': return block(403, { body: String(await store.increment('hits', { ttlMs: 60_000 })) })
      case '/badkey': return void await store.get('')
      case '/wait': return await new Promise((_, reject) => signal.addEventListener('abort', () => {
        log.info({ reason: signal.reason.reason }, 'cancelled')
        reject(signal.reason as Error)
      }))
      case '/after': return void waitUntil(async () => {
        await new Promise((resolve) => setTimeout(resolve, 200))
        log.info({ odd: () => {} }, 'done after the answer')
      })
      case '/late': return redact({ replaceBody: (await request.text()).toUpperCase() })
      case '/remember': return void memory.set('seen', threadId)
    }
    return request.path.includes(config.word) ? block(403) : undefined
  },
  onResponse (response, _request, { memory }) {
    response.headers.set('x-same-thread', String(memory.get('seen') === threadId))
  },
}))

/** Keeps the processor busy, as a handler that hashes or parses something large does. */
function spin (ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until) continue
}
