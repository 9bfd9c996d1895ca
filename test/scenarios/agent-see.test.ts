// `see { … }`: what an operator hides from an agent does not leave the proxy, whatever the agent asks for; the upstream gets all of it.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { Event, ReplyOneOf } from '../../proto/codec/index.ts'
import { authority } from '../support/authority.ts'
import { decision, everything, type RawAgent } from '../support/raw-agent.ts'
import { startWithRawAgents } from '../support/raw-agents.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'

/** Every text that the agent got in any event. */
function received (agent: RawAgent): string {
  return JSON.stringify(agent.events, (_name, value: unknown) => {
    if (value instanceof Map) return [...value]
    const given = value as { type?: unknown, data?: readonly number[] } | null
    return given?.type === 'Buffer' ? Buffer.from(given.data!).toString('latin1') : value
  })
}

function headOf (agent: RawAgent, kind: 'request_headers'): Extract<Event, { kind: 'request_headers' }>['value']
function headOf (agent: RawAgent, kind: 'response_headers'): Extract<Event, { kind: 'response_headers' }>['value']
function headOf (agent: RawAgent, kind: Event['kind']): Event['value'] {
  return agent.events.find((event) => event.kind === kind)!.value
}

const namesIn = (lines: readonly string[]): string[] => lines.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())

for (const mode of ['enforce', 'monitor', 'shadow', 'dry-run', 'parallel']) {
  test(`hidden fields of requests and answers, under every spelling, never reach the agent: ${mode}`, async (t) => {
    const upstream = await startRecordingUpstream(t, (_request, response) => {
      response.writeHead(200, { 'Set-Cookie': 'hush-session=1', 'X-Internal-Host': 'hush-db1', 'X-Shown': 'plain' })
      response.end('body')
    })
    const settings = `see { hide "Authorization" "COOKIE" "set-cookie" "x-internal-*" }; ${mode === 'parallel' ? '' : `mode "${mode}"`}`
    const route = mode === 'parallel' ? 'filters { parallel { agent "a"; agent "b" } }; ' : 'filters "a" "b"; '
    const { sentinel, agents } = await startWithRawAgents(t, { a: { settings, describe: everything }, b: {} }, { upstream, route })
    await sentinel.get('/', { headers: {
      authorization: 'Bearer hush-1', Cookie: 'a=hush-2', 'X_INTERNAL_Token': 'hush-3', 'x.internal.other': 'hush-4', 'X-Internal-': 'hush-5', 'X-Shown': 'plain', 'X-Internally': 'plain',
    } })
    await agents.a.seen(({ kind }) => kind === 'complete')
    assert.doesNotMatch(received(agents.a), /hush/)
    assert.deepEqual(namesIn(headOf(agents.a, 'request_headers').headers).filter((name) => name.startsWith('x-') && !name.startsWith('x-forwarded') && !['x-real-ip', 'x-request-id'].includes(name)), ['x-shown', 'x-internally'])
    assert.ok(namesIn(headOf(agents.a, 'response_headers').headers).includes('x-shown'))
    const { headers } = upstream.requests[0]!
    assert.deepEqual([headers.authorization, headers.cookie, headers['x_internal_token'], headers['x.internal.other']], ['Bearer hush-1', 'a=hush-2', 'hush-3', 'hush-4'])
  })
}

test('with headers, the agent sees those alone, and what is hidden of them is hidden', async (t) => {
  const { sentinel, agents } = await startWithRawAgents(t, { a: { settings: 'see { headers "content-type" "x-app-*" "x-upstream"; hide "x-app-key" }', describe: everything } }, { filters: ['a'] })
  const answer = await sentinel.request('/', { method: 'POST', body: 'hello', headers: { 'Content-Type': 'text/plain', 'X-App-Name': 'shop', 'x_app_zone': 'eu', 'X-App_Key': 'hush', 'User-Agent': 'curl' } })
  assert.equal(answer.status, 200)
  assert.deepEqual(namesIn(headOf(agents.a, 'request_headers').headers), ['content-type', 'x-app-name', 'x_app_zone'])
  assert.deepEqual(namesIn(headOf(agents.a, 'response_headers').headers).toSorted(), ['content-type', 'x-upstream'])
  assert.doesNotMatch(received(agents.a), /hush|curl/)
})

test('what a hidden field says is not told in another place: host, length and trace', async (t) => {
  const { sentinel, agents } = await startWithRawAgents(t, { a: { settings: 'see { hide "host" "x-forwarded-host" "content-length" "traceparent" "tracestate" }' } }, { filters: ['a'] })
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await sentinel.request('/', { method: 'POST', body: 'hello', host: 'hush.example', headers: { traceparent, tracestate: 'vendor=hush' } })
  const head = headOf(agents.a, 'request_headers')
  assert.deepEqual([head.authority, head.contentLength, head.traceparent, head.tracestate, head.hasBody], ['', undefined, '', '', true])
  assert.doesNotMatch(received(agents.a), /hush|0af76519/)
})

test('without the query, an agent sees the path and the upstream gets both', async (t) => {
  const { sentinel, agents, upstream } = await startWithRawAgents(t, { a: { settings: 'see { query #false }' } }, { filters: ['a'] })
  await sentinel.get('/shown?token=hush')
  assert.equal(headOf(agents.a, 'request_headers').path, '/shown')
  assert.doesNotMatch(received(agents.a), /hush/)
  assert.equal(upstream.requests[0]!.url, '/shown?token=hush')
})

