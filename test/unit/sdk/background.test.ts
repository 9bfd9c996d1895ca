import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { defineAgent } from 'sentinel/sdk'
import { testAgent } from 'sentinel/sdk/testing'
import { Background } from '../../../sdk/background.ts'
import { Program } from '../../../sdk/program.ts'

const silent = { debug () {}, info () {}, warn () {}, error () {} }

test('work after an answer does not hold the answer, and its failure is a line of the log', async () => {
  let release = (): void => {}
  const agent = await testAgent(defineAgent({
    name: 'test',
    onRequest (_request, { waitUntil }) {
      waitUntil(new Promise<void>((resolve) => { release = resolve }))
      waitUntil(async () => { throw new Error('sink is full') })
      waitUntil(() => { throw new Error('at once') })
    },
  }))
  assert.equal((await agent.request('GET', '/')).kind, 'allow')
  let isSettled = false
  const settled = agent.settled().then(() => { isSettled = true })
  await new Promise(setImmediate)
  assert.equal(isSettled, false)
  release()
  await settled
  assert.deepEqual(agent.log.filter(({ level }) => level === 'error').map(({ level, message, fields }) => [level, message, (fields['error'] as Error).message]).sort(), [
    ['error', 'work after an answer failed', 'at once'], ['error', 'work after an answer failed', 'sink is full'],
  ])
})

test('a drain waits for it', async () => {
  const program = new Program(defineAgent({ name: 'test', onRequest () {} }), silent)
  let release = (): void => {}
  program.background.add(new Promise<void>((resolve) => { release = resolve }))
  let isDrained = false
  const drained = program.drain().then(() => { isDrained = true })
  await new Promise(setImmediate)
  assert.equal(isDrained, false)
  release()
  await drained
})

test('a thousand pieces are the most: a function on top is not begun, and that is said once', () => {
  const warnings: object[] = []
  const background = new Background({ ...silent, warn: (fields) => { if (typeof fields === 'object') warnings.push(fields) } })
  const endless = new Promise(() => {})
  for (let i = 0; i < 1000; i++) assert.equal(background.add(endless), true)
  let begun = 0
  for (let i = 0; i < 5; i++) assert.equal(background.add(() => { begun++ }), false)
  assert.equal(background.add(Promise.reject(new Error('still caught'))), false)
  assert.deepEqual([begun, background.running, warnings], [0, 1000, [{ refused: 1, running: 1000 }]])
})
