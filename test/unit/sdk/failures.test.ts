import { strict as assert } from 'node:assert'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'node:test'
import { AgentFailure, block, defineAgent, drop, type AgentDefinition, type Answered, type Fields } from 'sentinel/sdk'
import { testAgent } from 'sentinel/sdk/testing'
import { emptyRequestHeaders, type Event, type FromAgent, type Reply } from '../../../proto/codec/index.ts'
import { Program } from '../../../sdk/program.ts'
import { AgentStream } from '../../../sdk/stream.ts'

function run (definition: Omit<AgentDefinition<Fields, undefined>, 'name'>) {
  return testAgent(defineAgent({ name: 'test', ...definition }))
}

test('what a handler throws is an error with its message, never an allow, and never a stack', async () => {
  for (const onRequest of [() => { throw new Error('broken') }, async () => { throw new Error('broken') }]) {
    const agent = await run({ onRequest })
    const verdict = await agent.request('GET', '/')
    assert.deepEqual([verdict.kind, verdict.error], ['error', { code: 'agent_error', message: 'broken', retryable: false }])
    assert.ok(agent.log.some(({ level, fields }) => level === 'error' && fields['request'] === 'test-1'))
  }
})

test('an AgentFailure brings its own code', async () => {
  const agent = await run({ onRequest () { throw new AgentFailure('store_down', 'no route to the store', { retryable: true }) } })
  assert.deepEqual((await agent.request('GET', '/')).error, { code: 'store_down', message: 'no route to the store', retryable: true })
})

test('what is no decision is an error that says what it was, and what would be one', async () => {
  // As a JavaScript agent could.
  for (const [wrong, what] of [
    [true, 'true'], [null, 'null'], ['allow', 'a text'], [7, 'a number'], [{ status: 403 }, 'an object'], [block, 'a function'], [drop(), 'an answer for a piece of a body'],
  ] as const) {
    const agent = await run({ onRequest: () => wrong as unknown as Answered })
    const { error } = await agent.request('GET', '/')
    const message = `a handler returned ${what}, which is no decision: return allow(), block(…) or one of their like, or nothing`
    assert.deepEqual([error?.code, error?.message], ['bad_answer', message])
  }
})

test('a thenable is awaited', async () => {
  // oxlint-disable-next-line unicorn/no-thenable -- that is the test
  const thenable = { then (resolve: (value: unknown) => void) { resolve(block(410)) } }
  const agent = await run({ onRequest: () => thenable as unknown as Answered })
  assert.equal((await agent.request('GET', '/')).status, 410)
})

test('a failure in one phase does not stop the next', async () => {
  const agent = await run({ onRequest () { throw new Error('x') }, onResponse: () => block(502) })
  const exchange = await agent.request('GET', '/')
  assert.equal(exchange.kind, 'error')
  assert.equal((await exchange.respond(200)).status, 502)
})

test('a failure in onComplete is logged and the exchange is freed', async () => {
  const agent = await run({ onComplete () { throw new Error('x') } })
  await (await agent.request('GET', '/')).complete()
  assert.equal(agent.open, 0)
  assert.ok(agent.log.some(({ message }) => message === 'onComplete failed'))
})

test('a cancel aborts the signal, wakes whoever waits for the body, and nothing is answered', async () => {
  const reasons: unknown[] = []
  const agent = await run({
    async onRequest (request, { signal }) {
      signal.addEventListener('abort', () => reasons.push((signal.reason as { reason: string }).reason))
      await request.body().catch((error: { reason: string }) => reasons.push(error.reason))
      return block()
    },
  })
  const exchange = agent.start('POST', '/', { body: 'x' })
  exchange.cancel('timeout')
  await assert.rejects(exchange.verdict, /cancelled/)
  await exchange.complete()
  assert.deepEqual(reasons.sort(), ['timeout', 'timeout'])
  assert.ok(exchange.replies.every((reply) => reply.kind === 'decision' && reply.value.kind === 'allow'))
  assert.equal(agent.open, 0)
})

test('a signal that is first looked at after the cancel is aborted already', async () => {
  let aborted: boolean | undefined
  const agent = await run({
    async onRequest (_, context) {
      await delay(1)
      aborted = context.signal.aborted
    },
  })
  const exchange = agent.start('GET', '/')
  exchange.cancel()
  await exchange.verdict.catch(() => {})
  await exchange.complete()
  assert.equal(aborted, true)
})

test('when the connection breaks every open exchange is cancelled and forgotten', async () => {
  const reasons: string[] = []
  const agent = await run({
    onRequest: (request, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => {
      reasons.push(request.path)
      resolve()
    })),
  })
  for (const path of ['/1', '/2', '/3']) agent.start('GET', path)
  assert.equal(agent.open, 3)
  agent.close()
  assert.equal(agent.open, 0)
  assert.deepEqual(reasons, ['/1', '/2', '/3'])
})

