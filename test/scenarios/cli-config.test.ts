import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runHere } from '../support/command.ts'
import { folderWith } from '../support/folder.ts'
import { fromDist, fromRoot } from '../support/paths.ts'
import { runSentinel } from '../support/sentinel.ts'

const site = `
listeners { listener "web" { bind "127.0.0.1:0"; request-timeout-secs 90 } }
routes { route "app" { matches { path-prefix "/"; method "get" }; upstream "app"; inference { provider "generic" } } }
upstreams { upstream "app" { target "127.0.0.1:9" weight=2; load-balancing "Weighted_Round_Robin" } }
agents { agent "own" { unix-socket "own.sock"; managed #false; env { TOKEN "\${TOKEN}" }; config { key "\${TOKEN}"; list 1 2 } } }
limits { max-body-size-bytes 1048576 }
observability { metrics { address "127.0.0.1:0" } }
`

interface Dump {
  readonly settings: ReadonlyArray<{ readonly path: string, readonly value: unknown, readonly from: 'default' | { readonly line: number }, readonly inEffect: boolean }>
}

test('config dump prints what is in effect with its places, loads again and means the same', async (t) => {
  const cwd = folderWith(t, { 'sentinel.kdl': site })
  const env = { TOKEN: 'hunter2hunter2' }
  const first = await runSentinel(['config', 'dump'], { cwd, env })
  assert.equal(first.code, 0, first.stderr)
  assert.match(first.stdout, /^ {8}request-timeout "90s" +\/\/ sentinel\.kdl:2$/m)
  assert.match(first.stdout, /^ {8}keepalive-timeout "75s" +\/\/ default$/m)
  assert.match(first.stdout, /^ {4}max-body-size "1MiB" +\/\/ sentinel\.kdl:6$/m)
  assert.match(first.stdout, /policy "weighted"|load-balancing "weighted"/)
  assert.match(first.stdout, /provider .*\/\/ sentinel\.kdl:3, not in effect yet$/m)
  assert.match(first.stdout, /^ +key "\$\{TOKEN\}"/m)
  const columns = first.stdout.split('\n').slice(1).map((line) => line.lastIndexOf('  // ')).filter((column) => column >= 0)
  assert.equal(new Set(columns.filter((column) => column < 72)).size, 1, 'the places stand in one column')
  writeFileSync(join(cwd, 'dumped.kdl'), first.stdout)
  const checked = await runSentinel(['check', 'dumped.kdl'], { cwd, env })
  assert.equal(checked.code, 0, checked.stdout)
  const values = async (file: string): Promise<Array<readonly [string, unknown]>> => {
    const { stdout } = await runHere(['config', 'dump', '--json', '-c', file], { cwd, env })
    return (JSON.parse(stdout) as Dump).settings.map(({ path, value }) => [path, value] as const)
  }
  assert.deepEqual(await values('dumped.kdl'), await values('sentinel.kdl'))
  assert.equal((await runHere(['diff', 'sentinel.kdl', 'dumped.kdl'], { cwd, env })).code, 0)
  for (const args of [['config', 'dump'], ['config', 'dump', '--json'], ['config', 'dump', '--only-given']]) {
    const { stdout } = await runHere(args, { cwd, env })
    assert.ok(!stdout.includes('hunter2'), 'a value from the environment is never printed')
  }
})

test('config dump --only-given leaves out defaults; as JSON each setting has path, value and place', async (t) => {
  const cwd = folderWith(t, { 'sentinel.kdl': site })
  const env = { TOKEN: 'hunter2hunter2' }
  const { stdout } = await runHere(['config', 'dump', '--only-given'], { cwd, env })
  assert.doesNotMatch(stdout, /\/\/ default/)
  const { settings } = JSON.parse((await runHere(['config', 'dump', '--json', '--only-given'], { cwd, env })).stdout) as Dump
  assert.ok(settings.every(({ from }) => from !== 'default'))
  const found = settings.find(({ path }) => path === 'listeners.web.request-timeout')
  assert.equal(found?.value, '90s')
  assert.equal(found.from === 'default' ? 0 : found.from.line, 2)
})

