import assert from 'node:assert/strict'
import test from 'node:test'
import { block, defineAgent } from '../../../sdk/index.ts'
import { fakeClock, testAgent } from '../../../sdk/testing/index.ts'

test('time stands still until the test moves it, and a handler sees that', async () => {
  const clock = fakeClock()
  const seen: number[] = []
  const agent = await testAgent(defineAgent({
    name: 'slow',
    async onRequest (_request, context) {
      seen.push(context.deadlineMs)
      await new Promise((resolve) => { context.signal.addEventListener('abort', resolve, { once: true }) })
      seen.push(context.deadlineMs)
    },
  }), { clock })
  const exchange = agent.start('GET', '/', { timeoutMs: 1_000 })
  const gaveUp = assert.rejects(exchange.verdict, { message: 'GET /: no answer to request_headers within 1000 ms' })
  await clock.advance(999)
  assert.deepEqual(seen, [1_000], 'nothing has happened yet')
  await clock.advance(1)
  await gaveUp
  assert.deepEqual(seen, [1_000, 0], 'the handler was told at the very millisecond')
})

test('more time moves the deadline once, as far as the operator allows', async () => {
  const clock = fakeClock()
  let left = 0
  const agent = await testAgent(defineAgent({
    name: 'asks-for-more',
    async onRequest (_request, context) {
      context.moreTime(10_000)
      context.moreTime(60_000)
      left = context.deadlineMs
      await new Promise((resolve) => { context.signal.addEventListener('abort', resolve, { once: true }) })
    },
  }), { clock })
  const patient = agent.start('GET', '/', { timeoutMs: 1_000 })
  const first = assert.rejects(patient.verdict, /within 10000 ms/)
  await clock.advance('9s')
  assert.equal(left, 10_000)
  await clock.advance('1s')
  await first
  const capped = agent.start('GET', '/', { timeoutMs: 1_000, maxTimeoutMs: 3_000 })
  const second = assert.rejects(capped.verdict, /within 3000 ms/)
  await clock.advance('3s')
  await second
})

test('an answer in time counts, however late', async () => {
  const clock = fakeClock()
  const agent = await testAgent(defineAgent({
    name: 'waits',
    async onRequest () {
      await new Promise<void>((resolve) => { clock.after(4_999, resolve) })
      return block(429)
    },
  }), { clock })
  const exchange = agent.start('GET', '/', { timeoutMs: 5_000 })
  await clock.advance('1m')
  assert.equal((await exchange.verdict).status, 429)
})

test('what is in the store lives by the same clock', async () => {
  const clock = fakeClock()
  const agent = await testAgent(defineAgent({
    name: 'counts',
    async onRequest (request, { store }) {
      return await store.increment(request.ip, { ttlMs: 60_000 }) > 2 ? block(429) : undefined
    },
  }), { clock })
  const kinds: string[] = []
  const ask = async (): Promise<void> => { kinds.push((await agent.request('GET', '/')).kind) }
  await ask()
  await ask()
  await ask()
  await clock.advance('59s')
  await ask()
  await clock.advance('1s')
  await ask()
  assert.deepEqual(kinds, ['allow', 'allow', 'block', 'block', 'allow'])
})

test('what is due in one stretch of time happens in its order, each at its time', async () => {
  const clock = fakeClock()
  const told: Array<readonly [string, number]> = []
  clock.after(20, () => { told.push(['second', clock.now()]) })
  clock.after(10, () => {
    told.push(['first', clock.now()])
    clock.after(15, () => { told.push(['third', clock.now()]) })
  })
  clock.after(5, () => { told.push(['stopped', clock.now()]) })()
  await clock.advance(100)
  assert.deepEqual(told, [['first', 10], ['second', 20], ['third', 25]])
  assert.equal(clock.now(), 100)
})

test('what is no time is refused', async () => {
  await assert.rejects(fakeClock().advance('soon'), /"soon" is no time/)
  await assert.rejects(fakeClock().advance(-1), /-1 is no time/)
})
