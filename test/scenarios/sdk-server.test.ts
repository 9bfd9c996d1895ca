import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Metadata, status } from '@grpc/grpc-js'
import {
  agentService, decodeDescribeResponse, decodeHealthCheckResponse, emptyComplete, encodeDescribeRequest, encodeHealthCheckRequest, healthService,
} from '../../proto/codec/index.ts'
import {
  check, configure, connectTo, errorOf, headersOf, kindOf, openStream, outputOf, runAgent, startAgent, statesOf, temporaryFolder, unary,
} from '../support/agent-process.ts'
import { deadPort } from '../support/upstream.ts'

const program = join(import.meta.dirname, 'sdk-server.agent.js')

test('a standard health client, describe and configure are answered over a Unix socket', async (t) => {
  const { client } = await startAgent(t, program)
  assert.deepEqual(await check(client, ''), { status: 'serving' })
  assert.deepEqual(await check(client, agentService.name), { status: 'serving' })
  await assert.rejects(check(client, 'other'), { code: status.NOT_FOUND })

  const description = await unary(client, agentService.describe, encodeDescribeRequest, decodeDescribeResponse, { protocolVersions: [7, 1], proxy: 'test', agentId: 'p' })
  const { name, version, protocolVersion, events, setsRequestHeaders } = description
  assert.deepEqual({ name, version, protocolVersion, events, setsRequestHeaders }, {
    name: 'probe', version: '9.9.9', protocolVersion: 1, events: ['request_headers', 'complete'], setsRequestHeaders: ['x-probe'],
  })
  const schema = JSON.parse(description.configSchema) as { properties: object }
  assert.deepEqual(Object.keys(schema.properties), ['word', 'status'])
  const newer = await unary(client, agentService.describe, encodeDescribeRequest, decodeDescribeResponse, { protocolVersions: [7], proxy: 'test', agentId: 'p' })
  assert.equal(newer.protocolVersion, 0)
})

test('a refused configuration names every mistake and leaves the old one active', async (t) => {
  const { client } = await startAgent(t, program)
  assert.deepEqual(await configure(client, { word: 'first' }), { accepted: true, problems: [] })
  const refused = await configure(client, { wrod: 'x', status: 200 })
  assert.equal(refused.accepted, false)
  assert.deepEqual(refused.problems.map((p) => p.path), [['wrod'], ['status']])
  assert.match(refused.problems[0]!.hint, /word/)
  const judged = await configure(client, { word: 'second' }, true)
  assert.equal(judged.accepted, true)
  const stream = openStream(t, client)
  assert.equal(kindOf(await stream.ask(1, '/first')), 'block')
  assert.equal(kindOf(await stream.ask(2, '/second')), 'allow')
})

test('an agent without a configuration decides nothing', async (t) => {
  const { client } = await startAgent(t, program)
  const stream = openStream(t, client)
  assert.equal(errorOf(await stream.ask(1, '/')), 'not_configured')
})

test('exchanges on one stream do not wait for each other, and replies of one turn share a message', async (t) => {
  const { client } = await startAgent(t, program)
  await configure(client, {})
  const stream = openStream(t, client)
  const slow = stream.ask(1, '/slow')
  const fast = [2, 3, 4].map((id) => stream.ask(id, `/${id}`))
  stream.send(...[5, 6, 7, 8].map((id) => headersOf(id, '/attack')))
  const blocked = [5, 6, 7, 8].map((id) => stream.reply(id, 1))
  assert.deepEqual((await Promise.all(fast)).map(kindOf), ['allow', 'allow', 'allow'])
  assert.deepEqual((await Promise.all(blocked)).map(kindOf), ['block', 'block', 'block', 'block'])
  assert.equal(kindOf(await slow), 'allow')
  assert.ok(stream.messages.some((m) => m.replies.length >= 4), 'the four blocks came in one message')
  assert.equal(stream.messages.at(-1)?.replies[0]?.exchange, 1, 'the slow one came last')
})

test('a handler that throws is an error reply without a stack, and the agent goes on', async (t) => {
  const { client, log } = await startAgent(t, program)
  await configure(client, {})
  const stream = openStream(t, client)
  const reply = await stream.ask(1, '/throw')
  assert.deepEqual(reply.value, { code: 'agent_error', message: 'broken on purpose', retryable: false })
  assert.equal(kindOf(await stream.ask(2, '/')), 'allow')
  await log.find((line) => line['msg'] === 'a handler failed')
})

test('a body asked for late comes with a later event and is answered there', async (t) => {
  const { client } = await startAgent(t, program)
  await configure(client, {})
  const stream = openStream(t, client)
  const first = await stream.ask(1, '/late', true)
  assert.equal(first.kind === 'decision' && first.value.wants?.requestBody?.kind, 'buffer')
  assert.equal(first.kind === 'decision' && first.value.wants?.requestBody?.maxBytes, 1024)
  stream.send({ exchange: 1, sequence: 2, timeoutMs: 60_000, kind: 'request_body', value: { data: Buffer.from('hello'), end: true, truncated: false } })
  const last = await stream.reply(1, 2)
  assert.equal(last.kind === 'decision' && last.value.replaceBody?.toString(), 'HELLO')
})

test('a cancelled exchange stops its handler, and an unknown one is an error', async (t) => {
  const { client, log } = await startAgent(t, program, ['--log-level', 'debug'])
  await configure(client, {})
  const stream = openStream(t, client)
  stream.send(headersOf(1, '/wait'))
  stream.send({ exchange: 1, sequence: 2, timeoutMs: 0, kind: 'cancel', value: { reason: 'client_gone', detail: '' } })
  await log.find((line) => line['msg'] === 'a handler failed after its exchange had ended')
  stream.send({ exchange: 1, sequence: 3, timeoutMs: 0, kind: 'complete', value: emptyComplete })
  stream.send({ exchange: 9, sequence: 1, timeoutMs: 100, kind: 'response_body', value: { data: Buffer.alloc(0), end: true, truncated: false } })
  assert.equal(errorOf(await stream.reply(9, 1)), 'unknown_exchange')
  assert.equal(errorOf(await stream.ask(1, '/')), 'bad_event')
})

