// An agent may crash, stall and lie: it never passes for "allow" by that, changes no framing and smuggles no line into a head.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { emptyDecision, encodeFromAgent, frame, type Decision, type ReplyOneOf } from '../../proto/codec/index.ts'
import { eventually } from '../support/eventually.ts'
import { allow, decision, everything, rawAgent, type RawAgent, type Wire } from '../support/raw-agent.ts'
import { startRecordingUpstream, type RecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'

interface Scene { readonly agent: RawAgent, readonly upstream: RecordingUpstream, readonly sentinel: RunningSentinel }

async function scene (t: TestContext, settings = 'timeout "400ms"'): Promise<Scene> {
  const agent = await rawAgent(t)
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, `agent "raw" { unix-socket "${agent.path}"; ${settings} }`, ['raw']))
  return { agent, upstream, sentinel }
}

/** The agent answers this; the request must fail closed, and once the agent behaves again requests pass. */
async function refused ({ agent, upstream, sentinel }: Scene, onEvent: (wire: Wire, event: Parameters<Wire['reply']>[0]) => void): Promise<void> {
  const before = upstream.heads()
  agent.script.onEvent = (event, wire) => { if (event.timeoutMs > 0) onEvent(wire, event) }
  const answer = await sentinel.get('/')
  assert.equal(answer.status, 503)
  assert.equal(upstream.heads(), before)
  assert.doesNotMatch(answer.rawHeaders.join('\n'), /evil/i)
  agent.script.onEvent = (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, allow) }
  await eventually('it recovers', async () => (await sentinel.get('/')).status === 200)
}

const set = (name: string, value: string) => ({ action: 'set' as const, name, value })

const lies: Readonly<Record<string, ReplyOneOf>> = {
  'a request header with a line break': decision({ kind: 'allow', value: {} }, { requestHeaders: [set('X-A', 'b\r\nX-Evil: 1')] }),
  'a request header with a NUL': decision({ kind: 'allow', value: {} }, { requestHeaders: [set('X-A', 'evil\0')] }),
  'a request header name with a colon': decision({ kind: 'allow', value: {} }, { requestHeaders: [set('X-Evil: 1\r\nX', 'b')] }),
  'an empty header name': decision({ kind: 'allow', value: {} }, { requestHeaders: [set('', 'evil')] }),
  'another Content-Length': decision({ kind: 'allow', value: {} }, { requestHeaders: [set('Content-Length', '5')] }),
  'another Content-Length under an alias': decision({ kind: 'allow', value: {} }, { requestHeaders: [set('content_length', '5')] }),
  'a Transfer-Encoding': decision({ kind: 'allow', value: {} }, { requestHeaders: [set('Transfer-Encoding', 'chunked')] }),
  'another Host': decision({ kind: 'allow', value: {} }, { requestHeaders: [set('Host', 'evil.test')] }),
  'a Connection that names other fields': decision({ kind: 'allow', value: {} }, { requestHeaders: [set('Connection', 'x-real-ip')] }),
  'a response header with a line break': decision({ kind: 'allow', value: {} }, { responseHeaders: [set('X-A', 'b\r\nSet-Cookie: evil=1')] }),
  'a block whose header splits the answer': decision({ kind: 'block', value: { status: 403, headers: ['X-A', '1\r\n\r\nevil'], body: Buffer.alloc(0) } }),
  'a block with its own Content-Length': decision({ kind: 'block', value: { status: 403, headers: ['Content-Length', '99'], body: Buffer.from('x') } }),
  'a block with status 200': decision({ kind: 'block', value: { status: 200, headers: [], body: Buffer.from('evil') } }),
  'a block with status 100': decision({ kind: 'block', value: { status: 100, headers: [], body: Buffer.alloc(0) } }),
  'a block with status 1000': decision({ kind: 'block', value: { status: 1000, headers: [], body: Buffer.alloc(0) } }),
  'a redirect with a line break': decision({ kind: 'redirect', value: { status: 302, location: '/\r\nX-Evil: 1' } }),
  'a redirect with status 200': decision({ kind: 'redirect', value: { status: 200, location: '/evil' } }),
  'a challenge with a line break': decision({ kind: 'challenge', value: { scheme: 'Basic', params: new Map([['realm', 'a\r\nX-Evil: 1']]), body: Buffer.alloc(0) } }),
  'a ticket with a line break': decision({ kind: 'review', value: { ticket: 'a\r\nX-Evil: 1' } }),
  'a path with a line break': decision({ kind: 'allow', value: {} }, { rewritePath: '/ HTTP/1.1\r\nX-Evil: 1' }),
  'a path that is a whole URL': decision({ kind: 'allow', value: {} }, { rewritePath: 'http://evil.test/' }),
  'a query with a blank': decision({ kind: 'allow', value: {} }, { rewriteQuery: 'a HTTP/1.1\r\nX-Evil: 1' }),
  'an upstream that the route does not list': decision({ kind: 'allow', value: {} }, { upstream: 'evil' }),
  'a body where none was shown': decision({ kind: 'allow', value: {} }, { replaceBody: Buffer.from('evil') }),
  'more attributes than are taken': decision({ kind: 'allow', value: {} }, { attributes: new Map(Array.from({ length: 100 }, (_, i) => [`a${i}`, 'x'])) }),
  'more header edits than are taken': decision({ kind: 'allow', value: {} }, { requestHeaders: Array.from({ length: 200 }, (_, i) => set(`x-${i}`, '1')) }),
  'a chunk answer to a head': { kind: 'chunk', value: { kind: 'pass', value: {} } },
  'no kind at all': { kind: 'decision', value: { ...emptyDecision, kind: undefined, value: undefined } as unknown as Decision }, // What a newer agent would look like.
}

