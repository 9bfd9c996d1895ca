// What agents of one route see of a head is encoded once: each still sees it as it is when it is asked, and no more of it than it may.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encode, writeRequestHeaders, type Event } from '../../proto/codec/index.ts'
import { requestEvent } from '../../proxy/decisions/events.ts'
import { EndSignal } from '../../proxy/pipeline/end-signal.ts'
import { Exchange } from '../../proxy/pipeline/exchange.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { decision, everything, type RawAgent } from '../support/raw-agent.ts'
import { startWithRawAgents } from '../support/raw-agents.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'

const set = (name: string, value: string) => ({ action: 'set' as const, name, value })

function seen (agent: RawAgent, kind: 'request_headers' | 'response_headers', name: string): string | undefined {
  const event = agent.events.find((one) => one.kind === kind)
  assert.ok(event?.kind === 'request_headers' || event?.kind === 'response_headers')
  const { headers } = event.value
  const at = headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === name)
  return at === -1 ? undefined : headers[at + 1]
}

test('each agent of a chain sees what those before it have changed, and hidden fields stay hidden between two that see them', async (t) => {
  const upstream = await startRecordingUpstream(t, (_request, response) => response.writeHead(200, { 'X-Step': 'app', 'X-Secret': 'hush' }).end('body'))
  const edit = (value: string) => ({
    describe: everything,
    answer: ({ kind }: Event) => kind === 'request_headers' ? decision({ kind: 'allow', value: {} }, { requestHeaders: [set('X-Step', value)] })
      : kind === 'response_headers' ? decision({ kind: 'allow', value: {} }, { responseHeaders: [set('X-Step', value)] }) : undefined,
  })
  const { sentinel, agents } = await startWithRawAgents(t, {
    a: { describe: everything }, b: { describe: everything }, c: { describe: everything, settings: 'see { hide "x-secret" }' }, d: edit('d'), e: { describe: everything }, f: edit('f'),
  }, { upstream, filters: ['a', 'b', 'c', 'd', 'e', 'f'] })
  const answer = await sentinel.get('/', { headers: { 'X-Step': 'client', 'X-Secret': 'hush' } })
  await Promise.all(Object.values(agents).map((agent) => agent.seen(({ kind }) => kind === 'complete')))
  const of = (kind: 'request_headers' | 'response_headers', name: string): unknown[] => Object.values(agents).map((agent) => seen(agent, kind, name))
  assert.deepEqual(of('request_headers', 'x-step'), ['client', 'client', 'client', 'client', 'd', 'd'])
  assert.deepEqual(of('request_headers', 'x-secret'), ['hush', 'hush', undefined, 'hush', 'hush', 'hush'])
  assert.deepEqual([upstream.requests[0]!.headers['x-step'], answer.headers['x-step']], ['f', 'd'])
  // Answers pass the chain from its end.
  assert.deepEqual(of('response_headers', 'x-step'), ['d', 'd', 'd', 'f', 'f', 'app'])
  assert.deepEqual(of('response_headers', 'x-secret'), ['hush', 'hush', undefined, 'hush', 'hush', 'hush'])
})

test('the lines of a head are encoded for the first of several agents, and again when one has changed them', () => {
  const headers = new HeaderList(['Host', 'a.test', 'X-A', '1'])
  const x = new Exchange({
    id: '1', startedMs: 0, listener: 'web', ending: new EndSignal(), peer: { address: '127.0.0.1', port: 1, tls: undefined }, requestBody: undefined,
    request: { method: 'GET', scheme: 'http', authority: 'a.test', rawPath: '/', path: '/', upstreamPath: '/', query: '', version: '1.1', headers },
  })
  const linesOf = (amongOthers: boolean): readonly string[] => {
    const event = requestEvent(x, { requestBody: { kind: 'none', maxBytes: 0, over: 'block' } }, { mode: 'enforce', amongOthers }, 'v1')
    assert.ok(event.kind === 'request_headers')
    encode(writeRequestHeaders, event.value)
    return event.value.headers
  }
  /** Where the bytes are kept. */
  const kept = (lines: readonly string[]): unknown => {
    const [place] = Object.getOwnPropertySymbols(lines)
    return place === undefined ? undefined : Reflect.get(lines, place)
  }
  assert.equal(kept(linesOf(false)), undefined)
  const first = kept(linesOf(true))
  assert.notEqual(first, undefined)
  assert.equal(kept(linesOf(true)), first)
  headers.set('X-A', '2')
  assert.notEqual(kept(linesOf(true)), first)
})