test('config dump of a file with errors prints them, and exit code 1', async (t) => {
  const cwd = folderWith(t, { 'sentinel.kdl': site.replace('bind', 'bnid') })
  const { code, stderr, stdout } = await runHere(['config', 'dump'], { cwd, env: { TOKEN: 'x' } })
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /sentinel\.kdl:2:30: CONFIG_UNKNOWN_SETTING/)
})

test('config reference prints the page, one block of it, or what was probably meant', async () => {
  const page = await runSentinel(['config', 'reference'])
  assert.equal(page.code, 0)
  assert.match(page.stdout, /^# The configuration language$/m)
  for (const path of ['routes.route.matches', 'matches']) {
    const { code, stdout } = await runHere(['config', 'reference', path])
    assert.equal(code, 0)
    assert.match(stdout, /^# `routes › route › matches`$/m)
    assert.match(stdout, /path-prefix/)
    assert.doesNotMatch(stdout, /keepalive-timeout/)
  }
  const wrong = await runHere(['config', 'reference', 'listners'])
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /there is no "listners"\. Did you mean 'listeners'\?/)
  const json = JSON.parse((await runHere(['config', 'reference', 'limits', '--json'])).stdout) as { path: string, settings: Array<{ path: string, default?: string }> }
  assert.equal(json.path, 'limits')
  assert.equal(json.settings.find(({ path }) => path === 'limits.max-header-size')?.default, '8KiB')
})

test('config schema prints the JSON schema that is in the repository', async () => {
  const { code, stdout } = await runSentinel(['config', 'schema'])
  assert.equal(code, 0)
  const { $schema } = JSON.parse(stdout) as { $schema: string }
  assert.equal($schema, (JSON.parse(readFileSync(fromRoot('config', 'sentinel.schema.json'), 'utf8')) as { $schema: string }).$schema)
})

test('config dump of files in several folders means the same wherever it is put, files of secrets included', async (t) => {
  const cwd = folderWith(t, {
    'sentinel.kdl': site.replace(/^agents.*$/m, 'include "conf/agents.kdl"'),
    'conf/agents.kdl': 'agents { agent "own" { unix-socket "${NAME}.sock"; managed #false; env { TOKEN "${file:../secret}" }; config { key "${file:../secret}" } } }',
    secret: 'hunter2hunter2\n',
    'other/place/keep': '',
  })
  const env = { NAME: 'own' }
  const { code, stdout, stderr } = await runHere(['config', 'dump'], { cwd, env })
  assert.equal(code, 0, stderr)
  assert.ok(!stdout.includes('hunter2'))
  assert.ok(stdout.includes(`"\${file:${join(cwd, 'secret')}}"`))
  assert.ok(stdout.includes(`"${join(cwd, 'conf')}/\${NAME}.sock"`))
  writeFileSync(join(cwd, 'other/place/sentinel.kdl'), stdout)
  const same = await runHere(['diff', 'sentinel.kdl', 'other/place/sentinel.kdl'], { cwd, env })
  assert.equal(same.code, 0, same.stdout + same.stderr)
})

test('a reader that has seen enough ends a command without a complaint', (t) => {
  const routes = Array.from({ length: 3000 }, (_, i) => `routes { route "r${i}" { matches { path "/${i}" }; upstream "app" } }`).join('\n')
  const cwd = folderWith(t, { 'sentinel.kdl': `${site.replaceAll('${TOKEN}', 'x')}${routes}\n` })
  const { stdout, stderr } = spawnSync('sh', ['-c', '"$0" "$1" config dump | head -n 1', process.execPath, fromDist('proxy', 'main.js')], { cwd, encoding: 'utf8' })
  assert.match(stdout, /^\/\/ What .* means\.\n$/)
  assert.equal(stderr, '')
})
