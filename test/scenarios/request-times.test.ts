// What an exchange knows of the time it took: waiting, filters, connecting, the first byte, all of it.
import assert from 'node:assert/strict'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Exchange } from '../../proxy/pipeline/exchange.ts'
import { authority } from '../support/authority.ts'
import { eventually } from '../support/eventually.ts'
import { http2Upstream } from '../support/http2-upstream.ts'
import { startProxy, type ProxyGiven, type TestProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { request } from '../support/request.ts'
import { deadPort, httpUpstream } from '../support/upstream.ts'

const ca = authority('times')
const local = ca.issue('localhost')
const tls = { ca: ca.cert, sni: 'localhost' }

const timesOf = async (proxy: TestProxy, n: number): Promise<Exchange> => {
  await request(proxy.port, '/')
  return proxy.exchange(n)
}

async function https (t: TestContext): Promise<number> {
  const server = createHttpsServer({ cert: local.cert, key: local.key }, (_, response) => response.end('one'))
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => { server.close(); server.closeAllConnections() })
  return (server.address() as AddressInfo).port
}

test('the times of a request are in order, and those of a connection belong to the one that opened it', async (t) => {
  let end = (): void => {}
  const upstream = await httpUpstream(t, (_, response) => {
    setTimeout(() => response.write('some'), 30)
    end = () => response.end('thing')
  })
  const proxy = await startProxy(t, { targets: [upstream.port] })
  const asked = async (n: number): Promise<Exchange> => {
    const client = await rawClient(t, proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until('some')
    setTimeout(end, 30)
    return proxy.exchange(n)
  }
  const first = await asked(1)
  assert.ok(first.connectMs > 0)
  assert.equal(first.tlsMs, 0)
  assert.ok(first.askedMs >= first.startedMs)
  assert.ok(first.upstreamMs >= 29, `${first.upstreamMs}`)
  assert.ok(first.firstByteMs >= first.upstreamMs)
  assert.ok(first.durationMs - first.firstByteMs >= 29, `${first.durationMs} ${first.firstByteMs}`)
  assert.equal(first.queuedMs, 0)
  assert.equal(first.waits, undefined)
  const second = await asked(2)
  assert.equal(second.connectMs, 0)
  assert.equal(second.poolMs, 0)
})

test('TLS is told apart from connecting, on connections of one exchange, of several, and on those that turn out to be of one', async (t) => {
  const one = await https(t)
  const two = await http2Upstream(t, (_, response) => response.end('two'), { tls: local })
  const chosen = { when: 'chosen', maxStreams: 100, pingIntervalMs: 0 } as const
  const ways: ReadonlyArray<readonly [number, ProxyGiven['upstream']]> = [[one, { tls }], [two.port, { tls, http2: chosen }], [one, { tls, http2: chosen }]]
  for (const [port, upstream] of ways) {
    const proxy = await startProxy(t, { targets: [port], upstream: upstream ?? {} })
    const first = await timesOf(proxy, 1)
    assert.ok(first.connectMs > 0 && first.tlsMs > 0, `${first.connectMs} ${first.tlsMs}`)
    const second = await timesOf(proxy, 2)
    assert.deepEqual([second.connectMs, second.tlsMs], [0, 0])
  }
})

test('waiting for a connection of others is no connecting', async (t) => {
  const held: Array<() => void> = []
  const upstream = await httpUpstream(t, (_, response) => { held.push(() => response.end('ok')) })
  const proxy = await startProxy(t, { targets: [upstream.port], upstream: { poolMaxConnections: 1 } })
  const both = Promise.all([request(proxy.port, '/'), request(proxy.port, '/')])
  await eventually('one of them waits', () => held.length === 1 && proxy.upstream.targets[0]!.waiting === 1)
  setTimeout(held[0]!, 40)
  await eventually('the other one is asked', () => held.length === 2)
  held[1]!()
  await both
  await proxy.exchange(2)
  const [first, second] = proxy.done
  assert.equal(first!.poolMs, 0)
  assert.ok(second!.poolMs >= 30, `${second!.poolMs}`)
  assert.equal(second!.connectMs, 0)
})

test('each filter that was waited for is told by its name, on the side where it was', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => response.end('ok'))
  const proxy = await startProxy(t, {
    targets: [upstream.port],
    filters: [
      { name: 'at-once', onRequest: () => undefined },
      { name: 'slow', onRequest: () => sleep(30, undefined) },
      { name: 'last', onResponse: () => sleep(20, undefined) },
    ],
  })
  const { waits = [], askedMs, startedMs } = await timesOf(proxy, 1)
  assert.deepEqual(waits.map(({ filter, side }) => [filter, side]), [['slow', 'request'], ['last', 'response']])
  assert.ok(waits[0]!.ms >= 29 && waits[1]!.ms >= 19)
  assert.ok(askedMs - startedMs >= 29)
})

test('a filter that fails was waited for as well, and so was a target that was not reached', async (t) => {
  const failing = await startProxy(t, { targets: [1], filters: [{ name: 'broken', onRequest: () => Promise.reject(new Error('no')) }] })
  const failed = await timesOf(failing, 1)
  assert.deepEqual(failed.waits?.map(({ filter }) => filter), ['broken'])
  assert.equal(failed.askedMs, 0)
  const unreached = await startProxy(t, { targets: [await deadPort()] })
  const x = await timesOf(unreached, 1)
  assert.equal(x.fault?.code, 'UPSTREAM_CONNECT')
  assert.ok(x.connectMs > 0 && x.askedMs > 0 && x.upstreamMs === 0)
  assert.ok(x.firstByteMs > 0)
})
