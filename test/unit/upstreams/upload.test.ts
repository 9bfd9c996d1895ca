import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf, type Body } from '../../../proxy/pipeline/body.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'
import { Upload } from '../../../proxy/upstreams/upload.ts'

function uploadWithLog (body: Body, ready = true): { upload: Upload, log: string[], written: () => string } {
  const log: string[] = []
  let written = ''
  const outlet = { write: (bytes: Buffer | string) => { written += bytes.toString('latin1'); return ready }, cork: () => undefined, uncork: () => undefined, writableLength: 1 }
  const events = { full: () => log.push('full'), room: () => log.push('room'), uploaded: () => log.push('uploaded'), failed: (error: Error) => log.push(error.message) }
  return { log, upload: new Upload(body, outlet, events), written: () => written }
}

const bodyWith = (read: Body['read'], length?: number, trailers?: HeaderList): Body => ({ length, trailers, cancel: () => undefined, read })

const inPieces = (...pieces: string[]): Body['read'] => () => pieces.length === 0 ? undefined : Buffer.from(pieces.shift()!)

test('a body of known length goes out as it is, with the head in one write', async () => {
  const { upload, log, written } = uploadWithLog(bodyOf(Buffer.from('abc')))
  await upload.run('head ')
  assert.equal(written(), 'head abc')
  assert.deepEqual([log, upload.complete], [['uploaded'], true])
})

test('one of unknown length goes out in chunks, its trailers behind it; what is no field is left out', async () => {
  const trailers = new HeaderList(['X-Sum', '1', 'X-Evil', 'a\r\nb: c', 'X Evil', 'd'])
  const { upload, written } = uploadWithLog(bodyWith(inPieces('abc', 'x'.repeat(17)), undefined, trailers))
  await upload.run('head ')
  assert.equal(written(), `head 3\r\nabc\r\n11\r\n${'x'.repeat(17)}\r\n0\r\nX-Sum: 1\r\n\r\n`)
})

test('the head does not wait for a client that has not sent its body yet', async () => {
  let give = (_chunk: Buffer): void => {}
  let reads = 0
  const { upload, written } = uploadWithLog(bodyWith(() => reads++ === 0 ? new Promise((resolve) => { give = resolve }) : undefined))
  const running = upload.run('head ')
  assert.equal(written(), 'head ')
  give(Buffer.from('a'))
  await running
  assert.equal(written(), 'head 1\r\na\r\n0\r\n\r\n')
})

test('it stops when the connection is full, and large pieces are cut', async () => {
  const { upload, log, written } = uploadWithLog(bodyOf(Buffer.alloc(100_000)), false)
  const running = upload.run('')
  assert.deepEqual([log, written().length], [['full'], 65_536])
  upload.drained()
  await new Promise((resolve) => { setImmediate(resolve) })
  assert.deepEqual([log, written().length], [['full', 'room', 'full'], 100_000])
  upload.drained()
  await running
  assert.equal(upload.complete, true)
})

test('what the body throws is told, and never looks like an end', async () => {
  const fault = new Fault('CLIENT_TIMEOUT')
  for (const read of [() => Promise.reject(fault), () => { throw fault }]) {
    const { upload, log, written } = uploadWithLog(bodyWith(read))
    await upload.run('')
    assert.deepEqual([log, upload.complete, written()], [['CLIENT_TIMEOUT'], false, ''])
  }
})

test('a body of another length than was said is never completed', async () => {
  for (const length of [2, 4]) {
    const { upload, log } = uploadWithLog(bodyWith(inPieces('abc'), length))
    await upload.run('')
    assert.match(log.join(), /^INTERNAL: a request body/)
    assert.equal(upload.complete, false)
  }
})

test('after stopping, nothing more is written and nothing told', async () => {
  let give = (_chunk: Buffer): void => {}
  const silent = uploadWithLog(bodyWith(() => new Promise((resolve) => { give = resolve })))
  const running = silent.upload.run('')
  silent.upload.stop()
  give(Buffer.from('late'))
  await running
  assert.deepEqual([silent.log, silent.written(), silent.upload.complete], [[], '', false])
  const full = uploadWithLog(bodyOf(Buffer.from('abc')), false)
  const other = full.upload.run('')
  full.upload.stop()
  await other
  assert.equal(full.upload.complete, false)
})
