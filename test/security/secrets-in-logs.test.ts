// Secrets are planted wherever a client, a target or an agent can put them; then everything that was written is searched.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { eventually } from '../support/running-service.ts'
import { scripted, scriptedAgent } from '../support/scripted-agent.ts'
import { startTailed } from '../support/tail.ts'

const secret = 'hunter2-correct-horse'
/** Says that its request has come through: it is no secret. */
const witness = 'planted-by-the-test'

const template = '${request.uri} ${request.query} ${request.header.authorization} ${request.header.cookie} ${request.header.x-patient} ${request.cookie.sid} ${request.query.token} ${request.query.ssn} ${request.header.referer} ${response.header.set-cookie} ${response.header.location} ${agent.session}'

const site = (port: number, accessLog: string): string => `
system { worker-threads 2; graceful-shutdown-timeout "5s" }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; agents "judge"; policies { max-body-size "10B" } } }
upstreams { upstream "app" { target "127.0.0.1:${port}" } }
agents { ${scriptedAgent('judge')} }
evidence { file "evidence.jsonl" }
observability {
  metrics { address "127.0.0.1:0" }
  redact { names "x-patient" "ssn" }
  logging { level "debug" }
  access-log { file "access.log"; ${accessLog}; buffer-size "1KiB" }
  error-log { file "error.log" }
  audit-log { file "audit.log" }
}
`

const forms = [
  'request-headers "authorization" "cookie" "x-api-key" "x-patient" "referer" "proxy-authorization"; response-headers "set-cookie" "location" "x-auth-token"',
  'format "combined"', 'format "common"', `format "custom"; template "${template}"`,
  'fields "path" "query" "referer" "request_headers" "detail" "agents"; request-headers "authorization" "x-patient"',
]

for (const form of forms) {
  test(`nothing that is written holds a secret: ${form.slice(0, 40)}`, async (t) => {
    const upstream = await startRecordingUpstream(t, (_, response) => {
      response.writeHead(302, { 'set-cookie': `sid=${secret}`, location: `https://u:${secret}@a.test/?code=${secret}`, 'x-auth-token': secret })
      response.end()
    })
    const { sentinel, watch, tail } = await startTailed(t, site(upstream.port, form))
    const watched = await watch()
    const tailing = await tail()
    const query = ['token', 'api_key', 'X-Amz-Signature', 'code', 'ssn', 'S-S-N', '%74oken', 'user[password]', 'client_secret', 'id_token_hint'].map((name) => `${name}=${secret}`).join('&')
    const headers = {
      authorization: `Bearer ${secret}`, cookie: `sid=${secret}; ssn=${secret}`, 'proxy-authorization': `Basic ${secret}`, 'x-api-key': secret, 'x-patient': secret,
      referer: `https://u:${secret}@a.test/?token=${secret}&ssn=${secret}`,
    }
    const target = `/${witness}?${query}`
    await sentinel.get(target, { headers })
    const extras = { reason: `the query has token=${secret} and Bearer ${secret}`, tags: [`password=${secret}`], ruleIds: ['r1'], details: { session: secret, seen: `api_key=${secret}` } }
    await sentinel.get(target, { headers: { ...headers, ...scripted({ request: { do: 'block', status: 403, extras } as never }) } })
    await sentinel.get(target, { headers: { ...headers, ...scripted({ request: { do: 'throw' } as never }) } })
    await sentinel.request(target, { method: 'POST', headers, body: 'x'.repeat(100) })
    const raw = await rawClient(t, sentinel.port(), `GET http://u:${secret}@a.test/${witness}?token=${secret} HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\nauthorization: Bearer ${secret}\r\n\r\n`)
    await raw.ended()
    await eventually(() => tailing.lines().length >= 4 && watched.records.length >= 4 ? true : undefined, 'what tail shows')
    const metrics = await sentinel.metrics()
    await sentinel.stop()
    const files = readdirSync(sentinel.folder).filter((name) => name !== 'sentinel.kdl')
    const written = new Map(files.map((name) => {
      const bytes = readFileSync(join(sentinel.folder, name))
      return [name, (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()]
    }))
    for (const name of ['access.log', 'error.log', 'audit.log', 'evidence.jsonl']) assert.ok(written.get(name)?.includes('\n'), `${name} has lines`)
    assert.ok(written.get('access.log')!.includes(witness))
    written.set('program log', JSON.stringify(sentinel.log)).set('stdout', sentinel.screen()).set('metrics', metrics)
    written.set('tail', tailing.lines().join('\n') + tailing.said()).set('tail, JSON', JSON.stringify(watched.records))
    for (const [name, text] of written) {
      const at = text.indexOf(secret)
      assert.equal(at, -1, `${name}: …${text.slice(Math.max(0, at - 120), at + 40)}`)
    }
  })
}
