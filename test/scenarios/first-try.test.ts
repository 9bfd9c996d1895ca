import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { makeCertificate } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'
import { isInstalled } from '../support/neighbour.ts'
import { startSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

/** What the first listener needs, and what comes behind it. */
const given: Readonly<Record<string, (folder: string) => string>> = {
  'HTTP/2 without TLS': () => 'listener "a" { address "127.0.0.1:0"; protocol "h2" }',
  'TLS': (folder) => `listener "a" { address "127.0.0.1:0"; ${tls(folder)} }`,
  'HTTP/2 over TLS': (folder) => `listener "a" { address "127.0.0.1:0"; protocol "h2"; ${tls(folder)} }`,
  'a header of the PROXY protocol': () => 'listener "a" { address "127.0.0.1:0"; proxy-protocol { from "127.0.0.1" } }',
  'a Unix socket': (folder) => `listener "a" { address "unix:${folder}/a.sock" }`,
  'client certificates, with a plain one behind it': (folder) => `listener "a" { address "127.0.0.1:0"; ${tls(folder, `ca-file "${folder}/site.pem"; client-auth "required"`)} }
    listener "b" { address "127.0.0.1:0" }`,
}

function tls (folder: string, more = ''): string {
  return `tls { cert-file "${folder}/site.pem"; key-file "${folder}/site.key"; ${more} }`
}

for (const [name, listeners] of Object.entries(given)) {
  test(`the line to try of the start screen works: ${name}`, { skip: isInstalled('curl') ? false : 'curl is not installed' }, async (t) => {
    const folder = folderWith(t)
    makeCertificate(folder, 'site')
    const upstream = await httpUpstream(t, (_, response) => response.end('it works'))
    const sentinel = await startSentinel(t, `listeners { ${listeners(folder)} }
      routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
      upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
      observability { metrics { enabled #false } }`)
    await eventually('the screen has it', () => /^ +try +curl .+\n/m.test(sentinel.screen()))
    const [, words = ''] = /^ +try +curl (.+)$/m.exec(sentinel.screen()) ?? []
    const { stdout } = await promisify(execFile)('curl', ['-sS', '-m', '60', ...words.split(' ')], { cwd: join(folder) })
    assert.equal(stdout, 'it works')
  })
}
