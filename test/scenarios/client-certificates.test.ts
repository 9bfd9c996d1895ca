import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect, type ConnectionOptions } from 'node:tls'
import { authority, type KeyPair } from '../support/authority.ts'
import { request } from '../support/request.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

const servers = authority('servers')
const partners = authority('partners')
const strangers = authority('strangers')
const server = servers.issue('localhost')
const partner = partners.issue('partner')
const stranger = strangers.issue('stranger')

const files = {
  'server.pem': server.cert.toString(), 'server.key': server.key.toString(), 'partners.pem': partners.cert.toString(),
}

interface Site {
  readonly start: () => Promise<RunningSentinel>
  readonly kdl: (tls: string) => string
}

async function site (t: TestContext, tls: string): Promise<Site> {
  const upstream = await httpUpstream(t, (_message, response) => response.end('in'))
  const kdl = (more: string): string => `
listeners { listener "main" { address "127.0.0.1:0"; protocol "https"; tls { cert-file "server.pem"; key-file "server.key"; ${more} } } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { address "127.0.0.1:0" } }
`
  return { kdl, start: () => startSentinel(t, kdl(tls), { files }) }
}

/** 200, or "refused" when there is no connection to get an answer from. */
async function enter (sentinel: RunningSentinel, shown?: KeyPair): Promise<number | 'refused'> {
  try {
    return (await request(sentinel.port(), '/', { tls: { ca: servers.cert, ...shown } })).status
  } catch {
    return 'refused'
  }
}

/** What a client's handshake ends with: the version and cipher that were agreed on. */
function handshake (port: number, options: ConnectionOptions): Promise<{ readonly version: string, readonly cipher: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', ca: servers.cert, servername: 'localhost', ...options }, () => {
      resolve({ version: socket.getProtocol() ?? '', cipher: socket.getCipher().name })
      socket.destroy()
    }).on('error', reject)
  })
}

test('with client-auth, only clients with a certificate of the authority get in', async (t) => {
  for (const spelling of ['client-auth #true; ca-file "partners.pem"', 'client-auth "required"; ca-cert "partners.pem"', 'ca-file "partners.pem"']) {
    const sentinel = await (await site(t, spelling)).start()
    assert.equal(await enter(sentinel), 'refused', `${spelling}: no certificate`)
    assert.equal(await enter(sentinel, stranger), 'refused', `${spelling}: somebody else's authority`)
    assert.equal(await enter(sentinel, partner), 200, spelling)
    await sentinel.logged(({ code, msg }) => code === 'BAD_REQUEST' && /^client certificate: [A-Z_]+$/.test(msg ?? ''))
  }
})

test('optional lets anonymous clients in, and still refuses a certificate that nobody vouches for', async (t) => {
  const sentinel = await (await site(t, 'client-auth "optional"; ca-file "partners.pem"')).start()
  assert.equal(await enter(sentinel), 200)
  assert.equal(await enter(sentinel, partner), 200)
  assert.equal(await enter(sentinel, stranger), 'refused')
  assert.match((await sentinel.logged(({ code }) => code === 'BAD_REQUEST')).msg ?? '', /^client certificate: /)
})

test('a refused client cannot come back with the session of its refused handshake', async (t) => {
  for (const word of ['required', 'optional']) {
    const sentinel = await (await site(t, `client-auth "${word}"; ca-file "partners.pem"`)).start()
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const sessions = await sessionsOf(sentinel.port(), stranger, maxVersion)
      for (const session of sessions) assert.notEqual(await resumed(sentinel.port(), {}, session, maxVersion), 'resumed', `${word}, ${maxVersion}`)
    }
  }
})

test('off asks nobody, whatever authorities there are', async (t) => {
  const sentinel = await (await site(t, 'client-auth #false; ca-file "partners.pem"')).start()
  assert.deepEqual([await enter(sentinel), await enter(sentinel, stranger)], [200, 200])
})