test('more exchanges than the agent takes are answered "busy", and room comes back', async () => {
  const waiting: (() => void)[] = []
  const agent = await run({ maxExchanges: 2, onRequest: () => new Promise((resolve) => waiting.push(resolve)) })
  const open = [agent.start('GET', '/'), agent.start('GET', '/')]
  const third = await agent.request('GET', '/')
  assert.deepEqual([third.error?.code, third.error?.retryable], ['busy', true])
  waiting.forEach((resolve) => resolve())
  await Promise.all(open.map((exchange) => exchange.verdict))
  const fourth = agent.start('GET', '/')
  waiting.at(-1)?.()
  assert.equal((await fourth.verdict).kind, 'allow')
})

test('time can be asked for once per answer, and the deadline is visible', async () => {
  const left: number[] = []
  const agent = await run({
    async onRequest (_, context) {
      left.push(context.deadlineMs)
      context.moreTime(2000)
      context.moreTime(3000)
      left.push(context.deadlineMs)
    },
  })
  const exchange = await agent.request('GET', '/', { timeoutMs: 500 })
  assert.deepEqual(exchange.replies.map((r) => r.kind === 'more_time' ? r.value.timeoutMs : r.kind), [2000, 'decision'])
  assert.ok(left[0]! > 0 && left[0]! <= 500)
  assert.ok(left[1]! > 1500 && left[1]! <= 2000)
})

test('events that make no sense are errors', async () => {
  const { replies, send } = await rawStream({ onRequest () {}, onResponse () {}, onResponseBody () {} })
  const head = { kind: 'request_headers', value: emptyRequestHeaders } as const
  const body = { kind: 'response_body', value: { data: Buffer.alloc(0), end: true, truncated: false } } as const
  send({ exchange: 5, sequence: 1, timeoutMs: 9, ...head })
  send({ exchange: 5, sequence: 1, timeoutMs: 9, ...head })
  send({ exchange: 4, sequence: 1, timeoutMs: 9, ...head })
  send({ exchange: 5, sequence: 2, timeoutMs: 9, ...body })
  send({ exchange: 5, sequence: 3, timeoutMs: 9, kind: undefined, value: undefined })
  send({ exchange: 5, sequence: 4, timeoutMs: 9, kind: 'tool_call', value: { protocol: '', server: '', tool: '', argumentsJson: Buffer.alloc(0), callId: '' } })
  send({ exchange: 5, sequence: 5, timeoutMs: 9, kind: 'request_body', value: { data: Buffer.alloc(0), end: true, truncated: false } })
  send({ exchange: 8, sequence: 2, timeoutMs: 9, ...body })
  send({ exchange: 8, sequence: 3, timeoutMs: 0, ...body })
  assert.deepEqual((await replies()).map((r) => r.kind === 'error' ? r.value.code : r.kind), [
    'decision', 'bad_event', 'bad_event', 'bad_event', 'unknown_event', 'not_subscribed', 'not_subscribed', 'unknown_exchange',
  ])
})

test('an event whose answer nobody awaits is handled and not answered', async () => {
  let seen = 0
  const { replies, send } = await rawStream({ onRequest () { seen++ } })
  send({ exchange: 1, sequence: 1, timeoutMs: 0, kind: 'request_headers', value: emptyRequestHeaders })
  assert.deepEqual(await replies(), [])
  assert.equal(seen, 1)
})

test('events of one exchange are handled in order although the first one takes longer', async () => {
  const order: string[] = []
  const { replies, send } = await rawStream({
    async onRequest () {
      await delay(5)
      order.push('request')
    },
    onResponse () { order.push('response') },
    onComplete () { order.push('complete') },
  })
  send({ exchange: 1, sequence: 1, timeoutMs: 99, kind: 'request_headers', value: emptyRequestHeaders })
  send({ exchange: 1, sequence: 2, timeoutMs: 99, kind: 'response_headers', value: { status: 200, headers: [], upstream: '', target: '', hasBody: false, contentLength: undefined, bodyMode: undefined } })
  await delay(20)
  assert.deepEqual((await replies()).map((r) => r.sequence), [1, 2])
  assert.deepEqual(order, ['request', 'response'])
})

async function rawStream (definition: Omit<AgentDefinition<Fields, undefined>, 'name'>) {
  const silent = { debug () {}, info () {}, warn () {}, error () {} }
  const program = new Program(defineAgent({ name: 'test', ...definition }), silent)
  await program.configure({ configJson: Buffer.from('{}'), validateOnly: false, version: '' })
  const messages: FromAgent[] = []
  const stream = new AgentStream(program, (message) => messages.push(message))
  return {
    send: (event: Event) => stream.receive({ events: [event] }),
    async replies (): Promise<readonly Reply[]> {
      await new Promise(setImmediate)
      stream.flush()
      return messages.flatMap((m) => m.replies)
    },
  }
}
