import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { allow, block, defineAgent, type AgentRequest } from 'sentinel/sdk'
import { testAgent } from 'sentinel/sdk/testing'

test('a request shows itself as the proxy received it', async () => {
  let seen: AgentRequest | undefined
  const agent = await testAgent(defineAgent({ name: 'test', onRequest (request) { seen = request } }))
  await agent.request('POST', 'https://A.test:8443/a/../b//%63%2f?q=%20x&q=2', { ip: '2001:db8::7', body: 'hello', attributes: { user: 'bob' }, route: 'api' })
  assert.ok(seen)
  const { method, scheme, authority, path, rawPath, query, ip, route, hasBody, contentLength, user, id, httpVersion } = seen
  assert.deepEqual({ method, scheme, authority, path, rawPath, query, ip, route, hasBody, contentLength, user, id, httpVersion }, {
    method: 'POST', scheme: 'https', authority: 'a.test:8443', path: '/b/c%2F', rawPath: '/a/../b//%63%2f', query: 'q=%20x&q=2', ip: '2001:db8::7', route: 'api',
    hasBody: true, contentLength: 5, user: 'bob', id: 'test-1', httpVersion: '1.1',
  })
  assert.deepEqual(seen.searchParams.getAll('q'), [' x', '2'])
})

test('headers keep order, duplicates, case and bytes', async () => {
  let headers: [string, string][] = []
  let joined: (string | undefined)[] = []
  const agent = await testAgent(defineAgent({
    name: 'test',
    onRequest (request) {
      headers = [...request.headers]
      joined = ['x-two', 'COOKIE', 'none'].map((name) => request.headers.get(name))
      assert.deepEqual(request.headers.getAll('X-TWO'), ['1', '2'])
      assert.equal(request.headers.has('x-raw'), true)
    },
  }))
  const given: [string, string][] = [['Host', 'a'], ['X-Two', '1'], ['Cookie', 'a=1'], ['x-two', '2'], ['cookie', 'b=2'], ['X-Raw', '\xff\x80']]
  assert.equal((await agent.request('GET', '/', { headers: given })).kind, 'allow')
  assert.deepEqual(headers, given)
  assert.deepEqual(joined, ['1, 2', 'a=1; b=2', undefined])
})

test('header changes are seen at once and reach the proxy in order', async () => {
  const agent = await testAgent(defineAgent({
    name: 'test',
    onRequest ({ headers }) {
      headers.append('x-a', '2')
      assert.equal(headers.get('x-a'), '1, 2')
      headers.set('X-A', '3')
      assert.deepEqual(headers.getAll('x-a'), ['3'])
      headers.remove('x-b')
      assert.equal(headers.has('X-B'), false)
      return allow({ requestHeaders: { 'x-c': 'c' } })
    },
  }))
  const { requestHeaders } = await agent.request('GET', '/', { headers: { 'x-a': '1', 'x-b': 'b' } })
  assert.deepEqual(requestHeaders.map((e) => `${e.action} ${e.name} ${e.value}`), ['append x-a 2', 'set X-A 3', 'remove x-b ', 'set x-c c'])
})

test('response headers are changed on the way back, request headers no longer', async () => {
  const agent = await testAgent(defineAgent({
    name: 'test',
    onResponse (response, request) {
      assert.deepEqual([response.status, response.headers.get('server'), response.upstream], [200, 'x', 'test'])
      response.headers.remove('server')
      response.headers.append('x-path', request.path)
      assert.throws(() => request.headers.set('a', 'b'), /sent already/)
    },
  }))
  const exchange = await agent.request('GET', '/p')
  const { responseHeaders } = await exchange.respond(200, { headers: { Server: 'x' } })
  assert.deepEqual(responseHeaders.map((e) => `${e.action} ${e.name} ${e.value}`), ['remove server ', 'append x-path /p'])
  assert.equal(agent.open, 1)
  await exchange.complete()
  assert.equal(agent.open, 0)
})

test('a response can be blocked', async () => {
  const agent = await testAgent(defineAgent({ name: 'test', onResponse: (response) => response.status === 500 ? block(502, { body: 'sorry' }) : undefined }))
  const verdict = await (await agent.request('GET', '/')).respond(500)
  assert.deepEqual([verdict.kind, verdict.status, verdict.body], ['block', 502, 'sorry'])
})

test('attributes of earlier agents are read, changed ones are sent with the next decision, once', async () => {
  const agent = await testAgent(defineAgent({
    name: 'test',
    onRequest (_, { attributes }) {
      assert.equal(attributes.get('user'), 'bob')
      attributes.set('score', '7')
      attributes.delete('user')
      assert.deepEqual([attributes.get('score'), attributes.get('user')], ['7', undefined])
    },
    onResponse () {},
  }))
  const exchange = await agent.request('GET', '/', { attributes: { user: 'bob' } })
  assert.deepEqual(exchange.attributes, { score: '7', user: '' })
  assert.deepEqual((await exchange.respond(200)).attributes, {})
})

test('memory lasts from one handler of an exchange to the next, and no further', async () => {
  const seen: unknown[] = []
  const agent = await testAgent(defineAgent({
    name: 'test',
    onRequest (request, { memory }) { memory.set('path', request.path) },
    onComplete (summary, _, { memory }) { seen.push(memory.get('path'), memory.size, summary.status) },
  }))
  for (const path of ['/a', '/b']) await (await agent.request('GET', path)).complete({ status: 204 })
  assert.deepEqual(seen, ['/a', 1, 204, '/b', 1, 204])
})
