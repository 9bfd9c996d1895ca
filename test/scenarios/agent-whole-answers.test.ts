// What an agent sees of answers when clients ask for a part of one, or for a packed one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

const script = `export function onResponseBody (body) {
  return body.text().includes('secret') ? block(451) : allow()
}`

test('an operator who takes the wish for a part, or for a packed one, out of requests has every answer looked at whole', async (t) => {
  const whole = 'it is a secret.'
  const upstream = await startRecordingUpstream(t, ({ headers }, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
    if (headers['accept-encoding'] === 'gzip') response.setHeader('Content-Encoding', 'gzip').end(gzipSync(whole))
    else if (from === undefined) response.end(whole)
    else response.writeHead(206, { 'Content-Range': `bytes ${from}-${to}/${whole.length}` }).end(whole.slice(Number(from), Number(to) + 1))
  })
  const kdl = (filters: string): string => `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters ${filters} } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
filters { filter "whole" { type "headers"; remove "Accept-Encoding" "Range" "If-Range" } }
agents { agent "custom" type="js" { script "custom.js"; failure-mode "closed"; timeout "20s"; config { timeout "20s" } } }
observability { metrics { address "127.0.0.1:0" } }
`
  const sentinel = await startSentinel(t, kdl('"custom"'), { files: { 'custom.js': script } })
  const half = { headers: { Range: 'bytes=0-9' } }
  const packed = { headers: { 'Accept-Encoding': 'gzip' } }
  assert.equal((await sentinel.get('/')).status, 451)
  assert.equal((await sentinel.get('/', half)).status, 206)
  assert.equal((await sentinel.get('/', packed)).status, 200)
  assert.equal((await sentinel.reload(kdl('"whole" "custom"'))).event, 'reloaded')
  for (const asked of [{}, half, packed]) assert.equal((await sentinel.get('/', asked)).status, 451)
})
