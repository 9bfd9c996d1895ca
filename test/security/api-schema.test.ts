// What clients send to a route with a schema in order to cost it more than it costs them, or to be read in another way than the application reads it.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { startSentinel } from '../support/sentinel.ts'
import { bytesOf, httpUpstream } from '../support/upstream.ts'

const node = (name: string) => ({ type: 'object', required: ['kind', 'next'], properties: { next: { $ref: '#/definitions/node' }, kind: { const: name } } })

const schema = {
  type: 'object',
  properties: {
    word: { type: 'string', pattern: '^(a+)+$' },
    list: { type: 'array', uniqueItems: true },
    // Each level is looked into twice: without a bound, as often as two to the power of its depth.
    tree: { $ref: '#/definitions/node' },
    constructor: { type: 'string' },
    mail: { type: 'string', format: 'email' },
  },
  definitions: { node: { oneOf: [{ type: 'null' }, node('a'), node('b'), node('c')] } },
}

async function start (t: TestContext, more = '', limits = '') {
  const seen: string[] = []
  const app = await httpUpstream(t, (request, response) => void bytesOf(request).then((body) => {
    seen.push(body.toString())
    response.end('served')
  }))
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
${limits}
routes { route "api" { matches { path-prefix "/" }; upstream "app"; api-schema { schema-content ##"${JSON.stringify(schema)}"##; ${more} } } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
observability { metrics { address "127.0.0.1:0" } }
`)
  const send = (body: string | Buffer, headers: Record<string, string> = {}) => sentinel.request('/', { method: 'POST', body, headers: { 'Content-Type': 'application/json', ...headers } })
  return { sentinel, seen, send }
}

/** The proxy still answers, at once, on another connection. */
async function isAwake (send: (body: string) => Promise<{ readonly status: number }>): Promise<void> {
  assert.equal((await send('{}')).status, 200)
}

test('a few kilobytes that unpack into gigabytes are never unpacked, in whatever coding or layers', async (t) => {
  const { send, sentinel, seen } = await start(t, 'max-body-size "8MiB"', 'limits { max-decompressed-size "2MiB"; max-decompression-ratio 50 }')
  const large = Buffer.alloc(300 * 1024 * 1024, 0x20)
  const bombs: ReadonlyArray<readonly [Buffer, string]> = [
    [gzipSync(large), 'gzip'], [deflateSync(large), 'deflate'], [deflateRawSync(large), 'deflate'], [brotliCompressSync(large.subarray(0, 32 * 1024 * 1024)), 'br'],
    [gzipSync(gzipSync(large)), 'gzip, gzip'], [gzipSync(Buffer.from(JSON.stringify({ pad: 'x'.repeat(1_500_000) }))), 'gzip'],
  ]
  for (const [bytes, coding] of bombs) {
    const answer = await send(bytes, { 'Content-Encoding': coding })
    assert.equal(answer.status, 413, coding)
  }
  const text = JSON.stringify({ word: 'aaa' })
  assert.equal((await send(gzipSync(gzipSync(gzipSync(text))), { 'Content-Encoding': 'gzip, gzip, gzip' })).status, 415, 'layers')
  assert.equal((await send(text, { 'Content-Encoding': 'rot13' })).status, 415)
  assert.equal((await send(text, { 'Content-Encoding': 'gzip' })).status, 400, 'no gzip at all')
  assert.equal((await send(gzipSync(text).subarray(0, 20), { 'Content-Encoding': 'gzip' })).status, 400, 'cut off')
  assert.equal(seen.length, 0)
  assert.equal((await send(brotliCompressSync(gzipSync(text)), { 'Content-Encoding': 'gzip, br' })).status, 200, 'what is honest passes as it came')
  assert.match(await sentinel.metrics(), /sentinel_faults_total\{code="BODY_EXPANDS",blame="client"\} 6/)
})

test('bodies that are too long, too deep or too much for a schema are refused while others are served', async (t) => {
  const { send, seen } = await start(t)
  assert.equal((await send(JSON.stringify({ word: 'a'.repeat(1024 * 1024) }))).status, 413)
  for (const body of ['['.repeat(500_000), '{"a":'.repeat(200_000), `${'['.repeat(101)}${']'.repeat(101)}`]) {
    assert.equal((await send(body)).status, 400)
    await isAwake(send)
  }
  let tree = 'null'
  for (let depth = 0; depth < 90; depth++) tree = `{"kind":"nobody","next":${tree}}`
  const started = performance.now()
  const answer = await send(`{"tree":${tree}}`)
  assert.equal(answer.status, 400)
  assert.ok(performance.now() - started < 10_000, 'without a bound this would never end')
  await isAwake(send)
  const many = `[${Array.from({ length: 60_000 }, (_, i) => `{"a":${i}}`).join(',')}]`
  assert.equal((await send(`{"list":${many}}`)).status, 200, 'distinct ones are found distinct without comparing each with each')
  assert.equal((await send(`{"list":[{"a":1,"b":2},{"b":2,"a":1}]}`)).status, 400)
  assert.ok(seen.length > 0)
})

test('expressions and formats cannot be made to backtrack', async (t) => {
  const { send } = await start(t)
  const started = performance.now()
  assert.equal((await send(JSON.stringify({ word: `${'a'.repeat(200_000)}!` }))).status, 400)
  assert.equal((await send(JSON.stringify({ mail: `a@${'a.'.repeat(400_000)}!` }))).status, 400)
  assert.ok(performance.now() - started < 10_000)
})

test('what two readers read in two ways is refused', async (t) => {
  const { send, seen } = await start(t)
  const ambiguous = [
    '{"word":"aa","word":"b"}', '{"word":"aa","w\\u006frd":"b"}', '\ufeff{"word":"aa"}', '{"word":"aa"}{}', "{'word':'aa'}", '{"word":"aa",}', '{"word":/**/"aa"}',
    '{"word":NaN}', '{"word":"a\nb"}', '{"word":01}', '{"word":"\\x41"}', 'null\u00a0', '',
  ]
  for (const body of ambiguous) assert.equal((await send(body)).status, 400, JSON.stringify(body))
  assert.equal((await send(Buffer.from('{"word":"a\xff"}', 'latin1'))).status, 400, 'not UTF-8')
  assert.equal((await send(Buffer.from('{"word":"b"}', 'utf16le'), { 'Content-Type': 'application/json; charset=utf-16le' })).status, 415)
  assert.equal((await send(Buffer.from('{"word":"b"}', 'utf16le'))).status, 400)
  assert.deepEqual(seen, [])
})

test('names of JavaScript\'s own mean nothing', async (t) => {
  const { send } = await start(t, 'strict-mode #true')
  assert.equal((await send('{}')).status, 200)
  assert.equal((await send('{"constructor":1}')).status, 400)
  for (const name of ['__proto__', 'toString', 'hasOwnProperty']) assert.equal((await send(`{"${name}":{"word":"b"}}`)).status, 400, name)
  assert.equal((await send('{"word":"b","__proto__":{"word":"aa"}}')).status, 400)
})
