import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Exchange } from '../../proxy/pipeline/exchange.ts'
import { Places, webSocketFilter } from '../../proxy/websocket/index.ts'
import { eventually } from '../support/eventually.ts'
import { get, h2Client, headers } from '../support/h2-client.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { httpUpstream, rawUpstream } from '../support/upstream.ts'
import { acceptingHandshake, webSocketRequest } from '../support/websocket.ts'

/** A proxy whose upstream says half of an answer and then whatever `then` does; silent without `head`. */
function half (t: TestContext, head: boolean, then: (cut: () => void) => void): Promise<TestProxy> {
  return httpUpstream(t, (_, response) => {
    if (head) response.write('half')
    then(() => response.destroy())
  }).then(({ port }) => startProxy(t, { targets: [port], listener: { priorKnowledge: true } }))
}

function toldOf (x: Exchange): unknown[] {
  return [x.reply?.status, x.fault?.code, x.fault?.row.blame, x.responseBytes]
}

for (const version of ['1.1', '2']) {
  /** Asks, and gives what ends the connection and how the answer looks to the client at last. */
  const asked = async (t: TestContext, { port }: TestProxy, until: string | undefined): Promise<{ leave: () => void, ended: () => Promise<string> }> => {
    if (version === '2') {
      const client = await h2Client(t, port)
      client.send(headers(1, get('/')))
      if (until !== undefined) await client.until('DATA', ({ type, payload }) => type === 0 && payload.includes(until))
      return { leave: () => client.socket.destroy(), ended: () => client.reset(1) }
    }
    const client = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    if (until !== undefined) await client.until(until)
    return { leave: () => client.socket.destroy(), ended: async () => (await client.ended()).endsWith('0\r\n\r\n') ? 'whole' : 'cut' }
  }

  test(`HTTP/${version}: an answer that its upstream left half is told of under the status the client got`, async (t) => {
    let leave = (): void => {}
    const proxy = await half(t, true, (cut) => { leave = cut })
    await asked(t, proxy, 'half')
    leave()
    assert.deepEqual(toldOf(await proxy.exchange(1)), [200, 'UPSTREAM_RESET', 'upstream', 4])
  })

  test(`HTTP/${version}: a client that leaves in the middle of an answer had one`, async (t) => {
    const proxy = await half(t, true, () => {})
    const { leave } = await asked(t, proxy, 'half')
    leave()
    assert.deepEqual(toldOf(await proxy.exchange(1)), [200, 'CLIENT_GONE', 'client', 4])
  })

  test(`HTTP/${version}: a client that leaves before its answer had none`, async (t) => {
    let arrived = (): void => {}
    const asking = new Promise<void>((resolve) => { arrived = resolve })
    const proxy = await half(t, false, () => arrived())
    const { leave } = await asked(t, proxy, undefined)
    await asking
    leave()
    assert.deepEqual(toldOf(await proxy.exchange(1)), [undefined, 'CLIENT_GONE', 'client', 0])
  })

  test(`HTTP/${version}: what a stop cuts was not cut by the client, and looks whole to nobody`, async (t) => {
    const proxy = await half(t, true, () => {})
    const { ended } = await asked(t, proxy, 'half')
    const cut = ended()
    await proxy.listener.close(AbortSignal.timeout(50))
    assert.equal(await cut, version === '2' ? 'INTERNAL_ERROR' : 'cut')
    assert.deepEqual(toldOf(await proxy.exchange(1)), [200, 'SHUTTING_DOWN', 'sentinel', 4])
  })

  test(`HTTP/${version}: a request without an answer that a stop cuts is not logged as answered`, async (t) => {
    let arrived = (): void => {}
    const asking = new Promise<void>((resolve) => { arrived = resolve })
    const proxy = await half(t, false, () => arrived())
    await asked(t, proxy, undefined)
    await asking
    await proxy.listener.close(AbortSignal.timeout(50))
    assert.deepEqual(toldOf(await proxy.exchange(1)), [undefined, 'SHUTTING_DOWN', 'sentinel', 0])
  })
}

test('what a tunnel is ended for is told, although the client leaves without hearing it', async (t) => {
  let told = ''
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    told = received.slice(received.indexOf('\r\n\r\n') + 4)
    // In the middle of a frame, behind which the last words would go, and with a side that stays open.
    if (received.endsWith('\r\n\r\n')) socket.write(Buffer.from(`${acceptingHandshake(received)}\x82\x09begun`, 'latin1'))
  }, true)
  const settings = { idleMs: 60_000, pingIntervalMs: undefined, pingTimeoutMs: 60_000, maxMessageBytes: 10, maxConnections: 9, maxConnectionsPerIp: 9 }
  const proxy = await startProxy(t, { targets: [upstream.port], upgrades: true, filters: [webSocketFilter(settings, new Places())] })
  const client = await rawClient(t, proxy.port, webSocketRequest)
  await client.until('begun')
  client.socket.write(Buffer.from([0x82, 0x80 | 100, 0, 0, 0, 0]))
  await eventually('the other end is told that it is over', () => told !== '')
  client.socket.resetAndDestroy()
  const x = await proxy.exchange(1)
  assert.deepEqual([x.reply?.status, x.fault?.code], [101, 'MESSAGE_REFUSED'])
})