test('a reload takes over new authorities: those who are known no more are refused, earlier sessions or not', async (t) => {
  const { start, kdl } = await site(t, 'client-auth #true; ca-file "partners.pem"')
  const sentinel = await start()
  const sessions = { 'TLSv1.2': await sessionsOf(sentinel.port(), partner, 'TLSv1.2'), 'TLSv1.3': await sessionsOf(sentinel.port(), partner, 'TLSv1.3') }
  const resumeAll = () => Promise.all((['TLSv1.2', 'TLSv1.3'] as const).map((version) => resumed(sentinel.port(), partner, sessions[version][0]!, version)))
  assert.deepEqual(await resumeAll(), ['resumed', 'resumed'], 'a session can be resumed at all')
  writeFileSync(join(sentinel.folder, 'partners.pem'), strangers.cert)
  assert.equal((await sentinel.reload(kdl('client-auth #true; ca-file "partners.pem"'))).event, 'reloaded')
  assert.equal(await enter(sentinel, stranger), 200)
  assert.equal(await enter(sentinel, partner), 'refused')
  assert.deepEqual(await resumeAll(), ['refused', 'refused'])

  writeFileSync(join(sentinel.folder, 'partners.pem'), 'no certificate')
  const broken = await sentinel.reload(kdl('client-auth #true; ca-file "partners.pem"'))
  assert.match(broken.msg ?? '', /'ca-file' of 'tls' of listener 'main' holds no certificate in PEM form/)
  assert.equal(await enter(sentinel, stranger), 200, 'the authorities before stay')
  writeFileSync(join(sentinel.folder, 'partners.pem'), strangers.cert)
  assert.equal((await sentinel.reload(kdl(''))).event, 'reloaded')
  assert.equal(await enter(sentinel), 200, 'nobody is asked any more')
  assert.equal((await sentinel.reload(kdl('client-auth #true; ca-file "partners.pem"'))).event, 'reloaded')
  assert.deepEqual([await enter(sentinel), await enter(sentinel, stranger)], ['refused', 200])
})

/** Every session that the server hands out until the connection is over. */
function sessionsOf (port: number, { cert, key }: KeyPair, maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<Buffer[]> {
  return new Promise((resolve) => {
    const sessions: Buffer[] = []
    const socket = connect({ port, host: '127.0.0.1', ca: servers.cert, servername: 'localhost', cert, key, maxVersion }, () => {
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    })
    socket.on('session', (session: Buffer) => sessions.push(session)).on('error', () => { /* a refusal looks like this */ }).on('close', () => resolve(sessions)).resume()
  })
}

function resumed (port: number, { cert, key }: Partial<KeyPair>, session: Buffer, maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    let reused = false
    const socket = connect({ port, host: '127.0.0.1', ca: servers.cert, servername: 'localhost', cert, key, session, maxVersion }, () => {
      reused = socket.isSessionReused()
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    })
    socket.on('data', (chunk: Buffer) => { answer += chunk.toString('latin1') })
    socket.on('error', () => resolve('refused'))
    socket.on('close', () => resolve(!answer.startsWith('HTTP/1.1 200') ? 'refused' : reused ? 'resumed' : 'anew'))
  })
}

test('versions and ciphers are those of the file, and a reload changes them', async (t) => {
  const { start, kdl } = await site(t, 'min-version "TLS1.3"')
  const sentinel = await start()
  const port = sentinel.port()
  assert.equal((await handshake(port, {})).version, 'TLSv1.3')
  await assert.rejects(handshake(port, { maxVersion: 'TLSv1.2' }))
  const outcome = await sentinel.reload(kdl('max-version "1.2"; cipher-suite "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" "ECDHE-ECDSA-AES256-GCM-SHA384"'))
  assert.equal(outcome.event, 'reloaded', outcome.msg)
  assert.deepEqual(await handshake(port, {}), { version: 'TLSv1.2', cipher: 'ECDHE-ECDSA-CHACHA20-POLY1305' })
  assert.equal((await handshake(port, { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' })).cipher, 'ECDHE-ECDSA-AES256-GCM-SHA384')
  await assert.rejects(handshake(port, { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }))
  await assert.rejects(handshake(port, { minVersion: 'TLSv1.3' }))
})
