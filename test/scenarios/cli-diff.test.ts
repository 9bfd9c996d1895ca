import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runHere } from '../support/command.ts'
import { folderWith } from '../support/folder.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'

function site (parts: { listener?: string, routes?: string, upstream?: string, agents?: string, more?: string } = {}): string {
  return `
listeners { listener "web" { address "127.0.0.1:0"; ${parts.listener ?? ''} } }
routes {
  ${parts.routes ?? 'route "api" { matches { path-prefix "/api" }; upstream "app" }\n  route "rest" { priority "low"; upstream "app" }'}
}
upstreams { upstream "app" { ${parts.upstream ?? 'target "127.0.0.1:9" weight=2'} } }
agents { ${parts.agents ?? ''} }
observability { metrics { address "127.0.0.1:0" } }
${parts.more ?? ''}`
}

const waf = 'agent "waf" { timeout "200ms"; config { level 1 } }'

interface Difference {
  readonly same: boolean
  readonly changes: ReadonlyArray<{ readonly kind: string, readonly path: string, readonly old?: string, readonly new?: string }>
  readonly restart: ReadonlyArray<{ readonly what: string, readonly reload: string }>
  readonly agents: ReadonlyArray<{ readonly agent: string, readonly what: string }>
}

test('another spelling, other comments and another order of blocks are no difference: exit code 0', async (t) => {
  const cwd = folderWith(t, {
    'old.kdl': site({ listener: 'request-timeout "60s"', more: 'limits { max-body-size "1MiB" }' }),
    'new.kdl': `// the same\nlimits { max-body-size-bytes 1048576 }\n${site({
      listener: 'request-timeout-secs 60', routes: 'route "api" { match { path-prefix "/api" }; upstream "app" }\n route "rest" priority=10 { upstream "app" }',
      upstream: 'targets { target "127.0.0.1:9" { weight 2 } }',
    })}`,
  })
  const { code, stdout } = await runSentinel(['diff', 'old.kdl', 'new.kdl'], { cwd })
  assert.equal(stdout, 'old.kdl and new.kdl mean the same: a reload would change nothing.\n')
  assert.equal(code, 0)
})

test('every difference is told with its places in both files: exit code 3', async (t) => {
  const cwd = folderWith(t, {
    'old.kdl': site({ agents: waf }),
    'new.kdl': site({
      routes: 'route "rest" { priority "low"; upstream "app" }\n  route "api" { matches { path-prefix "/v2" }; upstream "app"; filters "waf" }\n  route "new" { matches { path "/new" }; upstream "app" }',
      upstream: 'target "127.0.0.1:9"; target "127.0.0.1:10"', agents: 'agent "waf" { timeout "200ms"; config { level 2 } }', more: 'limits { max-header-count 50 }',
    }),
  })
  const { code, stdout } = await runHere(['diff', 'old.kdl', 'new.kdl'], { cwd })
  assert.equal(code, 3)
  const lines = stdout.split('\n').map((line) => line.trim().replaceAll(/ {2,}/g, '  '))
  for (const expected of [
    'old.kdl → new.kdl',
    '~ path-prefix: "/api" → "/v2"  old.kdl:4 → new.kdl:5',
    '+ filters: "waf"  new.kdl:5',
    '+ route "new"  new.kdl:6',
    '~ route "rest": now first, was after route "api"  old.kdl:5 → new.kdl:4',
    '~ weight: 2 → 1  old.kdl:7 → default',
    '+ target "127.0.0.1:10"  new.kdl:8',
    '~ level: 1 → 2  old.kdl:8 → new.kdl:9',
    '~ max-header-count: 100 → 50  default → new.kdl:11',
  ]) assert.ok(lines.includes(expected), `${expected}\n---\n${stdout}`)
  assert.match(stdout, /A reload takes over all of it at once\./)
  const json = JSON.parse((await runSentinel(['diff', 'old.kdl', 'new.kdl', '--json'], { cwd })).stdout) as Difference
  assert.equal(json.same, false)
  assert.deepEqual(json.restart, [])
  assert.equal(json.changes.find(({ path }) => path === 'limits.max-header-count')?.new, '50')
  assert.match(json.agents.find(({ agent }) => agent === 'waf')?.what ?? '', /new configuration/)
})

test('diff tells what a running proxy then does: it takes over', async (t) => {
  const before = site({ agents: '' })
  const sentinel = await startSentinel(t, before)
  const cases = [
    site({ upstream: 'target "127.0.0.1:10"' }),
    site({ listener: 'keepalive-timeout "5s"' }),
    `${before}\nlimits { max-total-connections 5 }`,
    before.replace('metrics { address "127.0.0.1:0" }', 'metrics { address "127.0.0.1:0"; path "/m" }'),
    `${before}\nlimits { max-body-size "5MiB" }`,
  ]
  for (const next of cases) {
    writeFileSync(join(sentinel.folder, 'old.kdl'), before)
    writeFileSync(join(sentinel.folder, 'new.kdl'), next)
    const { code, stdout } = await runHere(['diff', 'old.kdl', 'new.kdl'], { cwd: sentinel.folder })
    assert.equal(code, 3, stdout)
    assert.match(stdout, /A reload takes over all of it at once/)
    const record = await sentinel.reload(next)
    assert.equal(record.event, 'reloaded', JSON.stringify(record))
    await sentinel.reload(before)
  }
})

test('a file with errors is printed as check prints it: exit code 1; a wrong call is exit code 2', async (t) => {
  const cwd = folderWith(t, { 'old.kdl': site(), 'new.kdl': site({ listener: 'kepalive-timeout "5s"' }) })
  const { code, stderr, stdout } = await runHere(['diff', 'old.kdl', 'new.kdl'], { cwd })
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /new\.kdl:2:53: CONFIG_UNKNOWN_SETTING/)
  assert.equal((await runHere(['diff', 'old.kdl'], { cwd })).code, 2)
  assert.equal((await runHere(['diff', 'old.kdl', 'nix.kdl'], { cwd })).code, 1)
})

test('NEW is judged as if it lay where OLD lies, and values from outside are never printed', async (t) => {
  const agents = 'agent "own" { unix-socket "own.sock"; managed #false; config { key "${TOKEN}" } }'
  const cwd = folderWith(t, { 'old.kdl': site({ agents }) })
  mkdirSync(join(cwd, 'next'))
  writeFileSync(join(cwd, 'next', 'new.kdl'), site({ agents }))
  const env = { TOKEN: 'hunter2hunter2' }
  const same = await runHere(['diff', 'old.kdl', 'next/new.kdl'], { cwd, env })
  assert.equal(same.code, 0, same.stdout)
  writeFileSync(join(cwd, 'next', 'new.kdl'), site({ agents: agents.replace('"${TOKEN}"', '"x${TOKEN}"') }))
  for (const more of [[], ['--json']]) {
    const { code, stdout } = await runHere(['diff', 'old.kdl', 'next/new.kdl', ...more], { cwd, env })
    assert.equal(code, 3)
    assert.ok(!stdout.includes('hunter2') && stdout.includes('x${TOKEN}'), stdout)
  }
})

test('without colours no escape sequence is printed', async (t) => {
  const cwd = folderWith(t, { 'old.kdl': site(), 'new.kdl': site({ upstream: 'target "127.0.0.1:10"' }) })
  assert.ok(!(await runSentinel(['diff', 'old.kdl', 'new.kdl'], { cwd })).stdout.includes('\u001b'))
})
