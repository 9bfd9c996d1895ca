import { strict as assert } from 'node:assert'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Reply } from '../../proto/codec/index.ts'
import { emptyComplete, emptyResponseHeaders } from '../../proto/codec/index.ts'
import { configure, errorOf, headersOf, kindOf, openStream, outputOf, runAgent, startAgent, temporaryFolder } from '../support/agent-process.ts'
import { fromDist } from '../support/paths.ts'

const program = join(import.meta.dirname, 'sdk-workers.agent.js')

async function start (t: TestContext, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const agent = await startAgent(t, program, args, env)
  assert.deepEqual(await configure(agent.client, {}), { accepted: true, problems: [] })
  return { ...agent, stream: openStream(t, agent.client) }
}

function threadOf (reply: Reply): string | undefined {
  return reply.kind === 'decision' ? reply.value.attributes.get('thread') : undefined
}

function bodyOf (reply: Reply): string | undefined {
  return reply.kind === 'decision' && reply.value.kind === 'block' ? reply.value.value.body.toString() : undefined
}

test('a handler that computes for long does not block the exchanges of others', async (t) => {
  const { stream } = await start(t)
  let isThrough = false
  stream.send({ ...headersOf(2, '/spin'), ...spinFor(6000) })
  const long = stream.reply(2, 1).then((reply) => {
    isThrough = true
    return reply
  })
  const others: Reply[] = []
  for (let id = 3; id < 40; id++) others.push(await stream.ask(id, '/'))
  assert.equal(isThrough, false, 'the long one was still computing when all the others had their answers')
  assert.ok(others.every((reply) => kindOf(reply) === 'allow'))
  const spun = await long
  assert.equal(kindOf(spun), 'allow')
  assert.ok(others.every((reply) => threadOf(reply) !== threadOf(spun)), 'they ran in the other thread')
})

function spinFor (ms: number) {
  const { value } = headersOf(1, '/spin') as Extract<ReturnType<typeof headersOf>, { kind: 'request_headers' }>
  return { kind: 'request_headers' as const, value: { ...value, query: String(ms) } }
}

test('exchanges are spread over the threads, and all events of one go to the same', async (t) => {
  const { stream } = await start(t)
  const together = await Promise.all(Array.from({ length: 20 }, (_, i) => stream.ask(i + 1, '/')))
  assert.equal(new Set(together.map(threadOf)).size, 2)
  for (let id = 30; id < 40; id++) {
    await stream.ask(id, '/remember')
    const answer = stream.reply(id, 2)
    stream.send({ exchange: id, sequence: 2, timeoutMs: 60_000, kind: 'response_headers', value: { ...emptyResponseHeaders, status: 200 } })
    const reply = await answer
    assert.deepEqual(reply.kind === 'decision' && reply.value.responseHeaders.map(({ name, value }) => `${name}: ${value}`), ['x-same-thread: true'])
  }
})

test('decisions, errors, late bodies and changed configurations are those of an agent without workers', async (t) => {
  const { stream, client } = await start(t)
  assert.equal(kindOf(await stream.ask(1, '/attack')), 'block')
  const thrown = await stream.ask(2, '/throw')
  assert.deepEqual(thrown.value, { code: 'agent_error', message: 'broken on purpose', retryable: false })
  assert.equal((await stream.ask(3, '/late', true)).kind, 'decision')
  const last = stream.reply(3, 2)
  stream.send({ exchange: 3, sequence: 2, timeoutMs: 60_000, kind: 'request_body', value: { data: Buffer.from('hello'), end: true, truncated: false } })
  const reply = await last
  assert.equal(reply.kind === 'decision' && reply.value.replaceBody?.toString(), 'HELLO')
  const refused = await configure(client, { wrod: 'x' })
  assert.deepEqual([refused.accepted, refused.problems[0]?.path], [false, ['wrod']])
  assert.equal((await configure(client, { word: 'other' }, true)).accepted, true)
  assert.equal(kindOf(await stream.ask(4, '/attack')), 'block')
  assert.equal((await configure(client, { word: 'other' })).accepted, true)
  const kinds = await Promise.all([10, 11, 12, 13, 14, 15].map(async (id) => kindOf(await stream.ask(id, id % 2 === 0 ? '/attack' : '/other'))))
  assert.deepEqual(kinds, ['allow', 'block', 'allow', 'block', 'allow', 'block'])
})

