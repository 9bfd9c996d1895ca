// Whatever a script does costs the call that did it, and nothing else: not the agent, not a call on another worker, not one that waits.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { test } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { eventually } from '../support/eventually.ts'
import { startScript, workersOf, type RunningScript } from '../support/script-agent.ts'
import { waiting } from '../support/cached.ts'

const together = atATime(3)

const bombs: Readonly<Record<string, readonly [code: string, faults: RegExp]>> = {
  'endless-loop': ['for (;;);', /^script_timeout: /],
  'endless-expression': ['return /^(a+)+$/.test("a".repeat(60) + "b")', /^script_timeout: /],
  'endless-native-call': ['const list = []; list.length = 4294967295; for (;;) list.includes(1)', /^script_timeout: /],
  'endless-wait': ['return new Promise(() => {})', /^script_timeout: /],
  'endless-microtasks': ['const again = () => Promise.resolve().then(again); return again()', /^script_(timeout|memory): /],
  'endless-microtasks-after-the-answer': ['const again = () => Promise.resolve().then(again); again(); return allow()', /^script_(timeout|memory): /],
  'endless-timers': ['const again = () => setTimeout(again, 0); again(); return new Promise(() => {})', /^script_timeout: /],
  'endless-timer': ['return new Promise((go) => { setTimeout(go, Infinity); setTimeout(go, 1e12) })', /^script_timeout: /],
  'endless-getter': ['return { get decision () { for (;;); } }', /^script_timeout: /],
  'endless-thenable': ['return { then () { for (;;); } }', /^script_timeout: /],
  'endless-recursion': ['const deeper = () => deeper() + 1; return deeper()', /^script_error: .*RangeError/],
  'heap-of-objects': ['const all = []; for (;;) all.push({ x: 1, y: [1, 2, 3] })', /^script_(memory|timeout|crashed): /],
  'heap-of-lists': ['const all = []; for (;;) all.push(new Array(5e6).fill(1.1))', /^script_(memory|timeout|crashed): /],
  'heap-of-one-list': ['return new Array(1e8).fill(0).length', /^script_(memory|timeout|crashed): /],
  'heap-of-map': ['const all = new Map(); for (let i = 0; ; i++) all.set(i, i)', /^script_(memory|timeout|crashed|error): /],
  'heap-of-texts': ['const all = []; for (;;) all.push((all.length + "abcdefgh").repeat(1 << 20).split("a").join("b"))', /^script_(memory|timeout|crashed): /],
  'heap-doubled': ['let all = [1.5, 2]; for (;;) all = all.concat(all)', /^script_(memory|timeout|crashed|error): /],
  'buffers': ['const all = []; for (;;) all.push(new Uint8Array(1 << 24).fill(1))', /^script_(error: .*RangeError: Array buffer allocation failed|memory: |timeout: |crashed: )/],
  'buffers-kept-at': ['const all = []; for (;;) { try { all.push(new Uint8Array(1 << 24).fill(1)) } catch {} }', /^script_(timeout|memory|crashed): /],
  'one-large-buffer': ['return new ArrayBuffer(8 * 1024 ** 3).byteLength', /^script_error: .*RangeError/],
  'header-edits': ['for (let i = 0; i < 20000; i++) request.headers.set("x-" + i, "y")', /^(bad_answer|script_(error|timeout)): /],
  'header-edits-in-a-decision': ['return { decision: "allow", requestHeaders: { "x-a": new Array(20000).fill("b") } }', /^bad_answer: .*20000 changes of header fields, at most 128/],
  'decision-of-many-values': ['return { decision: "flag", tags: new Array(5e5).fill("b") }', /^script_(error: .*without its body is longer than 512 KiB|timeout)/],
  'error-without-end': ['const { slice } = String.prototype; String.prototype.slice = String.prototype.toString; setTimeout(() => {}, 1); try { throw new Error("y".repeat(5e6)) } finally { Promise.resolve().then(() => { String.prototype.slice = slice }) }', /^script_error: .*too long to be told/],
  'asks-without-end': ['Object.defineProperty(Map.prototype, "size", { get: () => 0 }); for (;;) readFile("/nothing").catch(() => {})', /^script_(memory|timeout): /],
  'asks-with-much': ['return Promise.all(Array.from({ length: 60 }, () => fetch("http://127.0.0.1:1/", { body: "x".repeat(9e6) })))', /^script_(memory|timeout|error): /],
  'unreadable-error': ['JSON.stringify = () => "null"; throw new Error("x")', /^script_crashed: /],
  'unreadable-answer': ['const { stringify } = JSON; let left = 2; JSON.stringify = (...all) => --left > 0 ? "{}" : (JSON.stringify = stringify, "null"); return block(403)', /^bad_answer: .*cannot be read/],
  'unreadable-question': ['const { stringify } = JSON; JSON.stringify = () => "null"; readFile("/nothing").catch(() => {}); JSON.stringify = stringify; return new Promise(() => {})', /^script_crashed: .*cannot be understood/],
  'throws': ['throw new Error("told")', /^script_error: .*: Error: told$/],
  'throws-nothing': ['throw undefined', /^script_error: .*undefined/],
  'rejects': ['return Promise.reject(new TypeError("later"))', /^script_error: .*: TypeError: later$/],
  'rejects-unheard': ['Promise.reject(new TypeError("nobody listens")); return allow()', /^script_error: .*: TypeError: nobody listens$/],
  'throws-in-a-timer': ['setTimeout(() => { throw new Error("in a timer") }, 1); return new Promise(() => {})', /^script_error: .*: Error: in a timer$/],
  'exits': ['process.exit(1)', /^script_error: .*ReferenceError: process is not defined/],
  'answer-much-too-large': ['return block(403, { body: "x".repeat(2 ** 29 - 24) })', /^script_error: .*RangeError: a body is longer than 60 MiB/],
  'answer-too-large': ['return block(403, { body: "x".repeat(30 * 1024 * 1024) })', /^script_(memory|timeout|crashed|error): |^bad_answer: .*an answer of \d+ bytes/],
}

