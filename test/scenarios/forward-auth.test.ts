// `filter { type "forward-auth" }`: another HTTP server says whether a request may pass.
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import { startRecordingUpstream, type Received } from '../support/recording-upstream.ts'
import { rawClient } from '../support/raw-client.ts'
import { echoOf, echoServer, webSocketClient, webSocketRequest } from '../support/websocket.ts'
import { startSentinel } from '../support/sentinel.ts'

type Answer = (request: Received, response: ServerResponse) => void

const signedIn: Answer = (request, response) => {
  const user = /session=(\w+)/.exec(request.headers.cookie ?? '')?.[1]
  if (user === undefined) response.writeHead(302, { 'Location': 'https://login.example/?rd=x', 'Set-Cookie': 'flow=1' }).end('to the login page')
  else response.writeHead(200, { 'Remote-User': user, 'Remote-Groups': ['a', 'b'], 'X-Not-Chosen': 'x', 'Set-Cookie': 'refreshed=1' }).end('fine')
}

async function start (t: TestContext, answer: Answer, settings = '', route = '') {
  const auth = await startRecordingUpstream(t, answer)
  const app = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "auth"; ${route} } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" }; upstream "auth" { target "127.0.0.1:${auth.port}" } }
filters { filter "auth" { type "forward-auth"; ${settings.includes('upstream "auth"') ? '' : `url "http://127.0.0.1:${auth.port}/verify?rd=here";`} response-headers "Remote-User" "Remote-Groups"; ${settings} } }
observability { metrics { enabled #false } }
`)
  return { sentinel, auth, app }
}

const browser = { 'Accept': 'text/html,application/xhtml+xml', 'Sec-Fetch-Mode': 'navigate' }

test('a request goes on after an answer of 2xx, with the fields that were chosen and no others', async (t) => {
  const { sentinel, auth, app } = await start(t, signedIn)
  const answer = await sentinel.request('/photos/1?size=big', { method: 'PUT', body: 'bytes', headers: { 'Cookie': 'session=alice', 'If-None-Match': '"x"', 'Content-Type': 'text/x' } })
  assert.equal(answer.status, 200)
  const [question] = auth.requests
  assert.equal(question!.method, 'GET')
  assert.equal(question!.url, '/verify?rd=here')
  assert.equal(question!.headers.host, `127.0.0.1:${auth.port}`)
  assert.equal(question!.headers['x-forwarded-method'], 'PUT')
  assert.equal(question!.headers['x-forwarded-uri'], '/photos/1?size=big')
  assert.equal(question!.headers['x-forwarded-proto'], 'http')
  assert.equal(question!.headers['x-forwarded-host'], `127.0.0.1:${sentinel.port()}`)
  assert.equal(question!.headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(question!.headers['x-original-url'], `http://127.0.0.1:${sentinel.port()}/photos/1?size=big`)
  for (const name of ['content-type', 'content-length', 'if-none-match', 'transfer-encoding']) assert.equal(question!.headers[name], undefined, name)
  const [got] = app.requests
  assert.equal(got!.headers['remote-user'], 'alice')
  assert.equal(got!.headers['remote-groups'], 'a, b')
  assert.equal(got!.headers['x-not-chosen'], undefined)
  assert.equal(got!.headers['if-none-match'], '"x"')
  assert.equal(got!.body.toString(), 'bytes')
})

test('a cookie of a good answer is set in the client, unless that is switched off', async (t) => {
  const { sentinel } = await start(t, signedIn)
  assert.deepEqual((await sentinel.get('/', { headers: { Cookie: 'session=alice' } })).headers['set-cookie'], ['refreshed=1'])
  const without = await start(t, signedIn, 'pass-cookies #false')
  assert.equal((await without.sentinel.get('/', { headers: { Cookie: 'session=alice' } })).headers['set-cookie'], undefined)
})

test('a browser gets the redirect of the service; scripts and native programs get 401', async (t) => {
  const { sentinel, app } = await start(t, signedIn)
  const page = await sentinel.get('/', { headers: browser })
  assert.equal(page.status, 302)
  assert.equal(page.headers['location'], 'https://login.example/?rd=x')
  assert.equal(page.text, 'to the login page')
  for (const headers of [{ ...browser, 'Sec-Fetch-Mode': 'cors' }, { 'Accept': 'text/html', 'X-Requested-With': 'XMLHttpRequest' }, { Accept: 'application/json' }, { Accept: '*/*' }, {}]) {
    const answer = await sentinel.get('/', { headers })
    assert.equal(answer.status, 401, JSON.stringify(headers))
    assert.equal(answer.headers['location'], 'https://login.example/?rd=x')
    assert.deepEqual(answer.headers['set-cookie'], ['flow=1'])
  }
  assert.equal(app.requests.length, 0)
})

