// What an agent's file may import, and what is said of what it cannot.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { received, startDev } from '../support/agent-dev.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'
import { runSentinel } from '../support/sentinel.ts'

const agent = 'import { defineAgent } from "sentinel/sdk"\nexport default defineAgent({ name: "importing", onRequest () {} })\n'
const required = 'const { defineAgent } = require("@sentinel-proxy/sdk")\n'

test('an agent in CommonJS finds the SDK where nothing was installed, as does its test', async (t) => {
  const folder = folderWith(t, {
    'plain/agent.cjs': `${required}module.exports = defineAgent({ name: "plain", onRequest () {} })`,
    'compiled/package.json': '{ "type": "commonjs" }',
    'compiled/agent.js': `"use strict"\nObject.defineProperty(exports, "__esModule", { value: true })\n${required}exports.default = defineAgent({ name: "compiled", onRequest () {} })`,
    'plain/agent.test.cjs': `
      const { test } = require("node:test")
      const { expectVerdict, testAgent } = require("sentinel/sdk/testing")
      test("it allows", async () => expectVerdict(await (await testAgent(require("./agent.cjs"))).request("GET", "/"), { kind: "allow" }))`,
  })
  for (const name of ['plain', 'compiled']) {
    const { code, stdout, stderr } = await runSentinel(['agent', 'install', name], { cwd: folder })
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, new RegExp(`agent "${name}" \\{`))
  }
  const tested = await runSentinel(['agent', 'test'], { cwd: join(folder, 'plain') })
  assert.equal(tested.code, 0, tested.stdout)
  assert.match(tested.stdout, /it allows[^]*pass 1\n/)
})

test('a file that an agent in CommonJS requires counts like its own when it is edited', async (t) => {
  const folder = folderWith(t, {
    'agent.cjs': `${required}const { more } = require("./more.cjs")
      module.exports = defineAgent({ name: "plain", onRequest: (request) => request.headers.set("x-more", more) })`,
    'more.cjs': 'exports.more = "a"',
  })
  const dev = await startDev(t, folder)
  assert.equal(received((await dev.get('/')).text).headers['x-more'], 'a')
  writeFileSync(join(folder, 'more.cjs'), 'exports.more = "b"')
  await eventually('its edit counts', async () => received((await dev.get('/')).text).headers['x-more'] === 'b')
})

test('an import that finds nothing is told with the file it stands in, and with what would be found', async (t) => {
  for (const [files, said] of [
    [{ 'agent.ts': `import "./rules"\n${agent}`, 'rules.ts': '' }, /agent\.ts: imports \.\/rules, which does not exist\. \.\/rules\.ts does: name the file as it is called, with its ending\.$/m],
    [{ 'agent.ts': `import "./rules.js"\n${agent}`, 'rules.ts': '' }, /agent\.ts: imports \.\/rules\.js, which does not exist\. \.\/rules\.ts does/],
    [{ 'agent.ts': `import "./lib/a.ts"\n${agent}`, 'lib/a.ts': 'import "../b"', 'b/index.ts': '' }, /lib\/a\.ts: imports \.\.\/b, which is a folder: name the file in it, with its ending\.$/m],
    [{ 'agent.ts': `import "./gone.ts"\n${agent}` }, /agent\.ts: imports \.\/gone\.ts, which does not exist\.$/m],
    [{ 'agent.cjs': 'require("./rules.cjs")', 'rules.cjs': 'require("./gone")' }, /rules\.cjs: imports \.\/gone, which does not exist\.$/m],
    [{ 'agent.ts': `import "left-pad"\n${agent}` }, /agent\.ts: imports the package left-pad, which is not installed: npm install left-pad$/m],
    [{ 'agent.cjs': 'require("left-pad")' }, /agent\.cjs: imports the package left-pad, which is not installed: npm install left-pad$/m],
    [{ 'agent.ts': `import "@/rules"\n${agent}` }, /agent\.ts: imports @\/rules, which is no package: paths of tsconfig\.json count for the compiler alone\. .*"imports" of package\.json/],
    [{ 'agent.ts': `import "rules/a"\n${agent}`, 'tsconfig.json': '{ "compilerOptions": { "paths": { "rules/*": ["./*.ts"] } } }' }, /imports the package rules, .* \(paths of tsconfig\.json count/],
    [{ 'agent.js': agent, 'package.json': '{ "type": "commonjs" }' }, /agent\.js: Cannot use import .*: for import and export, package\.json says "type": "module", or the file is called \.mjs\.$/m],
    [{ 'agent.ts': `import { Agent } from "sentinel/sdk"\n${agent}` }, /agent\.ts:1: .* does not provide an export named 'Agent'\. If it is a type: import type \{ … \}$/m],
    [{ 'agent.mjs': `import { more } from "./a.mjs"\n${agent}`, 'a.mjs': '' }, /agent\.mjs:1: .* does not provide an export named 'more'$/m],
  ] as const) {
    const { code, stderr } = await runSentinel(['agent', 'run', '--socket', 'a.sock'], { cwd: folderWith(t, files) })
    assert.equal(code, 1)
    assert.match(stderr, said)
  }
})
