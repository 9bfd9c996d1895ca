import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Numbered } from '../../../proto/numbered.ts'
import { fromDist } from '../../support/paths.ts'
import { randomFrom } from '../../support/chance.ts'

test('holds what a Map would hold, whatever comes and goes', () => {
  const random = randomFrom(7)
  const table = new Numbered<{ readonly number: number }>()
  const model = new Map<number, { readonly number: number }>()
  const kinds = [() => random(50), () => random(5_000), () => 2 ** 32 * random(50), () => 2 ** 53 - 1 - random(50)]
  const someNumber = (): number => kinds[random(kinds.length)]!()
  for (let step = 0; step < 200_000; step++) {
    const number = someNumber()
    // It grows to some thousands, and shrinks again to nothing.
    if (random(100) < (step % 50_000 < 25_000 ? 60 : 5)) {
      const value = { number }
      table.set(number, value)
      model.set(number, value)
    } else {
      assert.equal(table.delete(number), model.delete(number))
    }
    const other = someNumber()
    assert.equal(table.get(other), model.get(other))
    assert.equal(table.has(other), model.has(other))
    assert.equal(table.size, model.size)
    if (step % 10_000 === 0) assert.deepEqual(table.values(), [...model.values()].sort((a, b) => a.number - b.number))
  }
  table.clear()
  assert.equal(table.size, 0)
  assert.deepEqual(table.values(), [])
})

test('entries may go while they are walked through', () => {
  const table = new Numbered<{ readonly number: number }>()
  for (let number = 0; number < 100; number++) table.set(number, { number })
  const seen: number[] = []
  for (const { number } of table.values()) {
    seen.push(number)
    table.delete(number)
  }
  assert.equal(seen.length, 100)
  assert.equal(table.size, 0)
})

/** In a process of its own: bytes that grow old while entries of 200 bytes come and go, after a full collection. Prints how many of a hundred did. */
const churn = `
  import { PerformanceObserver } from 'node:perf_hooks'
  import { getHeapSpaceStatistics } from 'node:v8'
  const { Numbered } = await import(process.argv[1])
  const table = process.argv[2] === 'map' ? new Map() : new Numbered()
  const entryBytes = 200
  let number = 0
  const turn = () => {
    for (let i = 0; i < 20; i++) table.set(++number, { number, rest: new Array(20).fill(i) })
    while (table.size > 64) table.delete(number - table.size + 1)
  }
  const old = () => getHeapSpaceStatistics().find((space) => space.space_name === 'old_space').space_used_size
  for (let i = 0; i < 1000; i++) turn()
  gc()
  const before = old()
  for (let i = 0; i < 5_000; i++) {
    turn()
    if (i % 100 === 0) await new Promise(setImmediate)
  }
  console.log(Math.round((old() - before) / (5_000 * 20 * entryBytes) * 100))
`

test('what came and went does not grow old with the table, as it does with that of a Map', async () => {
  const agedOf = async (kind: 'map' | 'numbered'): Promise<number> => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--expose-gc', '--no-allocation-site-pretenuring', '--semi-space-growth-factor=1',
      '--input-type=module', '-e', churn, fromDist('proto', 'numbered.js'), kind,
    ])
    return Number(stdout)
  }
  assert.ok(await agedOf('numbered') <= 1)
  // If this ever fails, V8 has changed, and a Map will do.
  assert.ok(await agedOf('map') >= 5)
})
