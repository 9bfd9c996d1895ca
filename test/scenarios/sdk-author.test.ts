// What the SDK offers to authors, from the agent's handler to the bytes client and upstream see.
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { fromDist } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { missing, redisCli, startRedis } from '../support/redis.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { eventually } from '../support/eventually.ts'

function author (more = '', args: readonly string[] = []): string {
  const command = [process.execPath, fromDist('test', 'support', 'agents', 'author.js'), ...args].map((word) => JSON.stringify(word)).join(' ')
  return `agent "author" {\ncommand ${command}\n${more.includes('timeout') ? '' : 'timeout "60s"\n'}${more}\n}`
}

test('a decision that was built word by word reaches the client whole', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, author(), ['author']))
  const answer = await sentinel.request('/built')
  assert.deepEqual([answer.status, answer.text], [451, '{"why":"law"}'])
  assert.deepEqual([answer.headers['content-type'], answer.headers['x-why'], answer.headers['x-more']], ['application/json', 'law', '1'])
  assert.equal(upstream.heads(), 0)
  const cookies = await sentinel.request('/cookie?a=1', { headers: { cookie: 'a=1; b=2' } })
  assert.equal(cookies.text, 'a,1 b,2 127.0.0.1 ?a=1')
})

test('a body that is not JSON is refused with 400 whatever the failure mode, and a good one goes on', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, author('failure-mode "open"'), ['author']))
  const bad = await sentinel.request('/json', { body: '{"kind": ' })
  assert.equal(bad.status, 400)
  assert.equal(upstream.requests.length, 0)
  const good = await sentinel.request('/json', { body: '{"kind": "good"}' })
  assert.deepEqual([good.status, good.text, upstream.requests[0]?.headers['x-kind']], [200, '{"kind": "good"}', 'good'])
  const long = await sentinel.request('/json', { body: JSON.stringify({ kind: 'x'.repeat(2000) }) })
  assert.equal(long.status, 413)
})

test('a wrong value in config {} is shown with file, line, column and a mark under it', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, author('config {\n  limit 1000\n  networks "10.0.0.0/8" "nonsense"\n  netwrks "10.0.0.0/8"\n}'), ['author']))
  assert.equal((await sentinel.request('/')).status, 503)
  const { msg = '' } = await sentinel.logged(({ event }) => event === 'agent-refused')
  assert.match(msg, /sentinel\.kdl:\d+:\d+: agent 'author' refuses its configuration/)
  await eventually('the screen shows the last problem', () => /netwrks[\s\S]*\^/.test(sentinel.screen()))
  const screen = sentinel.screen()
  assert.match(screen, /sentinel\.kdl:\d+:9: CONFIG_REFUSED: agent 'author': 'limit' must be a whole number from 1 to 100, found 1000\n +\d+ \|   limit 1000\n +\| {9}\^\^\^\^\n/)
  assert.match(screen, /sentinel\.kdl:\d+:25: CONFIG_REFUSED: [^\n]*'networks' must be an IP address[^\n]*\n +\d+ \|   networks "10\.0\.0\.0\/8" "nonsense"\n +\| {25}\^{10} for example/)
  assert.match(screen, /unknown setting 'netwrks'[^\n]*\n[^\n]*\n[^\n]*\^ did you mean 'networks'\?/)
})

test('fields behind bodies are shown to the agent, pass as they are, and can still end the exchange', async (t) => {
  const upstream = await startRecordingUpstream(t, (_request, response) => {
    response.writeHead(200, { trailer: 'grpc-status' })
    response.write('answer')
    response.addTrailers({ 'grpc-status': '7' })
    response.end()
  })
  const sentinel = await startSentinel(t, siteWith(upstream.port, author(), ['author']))
  const send = (sum: string): Promise<{ status: number | undefined, trailers: http.IncomingMessage['trailers'] } | undefined> => new Promise((resolve) => {
    const sent = http.request({ port: sentinel.port(), host: '127.0.0.1', method: 'POST', path: `/sum-${sum}`, headers: { 'transfer-encoding': 'chunked', trailer: 'x-sum' } })
    sent.on('response', (response) => response.resume().on('end', () => resolve({ status: response.statusCode, trailers: response.trailers })))
    sent.on('error', () => resolve(undefined))
    sent.write('body')
    sent.addTrailers({ 'x-sum': sum })
    sent.end()
  })
  assert.deepEqual(await send('right'), { status: 200, trailers: { 'grpc-status': '7' } })
  assert.deepEqual(upstream.requests.map(({ url, rawTrailers }) => [url, rawTrailers]), [['/sum-right', ['x-sum', 'right']]])
  await sentinel.logged((record) => record.msg === 'behind the body' && record['sum'] === 'right')
  assert.equal((await send('wrong'))?.status, 400)
  assert.equal(upstream.requests.length, 1, 'the upstream never saw the end of the wrong one')
})

test('what waitUntil was given is done before the agent ends', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, author('config { limit 7 }'), ['author']))
  const { status, ms } = await sentinel.request('/after')
  assert.equal(status, 200)
  assert.ok(ms < 50_000)
  assert.equal(await sentinel.stop(), 0)
  const line = await sentinel.logged(({ msg }) => msg === 'written after the answer')
  assert.equal(line['limit'], 7)
})

test('agents of several proxies count in one Redis, and without it the failure mode decides', { skip: missing('redis-server') ?? false }, async (t) => {
  const redis = await startRedis(t)
  const upstream = await startRecordingUpstream(t)
  const kdl = siteWith(upstream.port, author(`env { SENTINEL_STORE "redis://127.0.0.1:${redis.port}/2" }`), ['author'])
  const [one, other] = [await startSentinel(t, kdl), await startSentinel(t, kdl)]
  const counts = []
  for (const sentinel of [one, other, one, other]) counts.push((await sentinel.request('/count')).text)
  assert.deepEqual(counts, ['1', '2', '3', '4'])
  assert.equal(redisCli(redis.port, '-n', '2', 'get', 'sentinel:agent:author:seen:127.0.0.1'), '4')
  assert.ok(Number(redisCli(redis.port, '-n', '2', 'pttl', 'sentinel:agent:author:seen:127.0.0.1')) > 0)
  await redis.kill()
  await eventually('the store is down', async () => (await one.request('/count')).status === 503)
  await one.logged((record) => record['code'] === 'store_down')
})

test('with workers, a handler that computes for seconds holds nobody else up', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, author('timeout "60s"', ['--workers', '2']), ['author']))
  let isThrough = false
  const heavy = sentinel.request('/spin?6000').then((answer) => {
    isThrough = true
    return answer
  })
  for (let i = 0; i < 20; i++) assert.equal((await sentinel.request('/')).status, 200)
  assert.equal(isThrough, false)
  assert.equal((await heavy).status, 200)
})
