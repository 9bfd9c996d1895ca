// `filter { type "compress" }`: answers are packed for clients that unpack them.
import assert from 'node:assert/strict'
import http from 'node:http'
import { test, type TestContext } from 'node:test'
import { brotliDecompressSync, createGunzip, gunzipSync, inflateSync } from 'node:zlib'
import { eventually } from '../support/eventually.ts'
import { startSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

const text = 'A sentence that says the same again and again. '.repeat(2_000)

async function start (t: TestContext, answer: http.RequestListener, settings = '') {
  const upstream = await httpUpstream(t, answer)
  return startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "small" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
filters { filter "small" { type "compress"; ${settings} } }
observability { metrics { enabled #false } }
`)
}

const plain = (headers: http.OutgoingHttpHeaders = {}, status = 200): http.RequestListener => (_, response) => {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': Buffer.byteLength(text), ...headers })
  response.end(text)
}

test('the client gets the coding it likes best, and of equals the one the operator prefers', async (t) => {
  const sentinel = await start(t, plain(), 'algorithms "br" "gzip" "deflate"')
  const get = async (accept: string) => {
    const answer = await sentinel.get('/', { headers: { 'Accept-Encoding': accept } })
    const coding = String(answer.headers['content-encoding'])
    const unpack = { br: brotliDecompressSync, gzip: gunzipSync, deflate: inflateSync }[coding]
    assert.equal((unpack === undefined ? answer.bytes : unpack(answer.bytes)).toString(), text, accept)
    assert.match(String(answer.headers['vary']), /Accept-Encoding/)
    return coding
  }
  assert.equal(await get('gzip, br'), 'br')
  assert.equal(await get('gzip;q=1, br;q=0.5'), 'gzip')
  assert.equal(await get('br;q=0, deflate'), 'deflate')
  assert.equal(await get('*'), 'br')
  assert.equal(await get('*;q=0, gzip'), 'gzip')
  assert.equal(await get('x-gzip'), 'gzip')
  assert.equal(await get('identity'), 'undefined')
  assert.equal(await get('gzip;q=0'), 'undefined')
  assert.equal(await get('gzip;q=nonsense'), 'undefined')
})

test('a packed answer is another representation: no length, no ranges, a weak validator', async (t) => {
  const sentinel = await start(t, plain({ 'ETag': '"v1"', 'Accept-Ranges': 'bytes' }))
  const { headers } = await sentinel.get('/', { headers: { 'Accept-Encoding': 'gzip' } })
  assert.equal(headers['etag'], 'W/"v1"')
  assert.equal(headers['content-length'], undefined)
  assert.equal(headers['accept-ranges'], undefined)
})

test('what is packed, partial, small, of another kind, or to be left alone stays as it is', async (t) => {
  const cases: ReadonlyArray<readonly [string, http.RequestListener]> = [
    ['already packed', plain({ 'Content-Encoding': 'identity2' })],
    ['partial', plain({ 'Content-Range': `bytes 0-${text.length - 1}/${text.length}` }, 206)],
    ['no-transform', plain({ 'Cache-Control': 'public, no-transform' })],
    ['an image', plain({ 'Content-Type': 'image/png' })],
    ['small', (_, response) => response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': 5 }).end('small')],
  ]
  for (const [name, answer] of cases) {
    const sentinel = await start(t, answer)
    const got = await sentinel.get('/', { headers: { 'Accept-Encoding': 'gzip' } })
    assert.notEqual(got.headers['content-encoding'], 'gzip', name)
    assert.equal(got.text, name === 'small' ? 'small' : text, name)
    await sentinel.stop()
  }
})

test('a stream is packed piece by piece, each piece at once', async (t) => {
  let say: (piece: string) => void = () => {}
  let end: () => void = () => {}
  const sentinel = await start(t, (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    say = (piece) => response.write(piece)
    end = () => response.end()
    say('data: first\n\n')
  }, 'content-types "text/event-stream"')
  const seen: string[] = []
  const gunzip = createGunzip()
  gunzip.setEncoding('utf8')
  const arrived = async (piece: string): Promise<void> => {
    while (!seen.join('').includes(piece)) await new Promise((resolve) => gunzip.once('data', resolve))
  }
  gunzip.on('data', (piece: string) => seen.push(piece))
  http.get({ port: sentinel.port(), headers: { 'Accept-Encoding': 'gzip' } }, (response) => {
    assert.equal(response.headers['content-encoding'], 'gzip')
    response.pipe(gunzip)
  })
  await arrived('first')
  for (const piece of ['second', 'third']) {
    say(`data: ${piece}\n\n`)
    await arrived(piece)
  }
  const ended = new Promise((resolve) => gunzip.once('end', resolve))
  end()
  await ended
  assert.equal(seen.join(''), 'data: first\n\ndata: second\n\ndata: third\n\n')
})

test('a client that leaves in the middle ends the packing and the upstream\'s answer', async (t) => {
  let gone = false
  const sentinel = await start(t, (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/plain' })
    const timer = setInterval(() => response.write(text), 5)
    response.on('close', () => {
      gone = true
      clearInterval(timer)
    })
  })
  const request = http.get({ port: sentinel.port(), headers: { 'Accept-Encoding': 'br' } }, (response) => {
    response.once('data', () => request.destroy())
  })
  request.on('error', () => {})
  const record = await sentinel.accessed(({ path }) => path === '/')
  assert.equal(record.fault, 'CLIENT_GONE')
  await eventually('the answer of the upstream is ended', () => gone)
})
