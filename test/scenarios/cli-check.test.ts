import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { emptyDescribeResponse } from '../../proto/codec/index.ts'
import { makeCertificate } from '../support/certificates.ts'
import { runHere } from '../support/command.ts'
import { folderWith } from '../support/folder.ts'
import { rawAgent } from '../support/raw-agent.ts'
import { runSentinel } from '../support/sentinel.ts'
import { deadPort } from '../support/upstream.ts'

function site ({ upstream = 'target "127.0.0.1:9"', agents = '', listeners = '', route = '' } = {}): string {
  return `listeners { listener "web" { address "127.0.0.1:0" }; ${listeners} }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; ${route} } }
upstreams { upstream "app" {
  ${upstream}
} }
agents {
  ${agents}
}
observability { metrics { address "127.0.0.1:0" } }
`
}

async function listening (t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => { server.close() })
  return (server.address() as AddressInfo).port
}

/** Lines without the white space that aligns them. */
function linesOf (stdout: string): string[] {
  return stdout.split('\n').map((line) => line.trim().replaceAll(/ {2,}/g, '  '))
}

function has (stdout: string, expected: RegExp): void {
  assert.ok(linesOf(stdout).some((line) => expected.test(line)), `${String(expected)} is not in:\n${stdout}`)
}

