// `waf { … }` alone, without any agent block, is a firewall before every route.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'

async function startWith (t: TestContext, waf: string, route = '') {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes {
    route "shop" { matches { path-prefix "/shop" }; upstream "app"; ${route} }
    route "rest" { priority "low"; upstream "app" }
}
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { address "127.0.0.1:0" } }
${waf}
`)
  return { upstream, sentinel }
}

const injection = `q=${encodeURIComponent("x' UNION SELECT username, password FROM users--")}`

test('prevention refuses an attack on every route, and lets a plain request through', async (t) => {
  const { upstream, sentinel } = await startWith(t, 'waf { mode "prevention" }')
  for (const path of [`/?${injection}`, `/shop/search?${injection}`]) {
    const answer = await sentinel.request(path)
    assert.equal(answer.status, 403, path)
    assert.equal(answer.headers['x-waf-blocked'], 'true')
  }
  assert.equal(upstream.heads(), 0, 'the application saw an attack')
  assert.equal((await sentinel.request('/shop/search?q=union+of+select+committees')).status, 200)
  assert.equal(upstream.heads(), 1)
})

test('detection lets the attack through, and says in the log what would have been refused', async (t) => {
  const { upstream, sentinel } = await startWith(t, 'waf { mode "detection" }')
  assert.equal((await sentinel.request(`/shop/search?${injection}`)).status, 200)
  assert.equal(upstream.heads(), 1)
  const record = await sentinel.accessed(({ path }) => path === '/shop/search')
  const [waf] = record.agents ?? []
  assert.deepEqual([waf?.['agent'] ?? waf?.['id'], waf?.['verdict']], ['waf', 'block'], JSON.stringify(record))
})

test('off is off: no agent is started', async (t) => {
  const { sentinel } = await startWith(t, 'waf { mode "off" }')
  assert.equal((await sentinel.request(`/shop/search?${injection}`)).status, 200)
  assert.deepEqual(sentinel.agentPids(), {})
})

test('what the block says of bodies, scores and rules reaches the agent', async (t) => {
  const { sentinel } = await startWith(t, 'waf { body-inspection { max-inspection-bytes 1024 } }')
  const form = (size: number) => ({ method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `a=${'x'.repeat(size)}` })
  assert.equal((await sentinel.request('/', form(900))).status, 200)
  assert.equal((await sentinel.request('/', form(1100))).status, 403)
})

test('a route can be left out, and one that asks for a firewall that is not there is told so', async (t) => {
  const { sentinel } = await startWith(t, 'waf { mode "prevention" }', 'waf-enabled #false')
  assert.equal((await sentinel.request(`/shop/search?${injection}`)).status, 200)
  assert.equal((await sentinel.request(`/?${injection}`)).status, 403)
  writeFileSync(sentinel.file, readFileSync(sentinel.file, 'utf8').replace('waf-enabled #false', 'waf-enabled #true').replace('waf { mode "prevention" }', ''))
  const checked = await runSentinel(['check', '-c', sentinel.file])
  assert.match(checked.stdout + checked.stderr, /asks for the firewall, but there is none/)
})

test('rules out of a folder, exclusions in one place, and limits of unpacking reach the agent; a reload reads the rules again', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-rules-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const rule = (pattern: string): void => writeFileSync(join(folder, 'shop.rules'), `rule shop-word\n  pattern ${pattern}\n`)
  rule('forbidden fruit')
  const { sentinel } = await startWith(t, `limits { max-decompression-ratio 20 }
waf { ruleset { custom-rules-dir "${folder}"; exclusion "shop-word" { scope "path=/shop" } }; body-inspection { content-types "application/json" } }`)
  assert.equal((await sentinel.request('/?q=forbidden+fruit')).status, 403)
  assert.equal((await sentinel.request('/shop/?q=forbidden+fruit')).status, 200)
  const packed = (body: string) => ({ method: 'POST', headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' }, body: gzipSync(body) })
  assert.equal((await sentinel.request('/', packed(JSON.stringify({ a: 'x'.repeat(200_000) })))).status, 403, 'a bomb')
  assert.equal((await sentinel.request('/', packed('{"a":"plain"}'))).status, 200)
  const kdl = readFileSync(sentinel.file, 'utf8')
  rule('other fruit')
  assert.equal((await sentinel.reload(kdl)).event, 'reloaded')
  assert.equal((await sentinel.request('/?q=forbidden+fruit')).status, 200)
  assert.equal((await sentinel.request('/?q=other+fruit')).status, 403)
  rule('(')
  const failed = await sentinel.reload(kdl)
  assert.equal(failed.event, 'reload-failed')
  assert.match(JSON.stringify(sentinel.log), /shop\.rules:2: the pattern does not compile/)
  assert.equal((await sentinel.request('/?q=other+fruit')).status, 403)
})
