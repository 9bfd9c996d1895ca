import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { ResponseBody } from '../../../proxy/upstreams/response-body.ts'

function bodyWithLog (): { body: ResponseBody, log: string[] } {
  const log: string[] = []
  return { log, body: new ResponseBody(undefined, { keep: () => true, resume: () => log.push('resume'), awaited: () => log.push('awaited'), stop: () => log.push('stop') }) }
}

test('what is there is read without a promise', () => {
  const { body } = bodyWithLog()
  body.push(Buffer.from('a'))
  body.end(undefined)
  assert.equal(String(body.read()), 'a')
  assert.equal(body.read(), undefined)
})

test('a reader that waits gets the next chunk, and the clock is told', async () => {
  const { body, log } = bodyWithLog()
  const next = body.read()
  assert.deepEqual(log, ['awaited'])
  assert.equal(body.push(Buffer.from('a')), true)
  assert.equal(String(await next), 'a')
})

test('it asks to pause at 8 KiB and to go on when half of it is read', () => {
  const { body, log } = bodyWithLog()
  assert.equal(body.push(Buffer.alloc(5_000)), true)
  assert.equal(body.push(Buffer.alloc(5_000)), false)
  void body.read()
  assert.deepEqual(log, [])
  void body.read()
  assert.deepEqual(log, ['resume'])
})

test('bytes received before a failure are given out, then the fault', async () => {
  const { body } = bodyWithLog()
  body.push(Buffer.from('a'))
  body.fail(new Fault('UPSTREAM_RESET'))
  assert.equal(String(body.read()), 'a')
  await assert.rejects(async () => body.read(), { code: 'UPSTREAM_RESET' })
})

test('cancelling stops the source once, and not after the end', () => {
  const { body, log } = bodyWithLog()
  body.cancel()
  assert.deepEqual(log, ['stop'])
  const { body: ended, log: quiet } = bodyWithLog()
  ended.end(undefined)
  ended.cancel()
  assert.deepEqual(quiet, [])
})
