// Targets that others have written: what they do with HTTP/2 is what the world does.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { makeAuthority } from '../support/authority.ts'
import { folderWith } from '../support/folder.ts'
import { isInstalled, startHaproxy, startNginx } from '../support/neighbour.ts'
import { startProxy, type ProxyGiven, type TestProxy } from '../support/proxy.ts'
import { request } from '../support/request.ts'
import { httpUpstream } from '../support/upstream.ts'

const nginx = isInstalled('nginx') ? {} : { skip: 'nginx is not installed' }
const haproxy = isInstalled('haproxy') ? {} : { skip: 'HAProxy is not installed' }
const always = { when: 'always', maxStreams: 100, pingIntervalMs: 0 } as const
const ours = makeAuthority('neighbours')
const local = ours.issue('localhost', 'DNS:localhost')
const tls = { ca: readFileSync(ours.ca), sni: 'localhost' }

const start = (t: TestContext, port: number, upstream: ProxyGiven['upstream'] = {}): Promise<TestProxy> => startProxy(t, { targets: [port], upstream: { http2: always, ...upstream } })

/** So many requests, 50 at a time; each has to get the text. */
async function many (proxy: TestProxy, count: number, text: RegExp): Promise<void> {
  let left = count
  await Promise.all(Array.from({ length: 50 }, async () => {
    while (left-- > 0) {
      const answer = await request(proxy.port, '/')
      assert.equal(answer.status, 200)
      assert.match(answer.text, text)
    }
  }))
}

test('nginx, which lets go of a connection after 200 requests: nobody notices', nginx, async (t) => {
  const back = await startNginx(t, (port) => `listen 127.0.0.1:${port} http2; keepalive_requests 200; return 200 "$server_protocol";`)
  const proxy = await start(t, back.port)
  await many(proxy, 3_000, /^HTTP\/2\.0$/)
  assert.equal(proxy.done.filter(({ fault }) => fault !== undefined).length, 0)
})

test('nginx over TLS, chosen in the handshake; large answers, and bodies that it does not want', nginx, async (t) => {
  const folder = folderWith(t, { large: 'x'.repeat(3_000_000) })
  const back = await startNginx(t, (port) => `listen 127.0.0.1:${port} ssl http2; ssl_certificate ${local.cert}; ssl_certificate_key ${local.key};
    root ${folder}; location = / { return 200 "$server_protocol"; } location = /large { }`)
  const proxy = await start(t, back.port, { http2: { ...always, when: 'chosen' }, tls })
  await many(proxy, 100, /^HTTP\/2\.0$/)
  assert.equal((await request(proxy.port, '/large')).text.length, 3_000_000)
  const posted = await request(proxy.port, '/', { method: 'POST', body: 'x'.repeat(900_000) })
  assert.deepEqual([posted.status, posted.text], [200, 'HTTP/2.0'])
  const missing = await request(proxy.port, '/nothing')
  assert.equal(missing.status, 404)
})

test('HAProxy with prior knowledge', haproxy, async (t) => {
  const back = await startHaproxy(t, (port) => `frontend web
  mode http
  bind 127.0.0.1:${port} proto h2
  http-request return status 200 content-type text/plain lf-string "%HV %[req.hdr(x-real-ip)]"`)
  const proxy = await start(t, back.port)
  await many(proxy, 500, /^HTTP\/2\.0 127\.0\.0\.1$/)
})

test('another Sentinel', async (t) => {
  const back = await httpUpstream(t, (incoming, response) => response.end(incoming.method))
  const middle = await startProxy(t, { targets: [back.port], listener: { priorKnowledge: true } })
  const proxy = await start(t, middle.port)
  await many(proxy, 500, /^GET$/)
})
