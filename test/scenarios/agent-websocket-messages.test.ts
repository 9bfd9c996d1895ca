// What an agent says of a message of a WebSocket is what becomes of it, from its handler to the bytes at both ends.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { eventually } from '../support/eventually.ts'
import { inspectedSite, messagesAgent } from '../support/inspected.ts'

const waiting = atATime(2)

for (const perMessageDeflate of [false, true]) {
  describe(perMessageDeflate ? 'of a WebSocket that is compressed' : 'of a WebSocket', () => {
    const options = { perMessageDeflate: perMessageDeflate ? { threshold: 0 } : false }

    test('messages of both directions pass, are dropped and replaced as the agent says', async (t) => {
      const { open } = await inspectedSite(t, messagesAgent('chat'), ['chat'], { server: options })
      const ends = await open(options)
      assert.equal(ends.client.extensions, perMessageDeflate ? 'permessage-deflate' : '')
      for (const [from, to] of [[ends.client, ends.thereGot], [ends.there, ends.clientGot]] as const) {
        const say = (text: string): void => from.send(text)
        for (const text of ['hello', 'drop:me', 'hello', 'replace with:something else, and longer', 'hello again', 'replace with bytes:ff00', 'redact to:***', '', 'flag']) say(text)
        from.send(Buffer.from([0xff, 0xfe]))
        from.send('fragments ', { fin: false })
        from.ping()
        from.send('of one', { fin: true })
        say('the end')
        await eventually('the messages arrive', () => to.includes('the end'))
        assert.deepEqual(to, ['hello', 'hello', 'something else, and longer', 'hello again', 'ff00', '***', '', 'flag', 'fffe', 'fragments of one', 'the end'])
      }
      ends.client.close(1000, 'bye')
      assert.deepEqual(await Promise.all([ends.clientClosed, ends.thereClosed]), ['1000 bye', '1000 bye'])
    })

    test('a close of the agent is read at both ends, and what came before it arrives', async (t) => {
      const { open, sentinel } = await inspectedSite(t, messagesAgent('chat'), ['chat'], { server: options })
      for (const from of ['client', 'there'] as const) {
        const ends = await open(options)
        ends[from].send('first')
        ends[from].send('close:4001:that is enough')
        ends[from].send('never')
        assert.deepEqual(await Promise.all([ends.clientClosed, ends.thereClosed]), ['4001 that is enough', '4001 that is enough'])
        assert.deepEqual(from === 'client' ? ends.thereGot : ends.clientGot, ['first'])
      }
      const line = await sentinel.accessed(({ status }) => status === 101)
      assert.equal(line.fault, undefined)
      assert.deepEqual(line.agents?.map(({ phase, verdict }) => `${String(phase)} ${String(verdict)}`), ['request-headers allow', 'websocket-message allow', 'websocket-message close'])
    })

    test('a decision that blocks closes with 1008', async (t) => {
      const { open } = await inspectedSite(t, messagesAgent('chat'), ['chat'], { server: options })
      const ends = await open(options)
      ends.client.send('block')
      assert.deepEqual(await Promise.all([ends.clientClosed, ends.thereClosed]), ['1008', '1008'])
      assert.deepEqual(ends.thereGot, [])
    })

    test('many messages of all lengths keep their order and their bytes, both ways at once', async (t) => {
      const { open } = await inspectedSite(t, messagesAgent('chat', 'max-concurrent-calls 4'), ['chat'], { server: options })
      const ends = await open(options)
      const sent: string[] = []
      for (let i = 0; i < 200; i++) {
        const text = `${i} ${'äx'.repeat([1, 30, 40, 3_000, 25_000, 160_000][i % 6]!)}`
        sent.push(text)
        ends.client.send(text)
        ends.there.send(text)
      }
      await eventually('the messages arrive', () => ends.thereGot.length === 200 && ends.clientGot.length === 200)
      assert.ok(ends.thereGot.every((text, i) => text === sent[i]) && ends.clientGot.every((text, i) => text === sent[i]))
    })
  })
}

waiting('what was decided is in the log and in evidence, with its audit, and the metrics count', async (t) => {
  const { open, sentinel } = await inspectedSite(t, messagesAgent('chat'), ['chat'], { more: 'evidence { file "evidence.jsonl" }' })
  const ends = await open()
  for (const text of ['hello', 'drop:x', 'replace with:y', 'attribute:weather', 'close:1000:']) ends.client.send(text)
  await ends.clientClosed
  const line = await sentinel.accessed(({ status }) => status === 101)
  const dropped = line.agents?.find(({ verdict }) => verdict === 'drop')
  assert.deepEqual([dropped?.['reason'], dropped?.['rule_ids']], ['spam', ['w-1']], JSON.stringify(dropped))
  const metrics = await sentinel.metrics()
  for (const [outcome, count] of [['passed', 2], ['dropped', 1], ['replaced', 1], ['closed', 1]] as const) {
    assert.match(metrics, new RegExp(`^sentinel_websocket_messages_total\\{route="all",direction="in",outcome="${outcome}"\\} ${count}$`, 'm'))
  }
  assert.match(metrics, /sentinel_agent_calls_total\{agent="chat",phase="websocket-message",verdict="drop",mode="enforce"\} 1/)
  assert.equal(await sentinel.stop(), 0)
  const receipts = readFileSync(join(sentinel.folder, 'evidence.jsonl'), 'utf8').trim().split('\n').map((text) => JSON.parse(text) as Record<string, unknown>)
  const told = receipts.filter(({ phase }) => phase === 'websocket-message').map(({ verdict, action, reason }) => [verdict, action, reason])
  assert.deepEqual(told, [['drop', 'changed', 'spam'], ['replace', 'changed', ''], ['close', 'closed', 'rude']])
  const complete = await sentinel.logged(({ msg, agent }) => agent === 'chat' && msg === 'complete')
  assert.ok(Number(complete['in']) > 20 && Number(complete['out']) > 0, JSON.stringify(complete))
})

