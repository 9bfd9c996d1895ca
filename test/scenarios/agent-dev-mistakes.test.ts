// What a newcomer does wrong in front of `sentinel agent dev`.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { agentText, received, spawnDev, startDev } from '../support/agent-dev.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'

test('an agent that refuses its settings does not serve, and the words are those of who gave them', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1), 'settings.kdl': 'greeting "a"\ncolour "red"\n' })
  const given = spawnDev(t, folder, ['--config', 'greting=hi'])
  await given.shows(/^--config: agent 'edited' refuses its configuration \(greting\): unknown setting 'greting'.* \(did you mean 'greeting'\?\)\n {2}nothing runs yet/m)
  assert.doesNotMatch(given.screen(), /decides about every request|sentinel\.kdl/)
  writeFileSync(join(folder, 'agent.ts'), agentText(1).replace('greeting: setting', "greting: setting(text, 'x', 'Misspelt.'), greeting: setting"))
  await given.shows(/edited decides about every request/)
  assert.equal(received((await given.get('/')).text).headers['x-greeting'], 'hello')
  await given.stop()
  writeFileSync(join(folder, 'agent.ts'), agentText(1))
  const fromFile = spawnDev(t, folder, ['--config-file', 'settings.kdl'])
  await fromFile.shows(/^settings\.kdl:2:8: agent 'edited' refuses its configuration \(colour\)/m)
  writeFileSync(join(folder, 'settings.kdl'), 'greeting "a"')
  await fromFile.shows(/edited decides about every request/)
  const from = fromFile.screen().length
  writeFileSync(join(folder, 'settings.kdl'), '\n\ngreeting 5')
  await fromFile.shows(/^settings\.kdl:3:10: agent 'edited' refuses its configuration \(greeting\)[^]*the code from before keeps running/m, from)
  assert.equal(received((await fromFile.get('/')).text).headers['x-greeting'], 'a')
  assert.doesNotMatch(fromFile.screen(), /the proxy: agent 'edited' refuses/)
  writeFileSync(join(folder, 'settings.kdl'), 'greeting "a" {')
  await fromFile.shows(/a '\}' is missing[^]*the code from before keeps running/, from)
  assert.doesNotMatch(fromFile.screen(), /sentinel\.kdl/)
})

test('settings of one block may be given one by one', async (t) => {
  const folder = folderWith(t, {
    'agent.mjs': `import { block, defineAgent, integer, required, section, text } from 'sentinel/sdk'
export default defineAgent({
  name: 'nested',
  config: { api: section({ key: required(text, 'The key.'), most: required(integer(1, 5), 'How many.') }, 'The API.') },
  onRequest: (request, { config }) => block(418).withBody(JSON.stringify(config)),
})\n`,
  })
  const dev = await startDev(t, folder, ['--config', 'api.key=a', '--config', 'api.most=3'])
  assert.equal((await dev.get('/')).text, '{"api":{"key":"a","most":3}}')
})

test('an agent in CommonJS is told the places of its mistakes, too', async (t) => {
  const text = (line: string, more = ''): string =>
    `const { defineAgent } = require('sentinel/sdk')\nmodule.exports = defineAgent({ name: 'common', onRequest (request) {\n${line}\n} })\n${more}`
  const folder = folderWith(t, { 'agent.cjs': text('') })
  const dev = await startDev(t, folder)
  await dev.shows(/^ {2}watched: agent\.cjs$/m)
  writeFileSync(join(folder, 'agent.cjs'), text('  nobody.knows()'))
  await dev.shows(/reloaded agent\.cjs/)
  assert.equal((await dev.get('/')).status, 503)
  await dev.shows(/ReferenceError: nobody is not defined\n {4}at .*agent\.cjs:3:3\)\n/)
  writeFileSync(join(folder, 'agent.cjs'), text('  const a = (1\n  const b = 2'))
  await dev.shows(/agent\.cjs:4:3: Unexpected token 'const'\n {6}const b = 2\n {6}\^+\n {2}the code from before keeps running/)
  writeFileSync(join(folder, 'agent.cjs'), text('', '\nnobody.knows()\n'))
  await dev.shows(/agent\.cjs:6:1: ReferenceError: nobody is not defined\n/)
})

test('a file that never ends loading is not the last one that is loaded', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1) })
  const dev = await startDev(t, folder)
  writeFileSync(join(folder, 'agent.ts'), `${agentText(2)}await new Promise(() => {})\n`)
  await dev.shows(/agent\.ts is still being loaded: it waits for something at its top level/)
  assert.equal(received((await dev.get('/')).text).headers['x-version'], '1')
  writeFileSync(join(folder, 'agent.ts'), agentText(3))
  await eventually('the version behind it counts', async () => received((await dev.get('/')).text).headers['x-version'] === '3')
})

test('a file that serves the agent itself is run by dev all the same, with or without a default export', async (t) => {
  const folder = folderWith(t, { 'agent.mjs': 'import { block, defineAgent, serve } from "sentinel/sdk"\nawait serve(defineAgent({ name: "served", onRequest: () => block(418) }))\n' })
  const dev = await startDev(t, folder)
  assert.equal((await dev.get('/')).status, 418)
  assert.doesNotMatch(dev.screen(), /say where to serve/)
})
