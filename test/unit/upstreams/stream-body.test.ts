import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { StreamBody } from '../../../proxy/upstreams/stream-body.ts'

function bodyWithLog (joins = true): { body: StreamBody, log: Array<string | number> } {
  const log: Array<string | number> = []
  return { log, body: new StreamBody(undefined, { taken: (bytes) => log.push(bytes), awaited: () => log.push('awaited'), stop: () => log.push('stop') }, joins) }
}

test('what came together is handed out together, and counted when it is', async () => {
  const { body, log } = bodyWithLog()
  const next = body.read()
  for (const text of ['a', 'b', 'c']) body.push(Buffer.from(text))
  assert.deepEqual(log, ['awaited'])
  assert.equal(String(await next), 'abc')
  assert.deepEqual(log, ['awaited', 3])
  body.push(Buffer.from('d'))
  body.end(undefined)
  assert.equal(String(body.read()), 'd')
  assert.equal(body.read(), undefined)
})

test('for those who cut it themselves it is handed out as it came', () => {
  const { body } = bodyWithLog(false)
  body.push(Buffer.from('a'))
  body.push(Buffer.from('b'))
  assert.equal(String(body.read()), 'a')
  assert.equal(String(body.read()), 'b')
})

test('many frames of 8 KiB come out whole, in pieces of one read buffer at most', async () => {
  const { body } = bodyWithLog()
  const frames = Array.from({ length: 40 }, (_, i) => Buffer.alloc(8192, i))
  for (const frame of frames) body.push(frame)
  body.end(undefined)
  const got: Buffer[] = []
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) {
    got.push(Buffer.from(chunk))
    body.recycle(chunk)
  }
  assert.ok(Buffer.concat(got).equals(Buffer.concat(frames)))
  assert.ok(got.length <= 4)
})

test('single octets are joined', () => {
  const { body } = bodyWithLog(false)
  for (let i = 0; i < 1_000; i++) body.push(Buffer.from('x'))
  let pieces = 0
  let bytes = 0
  body.end(undefined)
  for (let chunk = body.read(); chunk instanceof Buffer; chunk = body.read()) {
    pieces++
    bytes += chunk.length
  }
  assert.deepEqual([bytes, pieces <= 65], [1_000, true])
})

test('what came before it broke off is still read; then the fault is', async () => {
  const { body } = bodyWithLog()
  body.push(Buffer.from('half'))
  body.fail(new Fault('UPSTREAM_RESET'))
  assert.equal(String(await body.read()), 'half')
  await assert.rejects(async () => body.read(), { code: 'UPSTREAM_RESET' })
  const waiting = bodyWithLog()
  const next = waiting.body.read()
  waiting.body.push(Buffer.from('half'))
  waiting.body.fail(new Fault('UPSTREAM_RESET'))
  assert.equal(String(await next), 'half')
  await assert.rejects(async () => waiting.body.read(), { code: 'UPSTREAM_RESET' })
})

test('what nobody wants is not waited for', async () => {
  const { body, log } = bodyWithLog()
  const next = body.read()
  body.push(Buffer.from('a'))
  body.cancel()
  body.fail(new Fault('CLIENT_GONE'))
  assert.deepEqual(log, ['awaited', 'stop'])
  await assert.rejects(async () => next, { code: 'CLIENT_GONE' })
})
