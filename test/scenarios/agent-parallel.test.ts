// `parallel { agent "a"; agent "b" }`: several agents are asked at once about the same, and the order of the file settles what they say.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChunkAnswerOneOf, Event, ReplyOneOf } from '../../proto/codec/index.ts'
import { eventually } from '../support/eventually.ts'
import { allow, decision, everything, type RawAgent } from '../support/raw-agent.ts'
import { meeting, startWithRawAgents } from '../support/raw-agents.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { runSentinel } from '../support/sentinel.ts'
import { block, cancelOf, inParallel } from '../support/staged.ts'

const failure: ReplyOneOf = { kind: 'error', value: { code: 'x', message: 'y', retryable: false } }
const edit = (name: string, value: string, action: 'set' | 'append' = 'set') => ({ action, name, value })
const atHead = (reply: ReplyOneOf | false) => ({ kind }: Event) => kind === 'request_headers' ? reply : undefined

test('an answer that crosses the cancel on its way is no mistake of the agent, and places are free again', async (t) => {
  const late: Array<() => void> = []
  const { sentinel, agents } = await startWithRawAgents(t, {
    first: { answer: atHead(block(403)) },
    late: { answer: ({ kind }) => kind !== 'request_headers' ? undefined : new Promise((resolve) => late.push(() => resolve(allow))), settings: 'max-concurrent-calls 1; max-queued-calls 0' },
  }, inParallel('first', 'late'))
  for (let i = 1; i <= 3; i++) {
    assert.equal((await sentinel.get('/')).status, 403)
    await eventually('it is over for the agent', () => agents.late.events.filter(({ kind }) => kind === 'complete').length === i)
    late.shift()!()
  }
  const record = (await Promise.all([1, 2, 3].map((n) => sentinel.accessed((one) => one === sentinel.access[n - 1])))).at(-1)!
  assert.equal(record.agents!.find(({ agent }) => agent === 'late')!['verdict'], 'cancelled', 'the third found a place')
  await sentinel.get('/')
  assert.doesNotMatch(await sentinel.metrics(), /sentinel_agent_protocol_faults_total\{agent="late"/)
})

test('when all allow, edits and attributes are applied in the order of the file, and all were shown the same', async (t) => {
  const meet = meeting(2)
  const both = (mine: string) => async ({ kind }: Event) => {
    if (kind !== 'request_headers') return undefined
    await meet()
    return decision({ kind: 'allow', value: {} }, {
      requestHeaders: [edit('X-Last', mine), edit('X-All', mine, 'append')], responseHeaders: [edit('X-From', mine, 'append'), edit('X-Winner', mine)], attributes: new Map([['last', mine], [mine, 'here']]),
    })
  }
  const { sentinel, upstream, agents } = await startWithRawAgents(t, { b: { answer: both('b') }, a: { answer: both('a') }, after: {} }, {
    route: 'filters { parallel { agent "b"; agent "a" } }; filters "after"; ',
  })
  const answer = await sentinel.get('/', { headers: { 'X-Last': 'client' } })
  assert.equal(answer.status, 200)
  const [request] = upstream.requests
  assert.equal(request!.headers['x-last'], 'a')
  assert.equal(request!.headers['x-all'], 'b, a')
  assert.equal(answer.headers['x-from'], 'b, a')
  assert.equal(answer.headers['x-winner'], 'a')
  const headOf = (agent: RawAgent) => agent.events.find(({ kind }) => kind === 'request_headers')!.value as Extract<Event, { kind: 'request_headers' }>['value']
  for (const agent of [agents.a, agents.b]) {
    assert.equal(headOf(agent).attributes.size, 0)
    assert.deepEqual(headOf(agent).headers, headOf(agents.b).headers)
    assert.ok(headOf(agent).headers.includes('client'))
  }
  assert.deepEqual(Object.fromEntries(headOf(agents.after).attributes), { last: 'a', a: 'here', b: 'here' })
})

test('the slowest is all that is waited for: in every phase each is asked before any has answered', async (t) => {
  const meetings = new Map<Event['kind'], () => Promise<void>>()
  const together = async ({ kind }: Event): Promise<undefined> => {
    const meet = meetings.get(kind) ?? meeting(3)
    meetings.set(kind, meet)
    await meet()
    return undefined
  }
  const member = { answer: together, describe: everything }
  const { sentinel, upstream, agents } = await startWithRawAgents(t, { a: member, b: member, c: member }, inParallel('a', 'b', 'c'))
  const answer = await sentinel.request('/', { method: 'POST', body: 'hello' })
  assert.deepEqual([answer.status, answer.text, upstream.requests[0]!.body.toString()], [200, 'hello', 'hello'])
  assert.deepEqual([...meetings.keys()], ['request_headers', 'request_body', 'response_headers', 'response_body'])
  for (const agent of Object.values(agents)) {
    const bodies = agent.events.flatMap((event) => event.kind === 'request_body' || event.kind === 'response_body' ? [event.value.data.toString()] : [])
    assert.deepEqual(bodies, ['hello', 'hello'])
  }
})

test('failures count by each agent\'s own failure mode: open goes on, closed stops and cancels the others', async (t) => {
  const { sentinel, upstream, agents } = await startWithRawAgents(t, {
    open: { answer: () => failure, settings: 'failure-mode "open"' },
    closed: { answer: ({ kind, value }) => kind !== 'request_headers' ? undefined : (value as { path: string }).path === '/fails' ? failure : undefined },
    never: { answer: ({ kind, value }) => kind === 'request_headers' && (value as { path: string }).path === '/fails' ? false : undefined },
  }, inParallel('open', 'closed', 'never'))
  assert.equal((await sentinel.get('/fine')).status, 200)
  const heads = upstream.heads()
  assert.equal((await sentinel.get('/fails')).status, 503)
  assert.equal(upstream.heads(), heads)
  assert.equal(await cancelOf(agents.never), 'decided')
  const record = await sentinel.accessed(({ path }) => path === '/fails')
  assert.equal(record.fault, 'AGENT_ERROR')
  assert.deepEqual(record.agents!.map(({ agent, verdict, failure_mode }) => [agent, verdict, failure_mode]), [['open', 'failed', 'open'], ['never', 'cancelled', undefined], ['closed', 'failed', 'closed']])
})

test('an agent that is not there fails in its place: one before it in the file still has its way', async (t) => {
  const { sentinel, agents } = await startWithRawAgents(t, {
    first: { answer: ({ kind, value }) => kind === 'request_headers' && (value as { path: string }).path === '/block' ? block(410) : undefined },
    gone: {},
    last: {},
  }, inParallel('first', 'gone', 'last'))
  await agents.gone.kill()
  await sentinel.logged(({ agent, event, state }) => agent === 'gone' && event === 'agent-state' && state === 'backoff')
  assert.equal((await sentinel.get('/block')).status, 410)
  assert.equal((await sentinel.get('/')).status, 503)
  assert.equal((await sentinel.accessed(({ path }) => path === '/')).fault, 'AGENT_NOT_CONNECTED')
})

test('each is shown as much of a body as its own limit allows, and a body that is too long for one counts in its place', async (t) => {
  const { sentinel, upstream, agents } = await startWithRawAgents(t, {
    whole: { describe: everything },
    beginning: { describe: everything, settings: 'max-request-body-size "4B"; body-over "prefix"' },
    nothing: { describe: everything, settings: 'max-request-body-size "4B"; body-over "skip"' },
    strict: { describe: everything, settings: 'max-request-body-size "8B"' },
  }, inParallel('whole', 'beginning', 'nothing', 'strict'))
  const bodiesOf = (agent: RawAgent) => agent.events.flatMap((event) => event.kind === 'request_body' ? [[event.value.data.toString(), event.value.truncated]] : [])
  assert.equal((await sentinel.request('/', { method: 'POST', body: 'abcdef' })).status, 200)
  assert.equal(upstream.requests[0]!.body.toString(), 'abcdef')
  assert.deepEqual([agents.whole, agents.beginning, agents.nothing, agents.strict].map(bodiesOf), [[['abcdef', false]], [['abcd', true]], [], [['abcdef', false]]])
  assert.equal((await sentinel.request('/long', { method: 'POST', body: 'abcdefghi' })).status, 413)
  assert.equal((await sentinel.accessed(({ path }) => path === '/long')).fault, 'AGENT_BODY_TOO_LARGE')
  assert.equal(upstream.heads(), 1)
})

test('a body that one replaces goes on as it made it; two that want different ones contradict each other, and the failure mode of the later counts', async (t) => {
  const replacing = (name: string) => (event: Event): ReplyOneOf | undefined => {
    if (event.kind !== 'request_body') return undefined
    const wish = new Map(event.value.data.toString().split(';').map((part) => part.split('=') as [string, string])).get(name)
    return wish === undefined ? undefined : decision({ kind: 'redact', value: {} }, { replaceBody: Buffer.from(wish), requestHeaders: [edit(`X-${name}`, 'was here')] })
  }
  const { sentinel, upstream } = await startWithRawAgents(t, {
    a: { describe: everything, answer: replacing('a') },
    b: { describe: everything, answer: replacing('b') },
    c: { describe: everything, answer: replacing('c'), settings: 'failure-mode "open"' },
  }, inParallel('a', 'b', 'c'))
  const post = async (path: string, body: string) => (await sentinel.request(path, { method: 'POST', body })).status
  assert.equal(await post('/one', 'b=other'), 200)
  assert.equal(upstream.requests.at(-1)!.body.toString(), 'other')
  assert.equal(await post('/same', 'a=alike;b=alike'), 200)
  assert.equal(upstream.requests.at(-1)!.body.toString(), 'alike')
  const before = upstream.heads()
  assert.equal(await post('/closed', 'a=this;b=that'), 503)
  assert.equal(upstream.heads(), before)
  assert.equal((await sentinel.accessed(({ path }) => path === '/closed')).fault, 'AGENT_CONFLICT')
  assert.equal(await post('/open', 'a=this;c=that'), 200)
  const last = upstream.requests.at(-1)!
  assert.deepEqual([last.body.toString(), last.headers['x-a'], last.headers['x-c']], ['this', 'was here', undefined])
  const record = await sentinel.accessed(({ path }) => path === '/open')
  assert.deepEqual(record.agents!.filter(({ agent, phase }) => agent === 'c' && phase === 'request-body').map(({ fault, failure_mode }) => [fault, failure_mode]), [['AGENT_CONFLICT', 'open']])
})

test('a path, a query and an upstream that two want differently contradict each other as well', async (t) => {
  const wish = (more: object) => atHead(decision({ kind: 'allow', value: {} }, more))
  const { sentinel } = await startWithRawAgents(t, {
    a: { answer: wish({ rewritePath: '/a', rewriteQuery: 'same=1' }) },
    b: { answer: wish({ rewritePath: '/b', rewriteQuery: 'same=1' }) },
  }, inParallel('a', 'b'))
  assert.equal((await sentinel.get('/?x=1')).status, 503)
  assert.match(String((await sentinel.accessed(() => true))['detail']), /b wants another path than a/)
})

const streaming = { ...everything, requestBody: { kind: 'stream' as const, maxBytes: 0, over: 'block' as const }, responseBody: { kind: 'stream' as const, maxBytes: 0, over: 'block' as const } }
const pieces = (kind: 'request_body' | 'response_body', by: (text: string, end: boolean) => ChunkAnswerOneOf | ReplyOneOf | undefined) => (event: Event): ReplyOneOf | undefined => {
  if (event.kind !== kind) return undefined
  const said = by(event.value.data.toString(), event.value.end) ?? { kind: 'pass', value: {} }
  return said.kind === 'decision' ? said : { kind: 'chunk', value: said as ChunkAnswerOneOf }
}
const bodySeen = (agent: RawAgent, kind: 'request_body' | 'response_body'): string => agent.events.flatMap((event) => event.kind === kind ? [event.value.data.toString()] : []).join('')
/** Each piece is sent when the agent has seen the one before it. */
async function * written (agent: RawAgent, ...texts: readonly string[]): AsyncGenerator<Buffer> {
  for (const [i, text] of texts.entries()) {
    const before = agent.events.length
    yield Buffer.from(text)
    if (i < texts.length - 1) await eventually('it was seen', () => agent.events.slice(before).some((event) => event.kind === 'request_body' && event.value.data.toString() === text))
  }
}

test('pieces of a body are shown to all as they came, and what all have let go flows on, with what one of them changed', async (t) => {
  const { sentinel, upstream, agents } = await startWithRawAgents(t, {
    replacing: { describe: streaming, answer: pieces('request_body', (text) => text === 'two' ? { kind: 'replace', value: Buffer.from('TWO') } : undefined) },
    holding: { describe: streaming, answer: pieces('request_body', (_text, end) => end ? undefined : { kind: 'hold', value: {} }) },
    dropping: { describe: streaming, answer: pieces('request_body', (text) => text === 'four' ? { kind: 'drop', value: {} } : { kind: 'pass_but_tail', value: 1 }) },
    watching: { describe: streaming, settings: 'mode "monitor"', answer: pieces('request_body', () => ({ kind: 'drop', value: {} })) },
  }, inParallel('replacing', 'holding', 'dropping', 'watching'))
  const answer = await sentinel.request('/', { method: 'POST', body: written(agents.holding, 'one', 'two', 'three', 'four', 'five') })
  // The one that drops had kept the last letter before what it drops: that goes with it.
  assert.deepEqual([answer.status, upstream.requests[0]!.body.toString()], [200, 'oneTWOthrefive'])
  for (const agent of Object.values(agents)) assert.equal(bodySeen(agent, 'request_body'), 'onetwothreefourfive')
  const record = await sentinel.accessed(({ path }) => path === '/')
  assert.deepEqual(Object.fromEntries(record.agents!.filter(({ phase }) => phase === 'request-body').map(({ agent, verdict }) => [agent, verdict])), {
    replacing: 'redact', holding: 'allow', dropping: 'redact', watching: 'allow',
  })
})

test('changes of the same bytes by two contradict each other, the same change twice does not, and other bytes are others\'', async (t) => {
  const shout = (word: string) => pieces('request_body', (text) => text.includes(word) ? { kind: 'replace', value: Buffer.from(text.toUpperCase()) } : undefined)
  const { sentinel, upstream, agents } = await startWithRawAgents(t, {
    a: { describe: streaming, answer: shout('a') },
    b: { describe: streaming, answer: pieces('request_body', (text) => text.includes('b') ? { kind: 'replace', value: Buffer.from(text.includes('same') ? text.toUpperCase() : '[b]') } : undefined) },
  }, inParallel('a', 'b'))
  assert.equal((await sentinel.request('/', { method: 'POST', body: written(agents.b, 'a', 'x', 'b') })).text, 'Ax[b]')
  assert.equal((await sentinel.request('/', { method: 'POST', body: written(agents.b, 'x', 'same-ab') })).text, 'xSAME-AB')
  const before = upstream.requests.length
  assert.equal((await sentinel.request('/conflict', { method: 'POST', body: written(agents.b, 'x', 'ab') })).status, 503)
  assert.equal(upstream.requests.length, before)
  assert.equal((await sentinel.accessed(({ path }) => path === '/conflict')).fault, 'AGENT_CONFLICT')
})

test('of several that end the exchange at one piece the first in the order of the file does, and the others are cancelled', async (t) => {
  const meet = meeting(2)
  const ending = (status: number) => async (event: Event) => {
    if (event.kind !== 'request_body' || !event.value.data.includes('bad')) return pieces('request_body', () => undefined)(event)
    await meet()
    return block(status)
  }
  const { sentinel, upstream, agents } = await startWithRawAgents(t, {
    fine: { describe: streaming, answer: pieces('request_body', () => undefined) }, a: { describe: streaming, answer: ending(422) }, b: { describe: streaming, answer: ending(451) },
  }, inParallel('fine', 'a', 'b'))
  assert.equal((await sentinel.request('/', { method: 'POST', body: written(agents.fine, 'good', 'bad', 'more') })).status, 422)
  assert.equal(upstream.requests.length, 0)
  assert.equal(await cancelOf(agents.fine), 'decided')
  await eventually('all know that it is over', () => Object.values(agents).every(({ events }) => events.some(({ kind }) => kind === 'complete')))
})

test('a large body goes through several that see pieces of it, both ways, whole', async (t) => {
  const { sentinel, agents } = await startWithRawAgents(t, { a: { describe: streaming }, b: { describe: streaming }, c: { describe: { ...everything, events: ['request_headers', 'response_headers', 'complete'] } } }, inParallel('a', 'b', 'c'))
  const body = Buffer.alloc(5_000_000, 'abcdefghijklmnopqrs')
  const answer = await sentinel.request('/', { method: 'POST', body })
  assert.ok(answer.status === 200 && answer.bytes.equals(body))
  for (const agent of [agents.a, agents.b]) assert.deepEqual([bodySeen(agent, 'request_body').length, bodySeen(agent, 'response_body').length], [body.length, body.length])
})

test('answers pass the stage as one step, in the reverse order of the chain, and the first in the order of the file decides about them', async (t) => {
  const order: string[] = []
  const meet = meeting(2)
  const noting = (name: string, reply?: ReplyOneOf, before?: () => Promise<void>) => async ({ kind }: Event) => {
    if (kind !== 'response_headers') return undefined
    await before?.()
    order.push(name)
    return reply
  }
  const { sentinel, agents } = await startWithRawAgents(t, {
    outer: { describe: everything, answer: noting('outer') },
    a: { describe: everything, answer: noting('a', block(502), meet) },
    b: { describe: everything, answer: noting('b', block(504), meet) },
    inner: { describe: everything, answer: noting('inner', decision({ kind: 'allow', value: {} }, { responseHeaders: [edit('X-Inner', '1')] })) },
  }, { route: 'filters "outer"; filters { parallel { agent "a"; agent "b" } }; filters "inner"; ' })
  assert.equal((await sentinel.get('/')).status, 502)
  assert.deepEqual([order[0], order.slice(1, 3).sort(), order[3]], ['inner', ['a', 'b'], 'outer'])
  for (const agent of [agents.a, agents.b]) {
    const seen = agent.events.find((event) => event.kind === 'response_headers')
    assert.ok(seen?.kind === 'response_headers' && seen.value.headers.includes('X-Inner'), 'they see what the one behind them made of it')
  }
  const shown = agents.outer.events.find((event) => event.kind === 'response_headers')
  assert.ok(shown?.kind === 'response_headers' && shown.value.status === 502)
})

test('an answer\'s body is shown to all at once, and replaced by one', async (t) => {
  const replace = (event: Event) => event.kind === 'response_body' ? decision({ kind: 'redact', value: {} }, { replaceBody: Buffer.from('clean') }) : undefined
  const { sentinel, agents } = await startWithRawAgents(t, { a: { describe: everything }, b: { describe: everything, answer: replace } }, inParallel('a', 'b'))
  const answer = await sentinel.request('/', { method: 'POST', body: 'secret' })
  assert.deepEqual([answer.text, answer.headers['content-length']], ['clean', '5'])
  const seen = agents.a.events.find((event) => event.kind === 'response_body')
  assert.equal(seen?.kind === 'response_body' && seen.value.data.toString(), 'secret')
})

test('members in monitor, shadow and dry-run are asked like the others and decide nothing', async (t) => {
  const { sentinel, agents } = await startWithRawAgents(t, {
    watching: { answer: () => block(401), settings: 'mode "monitor"' },
    copied: { answer: () => block(402), settings: 'mode "shadow"' },
    told: { answer: () => block(405), settings: 'mode "dry-run"' },
    counts: { answer: ({ kind, value }) => kind === 'request_headers' && (value as { path: string }).path === '/block' ? block(410) : undefined },
  }, inParallel('watching', 'copied', 'told', 'counts'))
  const passed = await sentinel.get('/')
  assert.deepEqual([passed.status, passed.headers['x-sentinel-dry-run']], [200, 'told=block'])
  const record = await sentinel.accessed(({ path }) => path === '/')
  const of = (name: string) => record.agents!.filter(({ agent }) => agent === name).map(({ mode, verdict, applied }) => [mode, verdict, applied])
  assert.deepEqual([of('watching'), of('told'), of('counts')], [[['monitor', 'block', false]], [['dry-run', 'block', false]], [['enforce', 'allow', true]]])
  await agents.copied.seen(({ kind }) => kind === 'request_headers')
  assert.equal((await sentinel.get('/block')).status, 410)
})

test('an agent that becomes well while it is waited for is asked with the others, and one that wants the body later is shown it', async (t) => {
  const wants = { done: false, requestBody: { kind: 'buffer' as const, maxBytes: 0, over: 'block' as const }, responseHeaders: false, responseBody: undefined }
  const late = ({ kind }: Event) => kind === 'request_headers' ? decision({ kind: 'allow', value: {} }, { wants }) : kind === 'request_body' ? block(422) : undefined
  const { sentinel, agents } = await startWithRawAgents(t, { a: {}, late: { answer: late, settings: 'retry { max-attempts 100; backoff "100ms"; max-backoff "500ms" }' } }, inParallel('a', 'late'))
  await agents.late.kill()
  await sentinel.logged(({ agent, event, state }) => agent === 'late' && event === 'agent-state' && state === 'backoff')
  const asked = sentinel.request('/', { method: 'POST', body: 'hello' })
  await agents.late.start()
  assert.equal((await asked).status, 422)
})

test('check, routes and explain tell of the stage', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const { sentinel } = await startWithRawAgents(t, { waf: {}, bots: {}, last: {} }, {
    upstream, route: 'filters "checks" "last"; ', more: 'filters { filter "checks" { type "parallel"; agent "waf"; agent "bots"; timeout "300ms"; failure-mode "open" } }',
  })
  assert.equal((await sentinel.get('/')).status, 200)
  const run = async (...args: string[]) => (await runSentinel([...args, '-c', sentinel.file])).stdout
  assert.match(await run('routes'), /\(waf \| bots\) → last → app/)
  assert.match(await run('explain', 'GET', '/'), /bots +\S+, by filter checks, all at once/)
  const { chain } = JSON.parse(await run('explain', 'GET', '/', '--json')) as { chain: Array<{ agent: string, parallel?: true, failureMode: string, timeoutMs: number }> }
  assert.deepEqual(chain.map(({ agent, parallel, failureMode, timeoutMs }) => [agent, parallel, failureMode, timeoutMs]), [['waf', true, 'open', 300], ['bots', true, 'open', 300], ['last', undefined, 'closed', 60_000]])
})
