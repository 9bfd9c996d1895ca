// The golden vectors are what both ends really say and understand: the proxy's events and the SDK's replies have their bytes, and each end reads those of the other.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { decodeToAgent, emptyRequestHeaders, encodeFromAgent, encodeToAgent, frame, type EventOneOf, type ToAgent } from '../../proto/codec/index.ts'
import type { AgentClient } from '../../proxy/decisions/index.ts'
import { completeFacts, requestEvent, responseEvent } from '../../proxy/decisions/events.ts'
import type { Plan } from '../../proxy/decisions/plan.ts'
import { bodyOf } from '../../proxy/pipeline/body.ts'
import { EndSignal } from '../../proxy/pipeline/end-signal.ts'
import { Exchange } from '../../proxy/pipeline/exchange.ts'
import { Fault } from '../../proxy/pipeline/faults.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import {
  AgentFailure, allow, block, challenge, defineAgent, drop, flag, hold, pass, passButTail, redact, redirect, replace, review, type Agent,
} from '../../sdk/index.ts'
import { Program } from '../../sdk/program.ts'
import { AgentStream } from '../../sdk/stream.ts'
import { consult, ready, type Asked } from '../support/consulted.ts'
import { everything, rawAgent } from '../support/raw-agent.ts'

const golden = new Map(readFileSync(join(import.meta.dirname, '../../../test/golden/proto/agent-v1.txt'), 'utf8').trim().split('\n').map((line) => {
  const [name, , bytes] = line.split(' ')
  return [name!, Buffer.from(bytes!, 'hex')]
}))
const vector = (name: string): Buffer => golden.get(name)!

/** As the connection numbers it. */
const asNumbered = (event: EventOneOf): ToAgent => ({ events: [{ exchange: 300, sequence: 2, timeoutMs: 950, ...event }] })

