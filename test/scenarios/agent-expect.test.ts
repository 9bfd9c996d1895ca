// `Expect: 100-continue` with agents: nobody asks a client for a body that nobody wants, and nobody waits for one that was not asked for.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decision, everything, type RawAgent } from '../support/raw-agent.ts'
import { startWithRawAgents, type RawMember } from '../support/raw-agents.ts'
import { rawClient } from '../support/raw-client.ts'
import { block } from '../support/staged.ts'
import { rawUpstream } from '../support/upstream.ts'

const post = (length = 4): string => `POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`
const wanting = (kind: 'buffer' | 'stream') => ({ done: false, requestBody: { kind, maxBytes: 0, over: 'block' as const }, responseHeaders: false, responseBody: undefined })
const shown = (agent: RawAgent): string => agent.events.flatMap((event) => event.kind === 'request_body' ? [event.value.data.toString()] : []).join('')

async function start (t: Parameters<typeof rawClient>[0], member: RawMember, route = 'filters "a"; ') {
  const heads: string[] = []
  const upstream = await rawUpstream(t, (connection) => {
    const { received, socket } = connection
    const end = received.indexOf('\r\n\r\n') + 4
    if (end > 3 && heads[connection.index] === undefined) {
      heads[connection.index] = received.slice(0, end)
      if (/\r\nexpect: /i.test(received)) socket.write('HTTP/1.1 100 Continue\r\n\r\n')
    }
    if (/body$|body\r\n0\r\n\r\n$/.test(received)) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const { sentinel, agents } = await startWithRawAgents(t, { a: member, b: {} }, { upstream: { port: upstream.port, requests: [], heads: () => heads.length }, route, more: 'routes { route "other" { matches { path "/other" }; filters "b"; upstream "app" } }' })
  return { client: await rawClient(t, sentinel.port(), post()), sentinel, agents, heads }
}

test('an agent that blocks by the head: the answer, and the body is never asked for', async (t) => {
  const { client, heads } = await start(t, { describe: everything, answer: ({ kind }) => kind === 'request_headers' ? block(403) : undefined })
  const head = await client.until('403')
  assert.doesNotMatch(head, /100 Continue/)
  assert.equal(heads.length, 0)
})

test('an agent that looks at heads alone: the upstream decides whether the body comes', async (t) => {
  const { client, heads } = await start(t, {})
  await client.until('100 Continue\r\n\r\n')
  assert.match(heads[0]!, /\r\nexpect: 100-continue\r\n/i)
  client.send('body')
  await client.until(/200 OK[^]*ok$/)
})

for (const [what, member] of [
  ['buffered', { describe: everything }],
  ['in pieces', { describe: { ...everything, requestBody: wanting('stream').requestBody } }],
  ['asked for late, whole', { answer: ({ kind }) => kind === 'request_headers' ? decision({ kind: 'allow', value: {} }, { wants: wanting('buffer') }) : undefined }],
  ['asked for late, in pieces', { answer: ({ kind }) => kind === 'request_headers' ? decision({ kind: 'allow', value: {} }, { wants: wanting('stream') }) : undefined }],
] as ReadonlyArray<[string, RawMember]>) {
  for (const route of ['filters "a"; ', 'filters { parallel { agent "a"; agent "b" } }; ']) {
    test(`a body that an agent wants ${what}: the proxy asks for it, the agent sees it, the upstream gets it (${route.includes('parallel') ? 'at once with another' : 'alone'})`, async (t) => {
      const { client, agents } = await start(t, member, route)
      await client.until('100 Continue\r\n\r\n')
      client.send('body')
      await client.until(/200 OK[^]*ok$/)
      assert.equal(shown(agents.a), 'body')
      assert.equal(client.received.split('100 Continue').length, 2, 'it was asked for once')
    })
  }
}

test('a body that says that it is too long for the agent is refused before it is asked for', async (t) => {
  const { client, heads } = await start(t, { describe: everything, settings: 'max-request-body-size "3B"' })
  assert.doesNotMatch(await client.until('413'), /100 Continue/)
  assert.equal(heads.length, 0)
})

test('an agent that fails by the head, closed: 503, and no body is asked for', async (t) => {
  const { client } = await start(t, { describe: everything, answer: () => ({ kind: 'error', value: { code: 'x', message: 'y', retryable: false } }) })
  assert.doesNotMatch(await client.until('503'), /100 Continue/)
})