test('several files are checked in one run, each with its own line', async (t) => {
  const cwd = folderWith(t, { 'a.kdl': site(), 'b.kdl': site().replace('upstream "app";', 'upstream "ap";') })
  const { code, stdout } = await runSentinel(['check', 'a.kdl', 'b.kdl'], { cwd })
  assert.equal(code, 1)
  assert.match(stdout, /a\.kdl: ok \(1 listener/)
  assert.match(stdout, /b\.kdl:2:\d+: CONFIG_UNKNOWN_REFERENCE/)
  assert.match(stdout, /b\.kdl: 1 error,/)
  const json = JSON.parse((await runSentinel(['check', 'a.kdl', 'b.kdl', '--json'], { cwd })).stdout) as { ok: boolean, files: Array<{ ok: boolean, problems: unknown[] }> }
  assert.deepEqual([json.ok, ...json.files.map(({ ok }) => ok)], [false, true, false])
  assert.equal((await runHere(['check', 'a.kdl', '-c', 'b.kdl'], { cwd })).code, 2)
})

test('--text-only looks at no file that is named, and an unset variable is a warning', async (t) => {
  const cwd = folderWith(t, { 'sentinel.kdl': site({ listeners: 'listener "tls" { address "127.0.0.2:0"; tls { cert-file "no.pem"; key-file "${NO_SUCH_KEY}" } }' }) })
  const whole = await runSentinel(['check'], { cwd })
  assert.equal(whole.code, 1)
  assert.match(whole.stdout, /CONFIG_FILE/)
  const text = await runHere(['check', '--text-only'], { cwd })
  assert.equal(text.code, 0, text.stdout)
  assert.match(text.stdout, /CONFIG_ENVIRONMENT \(warning\)/)
  assert.equal((await runHere(['check', '--text-only', '--network'], { cwd })).code, 2)
})

test('--list-unbuilt tells what of a file is not in effect yet; without a file all there is of the language', async (t) => {
  const cwd = folderWith(t, { 'site.kdl': site({ route: 'inference { provider "generic" }' }).replace('metrics', 'access-log { fields "ts" }; metrics'), 'plain.kdl': site() })
  const { code, stdout } = await runHere(['check', '--list-unbuilt', 'site.kdl'], { cwd })
  assert.equal(code, 0)
  has(stdout, /^site\.kdl:2  routes\.all\.inference\.provider  \S.*/)
  assert.match((await runHere(['check', '--list-unbuilt', 'plain.kdl'], { cwd })).stdout, /everything in it is in effect/)
  const all = await runHere(['check', '--list-unbuilt'], { cwd })
  assert.equal(all.code, 0)
  has(all.stdout, /^routes\.route\.inference\.provider  +\S.*/)
  assert.equal((await runHere(['check', '--list-unbuilt', '--all', 'site.kdl'], { cwd })).stdout, all.stdout)
  const { unbuilt } = JSON.parse((await runHere(['check', '--list-unbuilt', '--json'], { cwd })).stdout) as { unbuilt: Array<{ path: string, doc: string }> }
  assert.ok(unbuilt.some(({ path, doc }) => path === 'routes.route.inference.provider' && doc !== ''))
})

test('--network connects to every target, and says of each what is wrong', async (t) => {
  const open = await listening(t, createServer((socket) => socket.destroy()))
  const closed = await deadPort()
  const cwd = folderWith(t, { 'sentinel.kdl': site({ upstream: `target "127.0.0.1:${open}"\n  target "127.0.0.1:${closed}"\n  target "no-such-host.invalid:80"\n  target "\${HIDDEN}:${closed}"` }) })
  const { code, stdout } = await runHere(['check', '--network'], { cwd, env: { HIDDEN: '127.0.0.99' } })
  assert.equal(code, 1)
  has(stdout, new RegExp(`^ok  sentinel\\.kdl:4  target "127\\.0\\.0\\.1:${open}" of upstream 'app': connected in \\d+ ms$`))
  has(stdout, new RegExp(`^error  sentinel\\.kdl:5  target "127\\.0\\.0\\.1:${closed}" of upstream 'app': nobody listens there$`))
  has(stdout, /^error {2}sentinel\.kdl:6 {2}target "no-such-host\.invalid:80" of upstream 'app': the name does not resolve/)
  has(stdout, /^error {2}sentinel\.kdl:7 {2}target "\$\{HIDDEN\}:\d+" of upstream 'app': nobody listens there$/)
  assert.ok(!stdout.includes('127.0.0.99'), 'a value from the environment is never printed')
  assert.match(stdout, /the configuration is ok, 3 errors outside of it/)
})

test('--network shakes hands where an upstream wants TLS, with the same trust as the proxy', async (t) => {
  const cwd = folderWith(t)
  makeCertificate(cwd, 'ca', { authority: true, hosts: null })
  makeCertificate(cwd, 'server', { issuer: 'ca' })
  const port = await listening(t, createTlsServer({ cert: readFileSync(join(cwd, 'server.pem')), key: readFileSync(join(cwd, 'server.key')) }, (socket) => socket.on('error', () => {})))
  const plain = await listening(t, createServer((socket) => socket.on('error', () => {}).end('hello, this is no TLS\r\n')))
  const judge = async (tls: string, to = port): Promise<{ code: number | null, stdout: string }> => {
    writeFileSync(join(cwd, 'sentinel.kdl'), site({ upstream: `target "127.0.0.1:${to}"\n  tls { ${tls} }` }))
    return runHere(['check', '--network'], { cwd })
  }
  const good = await judge('ca-cert "ca.pem"')
  assert.equal(good.code, 0, good.stdout)
  has(good.stdout, /^ok .*: TLSv1\.3 in \d+ ms, its certificate is good until \d{4}-\d\d-\d\d$/)
  const untrusted = await judge('')
  assert.equal(untrusted.code, 1)
  has(untrusted.stdout, /nobody that is trusted here issued its certificate/)
  has((await judge('ca-cert "ca.pem"; sni "other.test"')).stdout, /its certificate is for other names$/)
  const skipped = await judge('insecure-skip-verify #true')
  assert.equal(skipped.code, 0)
  has(skipped.stdout, /^warning .* its certificate would be refused if somebody looked at it$/)
  has((await judge('ca-cert "ca.pem"', plain)).stdout, /it does not speak TLS there$/)
})

test('--certs looks at every certificate: key, chain, hosts, and when it expires', async (t) => {
  const cwd = folderWith(t)
  makeCertificate(cwd, 'ca', { authority: true, hosts: null })
  makeCertificate(cwd, 'good', { issuer: 'ca', hosts: 'DNS:shop.example.com,DNS:*.example.com' })
  makeCertificate(cwd, 'soon', { untilDay: 5 })
  makeCertificate(cwd, 'old', { untilDay: -3 })
  makeCertificate(cwd, 'bare', { hosts: null })
  const pem = (...names: string[]): string => names.map((name) => readFileSync(join(cwd, `${name}.pem`), 'utf8')).join('')
  writeFileSync(join(cwd, 'chain.pem'), pem('good', 'ca'))
  writeFileSync(join(cwd, 'broken.pem'), pem('good', 'soon'))
  chmodSync(join(cwd, 'soon.key'), 0o644)
  const listener = (id: string, cert: string, key: string, n: number): string => `listener "${id}" { address "127.0.0.${n}:0"; tls { cert-file "${cert}"; key-file "${key}" } }`
  writeFileSync(join(cwd, 'sentinel.kdl'), site({
    listeners: `
${listener('chain', 'chain.pem', 'good.key', 2)}
${listener('soon', '${SOON}', 'soon.key', 3)}
${listener('old', 'old.pem', 'old.key', 4)}
${listener('broken', 'broken.pem', 'good.key', 5)}
${listener('bare', 'bare.pem', 'bare.key', 6)}
${listener('alone', 'good.pem', 'good.key', 7)}
`,
    upstream: 'target "127.0.0.1:9"\n  tls { ca-cert "ca.pem" }',
  }))
  const { code, stdout } = await runHere(['check', '--certs'], { cwd, env: { SOON: 'soon.pem' } })
  assert.equal(code, 1)
  const of = (id: string, level: string, message: string): RegExp => new RegExp(`^${level}  sentinel\\.kdl:\\d+  .*'${id}': ${message}`)
  has(stdout, of('chain', 'ok', 'certificate for shop\\.example\\.com, \\*\\.example\\.com, chain of 2, good until \\d{4}'))
  has(stdout, /^warning {2}sentinel\.kdl:3 {2}cert-file ".*\$\{SOON\}" of .*'soon': the certificate of "soon" expires in [45] days, on /)
  has(stdout, of('soon', 'warning', 'every user of this machine may read the key'))
  has(stdout, /^.*CONFIG_FILE \(warning\): every user of this machine may read 'key-file' of 'tls' of listener 'soon'$/)
  has(stdout, of('old', 'error', 'the certificate of "old" expired on '))
  has(stdout, of('broken', 'error', 'the chain is broken: certificate 2 in the file did not issue certificate 1'))
  has(stdout, of('bare', 'warning', 'it names no host'))
  has(stdout, of('alone', 'warning', 'it stands alone'))
  has(stdout, of('app', 'ok', '1 authority, good until '))
  assert.equal(linesOf(stdout).filter((line) => line.startsWith('error')).length, 2)
  const json = JSON.parse((await runHere(['check', '--certs', '--json'], { cwd, env: { SOON: 'soon.pem' } })).stdout) as { findings: Array<{ level: string, at: { line: number }, hint?: string }> }
  assert.ok(json.findings.filter(({ level }) => level === 'error').every(({ hint, at }) => hint !== undefined && at.line > 0))
})

test('--certs looks into folders of certificates, and at those for other names', async (t) => {
  const cwd = folderWith(t)
  mkdirSync(join(cwd, 'certs'))
  makeCertificate(cwd, 'main')
  for (const [name, untilDay] of [['shop', 100], ['soon', 5], ['old', -3]] as const) makeCertificate(join(cwd, 'certs'), name, { untilDay, hosts: `DNS:${name}.test` })
  writeFileSync(join(cwd, 'certs', 'alone.crt'), 'nothing')
  const pairOf = (path: string): string => `cert-file "${path}.pem"; key-file "${path}.key"`
  const listener = `listener "a" { address "127.0.0.2:0"; tls { ${pairOf('main')}; sni { hostnames "b.test"; ${pairOf('certs/soon')} }; sni-certs { cert-folder "certs" } } }`
  const judge = (text: string) => {
    writeFileSync(join(cwd, 'sentinel.kdl'), site({ listeners: text }))
    return runHere(['check', '--certs'], { cwd })
  }
  const first = await judge(listener)
  assert.equal(first.code, 1)
  has(first.stdout, /^error .*cert-folder "[^"]+" of .*'a': "old\.pem": the certificate of "old" expired on /)
  has(first.stdout, /^warning .*cert-folder "[^"]+" of .*'a': "soon\.pem": the certificate of "soon" expires in [45] days/)
  has(first.stdout, /^warning .*cert-folder "[^"]+" of .*'a': "alone\.crt" is left out: there is no private key/)
  has(first.stdout, /^warning .*cert-file "[^"]+soon\.pem" of tls\.sni\[0\] of .*'a': the certificate of "soon" expires in [45] days/)
  rmSync(join(cwd, 'certs', 'old.pem'))
  const second = await judge(listener)
  assert.equal(second.code, 0)
  has(second.stdout, /^ok .*cert-folder "[^"]+" of .*'a': 2 certificates, good until /)
})

test('--certs also says what a certificate that cannot be used lacks', async (t) => {
  const cwd = folderWith(t, { 'sentinel.kdl': site({ listeners: 'listener "a" { address "127.0.0.2:0"; tls { cert-file "a.pem"; key-file "b.key" } }\n listener "b" { address "127.0.0.3:0"; tls { cert-file "no.pem"; key-file "b.key" } }' }) })
  makeCertificate(cwd, 'a')
  makeCertificate(cwd, 'b')
  const { code, stdout } = await runHere(['check', '--certs'], { cwd })
  assert.equal(code, 1)
  has(stdout, /^error .*'a': the key of key-file does not belong to the certificate$/)
  has(stdout, /^error .*'b': cert-file: there is no such file$/)
})

test('--agents: programs that can be started, and those that cannot', async (t) => {
  const cwd = folderWith(t, {
    'mine.sh': '#!/bin/sh\n', 'not-mine.sh': '#!/bin/sh\n',
    'sentinel.kdl': site({
      agents: [
        'agent "waf" { timeout "1s" }', 'agent "path" { command "node" "x.js" }', 'agent "nowhere" { command "no-such-program-here" }', 'agent "mine" { command "./mine.sh" }',
        'agent "closed" { command "./not-mine.sh" }', 'agent "gone" { command "./gone.sh" }', 'agent "hidden" { command "${HIDDEN}" }',
      ].join('\n  '),
    }),
  })
  chmodSync(join(cwd, 'mine.sh'), 0o755)
  chmodSync(join(cwd, 'not-mine.sh'), 0o644)
  const { code, stdout } = await runHere(['check', '--agents'], { cwd, env: { HIDDEN: '/secret/place' } })
  assert.equal(code, 1)
  has(stdout, /^ok {2}sentinel\.kdl:7 {2}agent 'waf': built in \('waf'\), started by the proxy$/)
  has(stdout, /^ok {2}sentinel\.kdl:8 {2}agent 'path': "node" can be started$/)
  has(stdout, /^error {2}sentinel\.kdl:9 {2}agent 'nowhere': there is no program "no-such-program-here" on the PATH$/)
  has(stdout, /^ok {2}sentinel\.kdl:10 {2}agent 'mine': "\.\/mine\.sh" can be started$/)
  has(stdout, /^error {2}sentinel\.kdl:11 {2}agent 'closed': "\.\/not-mine\.sh" must not be executed by this user$/)
  has(stdout, /^error {2}sentinel\.kdl:12 {2}agent 'gone': there is no program "\.\/gone\.sh"$/)
  has(stdout, /^error {2}sentinel\.kdl:13 {2}agent 'hidden': there is no program "\$\{HIDDEN\}"$/)
  assert.ok(!stdout.includes('/secret/place'))
})

test('--agents: whether somebody answers on a socket, as an agent, and is well', async (t) => {
  const well = await rawAgent(t)
  const ill = await rawAgent(t)
  ill.sayHealth(false)
  const other = await rawAgent(t, { describe: { ...emptyDescribeResponse, name: 'other', protocolVersion: 99 } })
  // Accepts and says nothing, so that only the deadline ends it.
  const silent = await listening(t, createServer((socket) => socket.on('error', () => {})))
  const closed = await deadPort()
  const cwd = folderWith(t, {
    'sentinel.kdl': site({
      agents: [
        `agent "well" { unix-socket "${well.path}"; managed #false }`, `agent "ill" { unix-socket "${ill.path}"; managed #false }`, `agent "other" { unix-socket "${other.path}"; managed #false }`,
        'agent "gone" { unix-socket "gone.sock"; managed #false }', `agent "silent" { grpc "127.0.0.1:${silent}"; managed #false }`, `agent "closed" { grpc "127.0.0.1:${closed}"; managed #false }`,
      ].join('\n  '),
    }),
  })
  const started = performance.now()
  const { code, stdout } = await runHere(['check', '--agents'], { cwd })
  assert.equal(code, 1)
  has(stdout, /^ok {2}sentinel\.kdl:7 {2}agent 'well': raw 1 serves at /)
  has(stdout, /^error {2}sentinel\.kdl:8 {2}agent 'ill': .*says of itself that it is not serving$/)
  has(stdout, /^error {2}sentinel\.kdl:9 {2}agent 'other': the proxy speaks protocol version 1, the agent 99$/)
  has(stdout, /^error {2}sentinel\.kdl:10 {2}agent 'gone': .*gone\.sock": there is no such socket$/)
  has(stdout, /^error {2}sentinel\.kdl:11 {2}agent 'silent': somebody listens at .* who does not answer as an agent: no answer/)
  has(stdout, /^error {2}sentinel\.kdl:12 {2}agent 'closed': "127\.0\.0\.1:\d+": nobody listens there$/)
  assert.ok(performance.now() - started < 60_000, 'all of them are bounded, and look at the same time')
})