waiting('without websocket-inspection the same agent is asked nothing, and the tunnel is raw', async (t) => {
  const { open, sentinel } = await inspectedSite(t, messagesAgent('chat'), ['chat'], { route: 'websocket #true; ' })
  const ends = await open()
  ends.client.send('drop:me')
  await eventually('the messages arrive', () => ends.thereGot.length === 1)
  ends.client.close()
  await sentinel.accessed(({ status }) => status === 101)
  assert.ok(!sentinel.log.some(({ msg }) => msg === 'message'))
})

test('the block form of websocket has the switch, too, and its max-message-size is that of a message unpacked', async (t) => {
  const { open } = await inspectedSite(t, messagesAgent('chat'), ['chat'], { route: 'websocket { inspection; max-message-size "10KiB" }; ', server: { perMessageDeflate: true } })
  for (const from of ['client', 'there'] as const) {
    const ends = await open({ perMessageDeflate: { threshold: 0 } })
    ends[from].send('x'.repeat(10 * 1024))
    await eventually('the messages arrive', () => (from === 'client' ? ends.thereGot : ends.clientGot).length === 1)
    ends[from].send('x'.repeat(10 * 1024 + 1))
    assert.deepEqual(await Promise.all([ends.clientClosed, ends.thereClosed]), from === 'client' ? ['1009', '1001'] : ['1001', '1009'])
  }
})

test('a message of more than 1MiB is closed with 1009 where no limit is written', async (t) => {
  const { open } = await inspectedSite(t, messagesAgent('chat'), ['chat'])
  const ends = await open({ perMessageDeflate: false })
  ends.client.send(Buffer.alloc(1024 * 1024, 1))
  await eventually('the messages arrive', () => ends.thereGot.length === 1)
  ends.client.send(Buffer.alloc(1024 * 1024 + 1, 1))
  assert.deepEqual(await Promise.all([ends.clientClosed, ends.thereClosed]), ['1009', '1001'])
})

waiting('an agent may look at one direction, and be done with a WebSocket', async (t) => {
  const { open, sentinel } = await inspectedSite(t, messagesAgent('chat', 'config { direction "from-upstream" }'), ['chat'])
  const ends = await open()
  ends.client.send('drop:me')
  ends.there.send('drop:me')
  ends.there.send('done')
  await eventually('the messages arrive', () => ends.clientGot.includes('done'))
  ends.there.send('drop:too')
  await eventually('the messages arrive', () => ends.clientGot.includes('drop:too') && ends.thereGot.length === 1)
  ends.client.close()
  await sentinel.accessed(({ status }) => status === 101)
  const shown = (): number => sentinel.log.filter(({ msg }) => msg === 'message').length
  await eventually('the agent has told of what it was shown', () => shown() >= 3)
  assert.equal(shown(), 3)
  assert.ok(!sentinel.log.some(({ msg }) => msg === 'complete'))
})

waiting('ping, pong and their payloads pass untouched, also while a message is with the agent', async (t) => {
  const { open } = await inspectedSite(t, messagesAgent('chat'), ['chat'])
  const ends = await open()
  const pings: string[] = []
  ends.there.on('ping', (data: Buffer) => pings.push(data.toString()))
  ends.client.ping('one')
  ends.client.send('sleep:4000')
  ends.there.send('other way')
  await eventually('the messages arrive', () => ends.clientGot.includes('other way'))
  assert.deepEqual(ends.thereGot, [], 'the two directions do not wait for each other')
  ends.client.ping('two')
  await eventually('the messages arrive', () => pings.length === 2)
  assert.deepEqual([pings, ends.thereGot], [['one', 'two'], ['sleep:4000']])
})

waiting('compression that was negotiated with limits is kept within them', async (t) => {
  const { open } = await inspectedSite(t, messagesAgent('chat'), ['chat'], {
    server: { perMessageDeflate: { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true, serverMaxWindowBits: 9, clientMaxWindowBits: 9 } },
  })
  const ends = await open({ perMessageDeflate: { threshold: 0 } })
  assert.match(ends.client.extensions, /permessage-deflate/)
  const long = 'lorem ipsum '.repeat(60)
  for (const from of [ends.client, ends.there]) {
    from.send(long)
    from.send(`replace with:${long}`)
    from.send('drop:x')
    from.send(`${long}!`)
  }
  await eventually('the messages arrive', () => ends.thereGot.length === 3 && ends.clientGot.length === 3)
  for (const got of [ends.thereGot, ends.clientGot]) assert.deepEqual(got, [long, long, `${long}!`])
})

