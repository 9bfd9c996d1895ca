import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { makeAuthority, type IssuedCertificate } from '../support/authority.ts'
import { makeCertificate } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'
import { rawTls } from '../support/raw-tls.ts'
import { runSentinel, startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { shake } from '../support/tls-client.ts'
import { httpUpstream } from '../support/upstream.ts'

const authority = makeAuthority('sites')
const own = authority.issue('own', 'DNS:own.test,DNS:localhost')
const shop = authority.issue('shop', 'DNS:shop.test,DNS:*.shop.test')
const cart = authority.issue('cart', 'DNS:cart.shop.test')
const cartAnew = authority.issue('cart-anew', 'DNS:cart.shop.test')
const blog = authority.issue('blog', 'DNS:blog.test,DNS:news.test')

function pair ({ cert, key }: IssuedCertificate): string {
  return `cert-file "${cert}"; key-file "${key}"`
}

function kdl (upstream: number, tls: string): string {
  return `
listeners { listener "main" { address "127.0.0.1:0"; tls { ${pair(own)}; ${tls} } } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream}" } }
observability { metrics { address "127.0.0.1:0" } }
`
}

async function site (t: TestContext, tls: string): Promise<{ readonly sentinel: RunningSentinel, readonly text: (tls: string) => string }> {
  const upstream = await httpUpstream(t, (_message, response) => response.end('served'))
  return { sentinel: await startSentinel(t, kdl(upstream.port, tls)), text: (other) => kdl(upstream.port, other) }
}

/** The certificate that a client sees which asks for this name. */
async function shown (sentinel: RunningSentinel, servername?: string): Promise<string> {
  return (await shake(sentinel.port(), servername === undefined ? {} : { servername })).shown
}

function put (folder: string, stem: string, { cert, key }: IssuedCertificate, ending = 'crt'): void {
  copyFileSync(key, join(folder, `${stem}.key`))
  copyFileSync(cert, join(folder, `${stem}.${ending}`))
}

test('each name gets its certificate: the exact name, then the wildcard of one label, then the default', async (t) => {
  const { sentinel } = await site(t, `sni { ${pair(shop)} }; sni { hostnames "cart.shop.test"; ${pair(cart)} }`)
  for (const [name, wanted] of [
    ['shop.test', 'shop'], ['SHOP.test', 'shop'], ['any.shop.test', 'shop'], ['cart.shop.test', 'cart'], ['a.b.shop.test', 'own'],
    ['other.test', 'own'], ['own.test', 'own'], ['__proto__', 'own'], [undefined, 'own'],
  ] as const) assert.equal(await shown(sentinel, name), wanted, String(name))
  // As somebody who looks: the chain and the name are good.
  const believing = { ca: readFileSync(authority.ca), rejectUnauthorized: true }
  for (const servername of ['shop.test', 'any.shop.test', 'cart.shop.test', 'own.test']) assert.match((await shake(sentinel.port(), { servername, ...believing })).answer, /served/)
  await assert.rejects(shake(sentinel.port(), { servername: 'a.b.shop.test', ...believing }), /altnames/)
  assert.equal((await shake(sentinel.port(), { servername: 'cart.shop.test', maxVersion: 'TLSv1.2' })).shown, 'cart')
  assert.match(await sentinel.metrics(), /sentinel_tls_certificates_loaded\{listener="main"\} 3\n/)
})

test('hostnames are the only names of a certificate, priority-hostnames come first among those in it', async (t) => {
  const { sentinel } = await site(t, `sni { hostnames "blog.test"; ${pair(blog)} }; sni { ${pair(shop)} }; sni { priority-hostnames "shop.test"; ${pair(cart)} }`)
  assert.deepEqual([await shown(sentinel, 'blog.test'), await shown(sentinel, 'news.test')], ['blog', 'own'])
  assert.deepEqual([await shown(sentinel, 'shop.test'), await shown(sentinel, 'x.shop.test'), await shown(sentinel, 'cart.shop.test')], ['cart', 'shop', 'cart'])
})

test('a name that two certificates claim is an error that names both, wherever the names come from', async (t) => {
  const folder = folderWith(t)
  const certs = join(folder, 'certs')
  mkdirSync(certs)
  put(certs, 'one', cart)
  put(certs, 'two', cartAnew)
  const file = join(folder, 'sentinel.kdl')
  const check = async (tls: string, ...more: string[]): Promise<{ code: number | null, stdout: string }> => {
    writeFileSync(file, kdl(9, tls))
    return runSentinel(['check', '-c', file, ...more])
  }
  const inFiles = await check(`sni { ${pair(cart)} }; sni { ${pair(cartAnew)} }`)
  assert.equal(inFiles.code, 1)
  assert.match(inFiles.stdout, /two certificates of 'tls' of listener 'main' claim 'cart\.shop\.test': \d+\.pem and \d+\.pem/)
  const inFolder = await check(`sni-certs { cert-folder "certs" }`)
  assert.equal(inFolder.code, 1)
  assert.match(inFolder.stdout, /claim 'cart\.shop\.test': one\.crt and two\.crt/)
  assert.equal((await check(`sni { hostnames "cart.shop.test"; ${pair(blog)} }; sni-certs { cert-folder "certs" }`)).code, 1)
  assert.equal((await check(`sni { priority-hostnames "cart.shop.test"; ${pair(blog)} }; sni-certs { cert-folder "certs" }`)).code, 0)
  assert.match((await check(`sni { hostnames "blog.test" "blog.test.example"; ${pair(blog)} }`)).stdout, /warning\): the certificate of 'sni' of .* does not name 'blog\.test\.example'/)
  assert.equal((await check(`sni-certs { cert-folder "certs" }`, '--text-only')).code, 0)
  assert.equal((await check(`allow-sni-overlaps #true; sni-certs { cert-folder "certs" }`)).code, 0)
})

