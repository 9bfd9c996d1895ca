import assert from 'node:assert/strict'
import { test } from 'node:test'
import { insertIntoBlock } from '../../../config/kdl/insert.ts'
import { parseKdl } from '../../../config/kdl/parse.ts'
import { loadConfig } from '../../../config/sentinel/index.ts'
import { agentBlock } from '../../../proxy/cli/agent/agent-block.ts'
import { agentUnit, unitWord } from '../../../proxy/cli/agent/agent-unit.ts'
import { devConfig, originOf, settingsOf, settingTree, targetOf } from '../../../proxy/cli/agent/dev-config.ts'
import type { SettingSchema } from '../../../proxy/cli/agent/describe-agent.ts'
import { decisionLine, devScreen } from '../../../proxy/cli/agent/print-dev.ts'
import { templateFiles } from '../../../proxy/cli/agent/template.ts'
import { wrongName } from '../../../proxy/cli/agent-new.ts'
import { folderWith } from '../../support/folder.ts'

test('names of agents: what can be one, and what is near to what cannot', () => {
  for (const name of ['a', 'geo-header', 'x2', 'a'.repeat(64)]) assert.equal(wrongName(name), undefined, name)
  assert.match(wrongName('Größe 2')!, /for instance gro-e-2\.$/)
  assert.match(wrongName('--')!, /for instance geo-header\.$/)
  assert.match(wrongName('node-modules')!, /is taken/)
})

test('a template has the name where it belongs, in both languages', () => {
  const ts = templateFiles({ name: 'my-agent', js: false })
  const js = templateFiles({ name: 'my-agent', js: true })
  assert.deepEqual([...ts.keys()].map((name) => name.replace(/\.ts$/, '.js')), [...js.keys()].map((name) => name.replace(/\.ts$/, '.js')))
  assert.match(ts.get('agent.ts')!, /^ {2}name: 'my-agent',$/m)
  assert.match(js.get('agent.test.js')!, /from '\.\/agent\.js'/)
  assert.equal((JSON.parse(ts.get('package.json')!) as { name: string }).name, 'my-agent')
  assert.equal((JSON.parse(js.get('tsconfig.json')!) as { compilerOptions: { checkJs: boolean } }).compilerOptions.checkJs, true)
})

test('lines go to the end of a block, and nothing else is touched', () => {
  const cases: ReadonlyArray<readonly [before: string, after: string]> = [
    ['', 'agents {\n    new\n}\n'],
    ['a 1', 'a 1\n\nagents {\n    new\n}\n'],
    ['agents {\n    x // y\n}\n', 'agents {\n    x // y\n    new\n}\n'],
    ['agents {\n  x\n  }', 'agents {\n  x\n    new\n  }'],
    ['agents { x; y }\nb 2', 'agents { x; y \n    new\n}\nb 2'],
    ['agents {}', 'agents {\n    new\n}'],
    ['agents {\n    x\n    // last\n}', 'agents {\n    x\n    // last\n    new\n}'],
    ['agents {\n    x /* } */\n} // after', 'agents {\n    x /* } */\n    new\n} // after'],
    ['agents { a }\nagents {\n b\n}\n', 'agents { a }\nagents {\n b\n    new\n}\n'],
    ['other { agents { inner } }\n', 'other { agents { inner } }\n\nagents {\n    new\n}\n'],
    ['agents {\r\n    x "}"\r\n}\r\n', 'agents {\r\n    x "}"\r\n    new\n}\r\n'],
  ]
  for (const [before, after] of cases) {
    assert.equal(insertIntoBlock(before, 'agents', '    new\n'), after)
    assert.deepEqual(parseKdl(after, 'x').problems, [], after)
  }
})

test('settings of a command line become KDL, and what is none is refused', () => {
  assert.deepEqual(settingsOf(['a=1', 'b.c=say "hi"', 'd=true', 'e=', 'f=-1.5', 'g=01', 'h=${client.ip}']), {
    kdl: ['a 1', 'b { c "say \\"hi\\"" }', 'd #true', 'e ""', 'f -1.5', 'g "01"', 'h "${client.ip}"'].map((line) => `            ${line}`).join('\n'),
  })
  assert.equal(settingsOf(['=1']), '"=1" is no setting: write NAME=VALUE')
  assert.deepEqual(settingTree(['a=x', 'b=2', 'a=y']), new Map([['a', '"x" "y"'], ['b', '2']]))
  assert.equal(settingTree(['a']), '"a" is no setting: write NAME=VALUE')
  assert.deepEqual(settingsOf(['a.b=1', 'c=2', 'a.c.d=3', 'a.b=4']), { kdl: '            a { b 1 4; c { d 3 } }\n            c 2' })
  assert.equal(settingsOf(['a=1', 'a.b=2']), '"a.b=2": a was given a value, and cannot be a block as well')
  assert.equal(settingsOf(['a.b=1', 'a=2']), '"a=2": a is a block, and cannot have a value as well')
})

