// Several agents of one WebSocket, agents that only look on, and what the operator lets them see.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { inspectedSite, messagesAgent } from '../support/inspected.ts'
import { agentStatus } from '../support/vital-agent.ts'

const marking = (id: string, settings = ''): string => messagesAgent(id, `config { mark ${JSON.stringify(` ${id}`)} }; ${settings}`)

test('agents are asked in the order of the route, of the upstream\'s messages in reverse order, and each sees what those before it made', async (t) => {
  const { open, sentinel } = await inspectedSite(t, `${marking('a')}\n${marking('b')}`, ['a', 'b'], { server: { perMessageDeflate: true } })
  const ends = await open({ perMessageDeflate: { threshold: 0 } })
  ends.client.send('out')
  ends.there.send('back')
  await eventually('both arrive', () => ends.thereGot.length === 1 && ends.clientGot.length === 1)
  assert.deepEqual([ends.thereGot, ends.clientGot], [['out a b'], ['back b a']])
  const seen = (agent: string) => sentinel.log.filter((record) => record.agent === agent && record.msg === 'message').map((record) => String(record['text'])).toSorted()
  await eventually('both have told of it', () => seen('a').length === 2 && seen('b').length === 2)
  assert.deepEqual([seen('a'), seen('b')], [['back b', 'out'], ['back', 'out a']])
})

test('what one agent drops or closes for, the next is not asked about', async (t) => {
  const { open, sentinel } = await inspectedSite(t, `${messagesAgent('a')}\n${messagesAgent('b')}`, ['a', 'b'])
  const ends = await open()
  ends.client.send('drop:x')
  ends.client.send('close:4002:no')
  assert.equal(await ends.clientClosed, '4002 no')
  assert.ok(!sentinel.log.some((record) => record.agent === 'b' && record.msg === 'message'))
})

for (const mode of ['monitor', 'dry-run', 'shadow'] as const) {
  test(`in mode ${mode} everything passes, and what would have been done is recorded`, async (t) => {
    const { open, sentinel } = await inspectedSite(t, messagesAgent('chat', `mode "${mode}"`), ['chat'])
    const ends = await open()
    const said = ['drop:x', 'replace with:y', 'throw', 'close:4001:no', 'block', 'last']
    for (const text of said) ends.client.send(text)
    await eventually('all pass', () => ends.thereGot.length === said.length)
    assert.deepEqual(ends.thereGot, said)
    await eventually('all were shown', () => sentinel.log.some((record) => record.msg === 'message' && record['text'] === 'last'))
    // The head of the request is answered as well; what it counts it tells behind its answers.
    await eventually('all are answered', async () => (await agentStatus(sentinel, 'chat')).load?.answered === said.length + 1)
    ends.client.close(1000)
    const line = await sentinel.accessed(({ status }) => status === 101)
    const verdicts = line.agents?.filter(({ phase }) => phase === 'websocket-message').map(({ verdict, applied }) => `${String(verdict)} ${String(applied)}`)
    // Answers to copies come as they come.
    assert.deepEqual(verdicts?.toSorted(), ['allow', 'block', 'close', 'drop', 'failed', 'replace'].map((verdict) => `${verdict} false`))
  })
}

test('an agent in shadow mode holds nothing up, however slow it is', async (t) => {
  const { open } = await inspectedSite(t, messagesAgent('chat', 'mode "shadow"; timeout "60s"'), ['chat'])
  const ends = await open()
  const startMs = performance.now()
  for (let i = 0; i < 5; i++) ends.client.send('sleep:8000')
  await eventually('they pass', () => ends.thereGot.length === 5)
  assert.ok(performance.now() - startMs < 7_500)
})

test('an agent whose events in the configuration leave messages out is not shown any, and one that is asked about nothing else is', async (t) => {
  const { open, sentinel } = await inspectedSite(t, `${messagesAgent('a', 'events "request_headers" "complete"')}\n${messagesAgent('b', 'events "websocket_frame"')}`, ['a', 'b'])
  const ends = await open()
  ends.client.send('drop:x')
  ends.client.send('hello')
  await eventually('one passes', () => ends.thereGot.length === 1)
  assert.deepEqual(ends.thereGot, ['hello'])
  const shownTo = (): unknown[] => sentinel.log.filter(({ msg }) => msg === 'message').map(({ agent }) => agent)
  await eventually('the agent has told of both', () => shownTo().length >= 2)
  assert.deepEqual(shownTo(), ['b', 'b'])
})

test('an agent that may see no bodies sees no messages, and one that may not change bodies changes no message', async (t) => {
  const blind = await inspectedSite(t, `${messagesAgent('a', 'see { bodies #false }')}\n${messagesAgent('b')}`, ['a', 'b'])
  const ends = await blind.open()
  ends.client.send('hello')
  await eventually('it passes', () => ends.thereGot.length === 1)
  const shownTo = (): unknown[] => blind.sentinel.log.filter((record) => record.msg === 'message').map((record) => record.agent)
  await eventually('the agent has told of it', () => shownTo().length >= 1)
  assert.deepEqual(shownTo(), ['b'])

  const bound = await inspectedSite(t, messagesAgent('a', 'may { replace-bodies #false }'), ['a'])
  for (const text of ['replace with:y', 'drop:x']) {
    const both = await bound.open()
    both.client.send(text)
    assert.match(await both.clientClosed, /^1011/)
    assert.deepEqual(both.thereGot, [])
  }
})

test('agents in parallel are shown messages one after the other, in the order of the file', async (t) => {
  const agents = `${marking('a')}\n${marking('b')}`
  const { open } = await inspectedSite(t, agents, ['both'], { more: 'filters { filter "both" { type "parallel"; agent "a" "b" } }' })
  const ends = await open()
  ends.client.send('out')
  await eventually('it arrives', () => ends.thereGot.length === 1)
  assert.deepEqual(ends.thereGot, ['out a b'])
})
