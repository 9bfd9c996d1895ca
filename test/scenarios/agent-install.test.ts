import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folderWith } from '../support/folder.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'

const agentText = `import { block, bool, defineAgent, duration, integer, list, map, oneOf, required, section, sections, setting, size, text } from 'sentinel/sdk'

export default defineAgent({
  name: 'many-settings',
  config: {
    maxAge: setting(duration, '10s', 'How old it may be.'),
    limit: setting(integer(1, 10), 3, 'How many.'),
    strict: setting(bool, true, 'Whether it matters.'),
    greeting: setting(text, 'say "hi" for \${nothing}', 'What is said.'),
    colours: list(text, ['red', 'light blue'], 'Which ones.'),
    none: list(text, [], 'Nothing of it.'),
    way: setting(oneOf('up', 'down'), 'up', 'Where to.'),
    users: map(text, 'Who is who.'),
    nested: section({ room: setting(size, '1MiB', 'How much.') }, 'A block.'),
    rule: sections({ path: required(text, 'Where.') }, 'Rules.'),
    key: required(text, 'The key.'),
  },
  onRequest: (_request, { config }) => block(403, { headers: { 'x-config': JSON.stringify(config) } }),
})
`

const simple = `import { block, defineAgent, setting, text } from 'sentinel/sdk'
export default defineAgent({
  name: 'simple',
  config: { word: setting(text, 'no', 'What is said.') },
  onRequest: (_request, { config }) => block(418, { body: config.word }),
})
`

const site = (port: number): string => `// The shop: do not touch.
listeners { listener "web" { address "127.0.0.1:0" } }   // one
/* agents
   of ours */
agents {
    agent "old" { unix-socket "/nowhere/old.sock"; managed #false; timeout "2s" } // kept
    // the last line
}
routes {
    route "all" { matches { path-prefix "/" }; upstream "app"; filters "simple" }
    route "old" { matches { host "old.test" }; upstream "app"; filters "old" }
}
upstreams { upstream "app" { target "127.0.0.1:${port}" } }
observability { metrics { enabled #false } }
// end
`

/** The lines that `diff` finds to be new; fails when any is gone. */
function added (before: string, after: string): string[] {
  const rest = after.split('\n')
  const kept = before.split('\n')
  const lines: string[] = []
  for (const line of rest) {
    if (line === kept[0]) kept.shift()
    else lines.push(line)
  }
  assert.deepEqual(kept, [], 'every line is still there, in its order')
  return lines
}

