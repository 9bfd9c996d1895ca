// Ways around a service that says who may come in: fields that look like its own, paths that two readers read in two ways, answers that are more than one.
import assert from 'node:assert/strict'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

async function start (t: TestContext, authPort: number, settings = '') {
  const app = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes {
  route "open" { matches { path-prefix "/open" }; upstream "app" }
  route "all" { matches { path-prefix "/" }; upstream "app"; filters "auth" }
}
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
filters { filter "auth" { type "forward-auth"; url "http://127.0.0.1:${authPort}/"; response-headers "Remote-User" "Authorization"; ${settings} } }
observability { metrics { enabled #false } }
`)
  return { sentinel, app }
}

const sent = async (t: TestContext, port: number, bytes: string): Promise<string> => (await rawClient(t, port, bytes)).ended()

const aliases = ['Remote-User', 'remote_user', 'REMOTE.USER', 'Remote!User', 'remote~user']

test('what the service says comes from the service alone: under no spelling, in no trailer, on no route', async (t) => {
  const auth = await startRecordingUpstream(t, (_, response) => { response.writeHead(200).end() })
  const { sentinel, app } = await start(t, auth.port)
  for (const path of ['/', '/open']) {
    for (const name of aliases) await sentinel.get(path, { headers: { [name]: 'root' } })
  }
  await sent(t, sentinel.port(), 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nRemote_User: root\r\n\r\n')
  assert.equal(app.requests.length, 2 * aliases.length + 1)
  for (const { rawHeaders, rawTrailers } of [...app.requests, ...auth.requests]) assert.ok(![...rawHeaders, ...rawTrailers].includes('root'), rawHeaders.join(' '))
})

test('the service is asked with the client\'s Authorization, and the upstream gets only the service\'s', async (t) => {
  const auth = await startRecordingUpstream(t, (_, response) => { response.writeHead(200).end() })
  const { sentinel, app } = await start(t, auth.port)
  await sentinel.get('/', { headers: { Authorization: 'Bearer mine' } })
  assert.equal(auth.requests[0]!.headers.authorization, 'Bearer mine')
  assert.equal(app.requests[0]!.headers.authorization, undefined)
})

test('a client cannot say what was asked for', async (t) => {
  const auth = await startRecordingUpstream(t, (_, response) => { response.writeHead(200).end() })
  const { sentinel } = await start(t, auth.port)
  await sentinel.get('/secret', { headers: { 'X-Forwarded-Uri': '/open', 'X_Forwarded_Uri': '/open', 'X-Forwarded-Method': 'HEAD', 'X-Original-URL': 'http://a/open', 'x_original_url': '/open', 'X-Original-URI': '/open', 'X-Forwarded-Host': 'evil', 'X-Forwarded-For': '10.0.0.1' } })
  const { rawHeaders, headers } = auth.requests[0]!
  assert.equal(headers['x-forwarded-uri'], '/secret')
  assert.equal(headers['x-forwarded-method'], 'GET')
  assert.equal(headers['x-original-url'], `http://127.0.0.1:${sentinel.port()}/secret`)
  assert.ok(!rawHeaders.some((text) => text.includes('open') || text.includes('evil') || text.includes('10.0.0.1')), rawHeaders.join('\n'))
})

test('the service judges the very path that the upstream gets', async (t) => {
  const auth = await startRecordingUpstream(t, (_, response) => { response.writeHead(200).end() })
  const { sentinel, app } = await start(t, auth.port)
  for (const path of ['/public/../admin', '/public/%2e%2e/admin', '/public/..%2fadmin', '/public/..;/admin', '/public\\..\\admin', '//admin', '/./admin', '/public/%2e%2e%2fadmin?x=/../y']) {
    await sent(t, sentinel.port(), `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    const asked = auth.requests.at(-1)
    const got = app.requests.at(-1)
    assert.equal(auth.requests.length, app.requests.length, path)
    if (asked !== undefined) assert.equal(asked.headers['x-forwarded-uri'], got!.url, path)
  }
  assert.ok(app.requests.length > 0)
})

test('an answer that is more than one, or holds a line of its own, changes nothing but its own request', async (t) => {
  const answers = [
    'HTTP/1.1 200 OK\r\nRemote-User: a\rX-Admin: yes\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nRemote-User: a\u0000b\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nRemote-User: injected\r\nContent-Length: 0\r\n\r\n',
  ]
  let next = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('data', () => socket.write(answers[next++] ?? 'HTTP/1.1 204 No Content\r\n\r\n', 'latin1'))
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => { for (const socket of sockets) socket.destroy(); server.close() })
  const { sentinel, app } = await start(t, (server.address() as AddressInfo).port)
  for (const expected of [503, 503, 503]) assert.equal((await sentinel.get('/')).status, expected)
  for (let i = 0; i < 4; i++) await sentinel.get('/')
  for (const { rawHeaders } of app.requests) {
    assert.ok(!rawHeaders.some((text) => /injected|x-admin/i.test(text)), rawHeaders.join(' '))
  }
})
