// One connection carries many requests: answers keep their order, and whoever floods it costs no more than a bounded amount.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

/** Resident memory of a process in MiB. */
function memoryOf (pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

test('CONNECT behind an open request is refused after that one was answered, not in its place', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  const client = await rawClient(t, sentinel.port(), 'GET /first HTTP/1.1\r\nHost: a\r\n\r\nCONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n')
  assert.equal((await client.answer()).status, 200)
  assert.equal((await client.answer()).status, 501)
  await client.ended()
})

test('CONNECT alone is refused and the connection closed', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  const client = await rawClient(t, sentinel.port(), 'CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await client.ended(), /^HTTP\/1\.1 501 /)
  assert.equal(upstream.heads(), 0)
})

test('a flood of requests behind one that waits neither fills memory nor keeps others waiting', async (t) => {
  const upstream = await startRecordingUpstream(t, (received, response) => { if (received.url !== '/stall') response.end('ok') })
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  await sentinel.get('/warm')
  const before = memoryOf(sentinel.pid)
  const client = await rawClient(t, sentinel.port(), 'GET /stall HTTP/1.1\r\nHost: a\r\n\r\n')
  const flood = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5_000)
  for (let i = 0; i < 10; i++) client.send(flood)
  for (let i = 0; i < 5; i++) {
    const answer = await sentinel.get('/other')
    assert.equal(answer.status, 200)
    assert.ok(answer.ms < 10_000, `took ${answer.ms} ms`)
  }
  assert.ok(memoryOf(sentinel.pid) - before < 60, `${before} MiB became ${memoryOf(sentinel.pid)} MiB`)
  client.socket.destroy()
  const after = await sentinel.get('/after')
  assert.ok(after.ms < 10_000, `took ${after.ms} ms`)
})

test('who pipelines more than one read of the socket gets all answers', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  const one = `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'y'.repeat(4_000)}\r\n`
  const client = await rawClient(t, sentinel.port(), `${one}\r\n`.repeat(299) + `${one}Connection: close\r\n\r\n`)
  const received = await client.ended()
  assert.equal(received.match(/^HTTP\/1\.1 200 /gm)?.length, 300)
  assert.match(received, /Connection: close(?![\s\S]*HTTP\/1\.1 )/, 'the last answer says so, and is there')
})

test('requests pipelined behind a refused one are not served', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  const client = await rawClient(t, sentinel.port(), 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n' + 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3))
  assert.equal((await client.ended()).match(/^HTTP\/1\.1 /gm)?.length, 1)
  assert.equal(upstream.heads(), 0)
})
