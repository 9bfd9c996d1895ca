// Bodies that two programs read in two ways: whoever is asked about a call is asked about the call that is run, or nobody runs it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync, gzipSync } from 'node:zlib'
import { json, startToolSite } from '../support/tooled-agent.ts'

const denied = { calls: { rm: { do: 'block' } } } as const

test('no spelling of a request gets a refused call to the server', async (t) => {
  const { upstream, post } = await startToolSite(t, (_request, response) => json(response, {}))

  const rm = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm","arguments":{}}}'
  const spellings: Readonly<Record<string, string | Buffer>> = {
    'as it is': rm,
    'escapes in the name': rm.replace('"rm"', '"\\u0072\\u006D"'),
    'escapes in names of members': rm.replace('"name"', '"n\\u0061me"').replace('"method"', '"\\u006dethod"'),
    'an escaped slash': rm.replace('tools/call', 'tools\\/call'),
    'blanks everywhere': rm.replaceAll(/([{}:,[\]])/g, '\r\n\t $1 \n'),
    'behind many blanks': ' '.repeat(200_000) + rm,
    'in a batch of one': `[${rm}]`,
    'behind other messages': `[{"jsonrpc":"2.0","id":0,"method":"ping"},${rm}]`,
    'without jsonrpc': rm.replace('"jsonrpc":"2.0",', ''),
    'with another version': rm.replace('2.0', '1.0'),
    'with members that nobody knows': rm.replace('{"json', '{"a":{"b":[1,{"c":null}]},"json'),
    'the name twice': rm.replace('"name":"rm"', '"name":"read","name":"rm"'),
    'the name twice, the other last': rm.replace('"name":"rm"', '"name":"rm","name":"read"'),
    'the name twice, one escaped': rm.replace('"name":"rm"', '"name":"read","n\\u0061me":"rm"'),
    'the method twice': rm.replace('"method"', '"method":"ping","method"'),
    'params twice': rm.replace('"params"', '"params":{"name":"read"},"params"'),
    'the id twice': rm.replace('"id":1', '"id":1,"id":2'),
    'a name in another case': rm.replace('"name":"rm"', '"name":"read","Name":"rm"'),
    'a method in another case': rm.replace('"method"', '"METHOD"'),
    'params in another case': rm.replace('"params"', '"Params"'),
    'a name with the Kelvin sign and its like': rm.replace('"params"', '"param\u017f"'),
    'a name that ends for some': rm.replace('"rm"', '"rm\\u0000x"'),
    'a member that ends for some': rm.replace('"name"', '"name\\u0000"').replace('"name\\u0000":"rm"', '"name":"read","name\\u0000":"rm"'),
    'half a character': rm.replace('"rm"', '"rm\\ud800"'),
    'a mark at its beginning': `\ufeff${rm}`,
    'UTF-16': Buffer.from(rm, 'utf16le'),
    'UTF-16 with its mark': Buffer.from(`\ufeff${rm}`, 'utf16le'),
    'UTF-16, the other way round': Buffer.from(rm, 'utf16le').swap16(),
    'bytes that are no UTF-8': Buffer.from(rm.replace('"arguments":{}', '"x":"\xff"'), 'latin1'),
    'a batch in a batch': `[[${rm}]]`,
    'a text behind its end': `${rm}{}`,
    'two texts': `${rm}\n${rm}`,
    'a comma too many': rm.replace('}}}', '},}}'),
    'a comment': rm.replace('{"json', '{/* */"json'),
    'single quotes': rm.replaceAll('"', "'"),
    'NaN': rm.replace('"arguments":{}', '"arguments":NaN'),
    'a number with zeros before it': rm.replace('"id":1', '"id":01'),
    'a line end in a text': rm.replace('"rm"', '"r\nm"'),
    'params as a list': rm.replace('{"name":"rm","arguments":{}}', '["rm",{}]'),
    'params as text': rm.replace('{"name":"rm","arguments":{}}', '"rm"'),
    'a name that is a list': rm.replace('"rm"', '["rm"]'),
    'no name': rm.replace('"name":"rm",', ''),
    'an id that is null': rm.replace('"id":1', '"id":null'),
    'an id that is an object': rm.replace('"id":1', '"id":{}'),
    'an id that is a truth': rm.replace('"id":1', '"id":true'),
    'an id beyond what numbers hold': rm.replace('"id":1', '"id":9007199254740993'),
    'an id without an end': rm.replace('"id":1', '"id":1e999'),
    'two requests with one id': `[{"id":1,"method":"ping"},${rm}]`,
    'the same id in two spellings': `[{"id":1.0,"method":"ping"},${rm}]`,
  }
  for (const [name, raw] of Object.entries(spellings)) {
    for (const type of ['application/json', 'application/vnd.api+json; charset=utf-8', 'text/plain', 'application/octet-stream', '']) {
      const answer = await post(undefined, denied, { raw, headers: type === '' ? { 'Content-Type': '' } : { 'Content-Type': type } })
      assert.ok([200, 400].includes(answer.status), `${name} as ${type}: ${answer.status}`)
      if (answer.status === 200) assert.match(answer.text, /-32050/, `${name} as ${type}: ${answer.text}`)
      assert.equal(upstream.heads(), 0, `${name} as ${type}`)
    }
  }

  await t.test('packed, twice packed, wrongly packed', async () => {
    for (const [coding, raw] of [
      ['gzip', gzipSync(rm)], ['x-gzip', gzipSync(rm)], ['deflate', deflateSync(rm)], ['gzip, deflate', deflateSync(gzipSync(rm))], ['gzip', rm], ['gzip', gzipSync(rm).subarray(0, 30)],
      ['gzip, gzip, gzip', gzipSync(gzipSync(gzipSync(rm)))], ['zstd', rm], ['unknown', rm], ['gzip', Buffer.concat([gzipSync('{"id":1,"method":"pi'), gzipSync('ng"}')])],
    ] as const) {
      const answer = await post(undefined, denied, { raw, headers: { 'Content-Encoding': coding } })
      assert.ok([200, 400, 415].includes(answer.status), `${coding}: ${answer.status} ${answer.text}`)
    }
    assert.equal(upstream.heads(), 1, 'only the one that calls nothing')
  })

  await t.test('lines of JSON are judged when they are one line, and pass when they are several', async () => {
    const before = upstream.heads()
    assert.match((await post(undefined, denied, { raw: rm, headers: { 'Content-Type': 'application/x-ndjson' } })).text, /-32050/)
    assert.equal(upstream.heads(), before)
    assert.equal((await post(undefined, denied, { raw: '{"index":{}}\n{"a":1}\n', headers: { 'Content-Type': 'application/x-ndjson' } })).status, 200)
  })

  await t.test('what is plainly something else passes', async () => {
    for (const [type, raw] of [['application/x-www-form-urlencoded', 'a=1&b=[2]'], ['text/csv', 'a,b\n1,2'], ['image/png', '\x89PNG'], ['multipart/form-data; boundary=x', '--x\r\n\r\n{}\r\n--x--']] as const) {
      assert.equal((await post(undefined, denied, { raw, headers: { 'Content-Type': type } })).text, '{}', type)
    }
  })
})

