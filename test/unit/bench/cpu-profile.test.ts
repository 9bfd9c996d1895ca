import assert from 'node:assert/strict'
import { test } from 'node:test'
import { functionTimes, type CpuProfile } from '../../bench/profile/cpu-profile.ts'
import { kindTimes } from '../../bench/profile/kinds.ts'
import { profileText } from '../../bench/profile/print.ts'

const frame = (functionName: string, url = '', lineNumber = -1): CpuProfile['nodes'][number]['callFrame'] => ({ functionName, url, lineNumber })
const serve = frame('serve', 'file:///anywhere/dist/proxy/pipeline/serve.js', 8)

/** serve calls itself once, and write; every sample stands for 100 µs, and the first comes 100 µs after the start. */
const profile: CpuProfile = {
  startTime: 0,
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 5] },
    { id: 2, callFrame: serve, children: [3] },
    { id: 3, callFrame: serve, children: [4] },
    { id: 4, callFrame: frame('write') },
    { id: 5, callFrame: frame('(idle)') },
  ],
  samples: [2, 3, 4, 4, 5, 5],
  timeDeltas: [100, 100, 100, 100, 100, 100],
}

test('a function has its own time and that of what it called, a recursion counted once', () => {
  const times = functionTimes(profile)
  assert.deepEqual(times.find(({ name }) => name === 'serve'), { name: 'serve', where: 'proxy/pipeline/serve.js:9', selfUs: 200, totalUs: 400 })
  assert.deepEqual(times.find(({ name }) => name === 'write'), { name: 'write', where: '', selfUs: 200, totalUs: 200 })
})

test('only what was sampled between two moments counts', () => {
  const times = functionTimes(profile, 300, 450)
  assert.deepEqual(times.map(({ name, selfUs }) => [name, selfUs]).slice(0, 1), [['write', 200]])
  assert.equal(times.find(({ name }) => name === 'serve')?.selfUs, 0)
})

test('waiting is no work, and the rest is shared out among functions and files', () => {
  const text = profileText({ times: functionTimes(profile), count: 10, cpuUs: 44 }, 'request')
  assert.match(text, /^40\.0 µs of work per request over 10 requests$/m)
  assert.match(text, /^ 50\.0 % +20\.00 +40\.00 +serve {2}proxy\/pipeline\/serve\.js:9$/m)
  assert.match(text, /^ 50\.0 % +20\.00 +proxy\/pipeline\/serve\.js$/m)
  assert.doesNotMatch(text, /idle/)
})

test('work is of few kinds, and the kernel takes what a write takes', () => {
  const kernel = functionTimes({ ...profile, nodes: profile.nodes.map((node) => node.id === 4 ? { ...node, callFrame: frame('writeLatin1String') } : node) })
  assert.deepEqual(kindTimes(kernel, 10), [
    { kind: 'proxy/pipeline', us: 20, share: 0.5 },
    { kind: 'writing to sockets (the kernel)', us: 20, share: 0.5 },
  ])
})
