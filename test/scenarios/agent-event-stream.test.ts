// Event streams with agents that look at answers: what the upstream says is with the client before it says more, whatever the agents want.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readBody } from '../../proxy/decisions/tools/readable.ts'
import { bodyOf } from '../../proxy/pipeline/body.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { answering, pass, slowBody } from '../support/answering-agent.ts'
import { consult } from '../support/consulted.ts'
import { decision, everything } from '../support/raw-agent.ts'
import { startWithRawAgents } from '../support/raw-agents.ts'
import { rawClient } from '../support/raw-client.ts'
import { httpUpstream } from '../support/upstream.ts'

test('an event stream is never waited for, although whole bodies are wanted', async (t) => {
  const { agent, client } = await answering(t, ({ kind }) => kind === 'response_body' ? pass : undefined)
  const { body, send } = slowBody()
  const asked = consult(client, { upstream: () => ({ status: 200, headers: HeaderList.from({ 'Content-Type': 'text/event-stream' }), body }) })
  const head = await agent.seen(({ kind }) => kind === 'response_headers')
  assert.ok(head.kind === 'response_headers' && head.value.bodyMode?.kind === 'stream')
  for (const text of ['data: 1\n\n', 'data: 2\n\n']) {
    send(Buffer.from(text))
    await agent.seen((event) => event.kind === 'response_body' && event.value.data.toString() === text)
  }
  send(undefined)
  assert.equal((await asked).body, 'data: 1\n\ndata: 2\n\n')
})

test('lines of JSON are never waited for either, but for a file of them, whose length is known', async (t) => {
  const { agent, client } = await answering(t, ({ kind }) => kind === 'response_body' ? pass : undefined)
  for (const type of ['application/x-ndjson', 'application/ndjson; charset=utf-8', 'application/jsonl']) {
    const { body, send } = slowBody()
    const asked = consult(client, { upstream: () => ({ status: 200, headers: HeaderList.from({ 'Content-Type': type }), body }) })
    for (const text of [`{"of":"${type}"}\n`, '{"n":2}\n']) {
      send(Buffer.from(text))
      await agent.seen((event) => event.kind === 'response_body' && event.value.data.toString() === text)
    }
    send(undefined)
    assert.equal((await asked).body, `{"of":"${type}"}\n{"n":2}\n`)
  }
  const file = bodyOf(Buffer.from('{"a":1}\n{"b":2}\n'))
  const whole = consult(client, { upstream: () => ({ status: 200, headers: HeaderList.from({ 'Content-Type': 'application/jsonl' }), body: file }) })
  await agent.seen((event) => event.kind === 'response_body' && event.value.end && event.value.data.toString() === '{"a":1}\n{"b":2}\n')
  await whole
})

test('an agent that is asked about tools holds up no lines of JSON, once there is more than one', async () => {
  const upstream = slowBody()
  const headers = HeaderList.from({ 'Content-Type': 'application/x-ndjson' })
  const said = readBody(upstream.body, headers, 1024 * 1024, 'answer', () => {})
  for (const piece of ['\n{"a"', ':1}\n', ' {']) upstream.send(Buffer.from(piece))
  const { body, json } = await said
  assert.equal(json, undefined)
  assert.equal(Buffer.concat([await body.read(), await body.read(), await body.read()].map((chunk) => chunk ?? Buffer.alloc(0))).toString(), '\n{"a":1}\n {')
  // What is one value after all is read, whatever it says to be: some programs do.
  for (const text of ['{"a":1}\n', '{\n "a": 1\n}\n', '{"a":1}']) {
    const { body: one, send } = slowBody()
    const read = readBody(one, headers, 1024 * 1024, 'answer', () => {})
    send(Buffer.from(text))
    send(undefined)
    assert.equal((await read).json?.text, text)
  }
})

test('through the proxy, each event is shown to the agent and reaches the client before the next one is there', async (t) => {
  let say = (_text: string): void => {}
  let end = (): void => {}
  const app = await httpUpstream(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    say = (text) => void response.write(text)
    end = () => void response.end()
  })
  const { sentinel, agents } = await startWithRawAgents(t, { a: { describe: everything, settings: 'timeout "2s"', answer: (event) => {
    if (event.kind === 'response_headers') return decision({ kind: 'allow', value: {} }, { responseHeaders: [{ action: 'set', name: 'X-Seen', value: '1' }] })
    return event.kind === 'response_body' && event.value.data.includes('secret') ? { kind: 'chunk', value: { kind: 'replace', value: Buffer.from('data: [gone]\n\n') } } : undefined
  } } }, { filters: ['a'], upstream: { port: app.port, requests: [], heads: () => 0 } })
  const client = await rawClient(t, sentinel.port(), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await client.until('\r\n\r\n'), /X-Seen: 1/)
  for (const [said, heard] of [['data: one\n\n', 'data: one\n\n'], ['data: secret\n\n', 'data: [gone]\n\n'], ['data: two\n\n', 'data: two\n\n']] as const) {
    // Longer than the agent may take for an answer: silence of the upstream is not the agent's.
    await new Promise((resolve) => { setTimeout(resolve, 2_200) })
    say(said)
    await agents.a.seen((event) => event.kind === 'response_body' && event.value.data.toString() === said)
    await client.until(heard)
  }
  end()
  await agents.a.seen((event) => event.kind === 'complete' && event.value.error === '')
})
