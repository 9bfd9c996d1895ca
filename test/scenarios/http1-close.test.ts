import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deferred } from '../support/deferred.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { deadPort, fixedUpstream, httpUpstream } from '../support/upstream.ts'
import { within } from '../support/within.ts'

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

test('closing lets open exchanges end with Connection: close, ends unused connections, takes no new ones', async (t) => {
  const asked = deferred<() => void>()
  const upstream = await httpUpstream(t, (message, response) => {
    if (message.url === '/slow') asked.resolve(() => response.end('done'))
    else response.end()
  })
  const { port, listener } = await startProxy(t, { targets: [upstream.port] })
  const busy = await rawClient(t, port, 'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
  const idle = await rawClient(t, port, get)
  await idle.answer()
  const finish = await asked.promise
  const closed = listener.close(new AbortController().signal)
  await idle.ended()
  await assert.rejects(rawClient(t, port))
  finish()
  const answer = await busy.answer()
  assert.deepEqual([answer.body, answer.header('connection')], ['done', 'close'])
  await closed
  assert.equal(listener.connections, 0)
})

test('at the deadline what is left is cut', async (t) => {
  await within(1_000, async () => {
    const asked = deferred()
    const upstream = await httpUpstream(t, () => asked.resolve())
    const { port, listener, exchange } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, get)
    await asked.promise
    const startedMs = performance.now()
    await listener.close(AbortSignal.timeout(200))
    const ms = performance.now() - startedMs
    assert.equal(await client.ended(), '')
    assert.equal((await exchange(1)).fault?.code, 'SHUTTING_DOWN')
    return ms
  })
})

test('an upstream closes when its exchanges are over, and cuts them at the deadline', async (t) => {
  const asked = deferred<() => void>()
  const server = await httpUpstream(t, (_message, response) => asked.resolve(() => response.end('done')))
  const { port, upstream } = await startProxy(t, { targets: [server.port] })
  const client = await rawClient(t, port, get)
  const finish = await asked.promise
  const closed = upstream.close(new AbortController().signal)
  finish()
  assert.equal((await client.answer()).body, 'done')
  await closed
  assert.equal(upstream.targets[0]?.connections, 0)
})

test('an address in use is an error of start, and a listener that never started closes', async (t) => {
  const taken = await fixedUpstream(t, '')
  await assert.rejects(startProxy(undefined, { targets: [await deadPort()], listener: { port: taken.port } }), { code: 'EADDRINUSE' })
})
