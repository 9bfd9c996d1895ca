import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { bodyJson, bodyText, defineAgent, InvalidBody, type AgentRequest } from 'sentinel/sdk'
import { testAgent } from 'sentinel/sdk/testing'
import { CookieView } from '../../../sdk/cookies.ts'
import { HeaderView } from '../../../sdk/headers.ts'

test('a request has the shapes that users of fetch know', async () => {
  let seen: AgentRequest | undefined
  const agent = await testAgent(defineAgent({ name: 'test', onRequest (request) { seen = request } }))
  await agent.request('GET', 'https://A.test:8443/a/../b?q=1&q=2', { ip: '192.0.2.9', headers: { cookie: 'a=1; b="2"' } })
  assert.ok(seen)
  assert.equal(seen.url, 'https://a.test:8443/a/../b?q=1&q=2')
  assert.equal(new URL(seen.url).pathname, '/b')
  assert.deepEqual(seen.client, { ip: '192.0.2.9', port: 50_000 })
  assert.deepEqual([seen.cookies.get('b'), seen.cookies.has('c'), seen.searchParams.getAll('q')], ['2', false, ['1', '2']])
  assert.equal(seen.cookies, seen.cookies)
})

test('cookies are read as browsers write them', () => {
  const cookies = new CookieView('a=1; b=; a=2;c="x y"; =nameless; flag ; d=e=f; e="; ')
  assert.deepEqual([...cookies], [['a', '1'], ['b', ''], ['a', '2'], ['c', 'x y'], ['d', 'e=f'], ['e', '"']])
  assert.deepEqual([cookies.get('a'), cookies.getAll('a'), cookies.size, cookies.get('A'), cookies.has('flag')], ['1', ['1', '2'], 6, undefined, false])
  assert.equal(new CookieView(undefined).size, 0)
})

test('headers are walked through as those of fetch are', () => {
  const headers = new HeaderView(['A', '1', 'Set-Cookie', 'x=1', 'set-cookie', 'y=2'])
  assert.deepEqual([...headers.entries()], [...headers])
  assert.deepEqual([...headers.keys()], ['A', 'Set-Cookie', 'set-cookie'])
  assert.deepEqual([...headers.values()], ['1', 'x=1', 'y=2'])
  assert.deepEqual(headers.getSetCookie(), ['x=1', 'y=2'])
  const visited: string[] = []
  headers.forEach((value, name) => visited.push(`${name}=${value}`))
  assert.deepEqual(visited, ['A=1', 'Set-Cookie=x=1', 'set-cookie=y=2'])
  headers.delete('SET-COOKIE')
  assert.deepEqual([...headers.keys()], ['A'])
})

test('a body is text or JSON where that is asked for', async () => {
  const seen: unknown[] = []
  const agent = await testAgent(defineAgent({
    name: 'test',
    async onRequest (request) { seen.push(request.path === '/json' ? await request.json({ max: '1KiB' }) : await request.text()) },
  }))
  await agent.request('POST', '/json', { body: '\ufeff{"a":[1]}' })
  await agent.request('POST', '/text', { body: Buffer.from([0x61, 0xff]) })
  assert.deepEqual(seen, [{ a: [1] }, 'a\ufffd'])
  assert.equal(bodyText(Buffer.from('ä')), 'ä')
  assert.throws(() => bodyJson(Buffer.from([0x22, 0xff, 0x22])), InvalidBody)
  assert.throws(() => bodyJson(Buffer.from('{"secret": ')), (error: Error) => error instanceof InvalidBody && !error.message.includes('secret'))
})

test('a request whose body is not JSON is refused with 400, whichever hook reads it; an answer of an upstream is an error', async () => {
  const late = await testAgent(defineAgent({ name: 'test', async onRequest (request) { await request.json() } }))
  const refused = await late.request('POST', '/', { body: '{' })
  assert.deepEqual([refused.kind, refused.status, refused.audit.reason], ['block', 400, 'invalid_body'])
  assert.deepEqual(late.log.filter(({ level }) => level === 'error'), [])
  const whole = await testAgent(defineAgent({
    name: 'test', onRequestBody (body) { bodyJson(body) }, onResponseBody (body) { bodyJson(body) },
  }))
  assert.equal((await whole.request('POST', '/', { body: '{' })).status, 400)
  const exchange = await whole.request('POST', '/', { body: '{}' })
  const answer = await exchange.respond(200, { body: '<html>' })
  assert.deepEqual([answer.kind, answer.error?.code], ['error', 'agent_error'])
})

test('half of a JSON text is an error and not the fault of the client', async () => {
  const agent = await testAgent(defineAgent({ name: 'test', async onRequest (request) { await request.json({ max: 5, over: 'prefix' }) } }))
  const { kind, error } = await agent.request('POST', '/', { body: '{"a": 1}' })
  assert.deepEqual([kind, error?.code], ['error', 'body_cut'])
})
