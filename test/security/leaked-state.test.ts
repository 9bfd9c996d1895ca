// Clients that go away in the middle leave nothing behind: no place taken, no call open, no exchange without its end.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { allow, everything, rawAgent } from '../support/raw-agent.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { eventually } from '../support/eventually.ts'

/** Waits until `/metrics` says that nothing is being served. */
async function idle (sentinel: RunningSentinel): Promise<void> {
  await eventually('nothing is being served', async () => /^sentinel_active_requests 0$/m.test(await sentinel.metrics()))
}

const streaming = { ...everything, requestBody: { kind: 'stream' as const, maxBytes: 0, over: 'block' as const } }

const leaving: Readonly<Record<string, string>> = {
  'while an agent thinks': 'GET /think HTTP/1.1\r\nHost: a\r\n\r\n',
  'in the middle of a body': 'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf',
  'in the middle of a chunked body': 'POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf',
  'while the upstream thinks': 'GET /stall HTTP/1.1\r\nHost: a\r\n\r\n',
  'with requests waiting behind one another': 'GET /stall HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(10),
  'before it was told to send its body': 'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n',
}

test('a client that goes away', async (t) => {
  const agent = await rawAgent(t, { describe: streaming })
  agent.script.onEvent = (event, wire) => {
    if (event.timeoutMs === 0 || (event.kind === 'request_headers' && event.value.path === '/think')) return
    if (event.kind === 'request_body') wire.reply(event, { kind: 'chunk', value: { kind: 'pass', value: {} } })
    else wire.reply(event, allow)
  }
  const upstream = await startRecordingUpstream(t, (received, response) => { if (received.url !== '/stall') response.end('ok') })
  const limits = 'limits { max-in-flight-requests 12 }'
  const sentinel = await startSentinel(t, siteWith(upstream.port, `agent "raw" { unix-socket "${agent.path}"; timeout "60s"; max-concurrent-calls 12 }`, ['raw'], limits))
  for (const [when, bytes] of Object.entries(leaving)) {
    await t.test(`${when} gives back its place, its calls and its exchanges with the agent`, async (st) => {
      for (let round = 0; round < 3; round++) {
        const clients = await Promise.all(Array.from({ length: 10 }, () => rawClient(st, sentinel.port(), bytes)))
        await new Promise((soon) => setTimeout(soon, 40))
        for (const [i, { socket }] of clients.entries()) if (i % 2 === 0) socket.resetAndDestroy(); else socket.destroy()
        await idle(sentinel)
      }
      // On a busy machine the last of those who left may be taken only now.
      await eventually('there is room for twelve', async () => (await Promise.all(Array.from({ length: 12 }, () => sentinel.get('/fine')))).every(({ status }) => status === 200))
    })
  }
  await t.test('has its exchange completed for the agent in every case', async () => {
    const begun = agent.events.filter(({ kind }) => kind === 'request_headers').map(({ exchange }) => exchange)
    for (const exchange of begun) await agent.seen((event) => event.exchange === exchange && event.kind === 'complete')
  })
})

test('requests above the limit in flight are refused, and taken again when there is room', async (t) => {
  let letGo = (): void => {}
  const upstream = await startRecordingUpstream(t, (received, response) => {
    if (received.url === '/hold') letGo = () => response.end('late')
    else response.end('ok')
  })
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', [], 'limits { max-in-flight-requests 1 }'))
  const held = sentinel.get('/hold')
  while (upstream.requests.length === 0) await new Promise((next) => setTimeout(next, 5))
  assert.equal((await sentinel.get('/')).status, 503)
  letGo()
  assert.equal((await held).status, 200)
  assert.equal((await sentinel.get('/')).status, 200)
})
