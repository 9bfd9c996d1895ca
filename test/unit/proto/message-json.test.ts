import assert from 'node:assert/strict'
import test from 'node:test'
import { decodeFromAgent, decodeToAgent, encodeFromAgent, encodeToAgent, eventKindWords, type Event, type Reply } from '../../../proto/codec/index.ts'
import { eventFrom, NotAMessage, plainEvent, plainReply, replyFrom } from '../../../proto/message-json.ts'
import { samples } from '../../golden/proto/samples.ts'

const ofType = (type: string): Buffer[] => Object.values(samples).flatMap((sample) => sample.type === type ? [sample.bytes] : [])
/** What a file holds of it. */
const written = (json: unknown): unknown => JSON.parse(JSON.stringify(json))

test('every event of the golden vectors comes back from JSON with the same bytes', () => {
  const events = ofType('ToAgent').flatMap((bytes) => decodeToAgent(bytes).events).filter(({ kind }) => kind !== undefined)
  // Those that have no vector of their own are read at their defaults.
  for (const kind of [...eventKindWords.slice(1), 'cancel', 'credit']) assert.equal(eventFrom({ kind }).kind, kind)
  const message = { fromClient: true, binary: true, data: Buffer.from([1, 2]), partial: true }
  const call = { protocol: 'mcp', server: 's', tool: 't', argumentsJson: Buffer.from('{"a":1}'), callId: '1' }
  const guardrail = { inspection: 'pii', texts: [{ role: 'user', text: 'a' }, { role: '', text: '' }], categories: ['email'], model: 'm' } as const
  const more = [{ kind: 'websocket_message', value: message } as const, { kind: 'tool_call', value: call } as const, { kind: 'guardrail', value: guardrail } as const]
  events.push(...more.map((event): Event => ({ exchange: 1, sequence: 1, timeoutMs: 0, ...event, value: event.value } as Event)))
  for (const event of events) {
    const again: Event = { exchange: event.exchange, sequence: event.sequence, timeoutMs: event.timeoutMs, ...eventFrom(written(plainEvent(event))) }
    assert.deepEqual(encodeToAgent({ events: [again] }), encodeToAgent({ events: [event] }), JSON.stringify(plainEvent(event)))
  }
})

test('every reply of the golden vectors comes back from JSON with the same bytes', () => {
  const replies = ofType('FromAgent').flatMap((bytes) => decodeFromAgent(bytes).replies).filter(({ kind }) => kind !== undefined)
  const kinds = new Set(replies.map(({ kind, value }) => kind === 'decision' ? `decision ${value.kind}` : kind))
  assert.ok(kinds.size >= 11, `not every kind is among them: ${[...kinds].join(', ')}`)
  for (const reply of replies) {
    if (reply.kind === 'decision' && reply.value.kind === undefined) continue
    const again: Reply = { exchange: reply.exchange, sequence: reply.sequence, ...replyFrom(written(plainReply(reply))) }
    assert.deepEqual(encodeFromAgent({ replies: [again] }), encodeFromAgent({ replies: [reply] }), JSON.stringify(plainReply(reply)))
  }
})

test('bytes are text where they are, and field lines are pairs of one character for each byte', () => {
  const plain = plainReply({ kind: 'chunk', value: { kind: 'replace', value: Buffer.from([0xff, 0]) } })
  assert.deepEqual(plain, { kind: 'chunk', value: { kind: 'replace', value: { base64: '/wA=' } } })
  assert.deepEqual(plainEvent({ kind: 'request_trailers', value: { headers: ['X-Raw', '\xff'] } }), { kind: 'request_trailers', value: { headers: [['X-Raw', '\xff']] } })
  assert.deepEqual(plainEvent({ kind: 'request_body', value: { data: Buffer.from('é\n'), end: true, truncated: false } }), { kind: 'request_body', value: { data: { text: 'é\n' }, end: true } })
})

test('what is no event or reply is refused with its place; fields of a later version are ignored', () => {
  const wrong: ReadonlyArray<readonly [() => unknown, RegExp]> = [
    [() => eventFrom('x'), /an event is not an object/],
    [() => eventFrom({ kind: 'dream' }), /an event of the kind "dream" is not known/],
    [() => eventFrom({ kind: '__proto__' }), /not known/],
    [() => eventFrom({ kind: 'request_headers', value: { headers: [['a']] } }), /request_headers\.headers\[0\] is not a pair/],
    [() => eventFrom({ kind: 'request_headers', value: { client_port: 'x' } }), /request_headers\.client_port is not a number/],
    [() => replyFrom({ kind: 'decision', value: { kind: 'maybe' } }), /a decision of the kind "maybe" is not known/],
    [() => replyFrom({ kind: 'chunk', value: { kind: 'pass_but_tail', value: '3' } }), /pass_but_tail is not a number/],
  ]
  for (const [read, message] of wrong) assert.throws(read, (error) => error instanceof NotAMessage && message.test(error.message))
  assert.deepEqual(eventFrom({ kind: 'request_trailers', value: { headers: [], of_later: 1 } }), { kind: 'request_trailers', value: { headers: [] } })
})
