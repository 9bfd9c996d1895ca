// Ways around a password, and what a flood of wrong ones does to others.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

/** Of "open sesame" at cost 4, and of something at cost 11: a fifth of a second each. */
const cheap = '$2b$04$CGmtfjgSu7GOHUnBR.3JE.rSZJwHwAZvl1Z5bcePmcigzciiAQenS'
const dear = '$2b$11$NqxFfcxFZnDapyoUVARzVO29Ayfgmd0B493WwdpEFN4von7y3GjMm'

const basic = (text: string): string => `Basic ${Buffer.from(text, 'latin1').toString('base64')}`

async function start (t: TestContext, hash: string, settings = '') {
  const app = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes {
  route "open" { matches { path-prefix "/open" }; upstream "app" }
  route "all" { matches { path-prefix "/" }; upstream "app"; filters "staff" }
}
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
filters { filter "staff" { type "basic-auth"; users { alice "${hash}" }; user-header "Remote-User"; ${settings} } }
observability { metrics { enabled #false } }
`)
  return { sentinel, app }
}

test('what two readers could read in two ways is no password', async (t) => {
  const { sentinel, app } = await start(t, cheap, 'max-failures 1000')
  const right = basic('alice:open sesame')
  const heads = [
    `Authorization: ${right}\r\nAuthorization: Basic eDp5`, `Authorization: Basic eDp5\r\nAuthorization: ${right}`, `Authorization: ${right}, Basic eDp5`,
    `Authorization: ${basic('alice\0:open sesame')}`, `Authorization: ${basic('alice:open sesame\n')}`, `Authorization: ${basic('alice:open sesame\0x')}`,
    `Proxy-Authorization: ${right}`, `X-Authorization: ${right}`, `Authorization: ${right.slice(6)}`, `Authorization: Bearer ${right.slice(6)}`,
    `Authorization: ${basic('alice')}`, `Authorization: ${basic(':open sesame')}`, 'Authorization: Basic', 'Authorization: Basic !!!!',
    `Authorization: ${basic('__proto__:open sesame')}`, `Authorization: ${basic('constructor:open sesame')}`, `Authorization: ${basic('alice:')}`,
  ]
  for (const head of heads) {
    const client = await rawClient(t, sentinel.port(), `GET / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n`)
    assert.equal((await client.answer()).status, 401, head)
  }
  assert.equal(app.requests.length, 0)
  assert.equal((await sentinel.get('/', { headers: { Authorization: right } })).status, 200)
})

test('the path decides nothing: every spelling of a guarded one asks for the password', async (t) => {
  const { sentinel, app } = await start(t, cheap)
  for (const path of ['/admin', '/open/../admin', '/open/%2e%2e/admin', '/open/..%2fadmin', '/open/..;/admin', '//admin', '/%61dmin']) {
    const client = await rawClient(t, sentinel.port(), `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    const answer = await client.ended()
    assert.match(answer, /^HTTP\/1\.1 40[01] /, path)
  }
  assert.equal(app.requests.length, 0)
})

test('nobody can say who they are by a field, on this route or another', async (t) => {
  const { sentinel, app } = await start(t, cheap)
  for (const name of ['Remote-User', 'Remote_User', 'remote.user']) await sentinel.get('/open', { headers: { [name]: 'root' } })
  assert.ok(!app.requests.some(({ rawHeaders }) => rawHeaders.includes('root')))
})

test('a flood of wrong passwords holds up nobody else, and its queue has an end', async (t) => {
  const { sentinel } = await start(t, dear)
  let over = 0
  const flood = Promise.allSettled(Array.from({ length: 100 }, async (_, i) => {
    const { status } = await sentinel.get('/', { headers: { 'Authorization': basic(`alice:guess ${i}`), 'X-Forwarded-For': `10.0.${i}.1` } })
    over++
    return status
  }))
  while (!sentinel.access.some(({ status }) => status === 503)) await new Promise((resolve) => { setTimeout(resolve, 5) })
  assert.equal((await sentinel.get('/open')).status, 200)
  assert.ok(over < 100, 'others are served while passwords wait to be checked')
  await sentinel.stop('SIGKILL')
  const statuses = (await flood).map((result) => result.status === 'fulfilled' ? result.value : 0)
  assert.ok(statuses.filter((status) => status === 503).length >= 30, `${statuses.join(' ')}`)
  assert.ok(!statuses.includes(200))
})