test('a line of the configuration of the throw-away proxy is told as the line that its author wrote', () => {
  const settings = { file: 'a 1\nb {\n  c 2\n}\n', single: '            d 3' }
  const text = devConfig({
    agent: 'a', socket: '/tmp/a.sock', controlSocket: '/tmp/c.sock', port: 0, upstream: { address: '127.0.0.1:1', tls: undefined }, settings, patient: false,
  })
  const origin = (has: string): number | 'given' | undefined => originOf(text, text.split('\n').findIndex((line) => line.includes(has)) + 1, settings)
  assert.deepEqual(['a 1', 'b {', 'c 2', 'd 3', 'unix-socket', 'observability'].map(origin), [1, 2, 3, 'given', undefined, undefined])
})

test('where an application is', () => {
  assert.deepEqual(targetOf('http://127.0.0.1:3000'), { address: '127.0.0.1:3000', tls: undefined })
  assert.deepEqual(targetOf('https://app.test/'), { address: 'app.test:443', tls: 'app.test' })
  assert.deepEqual(targetOf('http://[::1]:80'), { address: '[::1]:80', tls: undefined })
  for (const wrong of ['127.0.0.1:3000', 'ftp://a', 'http://a/path', 'http://a?b', 'http://u:p@a']) assert.equal(typeof targetOf(wrong), 'string', wrong)
})

test('the configuration of the throw-away proxy is without errors, patient or not, with TLS or without', async (t) => {
  for (const patient of [true, false]) {
    for (const upstream of [{ address: '127.0.0.1:3000', tls: undefined }, { address: 'app.test:443', tls: 'app.test' }]) {
      const folder = folderWith(t, {
        'sentinel.kdl': devConfig({ agent: 'a', socket: '/tmp/a.sock', controlSocket: '/tmp/c.sock', port: 0, upstream, settings: { file: '', single: '            x "y"' }, patient }),
      })
      const { config, problems } = await loadConfig(`${folder}/sentinel.kdl`, { env: {} })
      assert.deepEqual(problems, [])
      assert.equal(config?.agents[0]?.http2.keepAliveTimeout, patient ? 24 * 60 * 60 * 1000 : 2_000)
    }
  }
})

const schema: SettingSchema = {
  properties: {
    word: { description: 'A word.', type: 'string', default: 'a ${b}' },
    count: { type: 'integer', default: '5' },
    on: { type: 'boolean', default: false },
    list: { anyOf: [{ type: 'integer' }, { type: 'array' }], default: [1, 2] },
    old: { description: 'Another spelling of word.', deprecated: true },
    way: { description: 'Which way.', enum: ['up', 'down'] },
    inner: { $ref: '#/$defs/inner' },
    key: { type: 'string' },
  },
  required: ['key'],
  $defs: { inner: { properties: { time: { type: 'string', default: '1s' } } } },
}

test('the block has each kind of setting as it is written, and says what must be given', () => {
  const description = { name: 'x', events: ['request_headers'], configSchema: schema }
  const { text, missing } = agentBlock({ description, command: ['node', 'a b.js'], service: undefined, given: new Map() })
  assert.deepEqual(missing, ['key'])
  assert.ok(text.includes('        command "node" "a b.js"\n'))
  assert.ok(text.endsWith(`        config {
            // A word.
            word "a $\${b}"
            count 5
            on #false
            list 1 2
            // Which way.
            // way "up"
            inner {
                time "1s"
            }
            // key "…"
        }
    }
`), text)
  const given = agentBlock({ description, command: ['node'], service: { name: 'x.service', socket: '/run/x.sock' }, given: new Map([['key', '"k"']]) })
  assert.deepEqual(given.missing, [])
  assert.ok(given.text.includes('            key "k"\n') && given.text.includes('        unix-socket "/run/x.sock"\n        managed #false\n'), given.text)
  assert.ok(!/^ +command/m.test(given.text))
})

test('words of a unit are what they are, whatever stands in them (systemd.service(5))', () => {
  assert.equal(unitWord('/usr/bin/node'), '/usr/bin/node')
  assert.equal(unitWord('/a b/100%/$HOME'), '"/a b/100%%/$$HOME"')
  assert.equal(unitWord('say "hi"\\'), '"say \\"hi\\"\\\\"')
  assert.equal(unitWord(''), '""')
  const unit = agentUnit({ name: 'x', command: ['/usr/bin/node', '/srv/a b.js'], socket: '/run/x/x.sock', user: 'sentinel', inHome: true })
  assert.match(unit, /^ExecStart=\/usr\/bin\/node "\/srv\/a b\.js" --socket \/run\/x\/x\.sock$/m)
  assert.match(unit, /^ProtectHome=read-only$/m)
})

test('nothing in a request or an error can steer the terminal', () => {
  const line = decisionLine({
    method: 'GET', path: '/\u001b[2J', about: 'response', decision: 'allow', status: 0, reason: 'a\nb', edits: ['→ x: \u001b]0;title\u0007', 'path /\u202e'], ms: 123.4,
  }, false)
  assert.ok(line.endsWith('\n') && !/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/.test(line) && line.indexOf('\n') === line.length - 1, JSON.stringify(line))
  assert.match(line, /allow \(response\)/)
  assert.match(line, / {2}123ms\n$/)
  let shown = ''
  const screen = devScreen((text) => { shown += text }, false)
  screen.failed('/x.ts:1:1: \u001b[31mred', true)
  screen.line('\u001b[2J')
  screen.logged('warn', 'a\rb')
  assert.ok(!/[\u0000-\u0009\u000b-\u001f]/.test(shown), JSON.stringify(shown))
})