test('redirect-scripts gives the redirect to everybody', async (t) => {
  const { sentinel } = await start(t, signedIn, 'redirect-scripts #true')
  assert.equal((await sentinel.get('/', { headers: { Accept: 'application/json' } })).status, 302)
})

test('a refusal of the service reaches the client as it is', async (t) => {
  const { sentinel, app } = await start(t, (_, response) => { response.writeHead(403, { 'Content-Type': 'text/plain', 'WWW-Authenticate': 'Negotiate' }).end('not you') })
  const answer = await sentinel.get('/')
  assert.deepEqual([answer.status, answer.text, answer.headers['www-authenticate']], [403, 'not you', 'Negotiate'])
  assert.equal(app.requests.length, 0)
})

test('a service that is not there, too slow, broken or talkative lets in nobody', async (t) => {
  const named = await start(t, signedIn, 'upstream "auth"; path "/verify"')
  assert.equal((await named.sentinel.get('/', { headers: { Cookie: 'session=alice' } })).status, 200)
  const cases: ReadonlyArray<readonly [Answer, string]> = [
    [() => { /* never answers */ }, 'timeout "1s"'],
    [(_, response) => { response.writeHead(500).end() }, ''],
    [(_, response) => { response.writeHead(200, { 'Remote-User': 'alice' }); response.write('half') }, 'timeout "1s"'],
    [(_, response) => { response.writeHead(200).end('x'.repeat(2000)) }, 'max-answer-size "1KiB"'],
    [(_, response) => { response.destroy() }, ''],
  ]
  const app = await startRecordingUpstream(t)
  const services = await Promise.all(cases.map(([answer]) => startRecordingUpstream(t, answer)))
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { ${cases.map((_, i) => `route "by-${i}" { matches { path-prefix "/by-${i}" }; upstream "app"; filters "auth-${i}" }`).join('\n')} }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
filters { ${cases.map(([, settings], i) => `filter "auth-${i}" { type "forward-auth"; url "http://127.0.0.1:${services[i]!.port}"; response-headers "Remote-User"; ${settings} }`).join('\n')} }
observability { metrics { enabled #false } }
`)
  for (const [i, service] of services.entries()) {
    assert.equal((await sentinel.get(`/by-${i}`)).status, 503)
    assert.equal(service.requests.length, 1)
    assert.equal((await sentinel.accessed(({ path }) => path === `/by-${i}`)).fault, 'AUTH_UNAVAILABLE')
  }
  assert.equal(app.requests.length, 0)
})

test('failure-mode "open" lets requests pass while the service is gone, without what it would have said', async (t) => {
  const { sentinel, app } = await start(t, (_, response) => { response.writeHead(502, { 'Remote-User': 'ghost' }).end() }, 'failure-mode "open"')
  assert.equal((await sentinel.get('/', { headers: { 'Remote-User': 'root' } })).status, 200)
  assert.equal(app.requests[0]!.headers['remote-user'], undefined)
})

test('the body goes along where it is wanted, up to its limit, and reaches the upstream all the same', async (t) => {
  const { sentinel, auth, app } = await start(t, (_, response) => { response.writeHead(204).end() }, 'send-body #true; max-body-size "10B"')
  assert.equal((await sentinel.request('/', { method: 'POST', body: 'ten bytes!' })).status, 200)
  assert.equal(auth.requests[0]!.method, 'POST')
  assert.equal(auth.requests[0]!.body.toString(), 'ten bytes!')
  assert.equal(app.requests[0]!.body.toString(), 'ten bytes!')
  assert.equal((await sentinel.request('/', { method: 'POST', body: 'eleven byte' })).status, 413)
  assert.equal(app.requests.length, 1)
})

test('only the fields that are named are sent along', async (t) => {
  const { sentinel, auth } = await start(t, (_, response) => { response.writeHead(204).end() }, 'request-headers "Cookie"')
  await sentinel.get('/', { headers: { Cookie: 'a=1', Authorization: 'Bearer x' } })
  assert.equal(auth.requests[0]!.headers.cookie, 'a=1')
  assert.equal(auth.requests[0]!.headers.authorization, undefined)
  assert.equal(auth.requests[0]!.headers['x-forwarded-method'], 'GET')
})

test('a WebSocket opens when the service lets it in, and gets 401 when not', async (t) => {
  const echo = await echoServer(t)
  const auth = await startRecordingUpstream(t, signedIn)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "auth"; websocket #true } }
upstreams { upstream "app" { target "127.0.0.1:${echo.port}" } }
filters { filter "auth" { type "forward-auth"; url "http://127.0.0.1:${auth.port}"; response-headers "Remote-User" } }
observability { metrics { enabled #false } }
`)
  const socket = await webSocketClient(t, sentinel.port(), { headers: { Cookie: 'session=alice' } })
  assert.equal(await echoOf(socket, 'hello'), 'hello')
  for (const name of ['upgrade', 'sec-websocket-key', 'sec-websocket-version']) assert.equal(auth.requests[0]!.headers[name], undefined, name)
  const refused = await rawClient(t, sentinel.port(), webSocketRequest)
  assert.match(await refused.until('\r\n\r\n'), /^HTTP\/1\.1 401 /)
})

test('who it is counts for limits and other fields', async (t) => {
  const auth = await startRecordingUpstream(t, signedIn)
  const app = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "auth" "each" "told" } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
filters {
  filter "auth" { type "forward-auth"; url "http://127.0.0.1:${auth.port}"; user-header "Remote-User" }
  filter "each" { type "rate-limit"; max-rps 1; burst 1; key "attribute:user" }
  filter "told" { type "headers"; set { X-Who "\${agent.user}" } }
}
observability { metrics { enabled #false } }
`)
  const as = async (user: string) => (await sentinel.get('/', { headers: { Cookie: `session=${user}` } })).status
  const statuses = await Promise.all(['alice', 'alice', 'alice', 'alice', 'alice', 'alice'].map(as))
  assert.ok(statuses.includes(429))
  assert.equal(await as('bob'), 200)
  assert.equal(app.requests.at(-1)!.headers['x-who'], 'bob')
  assert.equal(app.requests.at(-1)!.headers['remote-user'], undefined, 'it was not chosen')
})

test('a client that leaves is asked about no longer', async (t) => {
  let gone = (): void => {}
  const left = new Promise<void>((resolve) => { gone = resolve })
  const { sentinel, auth } = await start(t, (_, response) => { response.on('close', gone) }, 'timeout "1m"')
  const client = await rawClient(t, sentinel.port(), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  while (auth.requests.length === 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
  client.socket.destroy()
  await left
})

test('two workers ask alike, and a reload keeps the connections', async (t) => {
  const auth = await startRecordingUpstream(t, signedIn)
  const app = await startRecordingUpstream(t)
  const kdl = `system { worker-threads 2 }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "auth" } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
filters { filter "auth" { type "forward-auth"; url "http://127.0.0.1:${auth.port}"; response-headers "Remote-User" } }
observability { metrics { enabled #false } }
`
  const sentinel = await startSentinel(t, kdl)
  const ask = () => Promise.all(Array.from({ length: 8 }, async () => (await sentinel.get('/', { headers: { Cookie: 'session=alice' } })).status))
  assert.deepEqual(new Set(await ask()), new Set([200]))
  assert.equal((await sentinel.reload(`${kdl}\n`)).event, 'reloaded')
  assert.deepEqual(new Set(await ask()), new Set([200]))
  assert.equal(app.requests.length, 16)
})

test('connections to the service are kept, and never more than it says', async (t) => {
  const sockets = new Set<unknown>()
  let open = 0
  let most = 0
  const server = createServer((socket) => {
    sockets.add(socket)
    most = Math.max(most, ++open)
    socket.on('close', () => { open-- }).on('error', () => {})
    socket.on('data', (bytes) => { for (const _ of bytes.toString().matchAll(/\r\n\r\n/g)) setTimeout(() => socket.write('HTTP/1.1 204 No Content\r\n\r\n'), 5) })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => { for (const socket of sockets) (socket as import('node:net').Socket).destroy(); server.close() })
  const app = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "auth" } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
filters { filter "auth" { type "forward-auth"; url "http://127.0.0.1:${(server.address() as import('node:net').AddressInfo).port}"; max-connections 2 } }
observability { metrics { enabled #false } }
`)
  const answers = await Promise.all(Array.from({ length: 20 }, () => sentinel.get('/')))
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  assert.ok(most <= 2, `${most} connections`)
  assert.ok(sockets.size <= 4, `${sockets.size} connections in all`)
})
