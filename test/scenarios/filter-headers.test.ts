// `filter { type "headers" }`, and the changes a route's own policies make.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { checkText } from '../../config/sentinel/index.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'

async function start (t: TestContext, route: string, filters = '', files: Record<string, string> = {}) {
  const upstream = await startRecordingUpstream(t, (_, response) => {
    response.writeHead(200, { 'Server': 'app/1.2', 'X-Powered-By': 'PHP', 'X-Old': ['one', 'two'] })
    response.end('ok')
  })
  const sentinel: RunningSentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; ${route} } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
${filters}
observability { metrics { enabled #false } }
`, { files })
  return { sentinel, upstream }
}

test('fields of requests are renamed, set, added and removed, in this order, under every spelling an application may read', async (t) => {
  const { sentinel, upstream } = await start(t, 'filters "edit"', `filters { filter "edit" {
    type "headers"
    rename { X-Old-Name "X-New-Name" }
    set { X-Api-Version "2"; X-User "proxy" }
    add { X-Tag "b" }
    remove "X-Debug"
  } }`)
  await sentinel.request('/', { headers: { 'X-Old-Name': 'kept', 'X_User': 'forged', 'X-Tag': 'a', 'X-Debug': '1', 'X_Debug': '2' } })
  const [got] = upstream.requests
  assert.equal(got!.headers['x-new-name'], 'kept')
  assert.equal(got!.headers['x-old-name'], undefined)
  assert.equal(got!.headers['x-api-version'], '2')
  assert.equal(got!.headers['x-user'], 'proxy')
  assert.equal(got!.headers['x_user'], undefined)
  assert.equal(got!.headers['x-tag'], 'a, b')
  assert.equal(got!.headers['x-debug'], undefined)
  assert.equal(got!.headers['x_debug'], undefined)
})

test('fields of answers are changed when the phase says so, and blocks for one side act on that side alone', async (t) => {
  const { sentinel, upstream } = await start(t, 'filters "hide"', `filters { filter "hide" {
    type "headers"
    phase "response"
    remove "Server" "X-Powered-By"
    rename { X-Old "X-Renamed" }
    request { set { X-Seen "yes" } }
  } }`)
  const answer = await sentinel.get('/')
  assert.equal(answer.headers['server'], undefined)
  assert.equal(answer.headers['x-powered-by'], undefined)
  assert.equal(answer.headers['x-renamed'], 'one, two')
  assert.equal(answer.headers['x-seen'], undefined)
  assert.equal(upstream.requests[0]!.headers['x-seen'], 'yes')
})

test('values name facts about the request; one that is missing leaves no field, and nothing a client sends ends the line', async (t) => {
  const { sentinel, upstream } = await start(t, 'filters "facts"', `filters { filter "facts" {
    type "headers"
    set {
      X-Client "\${client.ip}"
      X-Line "\${request.method} \${request.uri} on \${request.host}"
      X-Agent "seen: \${request.header.User-Agent}"
      X-Cookie "\${request.cookie.tenant}"
      X-Param "\${request.query.q}"
      X-Route "\${route.id}/\${listener.id}"
      X-Sni "\${tls.sni}"
      X-Plain "$\${client.ip}"
    }
    response { set { X-Target "\${upstream.id} \${upstream.target} \${response.status}"; X-Id "\${request.id}" } }
  } }`)
  const answer = await sentinel.request('/a?q=1%0d%0aX-Evil:%20yes&r=2', { host: 'shop.test', headers: { 'User-Agent': 'curl', 'Cookie': 'a=b; tenant=blue', 'X-Sni': 'forged' } })
  const got = upstream.requests[0]!.headers
  assert.equal(got['x-client'], '127.0.0.1')
  assert.equal(got['x-line'], 'GET /a?q=1%0d%0aX-Evil:%20yes&r=2 on shop.test')
  assert.equal(got['x-agent'], 'seen: curl')
  assert.equal(got['x-cookie'], 'blue')
  assert.equal(got['x-param'], '1X-Evil: yes')
  assert.equal(got['x-evil'], undefined)
  assert.equal(got['x-route'], 'all/web')
  assert.equal(got['x-sni'], undefined)
  assert.equal(got['x-plain'], '${client.ip}')
  assert.equal(answer.headers['x-target'], `app 127.0.0.1:${upstream.port} 200`)
  assert.equal(answer.headers['x-id'], answer.headers['x-request-id'])
})

test('policies of a route change its requests and have the last word about its answers, the proxy\'s own refusals among them', async (t) => {
  const { sentinel, upstream } = await start(t, `policies {
    request-headers { set { X-Api-Version "3" }; remove "X-Internal" }
    response-headers { set { Strict-Transport-Security "max-age=31536000"; Server "none" } }
    require-headers "X-Key"
  }`)
  const refused = await sentinel.request('/')
  assert.equal(refused.status, 400)
  assert.equal(refused.headers['strict-transport-security'], undefined)
  const answer = await sentinel.request('/', { headers: { 'X-Key': 'k', 'X-Internal': 'secret' } })
  assert.equal(answer.headers['server'], 'none')
  assert.equal(answer.headers['strict-transport-security'], 'max-age=31536000')
  assert.equal(upstream.requests[0]!.headers['x-api-version'], '3')
  assert.equal(upstream.requests[0]!.headers['x-internal'], undefined)
  assert.equal((await sentinel.accessed(({ status }) => status === 400)).fault, 'HEADER_MISSING')
})

test('a value that no header can have, a fact that there is not, and a field of the connection are errors at their place', () => {
  const problemsOf = (filter: string): string[] => {
    const { problems } = checkText(`listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; respond 200 "ok"; filters "f" } }
filters { filter "f" { type "headers"; ${filter} } }
`, 'x.kdl', { env: {} })
    return problems.filter(({ severity }) => severity === 'error').map(({ message, position, hint }) => `${position.line}: ${message} (${hint ?? ''})`)
  }
  assert.match((problemsOf('set { X-A "${client.pi}" }')).join(), /3: .*no fact \$\{client\.pi\}.*did you mean \$\{client\.ip\}/)
  assert.match((problemsOf('set { Transfer-Encoding "chunked" }')).join(), /Transfer-Encoding, which belongs to the connection/)
  assert.match((problemsOf('rename { X-Old "Content_Length" }')).join(), /Content_Length, which belongs to the connection/)
  assert.match((problemsOf('phase "${client.ip}"; set { A "b" }')).join(), /'phase' takes no facts about requests/)
})
