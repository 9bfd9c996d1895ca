// "open" lets a request pass as it was; whatever is no longer as it was ends like "closed".
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf, type Body } from '../../proxy/pipeline/body.ts'
import type { Exchange, Filter, Route } from '../../proxy/pipeline/exchange.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { serve } from '../../proxy/pipeline/serve.ts'
import { chunked, consult, ready } from '../support/consulted.ts'
import { exchangeOf } from '../support/exchange.ts'
import { decision, everything, rawAgent } from '../support/raw-agent.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

const streaming = { ...everything, requestBody: { kind: 'stream' as const, maxBytes: 0, over: 'block' as const } }

test('an agent that dies with a part of a streamed body stops the request although it fails open', async (t) => {
  const agent = await rawAgent(t, { describe: streaming })
  agent.script.onEvent = (event, wire) => {
    if (event.kind === 'request_headers') wire.reply(event, decision({ kind: 'allow', value: {} }))
    if (event.kind === 'request_body') wire.session.destroy()
  }
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, `agent "raw" { unix-socket "${agent.path}"; timeout "60s"; failure-mode "open" }`, ['raw']))
  const answer = await sentinel.request('/', { body: 'a body that was handed over' })
  assert.equal(answer.status, 503)
  assert.equal(upstream.requests.length, 0, 'no complete request')
})

test('an answer of which one part is wrong leaves no other part of it applied, failing open or not', async (t) => {
  const agent = await rawAgent(t)
  agent.script.onEvent = (event, wire) => {
    if (event.timeoutMs === 0) return
    wire.reply(event, decision({ kind: 'allow', value: {} }, {
      requestHeaders: [{ action: 'set', name: 'X-Role', value: 'admin' }, { action: 'set', name: 'Host', value: 'evil' }], rewritePath: '/admin', attributes: new Map([['role', 'admin']]),
    }))
  }
  const outcome = await consult(await ready(t, agent.path), { path: '/mine' }, { failureMode: 'open' })
  assert.equal(outcome.status, 200)
  assert.equal(outcome.upstream?.path, '/mine')
  assert.equal(outcome.upstream?.headers.has('x-role'), false)
  assert.equal(outcome.x.attributes, undefined)
})

test('a body above the limit is refused although the agent fails open', async (t) => {
  const agent = await rawAgent(t, { describe: everything })
  const outcome = await consult(await ready(t, agent.path), { method: 'POST', body: chunked('12345', '67890', 'x') }, { failureMode: 'open', maxRequestBodyBytes: 10 })
  assert.equal(outcome.status, 413)
  assert.equal(outcome.upstream, undefined)
})

const broken: Filter = { name: 'broken', onRequest: () => undefined, onDone: () => { throw new Error('a bug') } }

/** One request through these filters. */
async function serveWith (filters: readonly Filter[], respond: (x: Exchange) => Promise<{ status: number, headers: HeaderList, body: Body | undefined }>) {
  const x = exchangeOf()
  const counts = { inFlight: 0, observed: 0, sent: [] as number[], aborted: false }
  const route: Route = { name: 'r', filters, responder: { name: 'app', respond }, maxBodyBytes: Infinity }
  await serve(x, {
    isTrusted: () => false, guardedHeaders: () => new Set(), match: () => route, admit: () => { counts.inFlight++; return undefined }, release: () => { counts.inFlight-- }, observe: () => { counts.observed++ },
  }, { began: false, abort: () => { counts.aborted = true }, send: async (reply) => { counts.sent.push(reply.status) } })
  return { x, counts }
}

const ok = () => Promise.resolve({ status: 200, headers: new HeaderList(), body: bodyOf(Buffer.from('ok')) })

test('a filter that throws in its last word gives its place back, and the others are told', async () => {
  let told = false
  const { x, counts } = await serveWith([{ name: 'other', onRequest: () => undefined, onDone: () => { told = true } }, broken], ok)
  assert.deepEqual([counts.inFlight, counts.observed, told], [0, 1, true])
  assert.equal(x.fault?.code, 'INTERNAL')
})

test('a filter that throws on the way in stops the request', async () => {
  const { counts } = await serveWith([{ name: 'bad', onRequest: () => { throw new Error('a bug') } }], () => assert.fail('the upstream was asked'))
  assert.deepEqual(counts.sent, [500])
  assert.equal(counts.inFlight, 0)
})

test('a filter that throws on the way out takes the place of the upstream\'s answer', async () => {
  let cancelled = false
  const body: Body = { length: undefined, trailers: undefined, read: () => undefined, cancel: () => { cancelled = true } }
  const { counts } = await serveWith([{ name: 'bad', onResponse: () => Promise.reject(new Error('a bug')) }], () => Promise.resolve({ status: 200, headers: new HeaderList(), body }))
  assert.deepEqual([counts.sent, cancelled], [[500], true])
})
