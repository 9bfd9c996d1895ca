/** Ways round the check of client certificates: another name, no name, another Host, a session from elsewhere. */
import assert from 'node:assert/strict'
import { connect, type SecureClientSessionOptions } from 'node:http2'
import { test } from 'node:test'
import { authority } from '../support/authority.ts'
import { startProxy } from '../support/proxy.ts'
import { shake, type ShakeOptions } from '../support/tls-client.ts'
import { httpUpstream } from '../support/upstream.ts'

const servers = authority('servers')
const partners = authority('partners')
const own = servers.issue('own.test')
const shop = servers.issue('shop.test')
const wild = servers.issue('wild.test')
const partner = partners.issue('partner')
const stranger = authority('strangers').issue('stranger')

const ticketSecret = Buffer.alloc(32, 7)
const named = new Map([['shop.test', shop], ['*.wild.test', wild]])
const versions = ['TLSv1.2', 'TLSv1.3'] as const
const names = [undefined, 'own.test', 'shop.test', 'a.wild.test', 'unknown.test']

async function enter (port: number, options: ShakeOptions): Promise<string> {
  try {
    return (await shake(port, options)).answer.slice(9, 12)
  } catch {
    return 'refused'
  }
}

test('whatever name a client asks for, and whatever it writes into Host, it shows its certificate', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end('in'))
  const proxy = await startProxy(t, { targets: [upstream.port], listener: { tls: { ...own, named, ca: partners.cert, clientAuth: 'required', ticketSecret } } })
  for (const maxVersion of versions) {
    for (const servername of names) {
      const options = { maxVersion, ...servername === undefined ? {} : { servername } }
      assert.equal(await enter(proxy.port, options), 'refused', `${maxVersion} ${servername}: nobody`)
      assert.equal(await enter(proxy.port, { ...options, cert: stranger.cert, key: stranger.key }), 'refused', `${maxVersion} ${servername}: a stranger`)
      // One listener has one rule for clients, so a Host of another certificate is no other door: it is served, as whoever the certificate says.
      const send = 'GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n'
      assert.equal(await enter(proxy.port, { ...options, send, cert: partner.cert, key: partner.key }), '200', `${maxVersion} ${servername}: a partner`)
    }
  }
  await proxy.exchange(versions.length * names.length)
  assert.ok(proxy.done.length === versions.length * names.length && proxy.done.every(({ peer }) => peer.tls?.clientSubject === 'CN=partner'))
})

test('a session of one listener, or of other rules, opens no other: not even with the same secret', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end('in'))
  const start = (id: string, more: object) => startProxy(t, { targets: [upstream.port], listener: { id, tls: { ...own, named, ticketSecret, ...more } } })
  const anybody = await start('main', {})
  const optional = await start('main', { ca: partners.cert, clientAuth: 'optional' })
  const required = await start('main', { ca: partners.cert, clientAuth: 'required' })
  const elsewhere = await start('other', { ca: partners.cert, clientAuth: 'required' })
  const otherPartners = await start('main', { ca: servers.cert, clientAuth: 'required' })
  const shown = { cert: partner.cert, key: partner.key }
  for (const maxVersion of versions) {
    const sessionOf = async (port: number, options: ShakeOptions = {}): Promise<Buffer> => (await shake(port, { maxVersion, ...options })).session!
    for (const open of [anybody, optional]) {
      assert.equal(await enter(required.port, { maxVersion, session: await sessionOf(open.port) }), 'refused', maxVersion)
    }
    const session = await sessionOf(required.port, shown)
    assert.equal((await shake(required.port, { maxVersion, session, ...shown })).resumed, true, 'it can be resumed where it came from')
    assert.equal((await shake(required.port, { maxVersion, session, ...shown, servername: 'shop.test' })).answer.slice(9, 12), '200')
    assert.equal(await enter(elsewhere.port, { maxVersion, session }), 'refused', maxVersion)
    assert.equal(await enter(otherPartners.port, { maxVersion, session, ...shown }), 'refused', maxVersion)
  }
})

test('a resumed session still tells who the client is', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end('in'))
  const proxy = await startProxy(t, { targets: [upstream.port], listener: { tls: { ...own, ca: partners.cert, clientAuth: 'required', ticketSecret } } })
  for (const maxVersion of versions) {
    const { session } = await shake(proxy.port, { maxVersion, cert: partner.cert, key: partner.key })
    assert.equal((await shake(proxy.port, { maxVersion, session })).resumed, true)
  }
  await proxy.exchange(4)
  assert.deepEqual(proxy.done.map(({ peer }) => peer.tls?.clientSubject), Array.from({ length: 4 }, () => 'CN=partner'))
})

/** Status of one request over HTTP/2, or "refused". */
function enterOverH2 (port: number, options: SecureClientSessionOptions, authority: string): Promise<string> {
  return new Promise((resolve) => {
    const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, ...options })
    const end = (outcome: string): void => {
      session.destroy()
      resolve(outcome)
    }
    session.on('error', () => end('refused')).on('close', () => end('refused'))
    const stream = session.request({ ':path': '/', ':authority': authority })
    stream.on('response', (head) => end(String(head[':status']))).on('error', () => end('refused'))
    stream.end()
  })
}

test('HTTP/2 is no way round the check either, under no name and for no host', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end('in'))
  const proxy = await startProxy(t, { targets: [upstream.port], listener: { tls: { ...own, named, ca: partners.cert, clientAuth: 'required', ticketSecret } } })
  for (const maxVersion of versions) {
    for (const servername of ['own.test', 'shop.test', 'a.wild.test']) {
      assert.equal(await enterOverH2(proxy.port, { maxVersion, servername }, 'shop.test'), 'refused', `${maxVersion} ${servername}: nobody`)
      assert.equal(await enterOverH2(proxy.port, { maxVersion, servername, cert: stranger.cert, key: stranger.key }, 'shop.test'), 'refused')
      assert.equal(await enterOverH2(proxy.port, { maxVersion, servername, cert: partner.cert, key: partner.key }, 'own.test'), '200')
    }
  }
  await proxy.exchange(6)
  assert.ok(proxy.done.length === 6 && proxy.done.every(({ peer }) => peer.tls?.clientSubject === 'CN=partner'))
})
