import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeCertificate } from '../support/certificates.ts'
import { folderWith } from '../support/folder.ts'
import { get, h2Client, headers, setting, types } from '../support/h2-client.ts'
import { startSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

test('protocol "h2" is HTTP/2 with and without TLS, with as many streams as the file says, and is logged as such', async (t) => {
  const folder = folderWith(t)
  makeCertificate(folder, 'local')
  const upstream = await httpUpstream(t, (_, response) => response.end('hello'))
  const sentinel = await startSentinel(t, `
    listeners {
      listener "plain" { address "127.0.0.1:0"; protocol "h2"; max-concurrent-streams 3 }
      listener "secure" { address "127.0.0.1:0"; protocol "h2"; tls { cert-file "${join(folder, 'local.pem')}"; key-file "${join(folder, 'local.key')}" } }
    }
    routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
    upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
    observability { metrics { address "127.0.0.1:0" } }
  `)
  const client = await h2Client(t, sentinel.port('plain'))
  const settings = await client.until('SETTINGS', ({ type, flags }) => type === types.settings && flags === 0)
  assert.ok(settings.payload.includes(setting([3, 3]).subarray(9)), 'SETTINGS_MAX_CONCURRENT_STREAMS is 3')
  client.send(headers(1, get('/plain')))
  assert.equal(await client.status(1), 200)

  const secure = connect(`https://localhost:${sentinel.port('secure')}`, { ca: readFileSync(join(folder, 'local.pem')) })
  t.after(() => secure.destroy())
  await new Promise<void>((resolve, reject) => { secure.request({ ':path': '/secure' }).on('error', reject).on('end', resolve).resume() })
  for (const path of ['/plain', '/secure']) assert.equal((await sentinel.accessed((line) => line.path === path))['protocol'], 'HTTP/2')
})