test('where overlaps are allowed, the certificate further up gets the name, in a folder the first file', async (t) => {
  const folder = folderWith(t)
  put(folder, 'b', cart)
  put(folder, 'a', cartAnew)
  put(folder, 'c', shop)
  const { sentinel } = await site(t, `allow-sni-overlaps #true; sni { hostnames "shop.test"; ${pair(blog)} }; sni-certs { cert-folder "${folder}" }`)
  assert.deepEqual([await shown(sentinel, 'cart.shop.test'), await shown(sentinel, 'shop.test'), await shown(sentinel, 'x.shop.test')], ['cart-anew', 'blog', 'shop'])
})

test('a folder holds pairs of files or both in one; what is broken in it is left out, told and counted', async (t) => {
  const folder = folderWith(t)
  put(folder, 'shop', shop, 'cert')
  writeFileSync(join(folder, 'cart.pem'), Buffer.concat([readFileSync(cart.key), readFileSync(cart.cert)]), { mode: 0o600 })
  copyFileSync(blog.cert, join(folder, 'blog.crt'))
  copyFileSync(own.key, join(folder, 'blog.key'))
  copyFileSync(blog.cert, join(folder, 'alone.crt'))
  writeFileSync(join(folder, 'noise.pem'), 'nothing')
  writeFileSync(join(folder, 'README'), 'nothing')
  mkdirSync(join(folder, 'inner'))
  put(join(folder, 'inner'), 'blog', blog)
  const { sentinel } = await site(t, `sni-certs { cert-folder "${folder}" }`)
  assert.deepEqual([await shown(sentinel, 'shop.test'), await shown(sentinel, 'cart.shop.test'), await shown(sentinel, 'blog.test')], ['shop', 'cart', 'own'])
  const left = sentinel.log.filter(({ event }) => event === 'certificate-skipped').map(({ msg, reason }) => `${/'(.*?)'/.exec(msg ?? '')?.[1]} ${String(reason)}`)
  assert.deepEqual(left.toSorted(), ['alone.crt no-key', 'blog.crt wrong-key', 'noise.pem no-certificate'])
  assert.match(await sentinel.metrics(), /sentinel_tls_folder_entries_skipped_total\{reason="wrong-key"\} 1\n/)
})

for (const mode of ['watch', 'interval'] as const) {
  test(`reload-mode "${mode}": new, changed and removed files count for new handshakes, a broken one takes nothing away, open connections stay`, async (t) => {
    const folder = folderWith(t)
    put(folder, 'cart', cart)
    const { sentinel } = await site(t, `sni-certs { cert-folder "${folder}"; reload-mode "${mode}"; reload-interval "${mode === 'watch' ? '1h' : '1s'}" }`)
    const open = await rawTls(t, sentinel.port(), 'cart.shop.test')
    assert.equal(open.shown, 'cart')
    put(folder, 'blog', blog)
    await eventually('blog.test shows blog', async () => await shown(sentinel, 'blog.test') === 'blog')

    writeFileSync(join(folder, 'cart.crt'), 'half a certif')
    await sentinel.logged(({ event, reason }) => event === 'certificate-skipped' && reason === 'no-certificate')
    assert.equal(await shown(sentinel, 'cart.shop.test'), 'cart')
    put(folder, 'cart', cartAnew)
    await eventually('cart.shop.test shows cart-anew', async () => await shown(sentinel, 'cart.shop.test') === 'cart-anew')

    rmSync(join(folder, 'blog.crt'))
    rmSync(join(folder, 'blog.key'))
    await eventually('blog.test shows own', async () => await shown(sentinel, 'blog.test') === 'own')
    assert.equal(await shown(sentinel, 'cart.shop.test'), 'cart-anew')
    assert.match(await open.ask('GET / HTTP/1.1\r\nHost: cart.shop.test\r\n\r\n'), /^HTTP\/1\.1 200 /)
    assert.match(await sentinel.metrics(), /sentinel_tls_reload_total\{result="success"\} ([3-9]|\d\d+)\n/)
  })
}