test('garbage on a stream ends that stream and nothing else', async (t) => {
  const { client } = await startAgent(t, program)
  await configure(client, {})
  const raw = client.makeBidiStreamRequest(agentService.process, (b: Buffer) => b, (b) => b, new Metadata())
  raw.on('data', () => {})
  raw.write(Buffer.from('no protobuf at all'))
  const [error] = await once(raw, 'error') as [Error]
  assert.match(error.message, /malformed message/)
  assert.equal(kindOf(await openStream(t, client).ask(1, '/')), 'allow')
})

test('SIGTERM: health says so, new exchanges are refused, open ones end, the socket goes, exit 0', async (t) => {
  const { child, ended, client, socket, log } = await startAgent(t, program)
  await configure(client, {})
  const watch = client.makeServerStreamRequest(healthService.watch, encodeHealthCheckRequest, decodeHealthCheckResponse, { service: '' })
  const states = statesOf(watch)
  assert.equal((await states.next()).value?.status, 'serving')
  const stream = openStream(t, client)
  const slow = stream.ask(1, '/slow')
  // Another stream of the same connection was answered, so the slow request is with the agent.
  assert.equal(kindOf(await stream.ask(2, '/')), 'allow')
  child.kill('SIGTERM')
  assert.equal((await states.next()).value?.status, 'not_serving')
  // What was on its way when it said so is still taken; soon nothing is.
  let next = 3
  for (let answer = await stream.ask(next, '/'); errorOf(answer) !== 'draining'; answer = await stream.ask(++next, '/')) assert.equal(kindOf(answer), 'allow')
  assert.equal(kindOf(await slow), 'allow')
  assert.deepEqual(await ended, [0, null])
  assert.equal(existsSync(socket), false)
  await log.find((line) => line['event'] === 'stopped')
})

test('an exchange that does not end holds the drain no longer than its time-out', async (t) => {
  const { child, ended, client } = await startAgent(t, program, ['--drain-timeout', '100ms'])
  await configure(client, {})
  const stream = openStream(t, client)
  stream.send(headersOf(1, '/wait'))
  assert.equal(kindOf(await stream.ask(2, '/')), 'allow')
  child.kill('SIGTERM')
  assert.deepEqual(await ended, [0, null])
})

test('a managed agent ends when its proxy is gone, and not for Ctrl-C', async (t) => {
  const { child, ended, socket } = await startAgent(t, program, [], { SENTINEL_MANAGED: '1' })
  child.kill('SIGINT')
  child.stdin.end()
  assert.deepEqual(await ended, [0, null])
  assert.equal(existsSync(socket), false)
})

test('an error that nobody caught ends the process with 1 and removes the socket', async (t) => {
  const { ended, client, socket, log } = await startAgent(t, program)
  await configure(client, {})
  openStream(t, client).send(headersOf(1, '/crash'))
  assert.deepEqual(await ended, [1, null])
  assert.equal(existsSync(socket), false)
  await log.find((line) => line['msg'] === 'an error that nobody caught')
})

test('the socket is for its owner alone, and so is the folder made for it', async (t) => {
  const { socket } = await startAgent(t, program)
  assert.equal((statSync(socket).mode & 0o777).toString(8), '600')
  assert.equal((statSync(join(socket, '..')).mode & 0o777).toString(8), '700')
})

test('a socket that somebody answers on is not taken over, one that is left behind is', async (t) => {
  const { socket, child, ended } = await startAgent(t, program)
  const second = runAgent(t, program, ['--socket', socket])
  assert.deepEqual(await second.ended, [1, null])
  const refused = await second.log.find((line) => line['msg'] === 'cannot serve')
  assert.match(JSON.stringify(refused), /another process answers/)

  child.kill('SIGKILL')
  await ended
  assert.equal(existsSync(socket), true)
  const third = runAgent(t, program, ['--socket', socket])
  await third.log.find((line) => line['event'] === 'serving')
})

test('a file that is not a socket is left alone', async (t) => {
  const folder = temporaryFolder(t)
  const file = join(folder, 'precious')
  writeFileSync(file, 'data')
  assert.deepEqual(await runAgent(t, program, ['--socket', file]).ended, [1, null])
  assert.equal(statSync(file).size, 4)
})

test('--describe, --version and a wrong flag need no socket', async (t) => {
  assert.match((await outputOf(t, program, ['--version'])).out, /^probe 9\.9\.9\n$/)
  const { out } = await outputOf(t, program, ['--describe'])
  assert.equal((JSON.parse(out) as { name: string }).name, 'probe')
  const wrong = await outputOf(t, program, ['--sokcet', 'x'])
  assert.equal(wrong.code, 2)
  assert.match(wrong.err, /--sokcet/)
  const open = await outputOf(t, program, ['--listen', '0.0.0.0:0'])
  assert.equal(open.code, 2)
  assert.match(open.err, /can be reached from elsewhere/)
})

test('TCP on loopback serves the same', async (t) => {
  const port = await deadPort()
  const { log } = runAgent(t, program, ['--listen', `127.0.0.1:${port}`])
  await log.find((line) => line['event'] === 'serving')
  const client = connectTo(t, `127.0.0.1:${port}`)
  assert.deepEqual(await check(client, ''), { status: 'serving' })
})
