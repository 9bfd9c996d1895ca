import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { BadAnswer, readAnswer, type Asked } from '../../../proxy/certificates/ocsp/answer.ts'
import { elementsIn, encode, NotDer, onlyElement } from '../../../proxy/certificates/ocsp/der.ts'
import { questionAbout } from '../../../proxy/certificates/ocsp/question.ts'
import { backOffMs, refreshMs } from '../../../proxy/certificates/ocsp/schedule.ts'
import { startResponder, type Responder } from '../../support/responder.ts'

interface Scene {
  readonly responder: Responder
  readonly question: Buffer
  readonly asked: Asked
}

async function scene (t: TestContext): Promise<Scene> {
  const responder = await startResponder(t)
  const certificate = new X509Certificate(readFileSync(responder.issue('site').cert))
  const issuer = new X509Certificate(readFileSync(join(responder.folder, 'authority.pem')))
  const { id, bytes } = questionAbout(certificate, issuer)
  return { responder, question: bytes, asked: { id, issuer, now: Date.now() } }
}

test('what OpenSSL answers is read: good, revoked and unknown, signed by the authority or its delegate', async (t) => {
  const { responder, question, asked } = await scene(t)
  for (const signer of ['authority', 'delegate'] as const) {
    responder.signer = signer
    for (const status of ['good', 'revoked', 'unknown'] as const) {
      responder.answer = status
      const answer = readAnswer(responder.answerTo(question), asked)
      assert.equal(answer.status, status)
      assert.ok(Math.abs(answer.thisUpdate - asked.now) < 60_000)
      assert.ok(Math.abs(answer.nextUpdate! - asked.now - 3_600_000) < 60_000)
    }
  }
})

test('nobody else\'s word counts, nor old word, nor word about another certificate', async (t) => {
  const { responder, question, asked } = await scene(t)
  const good = responder.answerTo(question)
  assert.throws(() => readAnswer(good, { ...asked, now: asked.now + 3 * 3_600_000 }), /out of date/)
  assert.throws(() => readAnswer(good, { ...asked, now: asked.now - 3_600_000 }), /from the future/)
  const other = new X509Certificate(readFileSync(responder.issue('other').cert))
  assert.throws(() => readAnswer(good, { ...asked, id: questionAbout(other, asked.issuer).id }), /another certificate/)
  responder.signer = 'stranger'
  assert.throws(() => readAnswer(responder.answerTo(question), asked), /not that of the authority/)
  assert.throws(() => readAnswer(good, { ...asked, issuer: new X509Certificate(readFileSync(join(responder.folder, 'stranger.pem'))) }), /not that of the authority/)
  assert.throws(() => readAnswer(Buffer.from('30030a0103', 'hex'), asked), /try later/)
})

test('whatever single byte of an answer is another one, nothing but the same answer is believed', async (t) => {
  const { responder, question, asked } = await scene(t)
  const good = responder.answerTo(question)
  const wanted = readAnswer(good, asked)
  let refused = 0
  for (let at = 0; at < good.length; at++) {
    for (const bit of [0x01, 0x10, 0x80]) {
      const bytes = Buffer.from(good)
      bytes[at]! ^= bit
      try {
        assert.deepEqual(readAnswer(bytes, asked), wanted)
      } catch (error) {
        assert.ok(error instanceof BadAnswer, `${at}: ${String(error)}`)
        refused++
      }
    }
    assert.throws(() => readAnswer(good.subarray(0, at), asked), BadAnswer)
  }
  assert.ok(refused > good.length)
})

test('DER is read as strictly as it is written', () => {
  for (const bad of ['', '30', '3080', '308100', '30817f00', '3082007f', '30840000000100', '1f8100', '300100ff', '3002', '30ff']) {
    assert.throws(() => onlyElement(Buffer.from(bad, 'hex')), NotDer, bad)
  }
  for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
    const raw = encode(0x04, Buffer.alloc(length, 7))
    assert.equal(onlyElement(raw).value.length, length)
    assert.equal(elementsIn(Buffer.concat([raw, raw])).length, 2)
  }
})

test('questions come before answers end, not all at once, and more rarely the more often they fail', () => {
  const hour = 3_600_000
  for (const chance of [0, 0.5, 0.999]) {
    const ms = refreshMs({ nextUpdate: 10 * hour }, 0, chance)
    assert.ok(ms >= 4 * hour && ms <= 6 * hour)
    assert.ok(refreshMs({ nextUpdate: 1_000 }, 0, chance) >= 60_000)
    assert.ok(refreshMs({ nextUpdate: undefined }, 0, chance) <= hour)
    assert.ok(refreshMs({ nextUpdate: 1_000 * hour }, 0, chance) <= 12 * hour)
    assert.ok(backOffMs(1, chance) >= 30_000 && backOffMs(1, chance) <= 60_000)
    assert.ok(backOffMs(1_000, chance) >= hour / 2 && backOffMs(1_000, chance) <= hour)
  }
})
