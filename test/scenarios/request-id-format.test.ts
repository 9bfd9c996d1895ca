// `system { trace-id-format }`: the form of request ids, in answers, logs and the upstream's request alike.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

const forms = { '': /^[\w-]{22}$/, 'tinyflake': /^[0-9A-Za-z]{11}$/, 'uuid': /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/ }

test('request ids have the form that is configured, and a reload changes it', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const kdl = (form: string): string => `system { worker-threads 2; ${form === '' ? '' : `trace-id-format "${form}"`} }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { enabled #false } }
`
  const sentinel = await startSentinel(t, kdl(''))
  for (const [form, pattern] of Object.entries(forms)) {
    if (form !== '') assert.equal((await sentinel.reload(kdl(form))).event, 'reloaded')
    const ids = new Set<string>()
    for (let i = 0; i < 50; i++) {
      const answer = await sentinel.request('/', { headers: { Connection: 'close' } })
      const id = String(answer.headers['x-request-id'])
      assert.match(id, pattern)
      assert.equal(upstream.requests.at(-1)!.headers['x-request-id'], id)
      ids.add(id)
    }
    assert.equal(ids.size, 50)
  }
})
