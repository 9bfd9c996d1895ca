// A WebSocket that agents look into lives as long as any other: over reloads, with its agents, and ends as others do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { eventually } from '../support/eventually.ts'
import { inspectedSite, inspecting, maskedText, messagesAgent, openEnds, type Ends } from '../support/inspected.ts'
import { rawClient } from '../support/raw-client.ts'
import { webSocketRequest } from '../support/websocket.ts'

const waiting = atATime(2)

waiting('it is kept by a reload, with the agent that looks into it; new ones follow the new configuration', async (t) => {
  const { open, sentinel, server, kdl } = await inspectedSite(t, messagesAgent('chat'), ['chat'])
  const ends = await open()
  assert.equal((await sentinel.reload(kdl(messagesAgent('chat'), ['chat'], 'websocket #true; '))).event, 'reloaded')
  // Longer than anything of the old configuration is kept that nobody has taken over.
  await new Promise((wait) => setTimeout(wait, 800))
  ends.client.send('drop:x')
  ends.client.send('hello')
  await eventually('one passes', () => ends.thereGot.length === 1)
  assert.deepEqual(ends.thereGot, ['hello'])
  const raw = await openEnds(t, server, sentinel.port())
  raw.client.send('drop:x')
  await eventually('it passes', () => raw.thereGot.length === 1)
  assert.equal((await sentinel.reload(kdl(messagesAgent('chat'), ['chat'], inspecting))).event, 'reloaded')
  const again = await openEnds(t, server, sentinel.port())
  again.client.send('drop:x')
  again.client.send('hello')
  await eventually('one passes', () => again.thereGot.length === 1)
  assert.deepEqual(again.thereGot, ['hello'])
})

waiting('it goes on with the agent that a reload has put in the place of another, and without one that is gone as the failure mode says', async (t) => {
  const { open, sentinel, kdl } = await inspectedSite(t, messagesAgent('chat', 'config { mark " one" }'), ['chat'])
  const ends = await open()
  ends.client.send('hello')
  await eventually('it passes', () => ends.thereGot.length === 1)
  // Another environment is another program.
  assert.equal((await sentinel.reload(kdl(messagesAgent('chat', 'env { A "b" }; config { mark " two" }'), ['chat']))).event, 'reloaded')
  await sentinel.logged((record) => record['agent_event'] === 'stopped')
  ends.client.send('hello')
  await eventually('it passes', () => ends.thereGot.length === 2)
  assert.deepEqual(ends.thereGot, ['hello one', 'hello two'])
  assert.equal((await sentinel.reload(kdl('', []))).event, 'reloaded')
  await eventually('nobody is asked any more', async () => {
    ends.client.send('hello')
    await new Promise((wait) => setTimeout(wait, 50))
    return ends.client.readyState === ends.client.CLOSED
  })
  assert.equal(await ends.thereClosed, '1011')
})

test('several workers ask the same agent, and their figures are one', async (t) => {
  const { open, sentinel } = await inspectedSite(t, messagesAgent('chat'), ['chat'], { system: 'worker-threads 2' })
  const all: Ends[] = []
  for (let i = 0; i < 6; i++) {
    const ends = await open()
    ends.client.send('drop:x')
    ends.client.send('hello')
    all.push(ends)
  }
  await eventually('all pass', () => all.flatMap(({ thereGot }) => thereGot).length === 6)
  await eventually('their figures are one', async () => /sentinel_websocket_messages_total\{route="all",direction="in",outcome="dropped"\} 6/.test(await sentinel.metrics()))
})

waiting('both ends are told 1001 when the proxy stops', async (t) => {
  const { open, sentinel } = await inspectedSite(t, messagesAgent('chat'), ['chat'])
  const ends = await open()
  ends.client.send('hello')
  await eventually('it passes', () => ends.thereGot.length === 1)
  const stopped = sentinel.stop()
  assert.deepEqual(await Promise.all([ends.clientClosed, ends.thereClosed]), ['1001', '1001'])
  assert.equal(await stopped, 0)
})

test('a client that leaves in the middle of a verdict frees everything, and the agent hears of it', async (t) => {
  const { sentinel } = await inspectedSite(t, messagesAgent('chat', 'timeout "60s"'), ['chat'])
  const client = await rawClient(t, sentinel.port(), webSocketRequest)
  await client.until('\r\n\r\n')
  client.send(maskedText('never'))
  await sentinel.logged(({ msg }) => msg === 'message')
  client.socket.resetAndDestroy()
  await sentinel.logged(({ msg }) => msg === 'aborted')
  await sentinel.logged(({ msg, agent }) => agent === 'chat' && msg === 'complete')
  await eventually('no tunnel is open', async () => /sentinel_open_tunnels\{route="all"\} 0/.test(await sentinel.metrics()))
})

test('what waits for an agent is bounded: a sender is as fast as the verdicts', async (t) => {
  const { open, sentinel } = await inspectedSite(t, messagesAgent('chat', 'timeout "60s"'), ['chat'], { route: 'websocket { inspection; max-message-size "100KiB" }; ' })
  const ends = await open({ perMessageDeflate: false })
  ends.client.send('sleep:5000')
  const piece = Buffer.alloc(64 * 1024, 1)
  for (let i = 0; i < 1_000; i++) ends.client.send(piece)
  await sentinel.logged(({ msg }) => msg === 'message')
  await new Promise((wait) => setTimeout(wait, 800))
  // The kernel holds a few megabytes on its own.
  assert.ok(ends.client.bufferedAmount > 40 * 1024 * 1024, `${ends.client.bufferedAmount} bytes wait at the client`)
  await eventually('all arrive', () => ends.thereGot.length === 1_001)
})

waiting('nobody is taken for gone while the agent has what he said', async (t) => {
  const { open } = await inspectedSite(t, messagesAgent('chat', 'timeout "60s"'), ['chat'], { route: 'websocket { inspection; ping-interval "200ms"; ping-timeout "2s"; idle-timeout "3s" }; ' })
  const speaks = async (from: 'client' | 'there', ends: Ends): Promise<void> => {
    ends[from].send('sleep:6000')
    await eventually('it passes', () => (from === 'client' ? ends.thereGot : ends.clientGot).length === 1)
    ends.client.close(1000)
    assert.deepEqual(await Promise.all([ends.clientClosed, ends.thereClosed]), ['1000', '1000'])
  }
  const [one, other] = [await open(), await open()]
  await Promise.all([speaks('client', one), speaks('there', other)])
})

waiting('pings of the proxy and its idle-timeout are those of any WebSocket', async (t) => {
  const { open } = await inspectedSite(t, messagesAgent('chat', 'timeout "60s"'), ['chat'], { route: 'websocket { inspection; ping-interval "200ms"; ping-timeout "60s"; idle-timeout "30s" }; ' })
  const ends = await open()
  let pings = 0
  ends.client.on('ping', () => { pings++ })
  ends.client.send('sleep:1000')
  await eventually('it passes', () => ends.thereGot.length === 1)
  await eventually('it was asked whether it is there', () => pings >= 3)
  ends.client.close(1000)
  assert.deepEqual(await Promise.all([ends.clientClosed, ends.thereClosed]), ['1000', '1000'])
})