test('an agent that answers', async (t) => {
  const s = await scene(t)
  for (const [what, reply] of Object.entries(lies)) {
    await t.test(`${what} has its answer thrown away whole, and the request fails closed`, () => refused(s, (wire, event) => wire.reply(event, reply)))
  }
})

const bytes: Readonly<Record<string, (event: Parameters<Wire['reply']>[0]) => Buffer>> = {
  'half a frame and no more': () => frame(Buffer.alloc(100)).subarray(0, 20),
  'a frame of two gigabytes': () => Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3]),
  'a compressed frame': () => Buffer.from([1, 0, 0, 0, 1, 0]),
  'noise': () => Buffer.from('GET / HTTP/1.1\r\n\r\n'.repeat(50)),
  'a reply for an exchange that never was': ({ sequence }) => frame(encodeFromAgent({ replies: [{ exchange: 99_999_999, sequence, ...allow }] })),
  'a reply for exchange zero': ({ sequence }) => frame(encodeFromAgent({ replies: [{ exchange: 0, sequence, ...allow }] })),
  'a reply for an event that never was': ({ exchange }) => frame(encodeFromAgent({ replies: [{ exchange, sequence: 7_777, ...allow }] })),
  'a thousand empty frames': () => Buffer.concat(Array.from({ length: 1_000 }, () => frame(Buffer.alloc(0)))),
}

test('an agent that sends', async (t) => {
  const s = await scene(t)
  for (const [what, make] of Object.entries(bytes)) {
    await t.test(`${what} fails closed, and traffic recovers`, () => refused(s, (wire, event) => wire.raw(make(event))))
  }
  await t.test('a reset of its stream fails closed, and traffic recovers', () => refused(s, (wire) => wire.stream.close(2)))
  await t.test('a GOAWAY with an error fails closed, and traffic recovers', () => refused(s, (wire) => wire.session.goaway(11)))
})

test('an agent that floods the proxy with replies nobody asked for costs few log lines, and its answers still count', async (t) => {
  const { agent, sentinel } = await scene(t, 'timeout "60s"')
  agent.script.onEvent = (event, wire) => {
    if (event.timeoutMs === 0) return
    wire.raw(frame(encodeFromAgent({ replies: Array.from({ length: 10_000 }, () => ({ exchange: 99_999_999, sequence: 1, ...allow })) })))
    wire.reply(event, allow)
  }
  for (let i = 0; i < 5; i++) assert.equal((await sentinel.get('/')).status, 200)
  await sentinel.logged(({ event }) => event === 'agent-protocol-fault')
  const lines = sentinel.log.filter(({ event }) => event === 'agent-protocol-fault').length
  assert.ok(lines <= 200, `${lines} lines`)
})

test('an agent that stops reading costs a bounded amount of memory, and its requests fail at their deadline', async (t) => {
  const { agent, sentinel, upstream } = await scene(t, 'timeout "500ms"; events "request_headers" "request_body"; request-body-mode "stream"')
  assert.equal((await sentinel.get('/')).status, 503, 'it describes no bodies yet')
  agent.script = { describe: everything, onProcess: (stream) => { stream.respond({ ':status': 200, 'content-type': 'application/grpc' }); stream.pause() } }
  for (const session of agent.sessions) session.destroy()
  const answers = await Promise.all(Array.from({ length: 10 }, () => sentinel.request('/', { body: Buffer.alloc(500_000) }).catch(() => undefined)))
  for (const answer of answers) assert.ok(answer === undefined || answer.status === 503)
  assert.equal(upstream.requests.length, 0)
})

test('a reply to one client\'s question never answers another client\'s', async (t) => {
  const { agent, sentinel, upstream } = await scene(t, 'timeout "60s"')
  const block = decision({ kind: 'block', value: { status: 403, headers: [], body: Buffer.from('no') } })
  // Twice the same answer for the first exchange: the second one must not settle anything.
  agent.script.onEvent = (event, wire) => {
    if (event.kind !== 'request_headers') return
    if (event.value.path === '/good') { wire.reply(event, allow); wire.reply(event, allow) }
    else setTimeout(() => wire.reply(event, block), 50)
  }
  const [good, bad] = await Promise.all([sentinel.get('/good'), sentinel.get('/bad')])
  assert.deepEqual([good.status, bad.status], [200, 403])
  assert.deepEqual(upstream.requests.map(({ url }) => url), ['/good'])
})

test('an agent in the way of a HEAD request does not change the length it tells', async (t) => {
  const agent = await rawAgent(t, { describe: everything })
  const upstream = await startRecordingUpstream(t, (_, response) => response.writeHead(200, { 'content-length': 5_000_000 }).end())
  const sentinel = await startSentinel(t, siteWith(upstream.port, `agent "raw" { unix-socket "${agent.path}"; timeout "60s" }`, ['raw']))
  const answer = await sentinel.request('/', { method: 'HEAD' })
  assert.deepEqual([answer.status, answer.headers['content-length']], [200, '5000000'])
})