/** The request of the vector, as a listener would hand it over. */
function sampleExchange (): Exchange {
  const x = new Exchange({
    id: '01J0000000000000000000000A', startedMs: performance.now(), listener: 'main', ending: new EndSignal(),
    peer: { address: '2001:db8::1', port: 51234, tls: { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', sni: 'a.test', clientSubject: 'CN=bob', clientSans: ['DNS:b.test'], clientFingerprint: 'ab12' } },
    request: {
      method: 'POST', scheme: 'https', authority: 'a.test:8443', rawPath: '/a/../b%2Fc\xe9', path: '/b%2Fcé', upstreamPath: '/', query: 'q=1&q=2', version: '1.1',
      headers: new HeaderList(['Host', 'a.test:8443', 'X-Two', '1', 'x-two', '2', 'X-Raw', '\xff\x80', 'X-Empty', '']),
    },
    requestBody: bodyOf(Buffer.alloc(0)),
  })
  x.route = { name: 'api', filters: [], responder: { name: '', respond: () => Promise.reject(new Error('nobody asks')) }, maxBodyBytes: 0 }
  x.attributes = new Map([['user', 'bob'], ['empty', '']])
  return x
}

test('the proxy says the events of the vectors', () => {
  const none = { kind: 'none', maxBytes: 0, over: 'block' } as const
  const plan: Plan = {
    requestHeaders: true, requestBody: { kind: 'buffer', maxBytes: 1048576, over: 'prefix' }, requestTrailers: false, responseHeaders: true, responseBody: none, responseTrailers: false, webSocketMessages: false,
    complete: false,
  }
  const x = sampleExchange()
  const head = requestEvent(x, plan, { mode: 'dry-run' }, 'sha256:1')
  // An empty body that a length announces, and a trace that is no field, are the vector's own.
  assert.ok(head.kind === 'request_headers')
  const said = { ...head.value, hasBody: true, traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
  assert.equal(encodeToAgent(asNumbered({ kind: 'request_headers', value: said })).toString('hex'), vector('event-request-headers').toString('hex'))

  x.upstream = 'api'
  x.target = '10.0.0.1:80'
  const reply = { status: 200, headers: new HeaderList(['Set-Cookie', 'a', 'Set-Cookie', 'b']), body: bodyOf(Buffer.from('hello')) }
  const answer = responseEvent(x, reply, none, {})
  assert.ok(answer.kind === 'response_headers')
  assert.equal(encodeToAgent(asNumbered({ kind: 'response_headers', value: { ...answer.value, hasBody: false, bodyMode: undefined } })).toString('hex'), vector('event-response-headers').toString('hex'))

  Object.assign(x, { reply, requestBytes: 2 ** 40, responseBytes: 5, durationMs: 1.5, upstreamMs: 0.25, fault: new Fault('CLIENT_GONE') })
  assert.equal(encodeToAgent(asNumbered({ kind: 'complete', value: completeFacts(x) })).toString('hex'), vector('event-complete').toString('hex'))
})

const silent = { debug () {}, info () {}, warn () {}, error () {} }

/** Gives what an agent of the SDK replies to events, as bytes. */
async function repliesOf (agent: Agent, events: readonly Buffer[], renumber = false): Promise<string> {
  const program = new Program(agent, silent)
  await program.configure({ configJson: Buffer.from('{}'), validateOnly: false, version: 'sha256:1' })
  const sent: Buffer[] = []
  const stream = new AgentStream(program, (message) => sent.push(encodeFromAgent(message)))
  for (const [i, bytes] of events.entries()) {
    // The vectors are all of one number; events of one exchange are not.
    stream.receive({ events: decodeToAgent(bytes).events.map((event) => ({ ...event, sequence: event.sequence + i * (renumber ? 1 : 0) })) })
    for (let i = 0; i < 10; i++) await new Promise(setImmediate)
  }
  // Protobuf messages that follow each other are one with all their repeated fields.
  return Buffer.concat(sent).toString('hex')
}

const audit = { ruleIds: ['942100'], tags: ['sqli'], reason: 'sqli', severity: 'critical', confidence: 0.75, redactions: ['email'], details: { k: 'v' } } as const
const onRequest = (handler: NonNullable<Parameters<typeof defineAgent>[0]['onRequest']>): Agent => defineAgent({ name: 'vectors', onRequest: handler, onComplete () {} })

test('the SDK says the replies of the vectors', async () => {
  const agents: Readonly<Record<string, Agent>> = {
    'decision-allow': onRequest(() => undefined),
    'decision-flag': onRequest(() => flag({ attributes: { score: '7' } })),
    'decision-review': onRequest(() => review('T-1')),
    'decision-block': onRequest(() => block(451, { headers: { 'Content-Type': 'text/plain' }, body: 'no', audit })),
    'decision-redirect': onRequest(() => redirect('https://b.test/', 308)),
    'decision-challenge': onRequest(() => challenge('Basic', { realm: 'a "b"' }, { body: 'who?' })),
    'reply-error': onRequest(() => { throw new AgentFailure('busy', 'too many', { retryable: true }) }),
  }
  for (const [name, agent] of Object.entries(agents)) assert.equal(await repliesOf(agent, [vector('event-request-headers')]), vector(name).toString('hex'), name)

  const more = await repliesOf(onRequest((_, context) => { context.moreTime(500) }), [vector('event-request-headers')])
  assert.equal(more, vector('reply-more-time').toString('hex') + vector('decision-allow').toString('hex'))

  // The head of an exchange whose body comes with the number of the vectors.
  const opening = encodeToAgent({ events: [{ exchange: 300, sequence: 1, timeoutMs: 0, kind: 'request_headers', value: { ...emptyRequestHeaders, configVersion: 'sha256:1', hasBody: true, bodyMode: { kind: 'stream', maxBytes: 0, over: 'block' } } }] })
  const piece = (end: boolean): Buffer => encodeToAgent(asNumbered({ kind: 'request_body', value: { data: Buffer.from('abc'), end, truncated: false } }))
  const answers = [pass(), replace('x'), hold(), drop(), passButTail(0)]
  const said = await Promise.all(answers.map((answer) => repliesOf(defineAgent({ name: 'vectors', onRequestChunk: () => answer }), [opening, piece(false)])))
  assert.equal(said.join(''), vector('replies-of-chunks').toString('hex'))

  const whole = encodeToAgent({ events: [{ exchange: 300, sequence: 1, timeoutMs: 0, kind: 'request_headers', value: { ...emptyRequestHeaders, configVersion: 'sha256:1', hasBody: true, bodyMode: { kind: 'buffer', maxBytes: 0, over: 'block' } } }] })
  assert.equal(await repliesOf(defineAgent({ name: 'vectors', onRequestBody: () => redact({ replaceBody: '' }), onComplete () {} }), [whole, piece(true)]), vector('decision-redact').toString('hex'))
})

test('the SDK reads the events of the vectors as they are meant', async () => {
  const heard: unknown[] = []
  const agent = defineAgent({
    name: 'vectors',
    onRequest (request, context) {
      heard.push([request.id, request.method, request.authority, request.path, request.query, request.ip, request.headers.getAll('x-two'), request.tls?.clientSubject, request.route, context.attributes.get('user')])
      return allow()
    },
    onResponse: (response) => { heard.push([response.status, response.headers.getAll('set-cookie')]) },
    onComplete: (summary) => { heard.push([summary.status, summary.requestBodyBytes, summary.durationMs, summary.error]) },
  })
  await repliesOf(agent, [vector('event-request-headers'), vector('event-response-headers'), vector('event-complete')], true)
  assert.deepEqual(heard, [
    ['01J0000000000000000000000A', 'POST', 'a.test:8443', '/b%2Fcé', 'q=1&q=2', '2001:db8::1', ['1', '2'], 'CN=bob', 'api', 'bob'],
    [200, ['a', 'b']],
    [200, 2 ** 40, 1.5, 'CLIENT_GONE'],
  ])
})

/** A client whose next exchange has the number of the vectors, and is asked about its body as event 2; the agent replies with these bytes. */
async function answeredWith (t: TestContext, name: string): Promise<AgentClient> {
  let exchanges = 0
  const agent = await rawAgent(t, { describe: { ...everything, events: ['request_body', 'complete'] }, onEvent (event, wire) {
    if (event.kind === 'request_headers') exchanges++
    if (event.timeoutMs > 0 && exchanges === 300) wire.raw(frame(vector(name)))
  } })
  const client = await ready(t, agent.path)
  await Promise.all(Array.from({ length: 299 }, () => consult(client)))
  return client
}

test('the proxy does what the replies of the vectors say', async (t) => {
  const ask = async (name: string, asked: Asked = {}) => consult(await answeredWith(t, name), { method: 'POST', body: 'hello', ...asked }, { chooseUpstream: () => true })
  assert.equal((await ask('decision-allow')).upstream?.body, 'hello')
  assert.equal((await ask('decision-flag')).x.attributes?.get('score'), '7')
  assert.equal((await ask('decision-review')).headers.get('x-sentinel-ticket'), 'T-1')
  const blocked = await ask('decision-block')
  assert.deepEqual([blocked.status, blocked.headers.get('content-type'), blocked.body, blocked.x.decisions?.at(-1)?.audit], [451, 'text/plain', 'no', audit])
  const redirected = await ask('decision-redirect')
  assert.deepEqual([redirected.status, redirected.headers.get('location')], [308, 'https://b.test/'])
  const challenged = await ask('decision-challenge')
  assert.deepEqual([challenged.status, challenged.headers.get('www-authenticate'), challenged.body], [401, 'Basic realm="a \\"b\\""', 'who?'])
  assert.deepEqual((await ask('decision-redact')).upstream?.body, '')
  const failed = await ask('reply-error')
  assert.deepEqual([failed.status, failed.x.fault?.detail], [503, 'busy: too many'])
})
