/** What a scanner that operators use says about a listener, with the keys they have. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

const folder = mkdtempSync(join(tmpdir(), 'sentinel-scan-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const skip = spawnSync('sslscan', ['--version']).error === undefined ? false : 'sslscan is not installed'

const keys: Readonly<Record<string, readonly string[]>> = {
  rsa: ['rsa:2048'],
  ecdsa: ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
}

const goodCiphers = /^(?:TLS_AES_(?:128_GCM_SHA256|256_GCM_SHA384)|TLS_CHACHA20_POLY1305_SHA256|ECDHE-(?:RSA|ECDSA)-(?:AES(?:128|256)-GCM-SHA(?:256|384)|CHACHA20-POLY1305))$/
const goodGroups = new Set(['x25519', 'secp256r1 (NIST P-256)', 'secp384r1 (NIST P-384)'])

/** The lines under a heading of the report, without those that are empty. */
function section (report: string, heading: string): string[] {
  const [, text = ''] = report.split(`  ${heading}:\n`)
  return (text.split('\n\n')[0] ?? '').split('\n').filter((line) => line !== '')
}

for (const [kind, algorithm] of Object.entries(keys)) {
  test(`sslscan finds nothing weak behind a certificate with an ${kind} key`, { skip }, async (t) => {
    execFileSync('openssl', [
      'req', '-x509', '-newkey', ...algorithm, '-nodes', '-days', '2', '-subj', '/CN=scan.test', '-addext', 'subjectAltName=DNS:scan.test',
      '-keyout', join(folder, `${kind}.key`), '-out', join(folder, `${kind}.pem`),
    ], { stdio: 'ignore' })
    const upstream = await httpUpstream(t, (_message, response) => response.end())
    const sentinel = await startSentinel(t, `
listeners { listener "main" { address "127.0.0.1:0"; tls { cert-file "${folder}/${kind}.pem"; key-file "${folder}/${kind}.key" } } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { address "127.0.0.1:0" } }
`)
    const report = execFileSync('sslscan', ['--no-colour', '--show-sigs', '--sni-name=scan.test', `127.0.0.1:${sentinel.port()}`], { encoding: 'latin1', timeout: 300_000 })

    assert.deepEqual(section(report, 'SSL/TLS Protocols').map((line) => line.replace(/\s+/, ' ')), [
      'SSLv2 disabled', 'SSLv3 disabled', 'TLSv1.0 disabled', 'TLSv1.1 disabled', 'TLSv1.2 enabled', 'TLSv1.3 enabled',
    ])
    assert.deepEqual(section(report, 'TLS Fallback SCSV'), ['Server supports TLS Fallback SCSV'])
    assert.deepEqual(section(report, 'TLS renegotiation'), ['Session renegotiation not supported'])
    assert.doesNotMatch(report, /Compression enabled/)
    const heartbleed = section(report, 'Heartbleed')
    assert.ok(heartbleed.length > 0 && heartbleed.every((line) => line.endsWith('not vulnerable to heartbleed')), heartbleed.join('\n'))

    const ciphers = section(report, 'Supported Server Cipher(s)').map((line) => line.trim().split(/\s+/))
    assert.ok(ciphers.length >= 6, report)
    for (const [word, version, bits, , name] of ciphers) {
      assert.ok((word === 'Preferred' || word === 'Accepted') && /^TLSv1\.[23]$/.test(version ?? '') && Number(bits) >= 128 && goodCiphers.test(name ?? ''), name)
    }
    const groups = section(report, 'Server Key Exchange Group(s)').map((line) => line.replace(/^TLSv1\.[23]\s+\d+ bits\s+/, ''))
    assert.ok(groups.length >= 3 && groups.every((name) => goodGroups.has(name)), groups.join('\n'))
    const signatures = section(report, 'Server Signature Algorithm(s)')
    assert.ok(signatures.length > 0 && signatures.every((line) => /^TLSv1\.[23]\s+(?:rsa_pss_rsae|rsa_pkcs1|ecdsa_secp\d+r1|ed25519|rsa_pss_pss)_?sha(?:256|384|512)$/.test(line)), signatures.join('\n'))
  })
}
