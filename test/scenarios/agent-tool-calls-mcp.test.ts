// Calls of MCP tools and their results, from the agent's handler to the bytes that client and server get.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { json, startToolSite, tooledAgent } from '../support/tooled-agent.ts'
import { runSentinel } from '../support/sentinel.ts'

const call = (id: unknown, name: string, args: unknown = {}): Record<string, unknown> => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } })

/** An MCP server: says for each call what it was called with. */
function answersTo (body: Buffer): unknown {
  const of = (message: { id?: unknown, method?: string, params?: { name?: string, arguments?: unknown } }): unknown => (
    message.id === undefined ? undefined : { jsonrpc: '2.0', id: message.id, result: { content: [{ type: 'text', text: `${message.params?.name ?? message.method ?? ''} ${JSON.stringify(message.params?.arguments)}` }], isError: message.params?.name === 'failing' } }
  )
  const parsed = JSON.parse(body.toString()) as object // The test sent it.
  return Array.isArray(parsed) ? (parsed as object[]).map(of).filter((one) => one !== undefined) : of(parsed)
}

test('calls of MCP tools are asked about, and what the agent decides is what client and server get', async (t) => {
  const { upstream, sentinel, post, asked } = await startToolSite(t, ({ body, headers }, response) => {
    const answer = answersTo(headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body)
    if (answer === undefined) response.writeHead(202).end()
    else json(response, answer)
  }, { more: 'evidence { file "evidence.jsonl" }' })
  const last = () => upstream.requests.at(-1)!

  await t.test('the agent gets protocol, server, tool, arguments as they stand, and the id', async () => {
    const raw = '{"jsonrpc":"2.0",  "id":"a-1","method":"tools\\/call","params":{"arguments":{"path": "/tmp/\\u0061", "n": 1.0},"name":"re\\u0061d"}}'
    const answer = await post(undefined, {}, { path: '/facts', raw })
    assert.equal(answer.status, 200)
    assert.equal(last().body.toString(), raw, 'the server gets the bytes of the client')
    const [first, second] = (await asked('/facts', 2))
    assert.deepEqual(
      [first!['asked'], first!['protocol'], first!['server'], first!['tool'], first!['id'], first!['arguments'], first!['parsed']],
      ['call', 'mcp', 'app', 'read', 'a-1', '{"path": "/tmp/\\u0061", "n": 1.0}', '{"path":"/tmp/a","n":1}'],
    )
    assert.deepEqual([second!['asked'], second!['tool'], second!['id'], second!['isError']], ['result', 'read', 'a-1', false])
    assert.match(String(second!['result']), /^\{"content":\[/)
  })

  await t.test('block: an error of JSON-RPC with the id of the call, and nothing reaches the server', async () => {
    const before = upstream.heads()
    for (const id of [7, 'seven', 1.5]) {
      const answer = await post(call(id, 'rm'), { calls: { rm: { do: 'block' } } })
      if (id === 1.5) {
        assert.equal(answer.status, 400, 'an id that JSON-RPC does not allow')
        continue
      }
      assert.equal(answer.status, 200)
      assert.equal(answer.headers['content-type'], 'application/json')
      assert.equal(answer.headers['content-length'], String(answer.bytes.length))
      assert.deepEqual(JSON.parse(answer.text), { jsonrpc: '2.0', id, error: { code: -32050, message: 'The call of the tool "rm" was refused.' } })
    }
    assert.equal(upstream.heads(), before)
  })

  await t.test('block: status and body of the agent win', async () => {
    const own = await post(call(1, 'rm'), { calls: { rm: { do: 'block', status: 451, body: { why: 'no' } } } })
    assert.deepEqual([own.status, JSON.parse(own.text)], [451, { why: 'no' }])
    const status = await post(call(1, 'rm'), { calls: { rm: { do: 'block', status: 429 } } })
    assert.equal(status.status, 429)
    assert.equal((JSON.parse(status.text) as { id: number }).id, 1)
    const body = await post(call(1, 'rm'), { calls: { rm: { do: 'block', body: 'not you' } } })
    assert.deepEqual([body.status, body.text], [403, 'not you'])
  })

  await t.test('a batch with one refused call: an error for each id, and nothing of it reaches the server', async () => {
    const before = upstream.heads()
    const answer = await post([call(1, 'read'), { jsonrpc: '2.0', method: 'notifications/progress' }, call('2', 'rm'), { jsonrpc: '2.0', id: 3, method: 'ping' }], { calls: { rm: { do: 'block' } } }, { path: '/batch' })
    const errors = JSON.parse(answer.text) as Array<{ id: unknown, error: { code: number, message: string } }>
    assert.deepEqual(errors.map(({ id }) => id), [1, '2', 3])
    assert.match(errors[1]!.error.message, /"rm" was refused/)
    assert.match(errors[0]!.error.message, /not sent/)
    assert.equal(upstream.heads(), before)
    assert.deepEqual((await asked('/batch', 2)).map((record) => record['tool']), ['read', 'rm'], 'each is asked about, in order')
  })

  await t.test('a batch that may pass: each call and each result is asked about', async () => {
    const batch = [call(1, 'read'), call('1', 'write', { a: 1 }), { jsonrpc: '2.0', id: 2, method: 'tools/list' }]
    const answer = await post(batch, { results: { write: { do: 'block' } } }, { path: '/batch-passes' })
    assert.deepEqual(JSON.parse(last().body.toString()), batch)
    const results = JSON.parse(answer.text) as Array<{ id: unknown, result?: unknown, error?: { message: string } }>
    assert.deepEqual(results.map(({ id }) => id), [1, '1', 2])
    assert.equal(results[1]!.error?.message, 'The result of the tool "write" was refused.')
    assert.ok(results[0]!.result !== undefined && results[2]!.result !== undefined)
    assert.deepEqual((await asked('/batch-passes', 4)).map((record) => [record['asked'], record['tool'], record['id']]), [
      ['call', 'read', '1'], ['call', 'write', '1'], ['result', 'read', '1'], ['result', 'write', '1'],
    ])
  })

  await t.test('redact: other arguments, the rest byte for byte, and Content-Length right', async () => {
    const raw = '{ "id" : 9, "method":"tools/call", "params":{"name":"read","arguments":{"path":"/etc/shadow"},"_meta":{"x":1}} , "jsonrpc":"2.0"}'
    const answer = await post(undefined, { calls: { read: { do: 'redact', json: { path: '/tmp/ü' } } } }, { raw })
    assert.equal(answer.status, 200)
    assert.equal(last().body.toString(), raw.replace('{"path":"/etc/shadow"}', '{"path":"/tmp/ü"}'))
    assert.equal(last().headers['content-length'], String(last().body.length))
    const none = await post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'read' } }, { calls: { read: { do: 'allow', json: { a: 1 } } } })
    assert.equal(none.status, 200)
    assert.deepEqual(JSON.parse(last().body.toString()), { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'read', arguments: { a: 1 } } })
  })

  await t.test('redact: another result', async () => {
    const answer = await post(call(3, 'read', { a: 1 }), { results: { read: { do: 'redact', json: { content: [{ type: 'text', text: '****' }] } } } })
    assert.deepEqual(JSON.parse(answer.text), { jsonrpc: '2.0', id: 3, result: { content: [{ type: 'text', text: '****' }] } })
    assert.equal(answer.headers['content-length'], String(answer.bytes.length))
  })

  await t.test('a result may be blocked: with an error in its place, or with an answer of the agent', async () => {
    const plain = await post(call(3, 'read'), { results: { read: { do: 'block' } } })
    assert.deepEqual([plain.status, JSON.parse(plain.text)], [200, { jsonrpc: '2.0', id: 3, error: { code: -32050, message: 'The result of the tool "read" was refused.' } }])
    const own = await post(call(3, 'read'), { results: { read: { do: 'block', status: 502, body: 'poisoned' } } })
    assert.deepEqual([own.status, own.text], [502, 'poisoned'])
  })

  await t.test('review: an error that has the ticket', async () => {
    const answer = await post(call(4, 'pay'), { calls: { pay: { do: 'review', ticket: 'T-7' } } })
    assert.deepEqual([answer.status, answer.headers['x-sentinel-ticket']], [200, 'T-7'])
    const { id, error } = JSON.parse(answer.text) as { id: number, error: { message: string, data: unknown } }
    assert.deepEqual([id, error.data], [4, { ticket: 'T-7' }])
    assert.match(error.message, /T-7/)
  })

  await t.test('redirect and challenge are answers as they are everywhere', async () => {
    const moved = await post(call(4, 'pay'), { calls: { pay: { do: 'redirect' } } })
    assert.deepEqual([moved.status, moved.headers.location], [302, '/elsewhere'])
    const asking = await post(call(4, 'pay'), { calls: { pay: { do: 'challenge' } } })
    assert.deepEqual([asking.status, asking.headers['www-authenticate']], [401, 'Bearer'])
  })

  await t.test('errors of the server and of the tool are results', async () => {
    await post(call(5, 'failing'), {}, { path: '/failing' })
    assert.equal((await asked('/failing', 2)).at(-1)!['isError'], true)
  })

  await t.test('notifications, other methods, other contents and answers pass unasked', async () => {
    for (const body of [{ jsonrpc: '2.0', method: 'notifications/initialized' }, { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }, [], 7, 'tools/call']) {
      assert.ok((await post(body, {}, { path: '/unasked' }).catch((error: unknown) => ({ status: String(error) }))).status !== 403)
      assert.equal(last().body.toString(), JSON.stringify(body))
    }
    assert.deepEqual(await asked('/unasked', 0), [])
  })

  await t.test('a call without an id is a call all the same', async () => {
    const answer = await post({ jsonrpc: '2.0', method: 'tools/call', params: { name: 'rm' } }, { calls: { rm: { do: 'block' } } })
    assert.deepEqual([answer.status, (JSON.parse(answer.text) as { id: unknown }).id], [200, null])
  })

  await t.test('a packed body is unpacked to be asked about and goes on as it came', async () => {
    const raw = gzipSync(JSON.stringify(call(1, 'read', { a: 1 })))
    const headers = { 'Content-Encoding': 'gzip', 'Accept-Encoding': 'gzip, br' }
    assert.equal((await post(undefined, {}, { path: '/packed', raw, headers })).status, 200)
    assert.deepEqual(last().body, raw)
    assert.equal(last().headers['accept-encoding'], 'identity', 'asked for is an answer that can be read')
    assert.equal((await asked('/packed', 2))[0]!['arguments'], '{"a":1}')
    assert.equal((await post(undefined, { calls: { read: { do: 'redact', json: { a: 2 } } } }, { raw, headers })).status, 200)
    assert.equal(last().headers['content-encoding'], undefined, 'what was changed is sent unpacked')
    assert.deepEqual(JSON.parse(last().body.toString()), call(1, 'read', { a: 2 }))
    assert.equal((await post(undefined, {}, { raw, headers: { 'Content-Encoding': 'zstd' } })).status, 415)
  })

  await t.test('attributes and audit of each call are kept, and evidence names the tool', async () => {
    await post([call(1, 'one'), call(2, 'two')], {
      calls: { one: { do: 'flag', extras: { attributes: { seen: 'one' }, audit: { reason: 'odd', ruleIds: ['r1'] } } }, two: { do: 'flag', extras: { audit: { reason: 'odder' } } } },
    }, { path: '/records' })
    const record = await sentinel.accessed(({ path }) => path === '/records')
    assert.deepEqual(record.agents!.filter(({ verdict }) => verdict === 'flag').map(({ phase, tool, reason }) => [phase, tool, reason]), [['tool-call', 'one', 'odd'], ['tool-call', 'two', 'odder']])
  })

  await t.test('every decision leaves a receipt, and the chain is whole', async () => {
    await sentinel.stop()
    const file = join(sentinel.folder, 'evidence.jsonl')
    assert.equal((await runSentinel(['evidence', 'verify', file])).code, 0)
    const receipts = readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { phase?: string, tool?: string, verdict?: string, action?: string })
    assert.ok(receipts.some(({ phase, tool, verdict, action }) => phase === 'tool-call' && tool === 'rm' && verdict === 'block' && action === 'answered'))
    assert.ok(receipts.some(({ phase, tool, verdict, action }) => phase === 'tool-result' && tool === 'write' && verdict === 'block' && action === 'changed'))
  })
})

