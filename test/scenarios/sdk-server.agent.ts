// The agent that sdk-server.test.ts starts as a process of its own.
import { setTimeout as delay } from 'node:timers/promises'
import { block, defineAgent, integer, redact, serve, setting, text } from 'sentinel/sdk'

await serve(defineAgent({
  name: 'probe',
  version: '9.9.9',
  config: {
    word: setting(text, 'attack', 'Path segment that is blocked.'),
    status: setting(integer(400, 599), 403, 'With what.'),
  },
  setsHeaders: ['X-Probe'],
  async onRequest (request, { config, signal }) {
    if (request.path === '/throw') throw new Error('broken on purpose')
    if (request.path === '/slow') await delay(4_000)
    if (request.path === '/wait') await delay(60_000, undefined, { signal })
    if (request.path === '/crash') setImmediate(() => { throw new Error('crashed on purpose') })
    if (request.path === '/late') return redact({ replaceBody: Buffer.from(await request.body({ max: '1KiB' })).toString().toUpperCase() })
    if (request.path.includes(config.word)) return block(config.status)
    request.headers.set('x-probe', request.path)
    return undefined
  },
}))
