import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ServerCertificate } from '../../../proxy/certificates/index.ts'
import { Stapler } from '../../../proxy/certificates/ocsp/stapler.ts'
import { readCertificate } from '../../../proxy/certificates/server-certificate.ts'
import { startResponder, type Responder } from '../../support/responder.ts'

async function certificateOf (responder: Responder, name: string): Promise<ServerCertificate> {
  const { cert, key } = responder.issue(name)
  const read = await readCertificate(cert, key)
  assert.ok(typeof read !== 'string')
  return read
}

interface Staplers {
  readonly stapler: Stapler
  readonly outcomes: string[]
  /** Lets that much time pass, and waits until so many questions are answered. */
  readonly pass: (ms: number, answers: number) => Promise<void>
}

function staplerFor (t: TestContext, responder: Responder): Staplers {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const outcomes: string[] = []
  let later = 0
  let heard = (): void => {}
  const stapler = new Stapler({
    ask: async (_url, question) => responder.answerTo(question),
    now: () => Date.now() + later,
    told: (_title, outcome, detail) => {
      outcomes.push(detail === '' ? outcome : `${outcome}: ${detail}`)
      heard()
    },
  })
  t.after(() => stapler.close())
  const pass = async (ms: number, answers: number): Promise<void> => {
    later += ms
    t.mock.timers.tick(ms)
    while (outcomes.length < answers) await new Promise<void>((resolve) => { heard = resolve })
    await new Promise((go) => setImmediate(go))
  }
  return { stapler, outcomes, pass }
}

const minute = 60_000

test('an answer is kept until it ends, asked for anew before that, and gone when it was revoked', async (t) => {
  const responder = await startResponder(t)
  const one = await certificateOf(responder, 'one')
  const { stapler, outcomes, pass } = staplerFor(t, responder)
  stapler.keep([one])
  assert.equal(stapler.statusOf(one.certificate.raw), undefined, 'nothing is waited for')
  await pass(0, 1)
  const first = stapler.statusOf(one.certificate.raw)
  assert.ok(first !== undefined)
  responder.minutes = 120 // Made now, while the clock of the test is later.
  await pass(40 * minute, 2)
  assert.deepEqual(outcomes, ['good', 'good'])
  assert.notDeepEqual(stapler.statusOf(one.certificate.raw), first)
  responder.answer = 'revoked'
  await pass(60 * minute, 3)
  assert.equal(outcomes[2], 'revoked: the authority has revoked it')
  assert.equal(stapler.statusOf(one.certificate.raw), undefined)
})

test('while the responder fails, the last good answer is kept until it ends, and no longer', async (t) => {
  const responder = await startResponder(t)
  const one = await certificateOf(responder, 'one')
  const { stapler, outcomes, pass } = staplerFor(t, responder)
  stapler.keep([one])
  await pass(0, 1)
  responder.signer = 'stranger'
  await pass(40 * minute, 2)
  assert.match(outcomes[1] ?? '', /^failed: its signature/)
  assert.ok(stapler.statusOf(one.certificate.raw) !== undefined)
  await pass(21 * minute, 3)
  assert.equal(stapler.statusOf(one.certificate.raw), undefined)
})

test('certificates that nobody holds any more are forgotten, and their next question is not asked', async (t) => {
  const responder = await startResponder(t)
  const [one, two] = [await certificateOf(responder, 'one'), await certificateOf(responder, 'two')]
  const { stapler, outcomes, pass } = staplerFor(t, responder)
  stapler.keep([one, two, one])
  await pass(0, 2)
  stapler.keep([two])
  assert.equal(stapler.statusOf(one.certificate.raw), undefined)
  assert.ok(stapler.statusOf(two.certificate.raw) !== undefined)
  responder.minutes = 120
  await pass(40 * minute, 3)
  assert.equal(outcomes.length, 3)
})
