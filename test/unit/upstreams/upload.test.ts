import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf, type Body } from '../../../proxy/pipeline/body.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { Upload } from '../../../proxy/upstreams/upload.ts'

function uploadWithLog (body: Body): { upload: Upload, log: string[] } {
  const log: string[] = []
  const events = { asked: () => log.push('asked'), handedOver: () => log.push('handedOver'), ended: () => log.push('ended'), failed: (error: Error) => log.push(error.message) }
  return { log, upload: new Upload(body, events) }
}

test('hands over chunks, tells when the target is waited for, and ends', async () => {
  const { upload, log } = uploadWithLog(bodyOf(Buffer.from('a')))
  assert.equal(String((await upload.next()).value), 'a')
  assert.equal((await upload.next()).done, true)
  assert.deepEqual(log, ['asked', 'handedOver', 'asked', 'ended'])
  assert.equal(upload.complete, true)
})

test('what the body throws is reported before undici hears of it, and never looks like an end', async () => {
  const fault = new Fault('CLIENT_TIMEOUT')
  for (const read of [() => Promise.reject(fault), () => { throw fault }]) {
    const { upload, log } = uploadWithLog({ length: undefined, trailers: undefined, cancel: () => undefined, read })
    await assert.rejects(upload.next(), fault)
    assert.deepEqual(log, ['asked', 'CLIENT_TIMEOUT'])
    assert.equal(upload.complete, false)
  }
})

test('stopping does not wait for a body that is silent, and is no end either', async () => {
  const { upload, log } = uploadWithLog({ length: undefined, trailers: undefined, cancel: () => undefined, read: () => new Promise(() => { /* never */ }) })
  const next = upload.next()
  upload.stop()
  await assert.rejects(next, /stopped/)
  await assert.rejects(upload.next(), /stopped/)
  assert.deepEqual(log, ['asked'])
})
