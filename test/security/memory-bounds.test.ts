// Whoever sends much, slowly or in crumbs gets a bounded amount of memory.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gather, type Body } from '../../proxy/pipeline/body.ts'
import { agentFilter } from '../../proxy/decisions/index.ts'
import { chunked, consult, ready, settings, through } from '../support/consulted.ts'
import { allow, decision, everything, rawAgent } from '../support/raw-agent.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

const streaming = { ...everything, requestBody: { kind: 'stream' as const, maxBytes: 0, over: 'block' as const } }

function crumbs (count: number): Body {
  let left = count
  return { length: undefined, trailers: undefined, read: () => left-- > 0 ? Buffer.from('x') : undefined, cancel: () => { left = 0 } }
}

test('a body in single bytes is kept in few pieces', async () => {
  const { chunks, bytes, complete } = await gather(crumbs(100_000), 1_000_000)
  assert.deepEqual([bytes, complete], [100_000, true])
  assert.ok(chunks.length < 2_000, `${chunks.length} pieces`)
  assert.equal(Buffer.concat(chunks).length, 100_000)
})

test('a body of large and small chunks is kept in its order', async () => {
  const parts = Array.from({ length: 1_000 }, (_, i) => i % 300 === 0 ? `[${'y'.repeat(2_000)}]` : `${i},`)
  const { chunks } = await gather(chunked(...parts), 1_000_000)
  assert.equal(Buffer.concat(chunks).toString(), parts.join(''))
})

test('one upload in crumbs leaves places for other calls to a slow agent', async (t) => {
  const agent = await rawAgent(t, { describe: streaming })
  agent.script.onEvent = (event, wire) => {
    if (event.kind === 'request_body') setTimeout(() => wire.reply(event, { kind: 'chunk', value: { kind: 'pass', value: {} } }), 20)
    else if (event.timeoutMs > 0) wire.reply(event, allow)
  }
  const client = await ready(t, agent.path)
  let most = 0
  const body = crumbs(200)
  const watched: Body = { ...body, read: () => { most = Math.max(most, client.inFlight); return body.read() } }
  const outcome = await consult(client, { method: 'POST', body: watched }, { timeoutMs: 5_000 })
  assert.equal(outcome.upstream?.body.length, 200)
  assert.ok(most <= 16, `${most} calls at once`)
})

test('an agent that decides about every chunk leaves a bounded number of records', async (t) => {
  const agent = await rawAgent(t, { describe: streaming })
  agent.script.onEvent = (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, decision({ kind: 'flag', value: {} })) }
  const outcome = await consult(await ready(t, agent.path), { method: 'POST', body: crumbs(1_000) }, { timeoutMs: 5_000 })
  assert.equal(outcome.upstream?.body.length, 1_000)
  assert.ok(outcome.x.decisions!.length <= 101, `${outcome.x.decisions!.length} records`)
})

test('an agent that blocks late is recorded although it said much before', async (t) => {
  const agent = await rawAgent(t, { describe: streaming })
  let seen = 0
  agent.script.onEvent = (event, wire) => {
    if (event.timeoutMs === 0) return
    wire.reply(event, ++seen < 500 ? decision({ kind: 'flag', value: {} }) : decision({ kind: 'block', value: { status: 403, headers: [], body: Buffer.alloc(0) } }))
  }
  const outcome = await consult(await ready(t, agent.path), { method: 'POST', body: crumbs(1_000) }, { timeoutMs: 5_000 })
  assert.equal(outcome.status, 403)
  assert.equal(outcome.x.decisions!.at(-1)!.verdict, 'block')
})

test('a shadow agent that never answers keeps nothing of a body that flows by', async (t) => {
  const agent = await rawAgent(t, { describe: streaming })
  agent.script.onEvent = () => {}
  const client = await ready(t, agent.path)
  const outcome = await through([agentFilter(client, { ...settings, mode: 'shadow' })], { method: 'POST', body: crumbs(5_000) })
  assert.equal(outcome.upstream?.body.length, 5_000)
  assert.ok(client.inFlight + client.queued <= 200)
})

test('a body in crumbs that a shadow agent does not answer about is dropped before many wait', async (t) => {
  const agent = await rawAgent(t, { describe: streaming })
  agent.script.onEvent = (event, wire) => { if (event.timeoutMs > 0 && event.kind !== 'request_body') wire.reply(event, allow) }
  const client = await ready(t, agent.path)
  let sent = 0
  let most = 0
  const slow: Body = { length: undefined, trailers: undefined, cancel () {}, async read () {
    await new Promise(setImmediate)
    most = Math.max(most, client.inFlight)
    return sent++ < 600 ? Buffer.from('x') : undefined
  } }
  const { x } = await through([agentFilter(client, { ...settings, mode: 'shadow', timeoutMs: 600_000, maxTimeoutMs: 600_000 })], { method: 'POST', body: slow })
  assert.ok(most > 16, 'it had begun')
  assert.equal(x.decisions?.at(-1)?.fault?.code, 'AGENT_QUEUE_FULL')
})

/** Resident memory of a process in MiB. */
function memoryOf (pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

test('a client that does not read its answer holds no more of it than buffers are long', async (t) => {
  const megabyte = Buffer.alloc(1024 * 1024)
  const upstream = await startRecordingUpstream(t, (_, response) => {
    let left = 100
    const more = (): void => { while (left-- > 0) if (!response.write(megabyte)) return void response.once('drain', more); response.end() }
    more()
  })
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  await sentinel.metrics()
  const before = memoryOf(sentinel.pid)
  const clients = await Promise.all(Array.from({ length: 4 }, async () => {
    const client = await rawClient(t, sentinel.port(), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    client.socket.pause()
    return client
  }))
  for (let i = 0; i < 10; i++) await sentinel.metrics()
  await new Promise((after) => setTimeout(after, 500))
  assert.ok(memoryOf(sentinel.pid) - before < 80, `${before} MiB became ${memoryOf(sentinel.pid)} MiB`)
  for (const { socket } of clients) socket.destroy()
})

test('a head that never ends is refused at the limit', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  const client = await rawClient(t, sentinel.port(), 'GET / HTTP/1.1\r\nHost: a\r\n' + 'X-Long: yyyyyyyyyyyyyyyyyyyyyyyy\r\n'.repeat(1_000))
  assert.match(await client.ended(), /^HTTP\/1\.1 431 /)
  const long = await rawClient(t, sentinel.port(), `GET /${'x'.repeat(70_000)}`)
  assert.match(await long.ended(), /^HTTP\/1\.1 414 /)
  const trailers = await rawClient(t, sentinel.port(), 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n' + 'X-Long: yyyyyyyyyyyyyyyyyy\r\n'.repeat(5_000))
  await trailers.ended()
  assert.equal(upstream.requests.length, 0)
})

test('a chunked body is stopped at the limit, though nobody said its length', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', [], 'limits { max-body-size "64KiB" }'))
  const client = await rawClient(t, sentinel.port(), 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
  for (let i = 0; i < 40; i++) client.send(`800\r\n${'x'.repeat(2048)}\r\n`)
  assert.equal((await client.answer()).status, 413)
  assert.equal(upstream.requests.length, 0)
})
