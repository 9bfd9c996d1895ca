import { strict as assert } from 'node:assert'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { apiReport } from '../../../sdk/publish/api-report.ts'
import { assemble } from '../../../sdk/publish/assemble.ts'
import { generated } from '../../../sdk/publish/generate.ts'
import { fromRoot } from '../../support/paths.ts'

test('every public name has a docstring, and the report of them is that of the code', () => {
  const { files, undocumented } = generated()
  assert.deepEqual(undocumented, [])
  for (const [path, content] of Object.entries(files)) {
    assert.equal(readFileSync(fromRoot(path), 'utf8'), content, `${path}: node dist/sdk/publish/generate.js`)
  }
})

test('a public name without a docstring is found, in classes and interfaces too, and types that do not hold are an error', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-api-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'x', version: '1.0.0', type: 'module' }))
  mkdirSync(join(folder, 'sdk'))
  writeFileSync(join(folder, 'sdk', 'a.d.ts'), '/** Said. */\nexport interface A {\n  /** Said. */\n  said: string\n  silent: number\n}\nexport declare function f (): void\n')
  const { text, undocumented } = apiReport(folder, 'sdk/a.d.ts', fromRoot('node_modules', '@types'))
  assert.deepEqual(undocumented, ['sdk/a.d.ts:5: silent', 'sdk/a.d.ts:7: f'])
  assert.match(text, /export interface A \{\n {4}said: string\n {4}silent: number\n\}/)
  writeFileSync(join(folder, 'sdk', 'a.d.ts'), 'export declare const a: Missing\n')
  assert.throws(() => apiReport(folder, 'sdk/a.d.ts', fromRoot('node_modules', '@types')), /Missing/)
})

test('a package that the code imports and the manifest does not name is not packed, nor one of another version', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-root-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const put = (path: string, text: string): void => {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const manifest = (dependencies: object): void => put('sdk/package.json', JSON.stringify({
    exports: { '.': { types: './sdk/index.d.ts', default: './sdk/index.js' } }, dependencies, peerDependencies: {},
  }))
  put('package.json', JSON.stringify({ dependencies: { pino: '10.4.0' } }))
  put('sdk/README.md', 'See [the proxy](../README.md) and [the names](API.md).')
  put('LICENSE', '')
  put('dist/sdk/index.d.ts', "export { a } from './a.ts'\n")
  put('dist/sdk/a.d.ts', 'export declare const a: 1\n')
  put('dist/sdk/index.js', "import 'pino'\nexport { a } from './a.js'\n")
  put('dist/sdk/a.js', 'export const a = 1\n')
  put('dist/sdk/workers/thread.js', 'export const thread = 1\n')
  manifest({})
  assert.throws(() => assemble(folder, join(folder, 'out')), /the code imports pino, which sdk\/package\.json does not name/)
  manifest({ pino: '^9.0.0' })
  assert.throws(() => assemble(folder, join(folder, 'out')), /asks for pino \^9\.0\.0, and the tests run with 10\.4\.0/)
  manifest({ pino: '^10.4.0' })
  const { files } = assemble(folder, join(folder, 'out'))
  assert.deepEqual(files, ['LICENSE', 'README.md', 'package.json', 'sdk/a.d.ts', 'sdk/a.js', 'sdk/index.d.ts', 'sdk/index.js', 'sdk/workers/thread.js'])
  assert.equal(readFileSync(join(folder, 'out', 'sdk', 'index.d.ts'), 'utf8'), "export { a } from './a.js'\n")
  assert.equal(readFileSync(join(folder, 'out', 'README.md'), 'utf8'), 'See the proxy and [the names](API.md).')
})
