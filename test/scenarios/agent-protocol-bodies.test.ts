import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyDecision, type ReplyOneOf } from '../../proto/codec/index.ts'
import { agentFilter, parallelFilter } from '../../proxy/decisions/index.ts'
import { bodyOf, type Body } from '../../proxy/pipeline/body.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { answering, block, chunk, pass, streaming, streamingResponse, wants } from '../support/answering-agent.ts'
import { chunked, consult, ready, settings, through } from '../support/consulted.ts'
import { allow, decision, everything, rawAgent } from '../support/raw-agent.ts'

test('buffer: nothing reaches the upstream before the verdict, and then everything', async (t) => {
  const { agent, client } = await answering(t, () => undefined)
  const { status, upstream } = await consult(client, { method: 'POST', body: chunked('he', 'llo') })
  assert.equal(status, 200)
  assert.equal(upstream?.body, 'hello')
  const shown = await agent.seen(({ kind }) => kind === 'request_body')
  assert.ok(shown.kind === 'request_body' && shown.value.data.toString() === 'hello' && shown.value.end)
})

test('buffer: a block leaves the upstream untouched and goes to the client as the agent chose', async (t) => {
  const { client } = await answering(t, ({ kind }) => kind === 'request_body' ? block : undefined)
  const { status, headers, body, upstream } = await consult(client, { method: 'POST', body: "id=1' or 1=1" })
  assert.equal(status, 403)
  assert.equal(headers.get('x-why'), 'sqli')
  assert.equal(body, 'no')
  assert.equal(upstream, undefined)
})

test('buffer: a body larger than a message arrives whole at the agent, in pieces', async (t) => {
  const large = Buffer.alloc(3 * 1024 * 1024, 'abcdefg')
  const { agent, client } = await answering(t, () => undefined)
  const { upstream } = await consult(client, { method: 'POST', body: large }, { maxRequestBodyBytes: 4 * 1024 * 1024 })
  assert.equal(upstream?.body.length, large.length)
  const pieces = agent.events.flatMap((event) => event.kind === 'request_body' ? [event] : [])
  assert.ok(Buffer.concat(pieces.map(({ value }) => value.data)).equals(large))
  assert.ok(pieces.slice(0, -1).every(({ timeoutMs, value }) => timeoutMs === 0 && !value.end))
  assert.ok(pieces.at(-1)!.value.end)
})

test('buffer: another body, header edits and a rewrite go to the upstream', async (t) => {
  const { client } = await answering(t, ({ kind }) => kind === 'request_body'
    ? decision({ kind: 'redact', value: {} }, { replaceBody: Buffer.from('card=****'), requestHeaders: [{ action: 'set', name: 'X-Redacted', value: '1' }], rewritePath: '/a/../b', rewriteQuery: 'q=2' })
    : undefined)
  const { upstream, x } = await consult(client, { method: 'POST', body: 'card=4111', headers: { 'Content-Digest': 'sha-256=:x:' } })
  assert.equal(upstream?.body, 'card=****')
  assert.equal(upstream.headers.get('x-redacted'), '1')
  assert.equal(upstream.headers.get('content-digest'), undefined)
  assert.equal(upstream.path, '/b')
  assert.equal(upstream.query, 'q=2')
  assert.deepEqual(x.decisions?.map(({ verdict }) => verdict).slice(0, 2), ['allow', 'redact'])
})

test('buffer: over the limit is refused, cut or skipped as the operator says, open or closed', async (t) => {
  const { agent, client } = await answering(t, () => undefined)
  const limits = { maxRequestBodyBytes: 4 }
  for (const failureMode of ['closed', 'open'] as const) {
    for (const body of ['hello', chunked('he', 'llo')]) {
      const refused = await consult(client, { method: 'POST', body }, { ...limits, failureMode })
      assert.equal(refused.status, 413)
      assert.equal(refused.x.fault?.code, 'AGENT_BODY_TOO_LARGE')
      assert.equal(refused.upstream, undefined)
    }
  }
  const cut = await consult(client, { method: 'POST', body: chunked('he', 'llo', ' there') }, { ...limits, bodyOver: 'prefix' })
  assert.equal(cut.upstream?.body, 'hello there')
  const shown = agent.events.flatMap((event) => event.kind === 'request_body' ? [event.value] : []).at(-1)
  assert.ok(shown?.truncated && shown.data.toString() === 'hell')
  const before = agent.events.length
  const skipped = await consult(client, { method: 'POST', body: 'hello' }, { ...limits, bodyOver: 'skip' })
  assert.equal(skipped.upstream?.body, 'hello')
  assert.equal(skipped.x.decisions?.find(({ phase }) => phase === 'request-body')?.fault?.code, 'AGENT_BODY_TOO_LARGE')
  assert.ok(!agent.events.slice(before).some(({ kind }) => kind === 'request_body'))
})