const script = `
const bombs = { ${Object.entries(bombs).map(([name, [code]]) => `${JSON.stringify(name)}: (request) => { ${code} }`).join(',\n')} }
export function onRequest (request) {
  if (request.path === '/fine') return block(418)
  const bomb = bombs[request.path.slice(1)]
  return bomb === undefined ? undefined : bomb(request)
}`

function residentMiB (pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}

test('loops, waits, memory, errors: each costs its own call, and the next is answered', async (t) => {
  const { sentinel } = await startScript(t, script, { config: 'timeout "1500ms"; memory "32MiB"; workers 2' })
  const agent = sentinel.agentPids()['custom']!
  for (const [name, [, fault]] of Object.entries(bombs)) {
    await t.test(name, async () => {
      const answer = await sentinel.get(`/${name}`)
      assert.equal(answer.status, 503, name)
      const { detail } = await sentinel.accessed(({ path }) => path === `/${name}`)
      assert.match(String(detail ?? '.'), fault)
      assert.equal((await sentinel.get('/fine')).status, 418, `after ${name}`)
    })
  }
  assert.equal(sentinel.agentPids()['custom'], agent, 'it is the same process as at the beginning')
  assert.ok(residentMiB(agent) < 400, `the agent has ${residentMiB(agent)} MiB`)
  await eventually('two workers are there again', () => workersOf(agent).length === 2)
})

test('memory outside of the heap is held to the limit while it grows, not when it is too late', { skip: process.platform !== 'linux' }, async (t) => {
  const { sentinel } = await startScript(t, script, { config: 'timeout "2s"; memory "32MiB"; workers 1' })
  const agent = sentinel.agentPids()['custom']!
  let most = 0
  const look = setInterval(() => {
    for (const pid of workersOf(agent)) {
      try {
        most = Math.max(most, residentMiB(pid))
      } catch {
        // It is gone.
      }
    }
  }, 20)
  await sentinel.get('/buffers-kept-at')
  clearInterval(look)
  assert.ok(most > 50, `the worker was seen: ${most}`)
  assert.ok(most < 350, `a worker had ${most} MiB`)
})

test('a worker that keeps buffers is replaced before the next calls fail for want of memory', { skip: process.platform !== 'linux' }, async (t) => {
  const { sentinel } = await startScript(t, `
const kept = []
export function onRequest () { kept.push(new Uint8Array(2 << 20).fill(1)); return block(418, { body: String(kept.length) }) }`, { config: 'memory "32MiB"; workers 1; timeout "10s"' })
  const counts: number[] = []
  for (let i = 0; i < 400; i++) {
    const answer = await sentinel.get(`/${i}`)
    if (answer.status !== 418) await sentinel.accessed(({ path }) => path === `/${i}`)
    assert.equal(answer.status, 418, `call ${i}: ${JSON.stringify(sentinel.access.at(-1))}`)
    counts.push(Number(answer.text))
  }
  assert.ok(counts.filter((count) => count === 1).length >= 2, `it began anew: ${Math.max(...counts)} at the most`)
  await sentinel.logged(({ level, msg }) => level === 40 && msg?.startsWith('script_memory: a worker kept more than its memory') === true)
})

