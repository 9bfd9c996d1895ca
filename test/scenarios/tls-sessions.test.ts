import assert from 'node:assert/strict'
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { makeAuthority } from '../support/authority.ts'
import { folderWith } from '../support/folder.ts'
import { startProxy } from '../support/proxy.ts'
import { startSentinel } from '../support/sentinel.ts'
import { shake, type ShakeOptions } from '../support/tls-client.ts'
import { httpUpstream } from '../support/upstream.ts'

const authority = makeAuthority('sites')
const site = authority.issue('site', 'DNS:site.test')
const siteAnew = authority.issue('site-anew', 'DNS:site.test')
const other = authority.issue('other', 'DNS:other.test')

const versions = ['TLSv1.2', 'TLSv1.3'] as const

function kdl (upstream: number, tls: string): string {
  return `
listeners { listener "main" { address "127.0.0.1:0"; tls { ${tls} } } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream}" } }
observability { metrics { address "127.0.0.1:0" } }
`
}

/** Whether a second connection resumes the session of a first one. */
async function resumes (port: number, first: ShakeOptions = {}, second: ShakeOptions = first): Promise<boolean> {
  const { session } = await shake(port, first)
  if (session === undefined) return false
  return (await shake(port, { ...second, session })).resumed
}

async function start (t: TestContext, more: string) {
  const folder = folderWith(t)
  copyFileSync(site.cert, join(folder, 'site.pem'))
  copyFileSync(site.key, join(folder, 'site.key'))
  const upstream = await httpUpstream(t, (_message, response) => response.end('served'))
  const text = kdl(upstream.port, `cert-file "${folder}/site.pem"; key-file "${folder}/site.key"; ${more}`)
  return { folder, text, sentinel: await startSentinel(t, text) }
}

test('a client that comes back resumes its session, also after a reload that brought another certificate', async (t) => {
  const { folder, text, sentinel } = await start(t, '')
  for (const maxVersion of versions) {
    assert.equal(await resumes(sentinel.port(), { maxVersion, servername: 'site.test' }), true, maxVersion)
    const { session } = await shake(sentinel.port(), { maxVersion, servername: 'site.test' })
    copyFileSync(siteAnew.cert, join(folder, 'site.pem'))
    copyFileSync(siteAnew.key, join(folder, 'site.key'))
    assert.equal((await sentinel.reload(text)).event, 'reloaded')
    assert.equal((await shake(sentinel.port(), { maxVersion, servername: 'site.test', session })).resumed, true, `${maxVersion}, after the reload`)
    assert.equal((await shake(sentinel.port(), { maxVersion })).shown, 'site-anew')
  }
  const metrics = await sentinel.metrics()
  assert.match(metrics, /sentinel_tls_handshakes_total\{listener="main",version="TLSv1\.2",kind="resumed"\} 2\n/)
  assert.match(metrics, /sentinel_tls_handshake_duration_seconds_count\{version="TLSv1\.3"\} \d+\n/)
})

test('session-resumption #false: nobody resumes, and a reload switches it', async (t) => {
  const { text, sentinel } = await start(t, 'session-resumption #false')
  for (const maxVersion of versions) assert.equal(await resumes(sentinel.port(), { maxVersion }), false, maxVersion)
  assert.equal((await sentinel.reload(text.replace('session-resumption #false', 'session-resumption #true'))).event, 'reloaded')
  for (const maxVersion of versions) assert.equal(await resumes(sentinel.port(), { maxVersion }), true, maxVersion)
  const { session } = await shake(sentinel.port())
  assert.equal((await sentinel.reload(text)).event, 'reloaded')
  assert.equal((await shake(sentinel.port(), { session })).resumed, false)
})

test('two processes with the same secret open each other\'s tickets; a new secret closes the old ones, and serves on', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end('served'))
  const tls = { cert: readFileSync(site.cert), key: readFileSync(site.key), ticketSecret: Buffer.alloc(32, 1) }
  const one = await startProxy(t, { targets: [upstream.port], listener: { tls } })
  const two = await startProxy(t, { targets: [upstream.port], listener: { tls: { ...tls, cert: readFileSync(other.cert), key: readFileSync(other.key) } } })
  for (const maxVersion of versions) {
    const { session } = await shake(one.port, { maxVersion })
    assert.equal((await shake(two.port, { maxVersion, session })).resumed, true, maxVersion)
  }
  const { session } = await shake(one.port)
  one.listener.renewTickets(Buffer.alloc(32, 2))
  const after = await shake(one.port, { session })
  assert.deepEqual([after.resumed, after.answer.includes('served')], [false, true])
  assert.equal(await resumes(one.port), true)
  one.listener.replaceTls(tls)
  assert.equal((await shake(one.port, { session })).resumed, true, 'the secret of the settings counts')
})
