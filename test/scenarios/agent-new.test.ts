import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { received, startDev } from '../support/agent-dev.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'
import { fromDist, fromRoot } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'

const files = ['.gitignore', 'README.md', 'agent.test.ts', 'agent.ts', 'package.json', 'tsconfig.json']

async function newAgent (t: TestContext, ...flags: readonly string[]): Promise<string> {
  const cwd = folderWith(t)
  const made = await runSentinel(['agent', 'new', 'geo-header', ...flags], { cwd })
  assert.deepEqual([made.code, made.stderr], [0, ''])
  return join(cwd, 'geo-header')
}

/** `sentinel` as a command, the way an installed package has it. */
function asCommand (t: TestContext): string {
  const bin = join(folderWith(t), 'bin')
  mkdirSync(bin)
  symlinkSync(fromDist('proxy', 'main.js'), join(bin, 'sentinel'))
  spawnSync('chmod', ['+x', fromDist('proxy', 'main.js')])
  return `${bin}:${process.env['PATH']}`
}

test('five minutes: a new agent is tried, edited, tested, and put to work behind a real proxy', async (t) => {
  const cwd = folderWith(t)
  const made = await runSentinel(['agent', 'new', 'geo-header'], { cwd })
  assert.equal(made.code, 0)
  assert.match(made.stdout, /^geo-header\/ is there: agent\.ts, .*\n\n {2}cd geo-header\n {2}sentinel agent dev [^]*sentinel agent test [^]*sentinel agent install /)
  const folder = join(cwd, 'geo-header')
  assert.deepEqual(readdirSync(folder).toSorted(), files)

  // It decides.
  const dev = await startDev(t, folder)
  const first = await dev.get('/', { headers: { 'cf-ipcountry': 'de', 'x-country': 'forged' } })
  assert.equal(received(first.text).headers['x-country'], 'DE')
  await dev.shows(/^GET +\/ +allow +→ x-country: DE · attribute country=DE +[\d.]+ms$/m)

  // Edited, it decides otherwise.
  const text = readFileSync(join(folder, 'agent.ts'), 'utf8')
  writeFileSync(join(folder, 'agent.ts'), text.replace("blocked: list(text, []", "blocked: list(text, ['DE']"))
  await eventually('the edit counts', async () => (await dev.get('/', { headers: { 'cf-ipcountry': 'de' } })).status === 451)
  await dev.shows(/^GET +\/ +block 451 +country_blocked +attribute country=DE +[\d.]+ms$/m)
  assert.equal(await dev.stop(), 0)

  // Its tests tell what the edit broke, in words.
  const failing = await runSentinel(['agent', 'test'], { cwd: folder })
  assert.equal(failing.code, 1)
  assert.match(failing.stdout, /GET \/: the verdict is not what was expected\.\n +kind: "block"\n +expected: "allow"\n[^]*the agent decided: block 451, reason country_blocked/)
  writeFileSync(join(folder, 'agent.ts'), text)
  const passing = await runSentinel(['agent', 'test'], { cwd: folder })
  assert.equal(passing.code, 0, passing.stdout)
  assert.match(passing.stdout, /pass 3\n.*fail 0/)

  // Put to work: the proxy starts it, and it decides there as it did here.
  const upstream = await startRecordingUpstream(t)
  const site = `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "geo-header" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { enabled #false } }
`
  const installed = await runSentinel(['agent', 'install', 'geo-header', '--config', 'blocked=FR'], { cwd })
  assert.equal(installed.code, 0, installed.stderr)
  const [block = ''] = /^agents \{\n[^]*?\n\}\n/m.exec(installed.stdout) ?? []
  const sentinel = await startSentinel(t, site + block)
  assert.equal((await sentinel.get('/', { headers: { 'cf-ipcountry': 'it' } })).status, 200)
  assert.equal(upstream.requests[0]?.headers['x-country'], 'IT')
  assert.equal((await sentinel.get('/', { headers: { 'cf-ipcountry': 'fr' } })).status, 451)
  const { agents } = await sentinel.accessed(({ status }) => status === 451)
  assert.equal(agents?.[0]?.['reason'], 'country_blocked')
})