test('buffer: a failure after the body was shown still ends open, because the proxy kept it', async (t) => {
  const { client } = await answering(t, ({ kind }) => kind === 'request_body' ? { kind: 'error', value: { code: 'x', message: 'y', retryable: false } } : undefined)
  const { status, upstream } = await consult(client, { method: 'POST', body: 'hello' }, { failureMode: 'open' })
  assert.equal(status, 200)
  assert.equal(upstream?.body, 'hello')
})

test('late: an agent that sees only headers may ask for the body, and then decides on it', async (t) => {
  const late = decision({ kind: 'allow', value: {} }, { wants: { ...wants, requestBody: { kind: 'buffer', maxBytes: 0, over: 'block' } } })
  const { client } = await answering(t, ({ kind }) => kind === 'request_headers' ? late : kind === 'request_body' ? block : undefined, { events: ['request_headers', 'complete'] })
  assert.equal((await consult(client, { method: 'POST', body: 'hello' })).status, 403)
})

test('done: an agent that wants nothing more hears nothing more', async (t) => {
  const { agent, client } = await answering(t, () => decision({ kind: 'allow', value: {} }, { wants: { ...wants, done: true } }))
  const { upstream } = await consult(client, { method: 'POST', body: 'hello' })
  assert.equal(upstream?.body, 'hello')
  await consult(client)
  assert.deepEqual(agent.events.map(({ kind }) => kind), ['request_headers', 'request_headers'])
})

test('stream: pass, replace, hold, drop and pass but a tail, in order', async (t) => {
  const answers: Record<string, ReplyOneOf> = {
    one: pass,
    two: chunk({ kind: 'replace', value: Buffer.from('TWO') }),
    thr: chunk({ kind: 'hold', value: {} }),
    ee: pass,
    drop: chunk({ kind: 'drop', value: {} }),
    tail12: chunk({ kind: 'pass_but_tail', value: 2 }),
    '': pass,
  }
  const { client } = await answering(t, (event) => event.kind === 'request_body' ? answers[event.value.data.toString()] : undefined, streaming)
  const { upstream, x } = await consult(client, { method: 'POST', body: chunked('one', 'two', 'thr', 'ee', 'drop', 'tail12') })
  assert.equal(upstream?.body, 'oneTWOthreetail12')
  assert.equal(x.decisions?.at(-1)?.verdict, 'redact')
})

test('stream: what is held back is not at the upstream yet', async (t) => {
  const seen: string[] = []
  const { client } = await answering(t, (event) => event.kind !== 'request_body' ? undefined
    : event.value.end ? block : chunk({ kind: 'pass_but_tail', value: 3 }), streaming)
  const { status, upstream, aborted } = await consult(client, { method: 'POST', body: chunked('abcdef', 'ghi') })
  seen.push(upstream?.body ?? '')
  assert.deepEqual(seen, ['abcdef'])
  assert.equal(status, 403)
  assert.equal(aborted, false)
})

test('stream: several chunks are with the agent at once, no more than the window', async (t) => {
  const waiting: Array<() => void> = []
  const agent = await rawAgent(t, { describe: streaming, onEvent (event, wire) {
    if (event.kind === 'request_body') waiting.push(() => wire.reply(event, pass))
    else if (event.timeoutMs > 0) wire.reply(event, allow)
  } })
  const client = await ready(t, agent.path)
  const piece = 'x'.repeat(64 * 1024)
  const asked = consult(client, { method: 'POST', body: chunked(...Array.from({ length: 20 }, () => piece)) })
  while (waiting.length < 4) await new Promise(setImmediate)
  for (let i = 0; i < 20; i++) await new Promise(setImmediate)
  assert.equal(waiting.length, 4)
  const timer = setInterval(() => { for (const answer of waiting.splice(0)) answer() }, 1)
  t.after(() => clearInterval(timer))
  assert.equal((await asked).upstream?.body.length, 20 * piece.length)
})

test('stream: failing open ends with the first byte that was handed over', async (t) => {
  const { client } = await answering(t, (event) => event.kind !== 'request_body' ? undefined
    : event.value.data.toString() === 'two' ? { kind: 'error', value: { code: 'x', message: 'y', retryable: false } } : pass, streaming)
  const { status, x } = await consult(client, { method: 'POST', body: chunked('one', 'two', 'three') }, { failureMode: 'open' })
  assert.equal(status, 503)
  assert.equal(x.fault?.code, 'AGENT_ERROR')
})

