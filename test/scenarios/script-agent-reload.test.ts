import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { eventually } from '../support/eventually.ts'
import { startScript, workersOf } from '../support/script-agent.ts'
import type { LogRecord, RunningSentinel } from '../support/sentinel.ts'

const waiting = atATime(2)

const version = (name: string): string => `export function onRequest () { return block(418, { body: '${name}' }) }`

/** Resolves once requests are answered with this. */
async function answers (sentinel: RunningSentinel, text: string): Promise<void> {
  await eventually(`'${text}' is the answer`, async () => (await sentinel.get('/')).text === text)
}

function told (sentinel: RunningSentinel, event: string): LogRecord[] {
  return sentinel.log.filter((record) => record.event === event || record['agent_event'] === event)
}

waiting('a script that cannot be run changes nothing and is told with its place; the next one that can is taken', async (t) => {
  const { sentinel } = await startScript(t, version('one'))
  const file = join(sentinel.folder, 'custom.js')
  const broken: Readonly<Record<string, RegExp>> = {
    'export function onRequest () {\n  return block(\n': /custom\.js:3:1: SyntaxError: it ends before it is complete/,
    'export function onRequest () {}\n\nundefined.x': /custom\.js:3:11: TypeError/,
    '': /has none of the functions/,
    'for (;;);': /is not ready after/,
    'await new Promise(() => {})\nexport function onRequest () {}': /custom\.js: its first run awaits something that never comes/,
    'const again = () => Promise.resolve().then(again)\nagain()\nexport function onRequest () {}': /more than its memory/,
  }
  for (const [text, message] of Object.entries(broken)) {
    writeFileSync(file, text)
    const record = (): LogRecord | undefined => told(sentinel, 'script-refused').find(({ msg }) => message.test(msg!))
    await eventually(`told: ${message}`, () => record() !== undefined)
    assert.equal(record()!.level, 50)
    assert.equal((await sentinel.get('/')).text, 'one')
  }
  const isTold = (message: RegExp): boolean => told(sentinel, 'script-refused').some(({ msg }) => message.test(msg!))
  rmSync(file)
  await eventually('told that it is gone', () => isTold(/the one before stays in use: .*there is no such file/))
  execFileSync('mkfifo', [file])
  await eventually('told that it is a pipe', () => isTold(/it is not a file/))
  assert.equal((await sentinel.get('/')).text, 'one')
  rmSync(file)
  writeFileSync(file, version('two'))
  await answers(sentinel, 'two')
})

waiting('a script that is edited answers the next requests: written in place, replaced, behind another link', async (t) => {
  const { sentinel } = await startScript(t, version('one'))
  const file = join(sentinel.folder, 'custom.js')
  const agent = sentinel.agentPids()['custom']
  assert.equal((await sentinel.get('/')).text, 'one')
  writeFileSync(file, version('two'))
  await answers(sentinel, 'two')
  writeFileSync(`${file}.new`, version('three'))
  renameSync(`${file}.new`, file)
  await answers(sentinel, 'three')
  writeFileSync(join(sentinel.folder, 'elsewhere.js'), version('four'))
  rmSync(file)
  symlinkSync('elsewhere.js', file)
  await answers(sentinel, 'four')
  assert.equal(sentinel.agentPids()['custom'], agent)
  await eventually('each is told of', () => told(sentinel, 'script-loaded').length === 3)
})

test('a change that is taken back before it is in use stays taken back', async (t) => {
  const { sentinel } = await startScript(t, version('one'), { config: 'workers 1' })
  const file = join(sentinel.folder, 'custom.js')
  writeFileSync(file, `console.log('begins'); for (const until = Date.now() + 4000; Date.now() < until;);\n${version('two')}`)
  await sentinel.logged(({ msg }) => msg === 'begins')
  writeFileSync(file, version('one'))
  await eventually('what the change has begun is given up', () => workersOf(sentinel.agentPids()['custom']!).length === 1)
  assert.equal((await sentinel.get('/')).text, 'one')
  assert.deepEqual(told(sentinel, 'script-loaded'), [])
})

test('a script that makes the compiler of its types fall over changes nothing, and the agent takes the next one', async (t) => {
  const { sentinel } = await startScript(t, version('one'), { ending: 'ts' })
  const file = join(sentinel.folder, 'custom.ts')
  const agent = sentinel.agentPids()['custom']
  writeFileSync(file, `const deep = ${'('.repeat(200_000)}1${')'.repeat(200_000)}`)
  await eventually('it is told', () => told(sentinel, 'script-refused').some(({ msg }) => /custom\.ts: .*call stack/.test(msg!)))
  assert.equal((await sentinel.get('/')).text, 'one')
  writeFileSync(file, version('two').replace('onRequest ()', 'onRequest (): unknown'))
  await answers(sentinel, 'two')
  assert.equal(sentinel.agentPids()['custom'], agent)
})

