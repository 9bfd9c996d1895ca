import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { Deployment } from '../../../agents/js/deployment.ts'
import { eventually } from '../../support/eventually.ts'
import { workersOf } from '../../support/script-agent.ts'

/** Without what lists them. */
function runners (): number[] {
  return workersOf(process.pid).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('runner')
    } catch {
      return false
    }
  })
}

/** A deployment of one more worker than are started at once, and whether those that were started first ended, when they were ready, before the last was. */
async function withEnded (): Promise<readonly [Deployment, boolean]> {
  let loaded = 0
  const atOnce = availableParallelism()
  const source = 'for (const until = Date.now() + 1000; Date.now() < until;);\nconsole.log("loaded")\nexport const onRequest = () => block(418)'
  const deployment = new Deployment({
    boot: { file: '/custom.js', source, words: '{"config":{},"env":{}}', linesPerSecond: 100 }, timeZone: undefined, timeoutMs: 20_000, memoryBytes: 64 << 20,
    workers: atOnce + 1, queue: 10, onLine: () => { loaded++ }, onAsk: async () => ({}),
  })
  const started = deployment.start().then(() => true, () => false)
  await eventually('the first ones run', () => runners().length === atOnce)
  const first = runners()
  await eventually('they are loaded, and the last one is being started', () => loaded >= atOnce && runners().length > atOnce)
  for (const pid of first) process.kill(pid, 'SIGKILL')
  return [deployment, await started]
}

test('a worker that ends while others are still being started is replaced', { skip: process.platform !== 'linux' }, async (t) => {
  // One that was killed before it was ready refuses the script, as it should.
  for (let attempt = 0; attempt < 5; attempt++) {
    const [deployment, started] = await withEnded()
    t.after(() => deployment.close())
    if (!started) continue
    await eventually('all are there', () => runners().length === availableParallelism() + 1)
    return
  }
  assert.fail('they were never ready in time')
})