test('stream: a decision of an unknown kind and a hold at the end are bad replies', async (t) => {
  for (const answer of [decision({ kind: undefined, value: undefined }), chunk({ kind: undefined, value: undefined }), chunk({ kind: 'hold', value: {} })]) {
    const { client } = await answering(t, (event) => event.kind === 'request_body' ? answer : undefined, streaming)
    assert.equal((await consult(client, { method: 'POST', body: 'hello' })).x.fault?.code, 'AGENT_BAD_REPLY')
  }
})

test('stream: an agent may not hold back more than its limit', async (t) => {
  const { client } = await answering(t, (event) => event.kind === 'request_body' && !event.value.end ? chunk({ kind: 'hold', value: {} }) : undefined, streaming)
  const { x } = await consult(client, { method: 'POST', body: chunked('12345', '67890', '1') }, { maxRequestBodyBytes: 8 })
  assert.equal(x.fault?.code, 'AGENT_BAD_REPLY')
})

test('request trailers are shown and can still end the exchange', async (t) => {
  const { client } = await answering(t, ({ kind }) => kind === 'request_trailers' ? block : undefined, { ...everything, events: ['request_headers', 'request_trailers', 'complete'] })
  const body: Body = { ...chunked('hello'), trailers: new HeaderList(['X-Checksum', 'wrong']) }
  assert.equal((await consult(client, { method: 'POST', body })).status, 403)
})

test('a response is edited, blocked or redirected by its headers', async (t) => {
  const edits = decision({ kind: 'allow', value: {} }, { responseHeaders: [{ action: 'set', name: 'X-Frame-Options', value: 'DENY' }, { action: 'remove', name: 'content-type', value: '' }] })
  const edited = await answering(t, ({ kind }) => kind === 'response_headers' ? edits : undefined)
  const outcome = await consult(edited.client)
  assert.equal(outcome.headers.get('x-frame-options'), 'DENY')
  assert.equal(outcome.headers.get('content-type'), undefined)
  assert.equal(outcome.body, 'upstream')
  const blocked = await answering(t, ({ kind }) => kind === 'response_headers' ? block : undefined)
  const refused = await consult(blocked.client)
  assert.equal(refused.status, 403)
  assert.equal(refused.body, 'no')
})

test('a response body is replaced when it was shown whole, and its validators go', async (t) => {
  const { client } = await answering(t, ({ kind }) => kind === 'response_body' ? decision({ kind: 'redact', value: {} }, { replaceBody: Buffer.from('clean') }) : undefined)
  const upstream = () => ({ status: 200, headers: HeaderList.from({ ETag: '"1"' }), body: bodyOf(Buffer.from('secret')) })
  const { body, headers } = await consult(client, { upstream })
  assert.equal(body, 'clean')
  assert.equal(headers.get('etag'), undefined)
})

test('a response over the limit is refused with a code of its own', async (t) => {
  const { client } = await answering(t, () => undefined)
  const { status, x } = await consult(client, {}, { maxResponseBodyBytes: 4 })
  assert.equal(status, 502)
  assert.equal(x.fault?.code, 'AGENT_ANSWER_TOO_LARGE')
})

test('a block in the middle of a response cuts the connection', async (t) => {
  const { client } = await answering(t, (event) => event.kind === 'response_body' ? event.value.data.toString() === 'bad' ? block : pass : undefined, streamingResponse)
  const { aborted, body } = await consult(client, { upstream: () => ({ status: 200, headers: new HeaderList(), body: chunked('good', 'bad', 'more') }) })
  assert.equal(body, 'good')
  assert.equal(aborted, true)
})

test('attributes and edits of one agent are visible to the next, and response edits stay on its block', async (t) => {
  const first = await answering(t, ({ kind }) => kind === 'request_headers'
    ? decision({ kind: 'allow', value: {} }, {
      attributes: new Map([['user', 'alice']]), requestHeaders: [{ action: 'set', name: 'X-User', value: 'alice' }], responseHeaders: [{ action: 'set', name: 'X-Seen', value: '1' }],
    })
    : undefined, { events: ['request_headers'] })
  const second = await answering(t, () => block, { events: ['request_headers'] })
  const { status, headers } = await through([first.client, second.client].map((client) => agentFilter(client, settings)))
  assert.equal(status, 403)
  assert.equal(headers.get('x-seen'), '1')
  const shown = await second.agent.seen(({ kind }) => kind === 'request_headers')
  assert.ok(shown.kind === 'request_headers')
  assert.equal(shown.value.attributes.get('user'), 'alice')
  assert.ok(shown.value.headers.includes('X-User'))
})

test('an upstream that the route does not list is a bad reply', async (t) => {
  const { client } = await answering(t, ({ kind }) => kind === 'request_headers' ? decision({ kind: 'allow', value: {} }, { upstream: 'canary' }) : undefined)
  assert.equal((await consult(client)).x.fault?.code, 'AGENT_BAD_REPLY')
  const chosen: string[] = []
  const { status } = await consult(client, {}, { chooseUpstream: (_x, upstream) => { chosen.push(upstream); return upstream === 'canary' } })
  assert.equal(status, 200)
  assert.deepEqual(chosen, ['canary'])
})

