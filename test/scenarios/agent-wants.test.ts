// What an agent asks to see of the rest of an exchange: more or less than it subscribed to, or nothing more at all.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Event, ReplyOneOf, Wants } from '../../proto/codec/index.ts'
import { decision, everything, type RawAgent } from '../support/raw-agent.ts'
import { startWithRawAgents } from '../support/raw-agents.ts'

const nothing: Wants = { done: false, requestBody: undefined, responseHeaders: false, responseBody: undefined }
const wanting = (wants: Partial<Wants>): ReplyOneOf => decision({ kind: 'allow', value: {} }, { wants: { ...nothing, ...wants } })
const mode = (kind: 'none' | 'buffer' | 'stream', maxBytes = 0) => ({ kind, maxBytes, over: 'block' as const })
const kindsOf = (agent: RawAgent): string[] => agent.events.map(({ kind }) => String(kind))
const headsOnly = { events: ['request_headers', 'complete'] as const }

/** What an agent that subscribes to heads, or to everything, hears when its answer to the head (or to another event) wants this. */
const cases: ReadonlyArray<[what: string, describe: object, at: Event['kind'], wants: Partial<Wants>, heard: readonly string[]]> = [
  ['nothing else', headsOnly, 'request_headers', {}, ['request_headers', 'complete']],
  ['the request\'s body whole', headsOnly, 'request_headers', { requestBody: mode('buffer') }, ['request_headers', 'request_body', 'complete']],
  ['the request\'s body in pieces', headsOnly, 'request_headers', { requestBody: mode('stream') }, ['request_headers', 'request_body', 'complete']],
  ['the head of the answer', headsOnly, 'request_headers', { responseHeaders: true }, ['request_headers', 'response_headers', 'complete']],
  ['the body of the answer, told of its head', headsOnly, 'request_headers', { responseBody: mode('buffer') }, ['request_headers', 'response_headers', 'response_body', 'complete']],
  ['less: no body of the request', everything, 'request_headers', { requestBody: mode('none') }, ['request_headers', 'response_headers', 'response_body', 'complete']],
  ['less: no body of the answer', everything, 'response_headers', { responseBody: mode('none') }, ['request_headers', 'request_body', 'response_headers', 'complete']],
  ['done at the head', everything, 'request_headers', { done: true }, ['request_headers']],
  ['done at the body', everything, 'request_body', { done: true }, ['request_headers', 'request_body']],
  ['done at the head of the answer', everything, 'response_headers', { done: true }, ['request_headers', 'request_body', 'response_headers']],
]

for (const parallel of [false, true]) {
  test(`an agent hears as much as it wants${parallel ? ', also at once with another' : ''}`, async (t) => {
    for (const [what, describe, at, wants, heard] of cases) {
      const { sentinel, agents } = await startWithRawAgents(t, { a: { describe, answer: ({ kind }) => kind === at ? wanting(wants) : undefined }, last: {} }, {
        route: parallel ? 'filters { parallel { agent "a"; agent "last" } }; ' : 'filters "a" "last"; ',
      })
      const answer = await sentinel.request('/', { method: 'POST', body: 'hello' })
      assert.deepEqual([answer.status, answer.text], [200, 'hello'], what)
      await agents.last.seen(({ kind }) => kind === 'complete')
      if (heard.at(-1) === 'complete') await agents.a.seen(({ kind }) => kind === 'complete')
      assert.deepEqual(kindsOf(agents.a), heard, what)
    }
  })
}

test('what comes too late or softens the operator\'s limit is not had', async (t) => {
  const late: ReadonlyArray<[at: Event['kind'], wants: Partial<Wants>]> = [
    ['request_body', { requestBody: mode('stream') }],
    ['response_headers', { requestBody: mode('buffer') }],
    ['response_body', { responseHeaders: true }],
    ['response_body', { responseBody: mode('buffer') }],
  ]
  for (const [at, wants] of late) {
    const { sentinel } = await startWithRawAgents(t, { a: { describe: everything, answer: ({ kind }) => kind === at ? wanting(wants) : undefined } }, { filters: ['a'] })
    assert.equal((await sentinel.request('/', { method: 'POST', body: 'hello' })).status, 503, String(at))
    assert.equal((await sentinel.accessed(() => true)).fault, 'AGENT_BAD_REPLY', String(at))
  }
  const { sentinel, agents } = await startWithRawAgents(t, {
    a: { describe: headsOnly, settings: 'max-request-body-size "3B"', answer: ({ kind }) => kind === 'request_headers' ? wanting({ requestBody: { kind: 'buffer', maxBytes: 1_000_000, over: 'skip' } }) : undefined },
  }, { filters: ['a'] })
  assert.equal((await sentinel.request('/', { method: 'POST', body: 'hello' })).status, 413)
  assert.deepEqual(kindsOf(agents.a).filter((kind) => kind === 'request_body'), [])
})