test('modes, failure modes and chains hold for tools as for everything', async (t) => {
  await t.test('monitor and dry-run record and change nothing', async (t) => {
    for (const mode of ['monitor', 'dry-run']) {
      const { upstream, sentinel, post } = await startToolSite(t, ({ body }, response) => json(response, answersTo(body)), { agent: `mode "${mode}"` })
      const raw = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm","name2":1,"arguments":{}}}'
      const answer = await post(undefined, { calls: { rm: { do: 'block' } }, results: { rm: { do: 'redact', json: {} } } }, { raw, path: `/${mode}`, headers: { 'Accept-Encoding': 'br' } })
      assert.equal(answer.status, 200)
      assert.equal(upstream.requests.at(-1)!.headers['accept-encoding'], 'br')
      assert.equal(upstream.requests.at(-1)!.body.toString(), raw)
      assert.match(answer.text, /"text":"rm/)
      const { agents } = await sentinel.accessed(({ path }) => path === `/${mode}`)
      assert.deepEqual(agents!.filter(({ phase }) => String(phase).startsWith('tool')).map(({ phase, verdict, applied }) => [phase, verdict, applied]), [['tool-call', 'block', false], ['tool-result', 'redact', false]])
      const odd = '{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"rm"}}'
      assert.equal((await post(undefined, {}, { raw: odd })).status, 200, 'what cannot be judged goes on as well')
      assert.equal(upstream.requests.at(-1)!.body.toString(), odd)
    }
  })

  await t.test('a shadow is shown copies, and nobody waits for it', async (t) => {
    const { upstream, sentinel, post, asked } = await startToolSite(t, ({ body, url }, response) => {
      if (url !== '/stream') return json(response, answersTo(body))
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end(`data: ${JSON.stringify(answersTo(body))}\n\n`)
    }, { agent: 'mode "shadow"', more: 'evidence { file "evidence.jsonl" }' })
    const raw = JSON.stringify(call(1, 'rm', { a: 1 }))
    const passed = await post(undefined, { calls: { rm: { do: 'block' } }, results: { rm: { do: 'sleep', ms: 900 } } }, { path: '/shadow', raw, headers: { 'Accept-Encoding': 'br' } })
    assert.equal(passed.status, 200)
    assert.equal(upstream.requests.at(-1)!.body.toString(), raw)
    assert.equal(upstream.requests.at(-1)!.headers['accept-encoding'], 'br')
    assert.deepEqual((await asked('/shadow', 2)).map((record) => [record['asked'], record['tool'], record['server']]), [['call', 'rm', 'app'], ['result', 'rm', 'app']])
    await post(undefined, {}, { path: '/stream', raw })
    assert.deepEqual((await asked('/stream', 2)).map((record) => [record['asked'], record['tool']]), [['call', 'rm'], ['result', 'rm']])
    await sentinel.stop()
    assert.match(readFileSync(join(sentinel.folder, 'evidence.jsonl'), 'utf8'), /"mode":"shadow".*"phase":"tool-call".*"tool":"rm".*"verdict":"block"/)
  })

  await t.test('an agent that fails refuses, or lets go on, as the operator says', async (t) => {
    const closed = await startToolSite(t, ({ body }, response) => json(response, answersTo(body)))
    assert.equal((await closed.post(call(1, 'x'), { calls: { x: { do: 'throw' } } })).status, 503)
    assert.equal(closed.upstream.heads(), 0)
    assert.equal((await closed.post(call(1, 'x'), { results: { x: { do: 'throw' } } })).status, 503, 'nothing of the result gets out')
    assert.equal((await closed.post(call(1, 'x'), { calls: { x: { do: 'redact', raw: '{"a":1,"a":2}' } } })).status, 503, 'what replaces arguments is judged like them')
    assert.equal((await closed.post(call(1, 'x'), { calls: { x: { do: 'redact', raw: '[1]' } } })).status, 503, 'arguments of MCP are an object')
    assert.equal((await closed.post(call(1, 'x'), { calls: { x: { do: 'redact', raw: 'no json' } } })).status, 503)
    const open = await startToolSite(t, ({ body }, response) => json(response, answersTo(body)), { agent: 'failure-mode "open"' })
    assert.equal((await open.post(call(1, 'x'), { calls: { x: { do: 'throw' } } })).status, 200)
    assert.equal((await open.post(call(1, 'x'), { calls: { x: { do: 'redact', raw: '[1]' } } })).status, 200)
  })

  await t.test('in a chain, the second agent judges what the first one made of it', async (t) => {
    const { post, upstream, asked } = await startToolSite(t, ({ body }, response) => json(response, answersTo(body)), {
      agents: [tooledAgent('first'), tooledAgent('second')], names: ['first', 'second'],
    })
    await post(call(1, 'read', { path: '/secret' }), { calls: { read: { do: 'redact', json: { path: '/public' } } } }, { path: '/chain' })
    // Each program has a log of its own: what it was shown tells the order.
    assert.deepEqual((await asked('/chain', 4)).filter((record) => record['asked'] === 'call').map((record) => [record.agent, record['arguments']]).toSorted(), [['first', '{"path":"/secret"}'], ['second', '{"path":"/public"}']])
    assert.match(upstream.requests.at(-1)!.body.toString(), /public/)
  })

  await t.test('only what the operator lists of it is asked', async (t) => {
    const { post, asked } = await startToolSite(t, ({ body }, response) => json(response, answersTo(body)), { agent: 'events "tool_result"' })
    await post(call(1, 'read'), { calls: { read: { do: 'block' } } }, { path: '/listed' })
    assert.deepEqual((await asked('/listed', 1)).map((record) => [record['asked'], record['tool']]), [['result', 'read']])
  })
})

test('results in event streams are held until their verdict, everything else passes at once', async (t) => {
  const { post, asked } = await startToolSite(t, ({ body }, response) => {
    const { id } = JSON.parse(body.toString()) as { id: number }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(': hello\n\nevent: message\nid: 1\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n')
    response.end(`event: message\nid: 2\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'secret' }] } })}\n\n`)
  })
  const head = ': hello\n\nevent: message\nid: 1\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\nevent: message\nid: 2\ndata: '
  const passed = await post(call(1, 'read'), {}, { path: '/stream' })
  assert.equal(passed.text, `${head}{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"secret"}]}}\n\n`)
  assert.deepEqual((await asked('/stream', 2)).map((record) => [record['asked'], record['tool']]), [['call', 'read'], ['result', 'read']])
  const blocked = await post(call(1, 'read'), { results: { read: { do: 'block' } } })
  assert.equal(blocked.text, `${head}{"jsonrpc":"2.0","id":1,"error":{"code":-32050,"message":"The result of the tool \\"read\\" was refused."}}\n\n`)
  const other = await post(call(1, 'read'), { results: { read: { do: 'redact', json: { content: [] } } } })
  assert.equal(other.text, `${head}{"jsonrpc":"2.0","id":1,"result":{"content":[]}}\n\n`)
})