test('without bodies, an agent gets none, whatever it subscribes to, asks for, or a filter says', async (t) => {
  const wants: ReplyOneOf = decision({ kind: 'allow', value: {} }, { wants: {
    done: false, requestBody: { kind: 'buffer', maxBytes: 0, over: 'block' }, responseHeaders: true, responseBody: { kind: 'stream', maxBytes: 0, over: 'block' },
  } })
  const { sentinel, agents, upstream } = await startWithRawAgents(t, {
    a: { settings: 'see { bodies #false }', describe: everything, answer: ({ kind }) => kind === 'request_headers' ? wants : undefined },
  }, { route: 'filters "asked"; ', more: 'filters { filter "asked" { type "agent"; agent "a"; inspect-body #true } }' })
  const answer = await trailersTo(sentinel.port())
  assert.match(answer, /200 OK[^]*hush-body/)
  assert.equal(upstream.requests[0]!.body.toString(), 'hush-body')
  await agents.a.seen(({ kind }) => kind === 'complete')
  assert.deepEqual(agents.a.events.map(({ kind }) => kind), ['request_headers', 'response_headers', 'complete'])
  assert.doesNotMatch(received(agents.a), /hush/)
})

const streaming = { ...everything, requestBody: { kind: 'stream' as const, maxBytes: 0, over: 'block' as const } }

test('fields behind a body are hidden as those before it are', async (t) => {
  const { sentinel, agents, upstream } = await startWithRawAgents(t, { a: { settings: 'see { hide "x-checksum" }', describe: streaming } }, { filters: ['a'] })
  await trailersTo(sentinel.port())
  const trailers = await agents.a.seen(({ kind }) => kind === 'request_trailers')
  assert.deepEqual(trailers.kind === 'request_trailers' && trailers.value.headers, ['X-Plain', 'shown'])
  assert.deepEqual(upstream.requests[0]!.rawTrailers, ['X-Checksum', 'hush', 'X-Plain', 'shown'])
})

/** A request with fields behind its body; gives the whole answer. */
function trailersTo (port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => {
      socket.write('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhush-body\r\n0\r\nX-Checksum: hush\r\nX-Plain: shown\r\n\r\n')
    })
    socket.on('data', (chunk) => { text += chunk.toString('latin1') }).on('end', () => resolve(text)).on('error', reject)
  })
}

test('facts of a client\'s certificate are told or not, those of the connection are', async (t) => {
  const servers = authority('servers')
  const partners = authority('partners')
  const server = servers.issue('localhost')
  const partner = partners.issue('hush-partner')
  const { sentinel, agents } = await startWithRawAgents(t, { blind: { settings: 'see { client-certificate #false }' }, seeing: {} }, {
    filters: ['blind', 'seeing'],
    more: 'listeners { listener "tls" { address "127.0.0.1:0"; protocol "https"; tls { cert-file "server.pem"; key-file "server.key"; ca-file "partners.pem" } } }',
    files: { 'server.pem': server.cert.toString(), 'server.key': server.key.toString(), 'partners.pem': partners.cert.toString() },
  })
  assert.equal((await request(sentinel.port('tls'), '/', { tls: { ca: servers.cert, ...partner } })).status, 200)
  const { tls } = headOf(agents.blind, 'request_headers')
  assert.deepEqual([tls?.clientSubject, tls?.clientSans, tls?.clientFingerprint], ['', [], ''])
  assert.match(tls!.version, /TLS/)
  assert.doesNotMatch(received(agents.blind), /hush-partner/)
  assert.match(headOf(agents.seeing, 'request_headers').tls!.clientSubject, /hush-partner/)
})

test('a field that an agent does not see it may still set: that is another rule', async (t) => {
  const edits = [{ action: 'set' as const, name: 'Authorization', value: 'Bearer of-agent' }, { action: 'remove' as const, name: 'cookie', value: '' }]
  const { sentinel, agents, upstream } = await startWithRawAgents(t, {
    a: { settings: 'see { hide "authorization" "cookie" }', answer: () => decision({ kind: 'allow', value: {} }, { requestHeaders: edits }) },
    next: { settings: 'see { hide "authorization" }' },
  }, { filters: ['a', 'next'] })
  assert.equal((await sentinel.get('/', { headers: { authorization: 'Bearer hush', cookie: 'hush' } })).status, 200)
  assert.deepEqual([upstream.requests[0]!.headers.authorization, upstream.requests[0]!.headers.cookie], ['Bearer of-agent', undefined])
  assert.doesNotMatch(received(agents.next), /of-agent/)
})

test('a reload changes what is hidden, without another agent process or connection', async (t) => {
  const { sentinel, agents } = await startWithRawAgents(t, { a: { settings: 'see { hide "x-secret" }' } }, { filters: ['a'] })
  await sentinel.get('/', { headers: { 'X-Secret': 'hush' } })
  assert.doesNotMatch(received(agents.a), /hush/)
  const record = await sentinel.reload(readFileSync(sentinel.file, 'utf8').replace('see { hide "x-secret" }', ''))
  assert.equal(record.event, 'reloaded')
  await sentinel.get('/', { headers: { 'X-Secret': 'told' } })
  assert.match(received(agents.a), /told/)
  assert.equal(agents.a.sessions.size, 1)
  assert.equal(agents.a.configured.length, 1)
})