test('of an older version whose call never ends no worker is left', { skip: process.platform !== 'linux' }, async (t) => {
  const { sentinel } = await startScript(t, `export function onRequest (request) {\n  if (request.path === '/loop') for (;;);\n  return block(418, { body: 'one' }) }`, { config: 'workers 2; timeout "4s"' })
  const loop = sentinel.get('/loop')
  const isInItsLoop = (pid: number): boolean => / R /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  await eventually('a worker is in its loop', () => workersOf(sentinel.agentPids()['custom']!).some(isInItsLoop))
  assert.equal((await sentinel.get('/')).text, 'one')
  writeFileSync(join(sentinel.folder, 'custom.js'), version('two'))
  await answers(sentinel, 'two')
  assert.equal((await loop).status, 503)
  await eventually('the workers are those of the new version', () => workersOf(sentinel.agentPids()['custom']!).length === 2)
})

waiting('a first script that cannot be run keeps its routes closed until the file holds one that can', async (t) => {
  const { sentinel } = await startScript(t, 'export function onRequest () {')
  assert.equal((await sentinel.get('/')).status, 503)
  writeFileSync(join(sentinel.folder, 'custom.js'), 'neither')
  assert.equal((await sentinel.get('/')).status, 503)
  writeFileSync(join(sentinel.folder, 'custom.js'), version('one'))
  await answers(sentinel, 'one')
})

test('under load not one call fails or is lost while the script changes, and what was begun ends with the old one', async (t) => {
  const script = (name: string): string => `
export async function onRequest (request) {
  if (request.path === '/slow') {
    console.log('begun')
    await new Promise((go) => setTimeout(go, 1500))
  }
  return block(418, { body: '${name}' })
}`
  const { sentinel } = await startScript(t, script('v0'), { config: 'timeout "20s"; workers 2' })
  const file = join(sentinel.folder, 'custom.js')
  const slow = sentinel.get('/slow')
  await sentinel.logged(({ msg }) => msg === 'begun')
  const seen = new Map<string, number>()
  const wrong: string[] = []
  let over = false
  const clients = Array.from({ length: 8 }, async () => {
    while (!over) {
      const { status, text } = await sentinel.get('/')
      seen.set(text, (seen.get(text) ?? 0) + 1)
      if (status !== 418 || !/^v\d$/.test(text)) wrong.push(`${status} ${text}`)
    }
  })
  for (let i = 1; i <= 4; i++) {
    writeFileSync(file, script(`v${i}`))
    await eventually(`version ${i} answers`, () => seen.has(`v${i}`))
  }
  over = true
  await Promise.all(clients)
  assert.deepEqual(wrong, [])
  assert.deepEqual([...seen.keys()].toSorted(), ['v0', 'v1', 'v2', 'v3', 'v4'])
  const { status, text } = await slow
  assert.equal(status, 418)
  assert.equal(text, 'v0', 'what was begun with the old version ended with it')
})

waiting('a reload takes the new script and settings, and is refused with the place when the script cannot be run', async (t) => {
  const { sentinel, kdl } = await startScript(t, 'export function onRequest () { return block(418, { body: config.name }) }', { config: 'settings { name "one" }' })
  assert.equal((await sentinel.get('/')).text, 'one')
  const renamed = kdl.replace('name "one"', 'name "two"')
  assert.equal((await sentinel.reload(renamed)).event, 'reloaded')
  assert.equal((await sentinel.get('/')).text, 'two')

  writeFileSync(join(sentinel.folder, 'custom.js'), 'export function onRequest () { return block(418, { body: "new " + config.name }) }')
  assert.equal((await sentinel.reload(renamed)).event, 'reloaded')
  assert.equal((await sentinel.get('/')).text, 'new two', 'the new script is in use once the reload is told')

  writeFileSync(join(sentinel.folder, 'other.js'), 'export function onRequest () {\n  return }}')
  const refused = await sentinel.reload(renamed.replace('"custom.js"', '"other.js"'))
  assert.equal(refused.event, 'reload-failed')
  assert.match(refused.msg!, /sentinel\.kdl:5:44: agent 'custom' refuses its configuration \(script\): .*other\.js:2:11: SyntaxError/)
  assert.equal((await sentinel.get('/')).text, 'new two')

  writeFileSync(join(sentinel.folder, 'other.js'), version('other'))
  assert.equal((await sentinel.reload(renamed.replace('"custom.js"', '"other.js"'))).event, 'reloaded')
  assert.equal((await sentinel.get('/')).text, 'other')
  writeFileSync(join(sentinel.folder, 'other.js'), version('other again'))
  await answers(sentinel, 'other again')
})

waiting('another set of functions is in effect with the new script: bodies and answers are asked for from then on', async (t) => {
  const { sentinel } = await startScript(t, 'export const onRequest = () => allow()')
  assert.equal((await sentinel.request('/', { method: 'POST', body: 'evil' })).status, 200)
  writeFileSync(join(sentinel.folder, 'custom.js'), `
export const onRequestBody = (body) => body.text() === 'evil' ? block(422) : undefined
export const onResponse = (response) => { response.headers['x-seen'] = 'yes' }`)
  await eventually('the body is looked at', async () => (await sentinel.request('/', { method: 'POST', body: 'evil' })).status === 422)
  assert.equal((await sentinel.request('/', { method: 'POST', body: 'good' })).headers['x-seen'], 'yes')
})