test('in JavaScript it works the same', async (t) => {
  const folder = await newAgent(t, '--js')
  assert.deepEqual(readdirSync(folder).toSorted(), files.map((name) => name.replace(/^agent(.*)\.ts$/, 'agent$1.js')).toSorted())
  const tested = await runSentinel(['agent', 'test'], { cwd: folder })
  assert.equal(tested.code, 0, tested.stdout)
  const dev = await startDev(t, folder)
  assert.equal(received((await dev.get('/', { headers: { 'cf-ipcountry': 'ch' } })).text).headers['x-country'], 'CH')
})

test('npm install needs no network, and npm test, npm run dev and npm start do what they say', async (t) => {
  const folder = await newAgent(t)
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { dependencies: Record<string, string>, scripts: Record<string, string> }
  assert.deepEqual(manifest.dependencies, { sentinel: `file:${fromRoot()}` })
  assert.deepEqual(Object.keys(manifest.scripts), ['dev', 'test', 'start'])
  // An installation that npm may look after as it likes: the packages of this checkout are none of its business.
  const { dependencies: _packages, devDependencies: _tools, scripts: _scripts, ...product } = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8')) as Record<string, unknown>
  const installation = folderWith(t, { 'package.json': JSON.stringify(product) })
  symlinkSync(fromDist(), join(installation, 'dist'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, dependencies: { sentinel: `file:${installation}` } }))
  const { NODE_TEST_CONTEXT: _ofThisTest, ...env } = process.env
  const linked = spawnSync('npm', ['install', '--offline', '--no-audit', '--no-fund'], { cwd: folder, encoding: 'utf8', env })
  assert.equal(linked.status, 0, linked.stdout + linked.stderr)
  const tested = spawnSync('npm', ['test'], { cwd: folder, encoding: 'utf8', env })
  assert.equal(tested.status, 0, tested.stdout + tested.stderr)
  const dev = spawn('npm', ['run', 'dev', '--', '--port', '0'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  t.after(() => { if (dev.exitCode === null && dev.signalCode === null) process.kill(-dev.pid!, 'SIGINT') })
  let screen = ''
  dev.stdout.on('data', (chunk: Buffer) => { screen += chunk.toString() })
  await eventually('npm run dev serves', () => /geo-header decides about every request/.test(screen)).catch((error: unknown) => { throw new Error(screen, { cause: error }) })
  process.kill(-dev.pid!, 'SIGINT')
  await new Promise((resolve) => { dev.once('exit', resolve) })
  const started = spawn('npm', ['start'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  t.after(() => { if (started.exitCode === null && started.signalCode === null) process.kill(-started.pid!, 'SIGTERM') })
  let log = ''
  started.stderr.on('data', (chunk: Buffer) => { log += chunk.toString() })
  await eventually('npm start serves', () => log.includes('"event":"serving"')).catch((error: unknown) => { throw new Error(log, { cause: error }) })
  assert.ok(readdirSync(folder).includes('geo-header.sock'))
})

test('the types of a new agent are right as it is, once the compiler and the types of Node are installed', async (t) => {
  for (const flags of [[], ['--js']]) {
    const folder = await newAgent(t, ...flags)
    mkdirSync(join(folder, 'node_modules', '@types'), { recursive: true })
    symlinkSync(fromRoot(), join(folder, 'node_modules', 'sentinel'))
    symlinkSync(fromRoot('node_modules', '@types', 'node'), join(folder, 'node_modules', '@types', 'node'))
    const { status, stdout } = spawnSync(process.execPath, [fromRoot('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.'], { cwd: folder, encoding: 'utf8' })
    assert.deepEqual([status, stdout], [0, ''])
  }
})

test('what exists is never changed, and names are checked', async (t) => {
  const cwd = folderWith(t, { 'taken/notes.txt': 'mine', 'file': '' })
  for (const [name, said] of [
    ['taken', /taken exists already; nothing was changed\.$/m], ['file', /file exists already/], ['file/inner', /file\/inner cannot be made: /],
    ['Geo Header', /"Geo Header" cannot be the name of an agent: .*; for instance geo-header\.$/m], ['9lives', /for instance lives\.$/m], ['..', /exists already/],
    ['sentinel', /the name "sentinel" is taken/], ['a'.repeat(65), /at most 64/],
  ] as const) {
    const { code, stderr, stdout } = await runSentinel(['agent', 'new', name], { cwd })
    assert.deepEqual([code, stdout], [2, ''], name)
    assert.match(stderr, said)
  }
  assert.deepEqual(readdirSync(cwd).toSorted(), ['file', 'taken'])
  assert.deepEqual(readdirSync(join(cwd, 'taken')), ['notes.txt'])
  assert.match((await runSentinel(['agent', 'new'], { cwd })).stderr, /exactly one NAME is needed/)
})

test('where the folder is elsewhere, its name is the agent\'s, and the line to enter it can be pasted', async (t) => {
  const cwd = folderWith(t)
  const { code, stdout } = await runSentinel(['agent', 'new', 'our team\'s/geo-header'], { cwd })
  assert.equal(code, 0)
  assert.match(stdout, /^ {2}cd 'our team'\\''s\/geo-header'$/m)
  assert.match(stdout, /^The agent is called geo-header\.$/m)
})

test('agent test names what is missing, runs what is named, and runs again after a change', async (t) => {
  const empty = folderWith(t)
  assert.match((await runSentinel(['agent', 'test'], { cwd: empty })).stderr, /there is no \*\.test\.ts and no \*\.test\.js in /)
  const folder = await newAgent(t)
  assert.match((await runSentinel(['agent', 'test', 'gone.test.ts'], { cwd: folder })).stderr, /gone\.test\.ts does not exist/)
  assert.deepEqual(await runSentinel(['agent', 'test', '--only', '('], { cwd: folder }).then(({ code, stderr }) => [code, stderr.split('\n')[0]]),
    [2, 'sentinel agent test: --only takes a regular expression, and "(" is none.'])
  const one = await runSentinel(['agent', 'test', 'agent.test.ts', '--only', 'blocked'], { cwd: folder })
  assert.match(one.stdout, /a blocked country is refused[^]*pass 1\n/)
  const child = spawn(process.execPath, [fromDist('proxy', 'main.js'), 'agent', 'test', '--watch'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => { text += chunk.toString() })
  t.after(() => child.kill('SIGKILL'))
  await eventually('the first run is over', () => /pass 3[^]*waiting for a change/.test(text))
  writeFileSync(join(folder, 'agent.ts'), readFileSync(join(folder, 'agent.ts'), 'utf8').replace('block(451', 'block(403'))
  await eventually('it ran again', () => /agent\.ts changed[^]*status: 403[^]*fail 1[^]*waiting for a change/.test(text))
  child.kill('SIGINT')
  assert.equal(await new Promise((resolve) => { child.once('exit', resolve) }), 1)
})

test('a command of the group that nobody knows is answered with the nearest', async (t) => {
  const cwd = folderWith(t)
  assert.match((await runSentinel(['agent', 'nwe'], { cwd })).stderr, /unknown command 'agent nwe'\. Did you mean 'agent new'\?/)
  const { stdout } = await runSentinel(['agent', 'dev', '--help'], { cwd })
  assert.match(stdout, /--inspect\[=PORT\] /)
  const path = asCommand(t)
  assert.match(spawnSync('sentinel', ['agent'], { cwd, encoding: 'utf8', env: { ...process.env, PATH: path } }).stdout, /Usage: sentinel agent new NAME/)
})