test('the block has every setting, with its default and what it is for, and the agent takes it as it is', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText })
  const { code, stdout, stderr } = await runSentinel(['agent', 'install', '--config', 'key=5e0f'], { cwd: folder })
  assert.deepEqual([code, stderr], [0, ''])
  const [block = ''] = /^agents \{\n[^]*?\n\}\n/m.exec(stdout) ?? []
  const [, settings = ''] = /^ {8}config \{\n([^]*?)^ {8}\}$/m.exec(block) ?? []
  assert.equal(settings.replace(/^ {12}/gm, ''), `// How old it may be.
max-age "10s"
// How many.
limit 3
// Whether it matters.
strict #true
// What is said.
greeting "say \\"hi\\" for $\${nothing}"
// Which ones.
colours "red" "light blue"
// Nothing of it.
// none "…"
// Where to.
way "up"
// Who is who.
// users { name "…" }
// A block.
nested {
    // How much.
    room "1MiB"
}
// Rules.
// rule { … }
// The key. It has to be given.
key "5e0f"
`)
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { enabled #false } }
${block}`)
  const { status, headers } = await sentinel.get('/')
  assert.equal(status, 403)
  const config = JSON.parse(headers['x-config'] as string) as Readonly<Record<string, unknown>>
  assert.deepEqual([config['maxAge'], config['limit'], config['strict'], config['greeting'], config['colours'], config['key'], config['nested']],
    [10_000, 3, true, 'say "hi" for ${nothing}', ['red', 'light blue'], '5e0f', { room: 1024 * 1024 }])
})

test('--write adds the agent, keeps every line and comment, and the proxy runs it', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const folder = folderWith(t, { 'agent.ts': simple, 'sentinel.kdl': site(upstream.port) })
  const file = join(folder, 'sentinel.kdl')
  chmodSync(file, 0o640)
  const { code, stdout, stderr } = await runSentinel(['agent', 'install', '--write', 'sentinel.kdl', '--config', 'word=teapot'], { cwd: folder })
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /sentinel\.kdl: agent 'simple' is added, and the file loads\.\nA running proxy takes it over with: sentinel reload -c /)
  const text = readFileSync(file, 'utf8')
  const lines = added(site(upstream.port), text)
  assert.equal(lines[0], '    agent "simple" {')
  assert.equal(lines.at(-1), '    }')
  assert.ok(text.includes('    // the last line\n    agent "simple" {'), text)
  assert.equal(statSync(file).mode & 0o777, 0o640)
  const sentinel = await startSentinel(t, text)
  const { status, text: said } = await sentinel.get('/')
  assert.deepEqual([status, said], [418, 'teapot'])
})

test('a configuration without agents, on one line, or with them at its end gets it where it belongs', async (t) => {
  const rest = 'listeners { listener "web" { address "127.0.0.1:0" } }\nroutes { route "all" { matches { path-prefix "/" }; upstream "app" } }\nupstreams { upstream "app" { target "127.0.0.1:9" } }'
  for (const before of [rest, `${rest}\n`, `agents {}\n${rest}\n`, `agents { /* none yet */ }\n${rest}\n`, `agents { agent "x" { unix-socket "/tmp/x.sock"; managed #false } }\n${rest}`, `${rest}\nagents {\n}`]) {
    const folder = folderWith(t, { 'agent.ts': simple, 'sentinel.kdl': before })
    const { code, stderr, stdout } = await runSentinel(['agent', 'install', '--write', 'sentinel.kdl'], { cwd: folder })
    assert.deepEqual([code, stderr], [0, ''], before)
    assert.match(stdout, /It guards every route until one names it: filters "simple"/)
    assert.equal((await runSentinel(['check', '--text-only'], { cwd: folder })).code, 0)
  }
})

test('a file that would not load, that has errors, or that has the agent already, stays as it is', async (t) => {
  const required = simple.replace("setting(text, 'no', 'What is said.')", "required(text, 'What is said.')").replace('setting,', 'required,')
  const cases: ReadonlyArray<readonly [agent: string, kdl: string, args: readonly string[], said: RegExp]> = [
    [simple, site(9).replaceAll('"old"', '"simple"'), [], /has an agent 'simple' already, and is as it was/],
    [simple, `${site(9)}{\n`, [], /CONFIG_SYNTAX[^]*has errors already, and is as it was/],
    [simple, `${site(9)}nonsense\n`, [], /CONFIG_UNKNOWN_SETTING[^]*would not load; it is as it was/],
    [simple, 'routes { route "part" { static-files { root "." } } }\n', [], /there is no listener[^]*would not load; it is as it was\. Where another file includes it, name that one\.$/m],
    [required, site(9), [], /simple needs word: give it with --config word=VALUE\./],
    [simple, site(9), ['--config', 'wrod=1'], /simple has no setting 'wrod'\. It has: word/],
  ]
  for (const [agent, kdl, args, said] of cases) {
    const folder = folderWith(t, { 'agent.ts': agent, 'sentinel.kdl': kdl })
    const { code, stderr } = await runSentinel(['agent', 'install', '--write', 'sentinel.kdl', '--unit', 'simple.service', ...args], { cwd: folder })
    assert.match(stderr, said)
    assert.equal(code, 1)
    assert.equal(readFileSync(join(folder, 'sentinel.kdl'), 'utf8'), kdl)
    assert.ok(!existsSync(join(folder, 'simple.service')), 'and no unit is written')
  }
})

