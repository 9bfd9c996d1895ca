// A request to become a WebSocket on a route whose agents look at bodies: agents decide about its head and are not in the way of what follows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { everything, decision } from '../support/raw-agent.ts'
import { startWithRawAgents } from '../support/raw-agents.ts'
import { scripted, scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { echoOf, echoServer, webSocketClient } from '../support/websocket.ts'

test('a WebSocket is asked for by way of the agents of the route, who see no bodies of it', async (t) => {
  const { port } = await echoServer(t)
  const sentinel = await startSentinel(t, siteWith(port, scriptedAgent('guard', 'request-body-mode "buffer"; response-body-mode "buffer"'), ['guard'], '', 'websocket { ping-interval "1s" }; '))
  await assert.rejects(webSocketClient(t, sentinel.port(), { headers: scripted({ request: { do: 'block', status: 401 } }) }), /401/)
  const client = await webSocketClient(t, sentinel.port())
  assert.equal(await echoOf(client, 'hello'), 'hello')
})

for (const kind of ['buffer', 'stream'] as const) {
  test(`with bodies wanted both ways (${kind}), the upgrade is decided by its heads, and no byte of the tunnel is taken for a body`, async (t) => {
    const mode = { kind, maxBytes: 0, over: 'block' as const }
    const { port } = await echoServer(t)
    const { sentinel, agents } = await startWithRawAgents(t, { a: { describe: { ...everything, requestBody: mode, responseBody: mode }, answer: ({ kind: of }) => (
      of === 'response_headers' ? decision({ kind: 'allow', value: {} }, { responseHeaders: [{ action: 'set', name: 'X-Agent', value: '1' }] }) : undefined
    ) } }, { upstream: { port, requests: [], heads: () => 0 }, filters: ['a'], route: 'websocket { ping-interval "1s" }; ' })
    const client = await webSocketClient(t, sentinel.port())
    for (const text of ['hello', 'x'.repeat(300_000)]) assert.equal(await echoOf(client, text), text)
    client.close()
    await agents.a.seen(({ kind: of }) => of === 'complete')
    assert.deepEqual(agents.a.events.map(({ kind: of }) => of), ['request_headers', 'response_headers', 'complete'])
    const head = agents.a.events[1]!
    assert.ok(head.kind === 'response_headers' && head.value.status === 101 && !head.value.hasBody && head.value.bodyMode?.kind === 'none')
  })
}
