import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Desk } from '../../../agents/js/desk.ts'
import { withBody } from '../../../agents/js/frames.ts'
import type { Settings } from '../../../agents/js/settings.ts'
import { memoryStore } from '../../../sdk/store/memory.ts'
import { eventually } from '../../support/eventually.ts'
import { folderWith } from '../../support/folder.ts'
import { workersOf } from '../../support/script-agent.ts'

const version = (name: string): string => `export function onRequest () { return block(418, { body: '${name}' }) }`

/** A desk for a script that holds this, and the lines of its log. */
function deskFor (t: TestContext, script: string) {
  const file = join(folderWith(t, { 'custom.js': script }), 'custom.js')
  const settings: Settings = { script: { file, digest: undefined }, timeout: 20_000, memory: 64 << 20, workers: 1, queue: 10, allow: { read: [], net: [], env: [] }, settings: undefined }
  const lines: string[] = []
  const write = (first: object | string, second?: string): void => { lines.push(second ?? JSON.stringify(first)) }
  let begunAnew = 0
  const desk = new Desk({}, () => { begunAnew++ })
  t.after(() => desk.close())
  return { desk, file, settings, lines, log: { debug: write, info: write, warn: write, error: write }, begunAnew: () => begunAnew }
}

async function answerOf (desk: Desk): Promise<string> {
  const request = { method: 'GET', query: '', headers: [] }
  const { content } = await desk.current.deployment.call(
    { payload: withBody(JSON.stringify({ hook: 'onRequest', request }), Buffer.alloc(0)), store: memoryStore() },
    { deadlineMs: 20_000, signal: new AbortController().signal },
  )
  return content.toString()
}

test('a script that is saved between being read and being in use is not missed', async (t) => {
  const { desk, file, settings, log } = deskFor(t, version('one'))
  const prepared = await desk.prepare(settings)
  writeFileSync(file, version('two'))
  desk.adopt(prepared, log)
  await eventually('the second one answers', async () => await answerOf(desk) === 'two')
})

test('a first script that is put right while it is tried is not missed', async (t) => {
  const { desk, file, settings, begunAnew } = deskFor(t, 'for (const until = Date.now() + 1000; Date.now() < until;);\nnull.x')
  const tried = desk.prepare(settings)
  await eventually('it is being tried', () => workersOf(process.pid).length > 0)
  writeFileSync(file, version('one'))
  await assert.rejects(tried, /custom\.js:2:6: TypeError/)
  await eventually('the program begins anew', () => begunAnew() > 0)
})

test('of many changes in a row one at a time has workers beside those in use', { skip: process.platform !== 'linux' }, async (t) => {
  const { desk, file, settings, lines, log } = deskFor(t, version('one'))
  desk.adopt(await desk.prepare(settings), log)
  const others = workersOf(process.pid).length - 1
  for (let i = 0; i < 6; i++) {
    writeFileSync(file, `console.log('begins ${i}'); for (const until = Date.now() + 10_000; Date.now() < until;);\n${version(String(i))}`)
    await eventually(`version ${i} is being started`, () => lines.includes(`begins ${i}`))
    // One in use, one that starts, and one that was killed and may still be listed.
    const workers = workersOf(process.pid).length - others
    assert.ok(workers <= 3, `${workers} workers`)
    assert.equal(await answerOf(desk), 'one')
  }
  writeFileSync(file, version('last'))
  await eventually('the last one answers', async () => await answerOf(desk) === 'last')
})
