import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { keepalive, type Pulse } from '../../../proxy/decisions/keepalive.ts'

const bounds = { pingIntervalMs: 20, pingTimeoutMs: 100 }

interface Patient {
  leaving: boolean
  answersCalls: boolean
  answersPings: boolean
  calls: number
  pings: number
  readonly told: string[]
}

function watch (t: TestContext, given: Partial<Patient>): Patient {
  const patient: Patient = { leaving: false, answersCalls: true, answersPings: true, calls: 0, pings: 0, told: [], ...given }
  const pulse: Pulse = {
    leaving: () => patient.leaving,
    async probe () {
      patient.calls++
      while (!patient.answersCalls) await sleep(5, undefined, { ref: false })
      heard()
      return true
    },
    ping () {
      patient.pings++
      if (patient.answersPings) setImmediate(heard)
    },
  }
  const { heard, stop } = keepalive(pulse, bounds, {
    onStalled: () => patient.told.push('stalled'), onRevived: () => patient.told.push('revived'), onDead: () => patient.told.push('dead'),
  })
  t.after(stop)
  return patient
}

async function until (holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5)
}

test('an agent that answers calls is asked by calls alone, again and again', async (t) => {
  const patient = watch(t, {})
  await until(() => patient.calls > 10)
  assert.deepEqual([patient.pings, patient.told], [0, []])
})

test('an agent that answers PINGs and no calls lives, and gets no more of them than gRPC servers bear', async (t) => {
  const patient = watch(t, { answersCalls: false })
  await until(() => patient.pings === 2)
  await sleep(600)
  assert.deepEqual([patient.calls, patient.pings, patient.told], [1, 2, []])
  patient.answersCalls = true
  await until(() => patient.calls > 2)
  patient.answersCalls = false
  await until(() => patient.pings > 2)
  assert.deepEqual(patient.told, [])
})

test('an agent that answers nothing is stalled, alive again with whatever comes, and given up in the end', async (t) => {
  const patient = watch(t, { answersCalls: false, answersPings: false })
  await until(() => patient.told.length > 0)
  patient.answersCalls = true
  await until(() => patient.told.length > 1)
  patient.answersCalls = false
  await until(() => patient.told.includes('dead'))
  assert.deepEqual(patient.told.slice(0, 4), ['stalled', 'revived', 'stalled', 'dead'])
})

test('an agent that takes no further calls is asked twice at the most, and not given up for that', async (t) => {
  const patient = watch(t, { leaving: true })
  await sleep(800)
  assert.deepEqual([patient.calls, patient.pings, patient.told], [0, 2, []])
})
