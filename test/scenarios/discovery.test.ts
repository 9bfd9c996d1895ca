import assert from 'node:assert/strict'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { atATime } from '../support/at-a-time.ts'
import { dnsServer } from '../support/dns-server.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

const test = atATime(2)

const site = (discovery: string, more = ''): string => `system { graceful-shutdown-timeout "5s" }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { ${discovery} } }
observability { metrics { address "127.0.0.1:0" } }
${more}`

async function until (holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!await holds()) await new Promise((resolve) => { setTimeout(resolve, 10) })
}

const answers = async (sentinel: RunningSentinel, text: string): Promise<boolean> => (await sentinel.get('/')).text === text

/** Another file that takes the place of the old one in one step. */
function put (path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

test('targets of a file come and go while it is served; who leaves finishes, and what makes no sense keeps the old list', async (t) => {
  const held: Array<() => void> = []
  const a = await httpUpstream(t, ({ url }, response) => { if (url === '/hold') held.push(() => response.end('a')); else response.end('a') })
  const b = await httpUpstream(t, (_request, response) => response.end('b'))
  const sentinel = await startSentinel(t, site('discovery "file" { path "targets"; watch-interval "1s" }'))
  const path = join(sentinel.folder, 'targets')
  // Nothing was found: it serves, and says what is missing.
  assert.equal((await sentinel.get('/')).status, 503)
  await sentinel.accessed(({ fault }) => fault === 'NO_TARGET')
  await sentinel.logged(({ event, upstream }) => event === 'discovery-failed' && upstream === 'app')
  await until(() => sentinel.screen().includes('discovery'))
  assert.match(sentinel.screen(), /discovery +app {2}file {2}no targets yet: requests get 503 {2}failing/)

  put(path, `127.0.0.1:${a.port}\n`)
  await until(() => answers(sentinel, 'a'))
  const open = sentinel.get('/hold')
  await until(() => held.length === 1)
  put(path, `# moved\n127.0.0.1:${b.port}\n`)
  await until(() => answers(sentinel, 'b'))
  for (const letGo of held) letGo()
  assert.equal((await open).text, 'a')

  for (const [garbage, trouble] of [[`127.0.0.1:${a.port}\n127.0.0`, 'line 2'], ['[ "127.0.0.1:1", ', 'JSON is not whole'], ['<html>', 'line 1']] as const) {
    put(path, garbage)
    await sentinel.logged(({ event, msg = '' }) => event === 'discovery-failed' && msg.includes(trouble))
    assert.equal((await sentinel.get('/')).text, 'b')
  }
  rmSync(path)
  // The first was at the start.
  await until(() => sentinel.log.filter(({ msg = '' }) => msg.includes('ENOENT')).length === 2)
  assert.equal((await sentinel.get('/')).text, 'b')
  put(path, '# nothing\n')
  await sentinel.logged(({ event }) => event === 'targets-kept')
  assert.equal((await sentinel.get('/')).text, 'b')
  const metrics = await sentinel.metrics()
  assert.match(metrics, /sentinel_upstream_discovery_targets\{upstream="app"\} 1/)
  assert.match(metrics, /sentinel_upstream_discovery_refreshes_total\{upstream="app",result="failure"\} [1-9]/)
  assert.match(metrics, /sentinel_upstream_discovery_age_seconds\{upstream="app"\} [\d.]+/)
})

test('targets of a name are those that its DNS server says, also after a reload, and the last ones while it is gone', async (t) => {
  const server = await dnsServer(t)
  const a = await httpUpstream(t, (_request, response) => response.end('a'))
  const srv = (port: number) => [{ type: 'SRV', target: 'host.test', port, priority: 0, weight: 1, ttl: 1 }] as const
  server.zone.set('host.test', [{ type: 'A', address: '127.0.0.1', ttl: 1 }])
  server.zone.set('_http._tcp.app.test', srv(a.port))
  const discovery = `discovery "dns" { hostname "_http._tcp.app.test"; resolver "${server.address}"; timeout "4s" }`
  const sentinel = await startSentinel(t, site(discovery))
  assert.equal((await sentinel.get('/')).text, 'a')
  const b = await httpUpstream(t, (_request, response) => response.end('b'))
  server.zone.set('_http._tcp.app.test', srv(b.port))
  await until(() => answers(sentinel, 'b'))
  server.behaviour = 'silent'
  // Its lease goes over to the next configuration, and so does what it found where only the pace of asking changes.
  for (const next of [site(discovery, 'limits { max-header-count 50 }'), site(discovery.replace('4s', '3s'))]) {
    assert.equal((await sentinel.reload(next)).event, 'reloaded')
    assert.equal((await sentinel.get('/')).text, 'b')
  }
  await sentinel.logged(({ event }) => event === 'discovery-failed')
  assert.equal((await sentinel.get('/')).text, 'b')
})

test('targets that are written down stay beside those that are found, and localhost is found without a DNS server', async (t) => {
  const a = await httpUpstream(t, (_request, response) => response.end('a'))
  const b = await httpUpstream(t, (_request, response) => response.end('b'))
  const sentinel = await startSentinel(t, site(`target "127.0.0.1:${b.port}" backup=#true; discovery "static" { backends "127.0.0.1:${a.port}" }`))
  assert.equal((await sentinel.get('/')).text, 'a')
  assert.equal((await sentinel.reload(site(`discovery "dns" { hostname "localhost"; port ${b.port} }`))).event, 'reloaded')
  assert.equal((await sentinel.get('/')).text, 'b')
})