test('monitor and dry-run ask and record, and change nothing', async (t) => {
  const { client } = await answering(t, ({ kind }) => kind === 'request_headers' || kind === 'request_body' || kind === 'response_body' ? block
    : decision({ ...emptyDecision, kind: 'allow', value: {} }, { responseHeaders: [{ action: 'set', name: 'X-Bad', value: '1' }] }))
  const watched = await consult(client, { method: 'POST', body: 'hello' }, { mode: 'monitor', maxResponseBodyBytes: 100 })
  assert.equal(watched.status, 200)
  assert.equal(watched.upstream?.body, 'hello')
  assert.equal(watched.body, 'upstream')
  assert.equal(watched.headers.get('x-bad'), undefined)
  assert.deepEqual(watched.x.decisions?.map(({ phase, verdict, applied }) => [phase, verdict, applied]), [
    ['request-headers', 'block', false], ['request-body', 'block', false], ['response-headers', 'allow', false], ['response-body', 'block', false],
  ])
  const dry = await consult(client, {}, { mode: 'dry-run' })
  assert.equal(dry.status, 200)
  assert.equal(dry.headers.get('x-sentinel-dry-run'), 'raw=block')
  const large = await consult(client, { method: 'POST', body: 'hello' }, { mode: 'monitor', maxRequestBodyBytes: 2 })
  assert.equal(large.upstream?.body, 'hello')
})

test('shadow: the request does not wait, and what the agent said is recorded later', async (t) => {
  const waiting: Array<() => void> = []
  const agent = await rawAgent(t, { describe: everything, onEvent (event, wire) { if (event.timeoutMs > 0) waiting.push(() => wire.reply(event, block)) } })
  const client = await ready(t, agent.path)
  const late: string[] = []
  const { status, upstream, x } = await consult(client, { method: 'POST', body: 'hello' }, { mode: 'shadow', recordLate: (_x, { phase, verdict, applied }) => late.push(`${phase} ${verdict} ${applied}`) })
  assert.equal(status, 200)
  assert.equal(upstream?.body, 'hello')
  assert.equal(x.decisions, undefined)
  const body = await agent.seen(({ kind }) => kind === 'response_body')
  assert.ok(body.kind === 'response_body' && body.value.data.toString() === 'upstream')
  for (const answer of waiting) answer()
  await agent.seen(({ kind }) => kind === 'complete')
  assert.deepEqual(late, ['request-headers block false', 'request-body block false', 'response-headers block false', 'response-body block false'])
})

test('shadow: what does not fit in the line is dropped, and recorded as dropped', async (t) => {
  const agent = await rawAgent(t, { onEvent () {} })
  const client = await ready(t, agent.path, { maxConcurrentCalls: 1, maxQueuedCalls: 1 })
  const late: Array<string | undefined> = []
  for (let i = 0; i < 4; i++) {
    const { x, status } = await consult(client, {}, { mode: 'shadow', timeoutMs: 3_000, recordLate: (_x, { fault }) => late.push(fault?.code) })
    assert.equal(status, 200)
    late.push(...x.decisions?.map(({ fault }) => fault?.code) ?? [])
  }
  while (late.length < 4) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual(late.sort(), ['AGENT_QUEUE_FULL', 'AGENT_QUEUE_FULL', 'AGENT_TIMEOUT', 'AGENT_TIMEOUT'])
})

test('stream: a chunk that is many pieces long takes no more places for calls than others do', async (t) => {
  const agents = [await rawAgent(t, { describe: streaming }), await rawAgent(t, { describe: streaming })]
  for (const agent of agents) {
    agent.script.onEvent = (event, wire) => {
      if (event.timeoutMs > 0) setImmediate(() => wire.reply(event, event.kind === 'request_body' ? pass : allow))
    }
  }
  const clients = await Promise.all(agents.map(({ path }) => ready(t, path, { maxConcurrentCalls: 3, maxQueuedCalls: 0 })))
  const body = 'x'.repeat(5 * 1024 * 1024)
  const patient = { ...settings, timeoutMs: 5_000, maxTimeoutMs: 5_000 }
  const stage = parallelFilter('stage', clients.map((client, i) => ({ client, settings: { ...patient, agentId: `a${i}` } })))
  for (const filter of [agentFilter(clients[0]!, patient), stage]) {
    const { status, upstream } = await through([filter], { method: 'POST', body: bodyOf(Buffer.from(body)) })
    assert.equal(status, 200)
    assert.equal(upstream?.body, body)
  }
})
