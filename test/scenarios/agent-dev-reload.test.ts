import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { agentText, received, startDev } from '../support/agent-dev.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'

test('no request is lost or refused while the agent is edited again and again', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1) })
  const dev = await startDev(t, folder)
  let isOver = false
  const seen = new Set<string>()
  const counts = [0, 0, 0]
  const client = async (number: number): Promise<void> => {
    let last = 1
    while (!isOver) {
      const answer = await dev.get('/')
      assert.equal(answer.status, 200, answer.text)
      const version = received(answer.text).headers['x-version']!
      assert.ok(Number(version) >= last, `version ${version} came after ${last}`)
      last = Number(version)
      seen.add(version)
      counts[number]!++
    }
  }
  const clients = Promise.all(counts.map((_, number) => client(number)))
  await eventually('version 1 decides', () => seen.has('1'))
  for (let version = 2; version <= 5; version++) {
    writeFileSync(join(folder, 'agent.ts'), agentText(version))
    await eventually(`version ${version} decides`, () => seen.has(String(version)))
  }
  await eventually('each of them has asked often', () => counts.every((count) => count > 10))
  isOver = true
  await clients
  assert.deepEqual([...seen], ['1', '2', '3', '4', '5'])
})

test('a call that began under the old code ends under it', async (t) => {
  const folder = folderWith(t, {})
  const [begun, go] = [join(folder, 'begun'), join(folder, 'go')]
  writeFileSync(join(folder, 'agent.ts'), agentText(1, `if (request.path === '/slow') (await import('node:fs')).writeFileSync(${JSON.stringify(begun)}, '')
    while (request.path === '/slow' && !existsSync(${JSON.stringify(go)})) await new Promise((resolve) => setTimeout(resolve, 10))`))
  const dev = await startDev(t, folder)
  const slow = dev.get('/slow')
  await eventually('the slow call is with the old code', () => existsSync(begun))
  writeFileSync(join(folder, 'agent.ts'), agentText(2))
  await eventually('the new code decides', async () => received((await dev.get('/')).text).headers['x-version'] === '2')
  assert.equal(await Promise.race([slow.then(() => 'answered'), new Promise((resolve) => { setTimeout(resolve, 200, 'open') })]), 'open')
  writeFileSync(go, '')
  const answer = await slow
  assert.deepEqual([answer.status, received(answer.text).headers['x-version']], [200, '1'])
  // The old process ends with its last call: one serves, one waits for the next edit, and the proxy is the third.
  await eventually('the old process is gone', () => dev.children().length === 3)
})

test('a syntax error is shown with file and line, and the old code keeps running', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1) })
  const dev = await startDev(t, folder)
  writeFileSync(join(folder, 'agent.ts'), agentText(2, 'const broken = = 3'))
  await dev.shows(/agent\.ts:10:20: Expression expected\n[^]*const broken = = 3\n[^]*the code from before keeps running/)
  assert.equal(received((await dev.get('/')).text).headers['x-version'], '1')
  writeFileSync(join(folder, 'agent.ts'), agentText(3))
  await eventually('the repaired code decides', async () => received((await dev.get('/')).text).headers['x-version'] === '3')
})

test('a file that it imports counts like its own, also one that comes only later', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1) })
  const dev = await startDev(t, folder)
  writeFileSync(join(folder, 'agent.ts'), `import { more } from './more.ts'\n${agentText(2, 'request.headers.set("x-more", more)')}`)
  await dev.shows(/agent\.ts: imports (.*\/)?more\.ts, which does not exist\.\n {2}the code from before keeps running/)
  writeFileSync(join(folder, 'more.ts'), 'export const more: string = "a"')
  await eventually('the imported file is there', async () => received((await dev.get('/')).text).headers['x-more'] === 'a')
  writeFileSync(join(folder, 'more.ts'), 'export const more: string = "b"')
  await eventually('its edit counts', async () => received((await dev.get('/')).text).headers['x-more'] === 'b')
  await dev.shows(/^reloaded more\.ts in/m)
})

test('code that refuses the settings does not take over, and says why', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1) })
  const dev = await startDev(t, folder, ['--config', 'greeting=hi'])
  writeFileSync(join(folder, 'agent.ts'), agentText(2).replace('greeting: setting(text, \'hello\'', 'salute: setting(text, \'hello\'').replace('config.greeting', 'config.salute'))
  await dev.shows(/refuses its configuration \(greeting\)[^]*the code from before keeps running/)
  assert.equal(received((await dev.get('/')).text).headers['x-version'], '1')
})


test('an editor that empties the file before it writes it shows no error in between', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1) })
  const dev = await startDev(t, folder)
  for (let [version, edits] = [2, 0]; edits < 3; version++) {
    const from = dev.screen().length
    const emptiedMs = performance.now()
    writeFileSync(join(folder, 'agent.ts'), '')
    await new Promise((resolve) => { setTimeout(resolve, 30) })
    writeFileSync(join(folder, 'agent.ts'), agentText(version))
    const pauseMs = performance.now() - emptiedMs
    await eventually('the edit counts', async () => received((await dev.get('/')).text).headers['x-version'] === String(version))
    // What stays empty for a tenth of a second is told of: an editor that the machine has held up is none.
    if (pauseMs > 60) continue
    edits++
    assert.doesNotMatch(dev.screen().slice(from), /keeps running/)
  }
})
