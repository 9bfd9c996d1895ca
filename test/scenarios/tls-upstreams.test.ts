import assert from 'node:assert/strict'
import { copyFileSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { TLSSocket } from 'node:tls'
import { makeAuthority, type IssuedCertificate } from '../support/authority.ts'
import { folderWith } from '../support/folder.ts'
import { startProxy } from '../support/proxy.ts'
import { request } from '../support/request.ts'
import { startSentinel } from '../support/sentinel.ts'

const internal = makeAuthority('internal')
const foreign = makeAuthority('foreign')
const target = internal.issue('target', 'DNS:target.test,IP:127.0.0.1')
const gateway = internal.issue('gateway', 'DNS:gateway.test')
const gatewayAnew = internal.issue('gateway-anew', 'DNS:gateway.test')
const imposter = foreign.issue('target', 'DNS:target.test')
const renamed = internal.issue('renamed', 'DNS:renamed.test')

function pem ({ cert, key }: IssuedCertificate): { cert: Buffer, key: Buffer } {
  return { cert: readFileSync(cert), key: readFileSync(key) }
}

/** A target that answers with the name in the certificate it was shown, and closes. */
async function httpsTarget (t: TestContext, options: object): Promise<{ server: Server, port: number }> {
  const server = createServer({ ...pem(target), ...options }, (message, response) => {
    const shown = message.socket instanceof TLSSocket ? message.socket.getPeerCertificate().subject : undefined
    response.writeHead(200, { connection: 'close' }).end(String(shown?.CN ?? 'nobody'))
  })
  await new Promise<void>((go) => { server.listen(0, '127.0.0.1', go) })
  t.after(() => { server.close(); server.closeAllConnections() })
  const address = server.address()
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 }
}

const asksForOne = { requestCert: true, rejectUnauthorized: true, ca: readFileSync(internal.ca) }

test('a target that asks for a certificate is shown the one of client-cert, and refuses without it', async (t) => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    const { port } = await httpsTarget(t, { ...asksForOne, maxVersion })
    const tls = { sni: 'target.test', ca: readFileSync(internal.ca) }
    const known = await startProxy(t, { targets: [port], upstream: { tls: { ...tls, ...pem(gateway) } } })
    for (let i = 0; i < 3; i++) assert.equal((await request(known.port, '/')).text, 'gateway', maxVersion)
    const unknown = await startProxy(t, { targets: [port], upstream: { tls } })
    assert.equal((await request(unknown.port, '/')).status, 502, maxVersion)
  }
})

test('a reload takes over what the files of client-cert and ca-cert hold now, and one that holds nonsense changes nothing', async (t) => {
  const { port } = await httpsTarget(t, asksForOne)
  const folder = folderWith(t)
  copyFileSync(gateway.cert, join(folder, 'client.pem'))
  copyFileSync(gateway.key, join(folder, 'client.key'))
  copyFileSync(internal.ca, join(folder, 'ca.pem'))
  const text = `
listeners { listener "main" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" {
  target "127.0.0.1:${port}"
  tls { sni "target.test"; ca-cert "${folder}/ca.pem"; client-cert "${folder}/client.pem"; client-key "${folder}/client.key" }
} }
observability { metrics { address "127.0.0.1:0" } }
`
  const sentinel = await startSentinel(t, text)
  assert.equal((await sentinel.get('/')).text, 'gateway')
  copyFileSync(gatewayAnew.cert, join(folder, 'client.pem'))
  assert.match((await sentinel.reload(text)).msg ?? '', /the 'client-key' of 'tls' of upstream 'app' does not belong to the 'client-cert'/)
  assert.equal((await sentinel.get('/')).text, 'gateway')
  copyFileSync(gatewayAnew.key, join(folder, 'client.key'))
  assert.equal((await sentinel.reload(text)).event, 'reloaded')
  assert.equal((await sentinel.get('/')).text, 'gateway-anew')
  copyFileSync(foreign.ca, join(folder, 'ca.pem'))
  assert.equal((await sentinel.reload(text)).event, 'reloaded')
  assert.equal((await sentinel.get('/')).status, 502)
})

test('a target that shows another authority\'s certificate, or one of another name, is refused from its next connection on', async (t) => {
  for (const wrong of [imposter, renamed]) {
    const { server, port } = await httpsTarget(t, {})
    const proxy = await startProxy(t, { targets: [port], upstream: { tls: { sni: 'target.test', ca: readFileSync(internal.ca) } } })
    for (let i = 0; i < 2; i++) assert.equal((await request(proxy.port, '/')).status, 200)
    server.setSecureContext(pem(wrong))
    assert.equal((await request(proxy.port, '/')).status, 502)
    assert.equal((await proxy.exchange(3)).fault?.code, 'UPSTREAM_TLS')
    server.setSecureContext(pem(target))
    assert.equal((await request(proxy.port, '/')).status, 200)
  }
})

test('a session stands in for a look at the certificate no longer than a quarter of an hour', async (t) => {
  const resumed: boolean[] = []
  const { server, port } = await httpsTarget(t, { ticketKeys: Buffer.alloc(48, 1) })
  server.on('secureConnection', (socket) => resumed.push(socket.isSessionReused()))
  let later = 0
  t.mock.method(performance, 'now', ((now) => () => now() + later)(performance.now.bind(performance)))
  const proxy = await startProxy(t, { targets: [port], upstream: { tls: { sni: 'target.test', ca: readFileSync(internal.ca) } } })
  const status = async (): Promise<number> => (await request(proxy.port, '/')).status
  assert.deepEqual([await status(), await status()], [200, 200])
  later += 16 * 60_000
  assert.deepEqual([await status(), await status()], [200, 200])
  assert.deepEqual(resumed, [false, true, false, true])
})
