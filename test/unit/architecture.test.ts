import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { importViolations } from '../support/architecture/check.ts'
import { importsOf } from '../support/architecture/imports.ts'
import { sourceFiles } from '../support/architecture/sources.ts'
import { broughtPackages, importTable, packageHomes } from '../support/architecture/table.ts'
import { fromRoot } from '../support/paths.ts'

const checked = ['config', 'proto', 'proxy', 'sdk', 'agents', 'examples', 'test']

test('every import of the repository is one the import table and the package homes allow', () => {
  const files = sourceFiles(checked)
  assert.ok(files.length > 20, `only ${files.length} files were found`)
  assert.deepEqual(files.flatMap(importViolations), [])
})

test('every home in the table is a place that exists or is on the plan', () => {
  const planned = new Set(['agents/*', 'proxy/http2', ...['filters', 'services', 'state', 'admin', 'evidence'].map((name) => `proxy/${name}`)])
  const gone = Object.keys(importTable).filter((part) => !planned.has(part) && !existsSync(fromRoot(part)))
  assert.deepEqual(gone, [])
})

test('every package with a home is in package.json, and those of tests and generators only are development packages', () => {
  const manifest: { dependencies: object, devDependencies: object } = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8'))
  for (const [name, homes] of Object.entries(packageHomes)) {
    if (name.startsWith('node:') || broughtPackages.has(name)) continue
    const forBuilding = homes.every((home) => home.startsWith('test') || home === 'proto/generate' || home === 'sdk/publish')
    assert.ok(name in (forBuilding ? manifest.devDependencies : manifest.dependencies), `${name} is not where it should be in package.json`)
  }
})

const planted: readonly (readonly [string, string, string])[] = [
  ['proxy/pipeline/serve.ts', "import { route } from '../routing/route.ts'", 'proxy/pipeline must not import proxy/routing/route.ts'],
  ['proxy/listeners/http1.ts', "import type { Pool } from '../upstreams/pool.ts'", 'proxy/listeners must not import proxy/upstreams/pool.ts'],
  ['proxy/observe/log.ts', "export { run } from '../lifecycle/run.ts'", 'proxy/observe must not import proxy/lifecycle/run.ts'],
  ['proxy/lifecycle/run.ts', "import '../cli/run.ts'", 'proxy/lifecycle must not import proxy/cli/run.ts'],
  ['proxy/main.ts', "import { defineAgent } from '../sdk/index.ts'", 'proxy must not import sdk/index.ts'],
  ['proxy/cli/run.ts', "import { defineAgent } from 'sentinel/sdk'", 'proxy/cli must not import sentinel/sdk'],
  ['proxy/extras/thing.ts', "import { join } from 'node:path'", 'this folder is not in the import table'],
  ['config/schema/fields.ts', "import { table } from '../sentinel/table.ts'", 'config/schema must not import config/sentinel/table.ts'],
  ['config/load.ts', "const { log } = await import('../proxy/observe/log.ts')", 'config must not import proxy/observe/log.ts'],
  ['proto/codec/agent.ts', "type Level = import('../../proxy/observe/log.ts').Level", 'proto/codec must not import proxy/observe/log.ts'],
  ['sdk/serve.ts', "import { loadConfig } from '../config/load.ts'", 'sdk must not import config/load.ts'],
  ['sdk/server/server.ts', "import { faults } from '../../proxy/pipeline/faults.ts'", 'sdk must not import proxy/pipeline/faults.ts'],
  ['agents/waf/main.ts', "import { defineAgent } from '../../sdk/index.ts'", 'agents/waf must not import sdk/index.ts'],
  ['agents/waf/main.ts', "import { list } from '../denylist/list.ts'", 'agents/waf must not import agents/denylist/list.ts'],
  ['agents/waf/main.ts', "import { nearest } from 'sentinel/config/nearest'", 'agents/waf must not import sentinel/config/nearest'],
  ['examples/custom-agent/agent.ts', "import { defineAgent } from '../../sdk/index.ts'", 'an example imports only sentinel/sdk and its own files, not sdk/index.ts'],
  ['proxy/routing/match.ts', "import RE2 from 're2'", 're2 belongs to config/schema/regex.ts, agents/waf'],
  ['sdk/index.ts', "import pino from 'pino'", 'pino belongs to proxy/observe, sdk/server'],
  ['proxy/pipeline/exchange.ts', "import type { IncomingMessage } from 'node:http'", 'node:http belongs to proxy/listeners, proxy/certificates/ocsp, proxy/upstreams, proxy/admin, proxy/control, proxy/observe/telemetry, proxy/pipeline/fault-reply.ts, proxy/cli/agent/echo.ts'],
  ['proxy/upstreams/pool.ts', "import got from 'got'", 'the package got has no home in the table'],
  ['proxy/upstreams/pool.ts', "import { join } from 'path'", 'write node:path'],
  ['proxy/filters/load.ts', 'const filter = await import(name)', 'a computed import cannot be checked'],
  ['test/unit/kdl.test.ts', "import { parse } from 'kdljs'", 'kdljs belongs to test/conformance']
]

for (const [path, text, expected] of planted) {
  test(`a planted violation is found: ${path}: ${text}`, () => {
    assert.deepEqual(importViolations({ path, text: `// one\n${text}\n` }), [`${path}:2: ${expected}`])
  })
}

const allowed: readonly (readonly [string, string])[] = [
  ['proxy/listeners/http1.ts', "import { Fault } from '../pipeline/faults.ts'"],
  ['proxy/lifecycle/build.ts', "import { loadConfig } from '../../config/load.ts'"],
  ['proxy/main.ts', "import { main } from './cli/main.ts'"],
  ['sdk/define.ts', "import { text } from '../config/schema/types.ts'"],
  ['agents/waf/main.ts', "import { defineAgent } from 'sentinel/sdk'\nimport { rules } from './rules/sqli.ts'\nimport RE2 from 're2'\nimport cookie from 'cookie'"],
  ['examples/custom-agent/agent.ts', "import { defineAgent } from 'sentinel/sdk'\nimport { list } from './list.ts'"],
  ['examples/waf/expected.ts', "import { example } from '../../test/support/example.ts'"],
  ['test/scenarios/x.test.ts', "import { faults } from '../../proxy/pipeline/faults.ts'\nimport { Server } from '@grpc/grpc-js'"]
]

for (const [path, text] of allowed) {
  test(`what the table allows passes: ${path}`, () => {
    assert.deepEqual(importViolations({ path, text }), [])
  })
}

test('imports are found in every form, and nothing else is taken for one', () => {
  const text = [
    "import a, { b as c } from 'one'", 'import type {', '  D,', '  E', "} from \"two\"", "import 'three'", "export * from 'four'",
    "export * as five from 'five'", "export type { F } from 'six'", "const g = await import('seven')", "type H = typeof import('eight')",
    "const i = require('nine')", "const j = import.meta.resolve('ten')", 'const k = `${await import(\'eleven\')}`',
    '// import l from "no"', "/* import m from 'no' */", '`import n from "no" ${"x"} import o from \'no\'`', "const p = \"import q from 'no'\"",
    "const r = /import s from 'no'/", "const t = { import: 1, from: 'no' }", "u.import('no')", "v.require('no')", 'export { w }', "const x = 'no'",
    "export const y = { from: 'no' }", 'const z = import.meta.url', "if (a / b > c / d) throw e; import 'twelve'"
  ].join('\n')
  const found = importsOf(text).map(({ specifier }) => specifier)
  assert.deepEqual(found, ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'])
})
