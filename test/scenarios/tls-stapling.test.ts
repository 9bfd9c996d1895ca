import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { folderWith } from '../support/folder.ts'
import { startResponder, type Responder } from '../support/responder.ts'
import { runSentinel, startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'
import { eventually } from '../support/eventually.ts'
import { patienceMs } from '../support/patience.ts'
import { within } from '../support/within.ts'

function kdl (upstream: number, { cert, key }: { cert: string, key: string }, more = ''): string {
  return `
listeners { listener "main" { address "127.0.0.1:0"; tls { cert-file "${cert}"; key-file "${key}"; ${more} } } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream}" } }
observability { metrics { address "127.0.0.1:0" } }
`
}

async function site (t: TestContext, pair: { cert: string, key: string }, more = ''): Promise<{ sentinel: RunningSentinel, text: string }> {
  const upstream = await httpUpstream(t, (_message, response) => response.end('served'))
  const text = kdl(upstream.port, pair, more)
  return { sentinel: await startSentinel(t, text), text }
}

/** What OpenSSL's own client says about the status it was sent. */
function statusSeen (sentinel: RunningSentinel, responder: Responder, name: string): string {
  const args = ['s_client', '-connect', `127.0.0.1:${sentinel.port()}`, '-servername', name, '-status', '-CAfile', join(responder.folder, 'authority.pem')]
  return execFileSync('openssl', args, { input: '', encoding: 'latin1', stdio: ['pipe', 'pipe', 'ignore'], timeout: patienceMs })
}

async function stapled (sentinel: RunningSentinel): Promise<void> {
  await eventually('a good answer', async () => /sentinel_tls_ocsp_answers_total\{result="good"\} [1-9]/.test(await sentinel.metrics()))
}

for (const signer of ['authority', 'delegate'] as const) {
  test(`what the authority says is sent along, when the ${signer} has signed it`, async (t) => {
    const responder = await startResponder(t)
    responder.signer = signer
    const { sentinel, text } = await site(t, responder.issue('site'))
    await stapled(sentinel)
    const seen = statusSeen(sentinel, responder, 'site.test')
    assert.match(seen, /OCSP Response Status: successful/)
    assert.match(seen, /Cert Status: good/)
    assert.match(seen, /Verify return code: 0 \(ok\)/)
    assert.equal((await sentinel.reload(text)).event, 'reloaded')
    assert.match(statusSeen(sentinel, responder, 'site.test'), /Cert Status: good/)
    assert.equal(responder.asked, 1, 'a reload asks nobody again, handshakes neither')
  })
}

test('certificates of other names have their own status', async (t) => {
  const responder = await startResponder(t)
  const [main, shop] = [responder.issue('main'), responder.issue('shop')]
  const { sentinel } = await site(t, main, `sni { cert-file "${shop.cert}"; key-file "${shop.key}" }`)
  await sentinel.metrics()
  for (const name of ['shop.test', 'main.test']) {
    await eventually(`the status of ${name}`, () => statusSeen(sentinel, responder, name).includes('Cert Status: good'))
  }
  assert.equal(responder.asked, 2)
})

test('an answer that cannot be believed is not sent along, and nobody\'s handshake fails or waits for it', async (t) => {
  for (const [what, change, why] of [
    ['a stranger signed it', (r) => { r.signer = 'stranger' }, /its signature is not that of the authority/],
    ['revoked', (r) => { r.answer = 'revoked' }, /was revoked/],
    ['an error', (r) => { r.send = (_bytes, response) => response.writeHead(503).end() }, /answers 503/],
  ] as ReadonlyArray<readonly [string, (responder: Responder) => void, RegExp]>) {
    const responder = await startResponder(t)
    change(responder)
    const { sentinel } = await site(t, responder.issue('site'))
    await sentinel.logged(({ msg }) => why.test(msg ?? '')).catch((error: unknown) => assert.fail(`${what}: ${String(error)}`))
    assert.match(statusSeen(sentinel, responder, 'site.test'), /OCSP response: no response sent/, what)
    await sentinel.stop()
  }
})

test('a silent responder keeps nobody waiting', async (t) => {
  const responder = await startResponder(t)
  responder.send = () => {}
  const { sentinel } = await site(t, responder.issue('site'))
  await within(3_000, async () => {
    const startedMs = performance.now()
    assert.match(statusSeen(sentinel, responder, 'site.test'), /no response sent[^]*Verify return code: 0/)
    return performance.now() - startedMs
  })
})

test('ocsp-stapling #false, a certificate without a responder, and one whose file does not hold its issuer: nobody is asked', async (t) => {
  const responder = await startResponder(t)
  const { sentinel } = await site(t, responder.issue('site'), 'ocsp-stapling #false')
  assert.match(statusSeen(sentinel, responder, 'site.test'), /no response sent/)
  const alone = await site(t, responder.issue('alone', { alone: true }))
  await alone.sentinel.logged(({ msg }) => /its file does not hold the certificate that issued it/.test(msg ?? ''))
  assert.equal(responder.asked, 0)
})

test('a certificate that must be sent with a status is warned of where none will be', async (t) => {
  const responder = await startResponder(t)
  const folder = folderWith(t)
  const file = join(folder, 'sentinel.kdl')
  const pair = responder.issue('strict', { mustStaple: true })
  writeFileSync(file, kdl(9, pair, 'ocsp-stapling #false'))
  assert.match((await runSentinel(['check', '-c', file])).stdout, /must be sent with a revocation status \("must-staple"\), and ocsp-stapling is off/)
  writeFileSync(file, kdl(9, responder.issue('plain'), `ocsp-stapling #false; sni { cert-file "${pair.cert}"; key-file "${pair.key}" }`))
  assert.match((await runSentinel(['check', '-c', file])).stdout, /a certificate of 'tls' of listener 'main' must be sent with/)
  writeFileSync(file, kdl(9, pair))
  assert.doesNotMatch((await runSentinel(['check', '-c', file])).stdout, /must-staple/)
})
