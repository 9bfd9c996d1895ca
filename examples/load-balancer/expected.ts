import assert from 'node:assert/strict'
import type { Applications, Expectation, Feature, Running } from '../expectation.ts'

export const applications: Applications = { 'app-1': 9001, 'app-2': 9002, 'app-3': 9003 }

export const expected: readonly Expectation[] = [
  { path: '/', status: 200 },
]

async function answering ({ get }: Running, count: number): Promise<ReadonlySet<string>> {
  const answers = await Promise.all(Array.from({ length: count }, (_, i) => get(`/${i}`)))
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
  return new Set(answers.map(({ headers }) => String(headers['x-application'])))
}

export const features: readonly Feature[] = [
  {
    promise: 'three servers share the work',
    async holds (running) {
      assert.deepEqual([...await answering(running, 30)].toSorted(), ['app-1', 'app-2', 'app-3'])
    },
  },
  {
    promise: 'no request fails when one of them dies, not even among those under way',
    async holds (running) {
      const underWay = answering(running, 60)
      await running.kill('app-2')
      await underWay
      assert.deepEqual([...await answering(running, 30)].toSorted(), ['app-1', 'app-3'])
    },
  },
]