test('the unit starts the agent for the proxy, and systemd has nothing against it', async (t) => {
  const folder = folderWith(t, { 'agent.ts': simple, 'sentinel.kdl': site(9) })
  const { code, stdout, stderr } = await runSentinel(['agent', 'install', '--write', 'sentinel.kdl', '--unit', 'simple.service', '--user', 'proxy'], { cwd: folder })
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /simple\.service is written\. It starts with: systemctl daemon-reload && systemctl enable --now simple\.service/)
  const unit = readFileSync(join(folder, 'simple.service'), 'utf8')
  for (const line of ['DynamicUser=yes', 'User=proxy', 'RuntimeDirectory=simple', 'NoNewPrivileges=yes', 'ProtectSystem=strict', 'CapabilityBoundingSet=', 'Before=sentinel.service']) {
    assert.ok(unit.split('\n').includes(line), line)
  }
  assert.match(readFileSync(join(folder, 'sentinel.kdl'), 'utf8'), /unix-socket "\/run\/simple\/simple\.sock"\n {8}managed #false\n/)
  assert.match(unit, /^ExecStart=.*agent\.ts --socket \/run\/simple\/simple\.sock$/m)
  const again = await runSentinel(['agent', 'install', '--unit', 'simple.service'], { cwd: folder })
  assert.deepEqual([again.code, /simple\.service exists already; nothing was changed/.test(again.stderr)], [2, true])
  if (spawnSync('systemd-analyze', ['--version']).error !== undefined) return t.diagnostic('systemd-analyze is not installed: the unit was not verified')
  const verified = spawnSync('systemd-analyze', ['verify', join(folder, 'simple.service')], { encoding: 'utf8' })
  assert.deepEqual([verified.status, verified.stderr.split('\n').filter((line) => line.includes('simple.service'))], [0, []])
})

test('a unit that cannot be written leaves the configuration as it is', async (t) => {
  const folder = folderWith(t, { 'agent.ts': simple, 'sentinel.kdl': site(9) })
  for (const [unit, said] of [['nowhere/simple.service', /cannot be written, and nothing was changed/], ['simple unit', /"simple unit" cannot be the name of a unit/], ['simple.txt', /cannot be the name/]] as const) {
    const { code, stdout, stderr } = await runSentinel(['agent', 'install', '--write', 'sentinel.kdl', '--unit', unit], { cwd: folder })
    assert.deepEqual([code, stdout], [2, ''], unit)
    assert.match(stderr, said)
    assert.equal(readFileSync(join(folder, 'sentinel.kdl'), 'utf8'), site(9))
  }
})

test('what a block of the agent needs can be given', async (t) => {
  const nested = simple.replace("setting(text, 'no', 'What is said.')", "section({ said: required(text, 'What is said.'), more: setting(text, 'x', 'More.') }, 'Words.')")
    .replace('setting,', 'required, section, setting,').replace('config.word }', 'config.word.said }')
  const folder = folderWith(t, { 'agent.ts': nested, 'sentinel.kdl': site(9) })
  const refused = await runSentinel(['agent', 'install', '--write', 'sentinel.kdl'], { cwd: folder })
  assert.match(refused.stderr, /simple needs word\.said: give it with --config word\.said=VALUE\./)
  const unknown = await runSentinel(['agent', 'install', '--config', 'word.siad=a'], { cwd: folder })
  assert.match(unknown.stderr, /simple has no setting 'word\.siad'\. It has: word\.said, word\.more/)
  const { code, stderr } = await runSentinel(['agent', 'install', '--write', 'sentinel.kdl', '--config', 'word.said=hello'], { cwd: folder })
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(readFileSync(join(folder, 'sentinel.kdl'), 'utf8'), /word \{\n +\/\/ What is said\. It has to be given\.\n +said "hello"\n +\/\/ More\.\n +more "x"\n +\}/)
})

test('an agent that cannot be loaded, and options that cannot be, are told', async (t) => {
  const folder = folderWith(t, { 'agent.ts': 'export default = 1\n' })
  assert.match((await runSentinel(['agent', 'install'], { cwd: folder })).stderr, /agent\.ts:1:16: Expression expected/)
  assert.match((await runSentinel(['agent', 'install', 'nowhere'], { cwd: folder })).stderr, /nowhere does not exist/)
  writeFileSync(join(folder, 'agent.ts'), simple)
  assert.match((await runSentinel(['agent', 'install', '--user', 'a b'], { cwd: folder })).stderr, /"a b" cannot be the name of an account/)
  assert.match((await runSentinel(['agent', 'install', '--write', 'gone.kdl'], { cwd: folder })).stderr, /gone\.kdl does not exist/)
  assert.match((await runSentinel(['agent', 'install', '--write', '.'], { cwd: folder })).stderr, /^sentinel agent install: .* cannot be read: EISDIR[^\n]*\n$/)
})
