// Retries, hedges and time-outs of routes through the real program: from the file to the log and the metrics.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

test('a route\'s policies are in effect, and log and metrics tell what they did; a reload changes them', async (t) => {
  let asked = 0
  const flaky = await httpUpstream(t, ({ url }, response) => {
    if (url === '/slow') return void setTimeout(() => response.end('slow'), 20_000).unref()
    response.statusCode = asked++ % 2 === 0 ? 503 : 200
    response.end('answer')
  })
  const steady = await httpUpstream(t, (_incoming, response) => { response.end('steady') })
  const site = (retried: string): string => `
    listeners { listener "web" { address "127.0.0.1:0" } }
    routes {
      route "retried" { matches { path "/retried" }; upstream "flaky"; ${retried} }
      route "plain" { matches { path "/plain" }; upstream "flaky" }
      route "hedged" { matches { path "/slow" }; upstream "both"; hedge { delay "50ms" } }
    }
    upstreams {
      upstream "flaky" { target "127.0.0.1:${flaky.port}" }
      upstream "both" { target "127.0.0.1:${flaky.port}"; target "127.0.0.1:${steady.port}" }
    }
    observability { metrics { address "127.0.0.1:0" } }`
  const sentinel = await startSentinel(t, site('retry-policy { retryable-status-codes 503; backoff "1ms"; max-backoff "2ms" }'))
  assert.equal((await sentinel.get('/retried')).status, 200)
  assert.equal((await sentinel.get('/plain')).status, 503)
  asked = 0
  assert.equal((await sentinel.get('/slow')).text, 'steady')
  const line = await sentinel.accessed(({ path }) => path === '/retried')
  assert.equal(line['tries'], 2)
  const attempts = line['upstream_attempts'] as ReadonlyArray<Readonly<Record<string, unknown>>>
  assert.deepEqual(attempts.map(({ target, status, retried }) => [target, status, retried]), [[`127.0.0.1:${flaky.port}`, 503, '503'], [`127.0.0.1:${flaky.port}`, 200, undefined]])
  await sentinel.accessed(({ path }) => path === '/slow')
  const metrics = await sentinel.metrics()
  assert.match(metrics, /^sentinel_upstream_retries_total\{upstream="flaky",route="retried",reason="503"\} 1$/m)
  assert.match(metrics, /^sentinel_upstream_hedges_total\{upstream="both",route="hedged",result="won"\} 1$/m)
  assert.equal((await sentinel.reload(site(''))).event, 'reloaded')
  asked = 0
  assert.equal((await sentinel.get('/retried')).status, 503)
})
