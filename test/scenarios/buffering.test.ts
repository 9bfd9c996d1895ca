// `policies { buffer-requests; buffer-responses }`: whole bodies, or none of them.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

async function start (t: TestContext, policies: string, answer?: Parameters<typeof startRecordingUpstream>[1], more = '') {
  const app = await startRecordingUpstream(t, answer)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; policies { ${policies} } } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
${more}
observability { metrics { enabled #false } }
`)
  return { app, sentinel }
}

test('the upstream hears of a request when all of it is there', async (t) => {
  const { app, sentinel } = await start(t, 'buffer-requests #true')
  const client = await rawClient(t, sentinel.port(), 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
  await new Promise((resolve) => { setTimeout(resolve, 200) })
  assert.equal(app.heads(), 0)
  client.send('6\r\n world\r\n0\r\n\r\n')
  const { status, body } = await client.answer()
  assert.deepEqual([status, body], [200, 'hello world'])
  assert.equal(app.requests[0]!.headers['content-length'], '11')
})

test('a request larger than the limit gets 413 and never reaches the upstream', async (t) => {
  const { app, sentinel } = await start(t, 'buffer-requests #true; max-body-size "10B"')
  const client = await rawClient(t, sentinel.port(), 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n6\r\nworld!\r\n0\r\n\r\n')
  assert.equal((await client.answer()).status, 413)
  assert.equal(app.heads(), 0)
})

test('half an answer is none: the client gets 502 in its place', async (t) => {
  const { sentinel } = await start(t, 'buffer-responses #true', (_, response) => {
    response.writeHead(200)
    response.write('half', () => { response.destroy() })
  })
  assert.equal((await sentinel.get('/')).status, 502)
})

test('an answer larger than the limit becomes 502', async (t) => {
  const { sentinel } = await start(t, 'buffer-responses #true; max-body-size "10B"', (_, response) => { response.writeHead(200); response.write('hello '); response.end('world!') })
  assert.equal((await sentinel.get('/')).status, 502)
  assert.equal((await sentinel.accessed(({ status }) => status === 502)).fault, 'ANSWER_TOO_LARGE')
})

test('all that is held together has a limit, and is given back', async (t) => {
  const { sentinel } = await start(t, 'buffer-responses #true', (_, response) => { response.end(Buffer.alloc(3000)) }, 'limits { max-body-buffer-total "2KiB" }')
  assert.equal((await sentinel.get('/')).status, 503)
  const small = await start(t, 'buffer-responses #true', (_, response) => { response.end(Buffer.alloc(1500)) }, 'limits { max-body-buffer-total "2KiB" }')
  for (let i = 0; i < 5; i++) assert.equal((await small.sentinel.get('/')).status, 200)
})

test('a stream of events goes on as it comes', async (t) => {
  const { sentinel } = await start(t, 'buffer-responses #true', (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: 1\n\n')
  })
  const client = await rawClient(t, sentinel.port(), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await client.until('data: 1'), /200/)
})