test('what cannot be judged goes by body-over, and by no failure mode', async (t) => {
  const open = await startToolSite(t, (_request, response) => json(response, {}), { agent: 'failure-mode "open"; max-request-body-size "1KiB"' })
  const twice = '{"method":"tools/call","method":"ping"}'
  assert.equal((await open.post(undefined, denied, { raw: twice })).status, 400, 'the client chooses what it sends')
  assert.equal((await open.post({ pad: 'x'.repeat(2048) })).status, 413)
  assert.equal(open.upstream.heads(), 0)
  const prefix = await startToolSite(t, (_request, response) => json(response, {}), { agent: 'body-over "prefix"; max-request-body-size "1KiB"' })
  assert.equal((await prefix.post({ pad: 'x'.repeat(2048) })).status, 413, 'a beginning cannot be judged')
  const skip = await startToolSite(t, (_request, response) => json(response, {}), { agent: 'body-over "skip"; max-request-body-size "1KiB"' })
  assert.equal((await skip.post(undefined, denied, { raw: twice })).status, 200)
  const long = JSON.stringify({ pad: 'x'.repeat(70_000) })
  assert.equal((await skip.post(undefined, denied, { raw: long })).status, 200)
  assert.equal(skip.upstream.requests.at(-1)!.body.toString(), long, 'the whole of it goes on')
})