test('all threads share one store, and its errors are those of the store', async (t) => {
  const { stream } = await start(t)
  const replies = await Promise.all(Array.from({ length: 10 }, (_, i) => stream.ask(i + 1, '/count')))
  assert.equal(new Set(replies.map(threadOf)).size, 2)
  assert.deepEqual(replies.map(bodyOf).sort((a, b) => Number(a) - Number(b)), ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'])
  const bad = await stream.ask(20, '/badkey')
  assert.match(bad.kind === 'error' ? bad.value.message : '', /a key of the store/)
})

for (const how of ['/crash', '/exit']) {
  test(`a thread that ends by ${how.slice(1)} fails its own exchanges at once, and another one takes its place`, async (t) => {
    const { stream, log } = await start(t)
    stream.send(headersOf(1, '/wait'), headersOf(2, '/wait'))
    assert.equal(kindOf(await stream.ask(3, '/')), 'allow')
    const [first, second] = [stream.reply(1, 1), stream.reply(2, 1)]
    const crashed = stream.ask(4, how)
    assert.equal(errorOf(await crashed), 'worker_crashed')
    // One of the two that waited was in the thread that ended; the other one waits on.
    const failed = await Promise.race([first.then((reply) => ({ id: 1, reply })), second.then((reply) => ({ id: 2, reply }))])
    assert.equal(errorOf(failed.reply), 'worker_crashed')
    const other = failed.id === 1 ? 2 : 1
    stream.send({ exchange: other, sequence: 2, timeoutMs: 0, kind: 'cancel', value: { reason: 'client_gone', detail: '' } })
    const line = await log.find((l) => l['msg'] === 'cancelled')
    assert.equal(line['reason'], 'client_gone')
    await log.find((l) => l['msg'] === 'a worker has ended; its exchanges fail, and another one is started')
    // What comes for a lost exchange is answered too.
    const late = stream.reply(failed.id, 2)
    stream.send({ exchange: failed.id, sequence: 2, timeoutMs: 60_000, kind: 'response_headers', value: { ...emptyResponseHeaders, status: 200 } })
    assert.equal(errorOf(await late), 'worker_crashed')
    // The new thread has the configuration, and takes part.
    const threads = new Set<string | undefined>()
    for (let id = 100; threads.size < 2; id += 10) {
      const replies = await Promise.all([0, 1, 2, 3].map((n) => stream.ask(id + n, '/')))
      assert.ok(replies.every((reply) => kindOf(reply) === 'allow'))
      for (const reply of replies) threads.add(threadOf(reply))
    }
  })
}

test('a thread that computes without end is ended, and its exchanges fail', async (t) => {
  const { stream } = await start(t, [], { STUCK_MS: '2000' })
  assert.equal(errorOf(await stream.ask(1, '/stuck')), 'worker_stuck')
  assert.equal(kindOf(await stream.ask(2, '/')), 'allow')
})

test('a thread that goes on computing what nobody awaits any more gets nothing new', async (t) => {
  const { stream } = await start(t, [], { STUCK_MS: '5000' })
  stream.send(headersOf(1, '/stuck'), { exchange: 1, sequence: 2, timeoutMs: 0, kind: 'cancel', value: { reason: 'timeout', detail: '' } })
  for (let id = 2; id < 20; id++) assert.equal(kindOf(await stream.ask(id, '/')), 'allow')
})

test('what no thread has room for is refused as busy, and taken again when there is room', async (t) => {
  const { stream } = await start(t, [], { MAX_WAITING: '1' })
  stream.send(headersOf(1, '/wait'), headersOf(2, '/wait'))
  const refused = await stream.ask(3, '/')
  assert.deepEqual(refused.value, { code: 'busy', message: 'all workers have too much to do', retryable: true })
  stream.send({ exchange: 1, sequence: 2, timeoutMs: 0, kind: 'cancel', value: { reason: 'client_gone', detail: '' } })
  assert.equal(kindOf(await stream.ask(4, '/')), 'allow')
})

test('SIGTERM: open exchanges and work after answers end in the threads before the process does', async (t) => {
  const { child, ended, stream, log } = await start(t)
  stream.send({ ...headersOf(1, '/spin'), ...spinFor(300) })
  const slow = stream.reply(1, 1)
  assert.equal(kindOf(await stream.ask(2, '/after')), 'allow')
  stream.send({ exchange: 2, sequence: 2, timeoutMs: 0, kind: 'complete', value: emptyComplete })
  child.kill('SIGTERM')
  const spun = await slow
  assert.equal(kindOf(spun), 'allow', JSON.stringify(spun))
  stream.send({ exchange: 1, sequence: 2, timeoutMs: 0, kind: 'complete', value: emptyComplete })
  assert.deepEqual(await ended, [0, null])
  const line = await log.find((l) => l['msg'] === 'done after the answer')
  assert.match(String(line['odd']), /=>/)
})

test('an agent in TypeScript, run as it is, runs in threads as well', async (t) => {
  const file = join(temporaryFolder(t), 'agent.ts')
  writeFileSync(file, `
    import { threadId } from 'node:worker_threads'
    import { allow, defineAgent, type Decision } from 'sentinel/sdk'
    export default defineAgent({ name: 'typed', workers: 2, onRequest: (): Decision => allow().withAttribute('thread', String(threadId)) })`)
  const { client } = await startAgent(t, fromDist('sdk', 'run', 'main.js'), [file])
  assert.equal((await configure(client, {})).accepted, true)
  const reply = await openStream(t, client).ask(1, '/')
  assert.notEqual(threadOf(reply), undefined)
  assert.notEqual(threadOf(reply), '0')
})

test('--workers 0 runs the handlers where everything else runs', async (t) => {
  const { stream } = await start(t, ['--workers', '0'])
  const replies = await Promise.all(Array.from({ length: 5 }, (_, i) => stream.ask(i + 1, '/')))
  assert.deepEqual([...new Set(replies.map(threadOf))], ['0'])
})

test('--describe and --docs start no threads, and an agent whose module cannot be loaded in a thread is not served', async (t) => {
  assert.match((await outputOf(t, program, ['--docs'])).out, /^# threads 1\.2\.3\n[\s\S]*\| `word` \| text \| `attack` \|/)
  const broken = runAgent(t, join(import.meta.dirname, 'sdk-workers-broken.agent.js'), ['--socket', join(temporaryFolder(t), 'a.sock')])
  const line = await broken.log.find((l) => l['msg'] === 'cannot serve')
  assert.match(JSON.stringify(line), /only in the main thread/)
  assert.deepEqual(await broken.ended, [1, null])
})
