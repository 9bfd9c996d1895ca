// `filter { type "basic-auth" }`: a name and a password.
import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'

/** Of "open sesame", made by htpasswd -B -C 4, and of "apricot" and "grüße", by openssl passwd -apr1 and htpasswd. */
const hashes = {
  alice: '$2y$04$8wSzUFv9kC60o5WYTqRb5uNuBeKkosSZosPVU/oVZOB2hVBIcSRaW', bob: '$apr1$11t4.mmw$9MX8mqQTJa/ROoYGJcyqD1',
  juergen: '$2b$04$5d/arxKvX3Y8F3tFhEV1AOTKcw82GX5GDrNk0QBcH.9Oli9Syr2uG',
}

const credentials = (user: string, password: string): Record<string, string> => ({ Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` })

async function start (t: TestContext, settings = '', system = '') {
  const app = await startRecordingUpstream(t)
  const kdl = (more: string): string => `${system}
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "staff" } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
filters { filter "staff" { type "basic-auth"; realm "Office"; users-file "users"; ${more} } }
observability { metrics { enabled #false } }
`
  const sentinel = await startSentinel(t, kdl(settings), { files: { users: `# staff\nalice:${hashes.alice}\nbob:${hashes.bob}\njürgen:${hashes.juergen}\n` } })
  return { sentinel, app, kdl }
}

test('who has a name and its password comes in; others are asked for them', async (t) => {
  const { sentinel, app } = await start(t)
  const asked = await sentinel.get('/')
  assert.equal(asked.status, 401)
  assert.equal(asked.headers['www-authenticate'], 'Basic realm="Office", charset="UTF-8"')
  assert.equal((await sentinel.get('/', { headers: credentials('alice', 'open sesame') })).status, 200)
  assert.equal((await sentinel.get('/', { headers: credentials('bob', 'apricot') })).status, 200)
  assert.equal((await sentinel.get('/', { headers: credentials('jürgen', 'grüße') })).status, 200)
  const served = app.requests.length
  for (const [user, password] of [['alice', 'Open sesame'], ['alice', ''], ['bob', 'open sesame'], ['carol', 'open sesame'], ['', 'open sesame'], ['alice', hashes.alice]] as const) {
    assert.equal((await sentinel.get('/', { headers: credentials(user, password) })).status, 401, `${user}:${password}`)
  }
  assert.equal(app.requests.length, served)
})

test('the upstream learns the name and not the password', async (t) => {
  const { sentinel, app } = await start(t, 'user-header "Remote-User"')
  await sentinel.get('/', { headers: { ...credentials('alice', 'open sesame'), Remote_User: 'root' } })
  assert.equal(app.requests[0]!.headers['remote-user'], 'alice')
  assert.equal(app.requests[0]!.headers['remote_user'], undefined)
  assert.equal(app.requests[0]!.headers.authorization, undefined)
})

test('what else asks for the user gets the name', async (t) => {
  const app = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "staff" "told" } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
filters {
  filter "staff" { type "basic-auth"; users { alice "\${HASH}" } }
  filter "told" { type "headers"; set { X-User "\${agent.user}" } }
}
observability { metrics { enabled #false } }
`, { env: { HASH: hashes.alice } })
  await sentinel.get('/', { headers: credentials('alice', 'open sesame') })
  assert.equal(app.requests[0]!.headers['x-user'], 'alice')
})

test('a hash in the configuration is shown by no command', async (t) => {
  const { sentinel, kdl } = await start(t)
  writeFileSync(sentinel.file, kdl(`users { carol "${hashes.alice}" }`))
  const { stdout, code } = await runSentinel(['config', 'dump', '-c', sentinel.file])
  assert.equal(code, 0)
  assert.match(stdout, /carol/)
  assert.ok(!stdout.includes(hashes.alice.slice(7)))
})

test('two workers let in the same people, and together no more wrong passwords', async (t) => {
  const { sentinel } = await start(t, 'max-failures 4; failure-window "1h"', 'system { worker-threads 2 }')
  const tries = await Promise.all(Array.from({ length: 16 }, (_, i) => sentinel.get('/', { headers: credentials('bob', `guess ${i}`) })))
  const wrong = tries.filter(({ status }) => status === 401).length
  assert.ok(wrong >= 2 && wrong <= 4, `${wrong} were checked`)
  assert.equal(tries.length - wrong, tries.filter(({ status }) => status === 429).length)
})

test('forward-credentials leaves them in', async (t) => {
  const { sentinel, app } = await start(t, 'forward-credentials #true')
  await sentinel.get('/', { headers: credentials('alice', 'open sesame') })
  assert.match(String(app.requests[0]!.headers.authorization), /^Basic /)
})

test('after too many wrong passwords a client gets 429, but who was in stays in', async (t) => {
  const { sentinel } = await start(t, 'max-failures 3; failure-window "1h"')
  assert.equal((await sentinel.get('/', { headers: credentials('alice', 'open sesame') })).status, 200)
  const tries = await Promise.all(Array.from({ length: 12 }, (_, i) => sentinel.get('/', { headers: credentials('bob', `guess ${i}`) })))
  const statuses = tries.map(({ status }) => status)
  assert.equal(statuses.filter((status) => status === 401).length, 3)
  assert.equal(statuses.filter((status) => status === 429).length, 9)
  assert.ok(Number(tries.find(({ status }) => status === 429)!.headers['retry-after']) > 3000)
  assert.equal((await sentinel.get('/', { headers: credentials('bob', 'apricot') })).status, 429)
  assert.equal((await sentinel.get('/', { headers: credentials('alice', 'open sesame') })).status, 200)
  assert.equal((await sentinel.get('/')).status, 401, 'whoever says nothing is not counted')
})

test('a reload reads the file again: who was taken out is out at once, and failures are not forgiven', async (t) => {
  const { sentinel, kdl } = await start(t, 'max-failures 2; failure-window "1h"')
  assert.equal((await sentinel.get('/', { headers: credentials('alice', 'open sesame') })).status, 200)
  assert.equal((await sentinel.get('/', { headers: credentials('bob', 'x') })).status, 401)
  writeFileSync(join(sentinel.folder, 'users'), `bob:${hashes.bob}\n`)
  assert.equal((await sentinel.reload(kdl(`max-failures 2; failure-window "1h"; users { carol "${hashes.alice}" }`))).event, 'reloaded')
  assert.equal((await sentinel.get('/', { headers: credentials('alice', 'open sesame') })).status, 401)
  assert.equal((await sentinel.get('/', { headers: credentials('carol', 'open sesame') })).status, 429, 'two failures by now')
})

test('a file that cannot be used refuses the reload and says where', async (t) => {
  const { sentinel, kdl } = await start(t)
  writeFileSync(join(sentinel.folder, 'users'), `alice:${hashes.alice}\neve:{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=\n`)
  chmodSync(join(sentinel.folder, 'users'), 0o600)
  const record = await sentinel.reload(kdl(''))
  assert.equal(record.event, 'reload-failed')
  assert.match(JSON.stringify(record), /line 2 .*no salt/)
  assert.equal((await sentinel.get('/', { headers: credentials('alice', 'open sesame') })).status, 200, 'the old one goes on')
})

test('no password is in the log or on the screen', async (t) => {
  const { sentinel } = await start(t)
  await sentinel.get('/', { headers: credentials('alice', 'open sesame') })
  await sentinel.get('/', { headers: credentials('alice', 'close sesame') })
  await sentinel.accessed(({ status }) => status === 401)
  const everything = JSON.stringify([sentinel.log, sentinel.access]) + sentinel.screen()
  for (const secret of ['sesame', Buffer.from('alice:open').toString('base64').slice(0, 10), hashes.alice.slice(7)]) assert.ok(!everything.includes(secret), secret)
})