test('a folder that is exchanged for another one is watched as before, and one that is gone takes nothing away', async (t) => {
  const folder = folderWith(t)
  const certs = join(folder, 'certs')
  mkdirSync(certs)
  put(certs, 'cart', cart)
  const { sentinel } = await site(t, `sni-certs { cert-folder "${certs}"; reload-mode "watch"; reload-interval "1s" }`)
  renameSync(certs, join(folder, 'away'))
  await sentinel.logged(({ event }) => event === 'certificate-kept')
  assert.equal(await shown(sentinel, 'cart.shop.test'), 'cart')
  mkdirSync(certs)
  put(certs, 'cart', cartAnew)
  await eventually('cart.shop.test shows cart-anew', async () => await shown(sentinel, 'cart.shop.test') === 'cart-anew')
})

test('SIGHUP reads every certificate anew, without a broken connection; one that cannot be used leaves all as it was', async (t) => {
  const folder = folderWith(t)
  const files = { cert: join(folder, 'site.crt'), key: join(folder, 'site.key') }
  put(folder, 'site', cart)
  const { sentinel, text } = await site(t, `sni { ${pair(files)} }`)
  const open = await rawTls(t, sentinel.port(), 'cart.shop.test')
  put(folder, 'site', cartAnew)
  assert.equal((await sentinel.reload(text(`sni { ${pair(files)} }`))).event, 'reloaded')
  assert.equal(await shown(sentinel, 'cart.shop.test'), 'cart-anew')
  copyFileSync(cart.key, files.key)
  assert.match((await sentinel.reload(text(`sni { ${pair(files)} }`))).msg ?? '', /the key of 'sni' of 'tls' of listener 'main' does not belong to the certificate/)
  assert.equal(await shown(sentinel, 'cart.shop.test'), 'cart-anew')
  assert.equal((await sentinel.reload(text(`sni { ${pair(blog)} }`))).event, 'reloaded')
  assert.deepEqual([await shown(sentinel, 'cart.shop.test'), await shown(sentinel, 'news.test')], ['own', 'blog'])
  assert.match(await open.ask('GET / HTTP/1.1\r\nHost: cart.shop.test\r\n\r\n'), /^HTTP\/1\.1 200 /)
})

test('the end of every certificate is a metric, and told in the log when it is near', async (t) => {
  const { sentinel } = await site(t, `sni { ${pair(shop)} }`)
  const metrics = await sentinel.metrics()
  for (const [name, { cert }] of [['own.test', own], ['shop.test', shop]] as const) {
    const [, seconds] = new RegExp(`sentinel_tls_certificate_expiry_timestamp_seconds\\{listener="main",certificate="${name}"\\} (\\d+)\n`).exec(metrics) ?? []
    assert.equal(Number(seconds) * 1000, new Date(new X509Certificate(readFileSync(cert)).validTo).getTime())
    assert.match((await sentinel.logged(({ event, msg }) => event === 'certificate-expiry' && msg?.includes(name) === true)).msg ?? '', /expires in 1 day, on \d{4}-/)
  }
})

test('a certificate that ends soon is told of once, however many listeners show it', async (t) => {
  const folder = folderWith(t)
  makeCertificate(folder, 'old', { untilDay: 5 })
  const tls = `tls { cert-file "${folder}/old.pem"; key-file "${folder}/old.key" }`
  const sentinel = await startSentinel(t, `listeners { listener "a" { address "127.0.0.1:0"; ${tls} }; listener "b" { address "127.0.0.1:0"; ${tls} } }
    routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
    upstreams { upstream "app" { target "127.0.0.1:1" } }
    observability { metrics { enabled #false } }`)
  await sentinel.logged(({ event }) => event === 'certificate-expiry')
  await sentinel.logged(({ event }) => event === 'ready')
  assert.equal(sentinel.log.filter(({ event }) => event === 'certificate-expiry').length, 1)
})
