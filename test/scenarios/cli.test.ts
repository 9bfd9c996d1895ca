import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { runHere } from '../support/command.ts'
import { folderWith } from '../support/folder.ts'
import { fromRoot } from '../support/paths.ts'
import { runSentinel } from '../support/sentinel.ts'

const good = `
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "app" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:9" } }
observability { metrics { address "127.0.0.1:0" } }
`

test('sentinel version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8')) as { version: string }
  const plain = await runSentinel(['version'])
  assert.match(plain.stdout, new RegExp(`^sentinel ${version.replaceAll('.', '\\.')} \\(node \\d`))
  assert.deepEqual(JSON.parse((await runSentinel(['version', '--json'])).stdout), { sentinel: version, node: process.versions.node })
})

test('an unknown command is answered with the nearest one', async () => {
  for (const [wrong, right] of [['chek', 'check'], ['rum', 'run'], ['versoin', 'version'], ['evidence verfy', 'evidence verify']] as const) {
    const { code, stderr } = await runSentinel(wrong.split(' '))
    assert.equal(code, 2)
    assert.match(stderr, new RegExp(`Did you mean '${right}'`))
  }
})

test('every command has a help, and an unknown option is answered with the nearest one', async () => {
  const overview = await runSentinel(['--help'])
  assert.equal(overview.code, 0)
  for (const command of ['run', 'check', 'explain', 'routes', 'diff', 'config dump', 'config reference', 'config schema', 'version', 'evidence verify']) {
    assert.match(overview.stdout, new RegExp(`^  ${command} `, 'm'))
    const { code, stdout } = await runHere([...command.split(' '), '--help'])
    assert.equal(code, 0)
    assert.match(stdout, new RegExp(`^Usage: sentinel ${command}`))
  }
  assert.match((await runSentinel(['check', '--cnfig', 'x'])).stderr, /Did you mean '--config'/)
})

test('check says ok with exit code 0, and takes sentinel.kdl of the current folder', async (t) => {
  const cwd = folderWith(t, { 'sentinel.kdl': good })
  const { code, stdout } = await runSentinel(['check'], { cwd })
  assert.equal(code, 0, stdout)
  assert.match(stdout, /sentinel\.kdl: ok \(1 listener, 1 route, 1 upstream, 0 agents; 0 warnings\)/)
})

test('check prints all problems with file, line and column, and exit code 1', async (t) => {
  const cwd = folderWith(t, { 'bad.kdl': good.replace('address', 'adress').replace('upstream "app"', 'upstream "ap"') })
  const { code, stdout } = await runSentinel(['check', '-c', 'bad.kdl'], { cwd })
  assert.equal(code, 1)
  assert.match(stdout, /bad\.kdl:2:30: CONFIG_UNKNOWN_SETTING: .*adress/)
  assert.match(stdout, /did you mean 'address'/)
  assert.match(stdout, /bad\.kdl:3:\d+: CONFIG_UNKNOWN_REFERENCE: .*"?'?ap/)
  const json = JSON.parse((await runSentinel(['check', '-c', 'bad.kdl', '--json'], { cwd })).stdout) as { ok: boolean, problems: Array<{ position: { line: number } }> }
  assert.equal(json.ok, false)
  assert.deepEqual([...new Set(json.problems.map(({ position }) => position.line))].slice(0, 2), [2, 3])
})

test('run with a broken configuration starts nothing and exits with 1', async (t) => {
  const cwd = folderWith(t, { 'sentinel.kdl': good.replace('"127.0.0.1:0"', 'somewhere') })
  const { code, stderr } = await runSentinel(['run'], { cwd })
  assert.equal(code, 1)
  assert.match(stderr, /sentinel\.kdl:2:\d+: CONFIG_TYPE/)
  assert.match(stderr, /nothing was started/)
})

test('a configuration is never invented', async (t) => {
  const cwd = folderWith(t)
  for (const command of [['run'], ['check'], ['routes'], ['explain', 'GET', '/']]) {
    const { code, stderr } = await runSentinel(command, { cwd })
    assert.equal(code, 1)
    assert.match(stderr, /there is no sentinel\.kdl in .*Name a configuration with -c FILE/)
    assert.match((await runSentinel([...command, '-c', 'nix.kdl'], { cwd })).stderr, /nix\.kdl does not exist/)
  }
})

test('an address that is taken is a clear error and exit code 2', async (t) => {
  const { createServer } = await import('node:net')
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => { server.close() })
  const { port } = server.address() as { port: number }
  const cwd = folderWith(t, { 'sentinel.kdl': good.replace('"127.0.0.1:0"', `"127.0.0.1:${port}"`) })
  const { code, stderr } = await runSentinel(['run'], { cwd })
  assert.equal(code, 2)
  assert.match(stderr, new RegExp(`listener 'web' cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE`))
})

test('completion prints a script for the shell that is named, and asks for one otherwise', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout, stderr } = await runHere(['completion', shell])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, new RegExp(`Completion of sentinel for ${shell}`))
  }
  const wrong = await runSentinel(['completion', 'bsh'])
  assert.deepEqual([wrong.code, wrong.stdout], [2, ''])
  assert.match(wrong.stderr, /Did you mean 'bash'/)
  assert.equal((await runHere(['completion'])).code, 2)
})

test('man prints the manual page', async () => {
  const { code, stdout } = await runSentinel(['man'])
  assert.equal(code, 0)
  assert.match(stdout, /^\.TH SENTINEL 1/)
  assert.match(stdout, /sentinel completion/)
})