together('calls on other workers go on, and what waits is put on another worker', async (t) => {
  const { sentinel } = await startScript(t, `
export function onRequest (request) {
  if (request.path === '/loop') for (;;);
  if (request.path === '/slow') return new Promise((done) => setTimeout(() => done(block(418)), 300))
  return block(418)
}`, { config: 'timeout "3s"; workers 2' })
  const loop = sentinel.get('/loop')
  const others = await Promise.all(Array.from({ length: 6 }, (_, i) => sentinel.get(i % 2 === 0 ? '/slow' : '/fine')))
  assert.deepEqual(others.map(({ status }) => status), Array.from({ length: 6 }, () => 418))
  assert.equal((await loop).status, 503)
  // Both workers are taken, so these wait until a new one is there.
  const taken = [sentinel.get('/loop'), sentinel.get('/loop')]
  const queued = Array.from({ length: 4 }, () => sentinel.get('/fine'))
  assert.deepEqual((await Promise.all(taken)).map(({ status }) => status), [503, 503])
  assert.deepEqual((await Promise.all(queued)).map(({ status }) => status), [418, 418, 418, 418])
})

together('what does not fit into the queue is refused at once, and says which settings it is about', async (t) => {
  const { sentinel } = await startScript(t, 'export const onRequest = () => new Promise((done) => setTimeout(() => done(block(418)), 3000))', { config: 'workers 1; queue 1; timeout "10s"' })
  const answers = await Promise.all(Array.from({ length: 6 }, () => sentinel.get('/')))
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [418, 418, 503, 503, 503, 503])
  const { detail } = await sentinel.accessed(({ status }) => status === 503)
  assert.equal(detail, 'script_busy: its worker is busy, and 1 calls wait already: see \'workers\' and \'queue\' of its config')
})

together('a call that waits for longer than the proxy does is given up', async (t) => {
  const { sentinel, upstream } = await startScript(t, `
let calls = 0
export function onRequest (request) {
  calls++
  if (request.path === '/count') return block(418, { body: String(calls) })
  return new Promise((done) => setTimeout(() => done(), 1500))
}`, { config: 'workers 1; timeout "10s"', settings: 'event-timeouts { request-headers "2s" }' })
  const answers = await Promise.all(Array.from({ length: 4 }, () => sentinel.get('/')))
  assert.ok(answers.some(({ status }) => status !== 200))
  await eventually('the worker is free', async () => (await sentinel.get('/count')).status === 418)
  assert.ok(Number((await sentinel.get('/count')).text) < 4 + 10, 'those that nobody awaited were not begun')
  assert.ok(upstream.requests.length < 4)
})

together('what waits for a client that is gone is not begun', async (t) => {
  const { sentinel } = await startScript(t, `
let calls = 0
export async function onRequest (request) {
  if (request.path === '/count') return block(418, { body: String(calls) })
  calls++
  console.log('begun')
  await new Promise((go) => setTimeout(go, 8000))
  return block(418)
}`, { config: 'workers 1; timeout "20s"' })
  const begun = sentinel.get('/')
  await sentinel.logged(({ msg }) => msg === 'begun')
  const gone = Array.from({ length: 3 }, () => httpRequest({ host: '127.0.0.1', port: sentinel.port() }).on('error', () => {}).end())
  await waiting(sentinel, 4)
  for (const client of gone) client.destroy()
  await eventually('all are gone', () => sentinel.access.filter(({ fault }) => fault === 'CLIENT_GONE').length === 3)
  const [first, count] = await Promise.all([begun, sentinel.get('/count')])
  assert.equal(first.status, 418)
  assert.equal(count.text, '1')
})

together('an agent that has no descriptors left for a worker goes on, and starts one when there are some', { skip: !existsSync('/usr/bin/prlimit') }, async (t) => {
  const { sentinel } = await startScript(t, script, { config: 'timeout "500ms"; workers 1' })
  const agent = sentinel.agentPids()['custom']!
  const limitTo = (descriptors: number): void => { execFileSync('/usr/bin/prlimit', ['--pid', String(agent), `--nofile=${descriptors}:`]) }
  limitTo(3)
  assert.equal((await sentinel.get('/endless-loop')).status, 503)
  await sentinel.logged(({ msg }) => msg?.includes('a worker does not start: a worker cannot be started') === true)
  limitTo(1000)
  await eventually('a worker answers', async () => (await sentinel.get('/fine')).status === 418)
  assert.equal(sentinel.agentPids()['custom'], agent)
})

test('the workers end with the agent, one in an endless loop as well, however the agent ends', { skip: process.platform !== 'linux' }, async (t) => {
  const { sentinel }: RunningScript = await startScript(t, 'export const onRequest = () => { for (;;); }', { config: 'workers 2; timeout "60s"', settings: 'restart { policy "never" }' })
  const agent = sentinel.agentPids()['custom']!
  await eventually('both workers are there', () => workersOf(agent).length === 2)
  const workers = workersOf(agent)
  const asked = sentinel.get('/')
  await eventually('one of them is in its loop', () => workers.some((pid) => / R /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))))
  process.kill(agent, 'SIGKILL')
  assert.equal((await asked).status, 503)
  const isGone = (pid: number): boolean => {
    try {
      return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    } catch {
      return true
    }
  }
  await eventually('both are gone', () => workers.every(isGone))
})
