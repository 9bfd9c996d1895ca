import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { connect, type ConnectionOptions } from 'node:tls'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { request } from '../support/request.ts'
import { httpUpstream } from '../support/upstream.ts'

const folder = mkdtempSync(join(tmpdir(), 'sentinel-tls-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A self-signed certificate, made now: nothing that expires lies in the repository. */
function certificateFor (name: string, alternative: string): { cert: Buffer, key: Buffer } {
  const cert = join(folder, `${name}.pem`)
  const key = join(folder, `${name}.key`)
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
    '-addext', `subjectAltName=${alternative}`, '-keyout', key, '-out', cert,
  ], { stdio: 'ignore' })
  return { cert: readFileSync(cert), key: readFileSync(key) }
}

const local = certificateFor('localhost', 'DNS:localhost,IP:127.0.0.1')
const other = certificateFor('other.test', 'DNS:other.test')

function handshake (port: number, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', ...options }, () => {
      const certificate = socket.getPeerCertificate()
      resolve(`${String(certificate.subject.CN)} ${socket.getProtocol()}`)
      socket.destroy()
    }).on('error', reject)
  })
}

async function httpsUpstream (t: TestContext, tls: { cert: Buffer, key: Buffer }): Promise<number> {
  const server = createServer(tls, (message, response) => {
    const { socket } = message
    response.end(`${message.headers.host} ${'servername' in socket ? String(socket.servername) : ''}`)
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => { server.close(); server.closeAllConnections() })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

test('an HTTPS listener serves, and the exchange knows the facts of the handshake', async (t) => {
  const upstream = await httpUpstream(t, (message, response) => response.end(message.headers['x-forwarded-proto']))
  const { port, exchange } = await startProxy(t, { targets: [upstream.port], listener: { tls: local } })
  const answer = await request(port, '/', { tls: { ca: local.cert } })
  assert.equal(answer.text, 'https')
  const { peer, request: head } = await exchange(1)
  assert.equal(head.scheme, 'https')
  assert.equal(peer.tls?.version, 'TLSv1.3')
  assert.equal(peer.tls?.sni, 'localhost')
  assert.equal(peer.tls?.clientSubject, '')
  assert.match(peer.tls?.cipher ?? '', /^TLS_/)
})

test('versions before TLS 1.2 are refused', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end())
  const { port, events } = await startProxy(t, { targets: [upstream.port], listener: { tls: local } })
  await assert.rejects(handshake(port, { ca: local.cert, servername: 'localhost', minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }))
  assert.equal(await handshake(port, { ca: local.cert, servername: 'localhost', maxVersion: 'TLSv1.2' }), 'localhost TLSv1.2')
  assert.match(events[0]?.detail ?? '', /^TLS handshake: the client speaks no version of TLS that is allowed here$/)
})

test('plain HTTP on the port is told that it is wrong here, and nobody is served', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end('served'))
  const { port, events, done } = await startProxy(t, { targets: [upstream.port], listener: { tls: local } })
  const plain = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await plain.ended(), /^HTTP\/1\.1 400 Bad Request\r\n[^]*Connection: close/)
  const noise = await rawClient(t, port, 'SSH-2.0-OpenSSH_9.2\r\n')
  assert.doesNotMatch(await noise.ended(), /HTTP/)
  assert.deepEqual(events.map(({ detail }) => detail), ['TLS handshake: plain HTTP on a port of HTTPS', 'TLS handshake: what came is no TLS'])
  assert.equal(done.length, 0)
})

test('a new certificate is used for new handshakes; a wrong pair changes nothing', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end())
  const { port, listener } = await startProxy(t, { targets: [upstream.port], listener: { tls: local } })
  assert.throws(() => listener.replaceTls({ cert: local.cert, key: other.key }))
  assert.match(await handshake(port, { rejectUnauthorized: false }), /^localhost /)
  listener.replaceTls(other)
  assert.match(await handshake(port, { rejectUnauthorized: false }), /^other\.test /)
})

test('an HTTPS target is checked: name, authority and address; the Host of the client is passed, not used as a name', async (t) => {
  const port = await httpsUpstream(t, local)
  const tryOut = async (host: string, tls: { sni?: string, ca?: Buffer, insecureSkipVerify?: boolean }): Promise<string> => {
    const proxy = await startProxy(t, { targets: [{ host, port, weight: 1 }], upstream: { tls } })
    const answer = await request(proxy.port, '/', { host: 'client.test' })
    const x = await proxy.exchange(1)
    return x.fault?.code ?? answer.text
  }
  assert.equal(await tryOut('localhost', { ca: local.cert }), 'client.test localhost')
  assert.equal(await tryOut('127.0.0.1', { ca: local.cert }), 'client.test false')
  assert.equal(await tryOut('127.0.0.1', { ca: local.cert, sni: 'localhost' }), 'client.test localhost')
  assert.equal(await tryOut('127.0.0.1', { ca: local.cert, sni: 'other.test' }), 'UPSTREAM_TLS')
  assert.equal(await tryOut('127.0.0.1', {}), 'UPSTREAM_TLS')
  assert.equal(await tryOut('127.0.0.1', { ca: other.cert }), 'UPSTREAM_TLS')
  assert.equal(await tryOut('127.0.0.1', { insecureSkipVerify: true }), 'client.test false')
})

test('a target that speaks no TLS is a TLS fault, requests of other hosts share one connection', async (t) => {
  const plain = await httpUpstream(t, (_message, response) => response.end())
  const proxy = await startProxy(t, { targets: [plain.port], upstream: { tls: {} } })
  assert.equal((await request(proxy.port, '/')).status, 502)
  assert.equal((await proxy.exchange(1)).fault?.code, 'UPSTREAM_TLS')

  let sessions = 0
  const server = createServer(local, (_message, response) => response.end())
  server.on('secureConnection', () => sessions++)
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => { server.close(); server.closeAllConnections() })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const { port: entry } = await startProxy(t, { targets: [port], upstream: { tls: { ca: local.cert } } })
  for (const host of ['a.test', 'b.test', 'c.test']) assert.equal((await request(entry, '/', { host })).status, 200)
  assert.equal(sessions, 1)
})

test('sessions with a target are resumed, but never one whose certificate was refused', async (t) => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const resumed: boolean[] = []
    const server = createServer({ ...local, maxVersion }, (message, response) => {
      if ('isSessionReused' in message.socket && message.socket.isSessionReused instanceof Function) resumed.push(Boolean(message.socket.isSessionReused()))
      response.writeHead(200, { connection: 'close' }).end()
    })
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    t.after(() => { server.close(); server.closeAllConnections() })
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const good = await startProxy(t, { targets: [port], upstream: { tls: { ca: local.cert, sni: 'localhost' } } })
    for (let i = 0; i < 3; i++) assert.equal((await request(good.port, '/')).status, 200)
    assert.deepEqual(resumed, [false, true, true], maxVersion)
    // Trusted, but not this name: the second handshake must not get by with the session of the first.
    const wrong = await startProxy(t, { targets: [port], upstream: { tls: { ca: local.cert, sni: 'other.test' } } })
    for (let i = 0; i < 3; i++) {
      assert.equal((await request(wrong.port, '/')).status, 502)
      assert.equal((await wrong.exchange(i + 1)).fault?.code, 'UPSTREAM_TLS')
    }
  }
})
