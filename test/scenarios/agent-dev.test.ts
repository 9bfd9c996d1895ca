import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { agentText, isAlive, received, spawnDev, startDev } from '../support/agent-dev.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'

test('the echo answers with what it received, and the decision is one line on the screen', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1) })
  const dev = await startDev(t, folder, ['--config', 'greeting=good day'])
  const answer = await dev.get('/a/b?c=d', { method: 'PUT', headers: { 'x-own': 'mine' }, body: 'the body' })
  assert.equal(answer.status, 200)
  const { method, path, headers, body } = received(answer.text)
  assert.deepEqual([method, path, body, headers['x-own'], headers['x-version'], headers['x-greeting']], ['PUT', '/a/b?c=d', 'the body', 'mine', '1', 'good day'])
  await dev.shows(/^PUT +\/a\/b\?c=d +allow +→ x-version: 1 · → x-greeting: good day +[\d.]+ms$/m)
})

test('settings of a file are watched as well', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1), 'settings.kdl': 'greeting "one"' })
  const dev = await startDev(t, folder, ['--config-file', 'settings.kdl'])
  assert.equal(received((await dev.get('/')).text).headers['x-greeting'], 'one')
  writeFileSync(join(folder, 'settings.kdl'), 'greeting "two"')
  await eventually('the other setting counts', async () => received((await dev.get('/')).text).headers['x-greeting'] === 'two')
})

test('a handler that throws is shown with its place', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1, 'if (request.path === "/throw") throw new Error("the list is gone")') })
  const dev = await startDev(t, folder)
  assert.equal((await dev.get('/throw')).status, 503)
  await dev.shows(/Error: the list is gone\n +at .*agent\.ts:10:\d+/)
  await dev.shows(/^GET +\/throw +error +agent_error: the list is gone +[\d.]+ms$/m)
})

test('nothing runs before the first file can be loaded; then it serves', async (t) => {
  const folder = folderWith(t, { 'agent.js': 'export const agent = 1\n' })
  const dev = spawnDev(t, folder)
  await dev.shows(/agent\.js exports no agent: it needs "export default defineAgent\(\{ … \}\)" \(it exports agent\)\.\n {2}nothing runs yet/)
  writeFileSync(join(folder, 'agent.js'), 'import { block, defineAgent } from "sentinel/sdk"\nexport default defineAgent({ name: "closed", onRequest: () => block(418) })\n')
  await dev.shows(/closed decides about every request/)
  assert.equal((await dev.get('/')).status, 418)
})

test('an application of one\'s own stands behind it', async (t) => {
  const upstream = await startRecordingUpstream(t, (_request, response) => response.end('the application'))
  const folder = folderWith(t, { 'agent.ts': agentText(1) })
  const dev = await startDev(t, folder, ['--upstream', `http://127.0.0.1:${upstream.port}`])
  assert.equal((await dev.get('/')).text, 'the application')
  assert.equal(upstream.requests[0]?.headers['x-version'], '1')
})

test('an agent that dies is started again', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1, 'if (request.path === "/die") setTimeout(() => { throw new Error("out of the blue") })') })
  const dev = await startDev(t, folder)
  // One that dies as soon as it is there waits for an edit.
  await new Promise((resolve) => { setTimeout(resolve, 2_100) })
  await dev.get('/die')
  await dev.shows(/out of the blue/)
  await dev.shows(/the agent ended \(exit code 1\); it is started again now/)
  await eventually('it decides again', async () => (await dev.get('/')).status === 200)
})

test('where the code from before died, nobody is told that it keeps running', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1, 'if (request.path === "/die") setTimeout(() => { throw new Error("out of the blue") })') })
  const dev = await startDev(t, folder)
  await eventually('it died too soon to be started again', async () => {
    await dev.get('/die')
    return dev.screen().includes('it is started again when a file changes')
  })
  const from = dev.screen().length
  writeFileSync(join(folder, 'agent.ts'), 'export default = 1\n')
  await dev.shows(/Expression expected[^]*nothing runs yet/, from)
  assert.doesNotMatch(dev.screen(), /keeps running/)
})

test('Ctrl-C ends everything: no process, no socket and no folder is left', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1) })
  const dev = await startDev(t, folder)
  await dev.get('/')
  await eventually('all three are there', () => dev.children().length === 3)
  const pids = dev.children()
  assert.equal(readdirSync(dev.temporary).length, 1)
  assert.equal(await dev.stop('SIGINT'), 0)
  await eventually('every process is gone', () => !pids.some(isAlive))
  assert.deepEqual(readdirSync(dev.temporary), [])
  assert.deepEqual(readdirSync(folder), ['agent.ts'])
})

test('when it is killed its processes end by themselves, and the next one tidies up', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1) })
  const dev = await startDev(t, folder)
  await eventually('all three are there', () => dev.children().length === 3)
  const pids = dev.children()
  await dev.stop('SIGKILL')
  await eventually('every process is gone', () => !pids.some(isAlive))
  const [left] = readdirSync(dev.temporary)
  assert.ok(left !== undefined, 'its folder is still there')
  const next = spawnDev(t, folder, [], dev.temporary)
  await next.shows(/every request to http:/)
  assert.ok(!readdirSync(dev.temporary).includes(left))
})

test('what cannot be used is refused before anything starts', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  t.after(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const folder = folderWith(t, { 'agent.ts': agentText(1), 'notes.txt': '' })
  const cases: ReadonlyArray<readonly [args: readonly string[], said: RegExp]> = [
    [['nowhere.ts'], /nowhere\.ts does not exist/],
    [['notes.txt'], /notes\.txt cannot be run as it is: .* ends in \.ts, \.js/],
    [['--upstream', 'somewhere'], /"somewhere" is no address of an application: write http:\/\/HOST:PORT/],
    [['--config', 'greeting'], /"greeting" is no setting: write NAME=VALUE/],
    [['--config-file', 'gone.kdl'], /gone\.kdl does not exist/],
    [['--port', String(port)], new RegExp(`--port: nothing can listen on 127\\.0\\.0\\.1:${port} \\(it is in use\\); 0 takes a free port\\.`)],
    [[`--inspect=${port}`], /--inspect: nothing can listen on/],
    [['--config', 'a=1', '--config', 'a.b=2'], /"a\.b=2": a was given a value, and cannot be a block as well\./],
    [['--inspect=x'], /--inspect takes a number from 0 to 65535, not "x"/],
  ]
  for (const [args, said] of cases) {
    const dev = spawnDev(t, folder, args)
    assert.equal(await dev.stop('SIGCONT'), 2, dev.screen())
    assert.match(dev.screen(), said)
    assert.deepEqual(readdirSync(dev.temporary), [])
  }
})
