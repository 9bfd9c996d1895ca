// Every block of code in the guide of the SDK: type-checked, and run where it can be.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig, printProblems } from '../../config/sentinel/index.ts'
import { installSdk } from '../support/installed-sdk.ts'
import { fromRoot } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

interface Block {
  readonly language: string
  readonly text: string
  /** "README.md, block 3" */
  readonly place: string
  /** What it is called in the guide, or a name of its own. */
  readonly file: string
}

const pages = ['README.md', ...readdirSync(fromRoot('sdk', 'docs')).map((name) => `docs/${name}`)]
const blocks = pages.flatMap((page): Block[] =>
  [...readFileSync(fromRoot('sdk', page), 'utf8').matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = ''], at) => {
    const named = /^\/\/ ([\w.-]+)$/m.exec(text)?.[1]
    const ending = language === 'ts' ? 'mts' : 'mjs'
    return { language, text, place: `${page}, block ${at + 1}`, file: named ?? `${page.replaceAll(/\W+/g, '-')}-${at + 1}.${ending}` }
  }))
const programs = blocks.filter(({ language }) => language === 'js' || language === 'ts')

const { home, link, write } = installSdk()
for (const { file, text } of programs) write(file, text)

function run (args: readonly string[]): { code: number | null, out: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: home, encoding: 'utf8' })
  return { code: status, out: stdout + stderr }
}

test('there is nothing in the guide that nobody checks', () => {
  assert.ok(programs.length >= 14, `only ${programs.length} programs were found`)
  assert.deepEqual(blocks.filter(({ language }) => !['js', 'ts', 'kdl', 'sh'].includes(language)).map(({ place }) => place), [])
  assert.equal(new Set(programs.map(({ file }) => file)).size, programs.length, 'two blocks have the same name')
})

test('every program of the guide has the right types', () => {
  link('@types/node')
  link('undici-types')
  write('package.json', JSON.stringify({ type: 'module' }))
  write('tsconfig.json', JSON.stringify({
    compilerOptions: {
      module: 'nodenext', target: 'es2022', lib: ['es2023', 'esnext.disposable'], strict: true, noEmit: true, allowJs: true, checkJs: true, skipLibCheck: true, types: ['node'],
    },
    files: programs.map(({ file }) => file),
  }))
  const { out } = run([fromRoot('node_modules', 'typescript', 'bin', 'tsc'), '-p', home, '--pretty', 'false'])
  assert.equal(out, '')
})

test('every program of the guide that ends by itself does so without an error', () => {
  for (const { file, place } of programs.filter(({ language, file: name }) => language === 'js' && name !== 'main.mjs')) {
    const { code, out } = run(file.endsWith('.test.mjs') ? ['--test', file] : [file])
    assert.equal(code, 0, `${place}: ${out}`)
  }
})

test('every command of the guide works', () => {
  for (const { text, place } of blocks.filter(({ language }) => language === 'sh')) {
    for (const line of text.trim().split('\n')) {
      const [program, ...args] = line.split(' ')
      if (program === 'npm') {
        assert.deepEqual(args, ['install', '@sentinel-proxy/sdk'], place)
        continue
      }
      assert.equal(program, 'node', `${place}: ${line}`)
      const { code, out } = run(args)
      assert.equal(code, 0, `${place}: ${line}: ${out}`)
      assert.match(out, /admins-only/, line)
    }
  }
})

test('the first agent of the guide guards a route of the first configuration of the guide', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const [kdl] = blocks.filter(({ language }) => language === 'kdl')
  assert.ok(kdl)
  const text = kdl.text.replace('127.0.0.1:8080', '127.0.0.1:0').replace('127.0.0.1:3000', `127.0.0.1:${upstream.port}`).replace('"main.mjs"', JSON.stringify(join(home, 'main.mjs')))
  const sentinel = await startSentinel(t, `${text}\nobservability { metrics { address "127.0.0.1:0" } }`)
  const refused = await sentinel.request('/admin/users')
  assert.deepEqual([refused.status, refused.text], [403, 'Not for you.\n'])
  assert.equal((await sentinel.request('/')).status, 200)
})

test('every configuration of the guide is without errors', async () => {
  for (const { text, place, language } of blocks) {
    if (language !== 'kdl') continue
    const { problems, sources } = await loadConfig(write('guide.kdl', text), { env: {} })
    assert.deepEqual(problems.filter(({ severity }) => severity === 'error'), [], `${place}: ${printProblems(problems, sources)}`)
  }
})
