import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { connect } from 'node:tls'
import { atATime } from '../support/at-a-time.ts'
import { makeAuthority } from '../support/authority.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { eventually, siteOf } from '../support/running-service.ts'
import { startSentinel, type LogRecord, type RunningSentinel } from '../support/sentinel.ts'

const test = atATime(2)

const on = 'auto-reload #true'

function tries ({ log }: Pick<RunningSentinel, 'log'>): LogRecord[] {
  return log.filter(({ event }) => event === 'reloaded' || event === 'reload-failed')
}

/** Resolves with the outcome of the n-th reload. */
function nth (sentinel: RunningSentinel, n: number): Promise<LogRecord> {
  return eventually(() => tries(sentinel)[n - 1], `reload number ${n}`)
}

/** Longer than a change takes to be looked at. */
const quiet = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve, 900) })

/** Two upstreams that say who they are, and what a configuration with the first or the second looks like. */
async function twoSites (t: TestContext): Promise<{ one: string, two: string }> {
  const ports = await Promise.all(['one', 'two'].map(async (name) => (await startRecordingUpstream(t, (_, response) => response.end(name))).port))
  return { one: siteOf([ports[0]!], on), two: siteOf([ports[1]!], on) }
}

test('a change is taken over by itself, written in place or as editors do it; the same content is not', async (t) => {
  const { one, two } = await twoSites(t)
  const sentinel = await startSentinel(t, one)
  writeFileSync(sentinel.file, two)
  assert.equal((await nth(sentinel, 1)).event, 'reloaded')
  assert.equal((await sentinel.get('/')).text, 'two')
  writeFileSync(`${sentinel.file}.new`, one)
  renameSync(`${sentinel.file}.new`, sentinel.file)
  assert.equal((await nth(sentinel, 2)).event, 'reloaded')
  assert.equal((await sentinel.get('/')).text, 'one')
  writeFileSync(sentinel.file, one)
  utimesSync(sentinel.file, 1, 1)
  writeFileSync(join(sentinel.folder, 'neighbour'), 'not ours')
  await quiet()
  assert.equal(tries(sentinel).length, 2)
})

test('a broken file is told once and changes nothing; the next good one is taken', async (t) => {
  const { one, two } = await twoSites(t)
  const sentinel = await startSentinel(t, one)
  writeFileSync(sentinel.file, `${two}\nnonsense`)
  assert.equal((await nth(sentinel, 1)).event, 'reload-failed')
  utimesSync(sentinel.file, 1, 1)
  await quiet()
  assert.equal(tries(sentinel).length, 1)
  assert.equal((await sentinel.get('/')).text, 'one')
  writeFileSync(sentinel.file, two)
  assert.equal((await nth(sentinel, 2)).event, 'reloaded')
  assert.equal((await sentinel.get('/')).text, 'two')
})

test('a broken file that a signal had read already is not told a second time', async (t) => {
  const { one } = await twoSites(t)
  const sentinel = await startSentinel(t, one)
  await quiet()
  assert.equal((await sentinel.reload(`${one}\nnonsense`)).event, 'reload-failed')
  await quiet()
  assert.equal(tries(sentinel).length, 1)
})

test('files that a pattern includes count: changed, new and gone', async (t) => {
  const { one } = await twoSites(t)
  const routes = mkdtempSync(join(tmpdir(), 'sentinel-included-'))
  t.after(() => rmSync(routes, { recursive: true, force: true }))
  mkdirSync(join(routes, 'team'))
  const route = (status: number): string => `routes { route "r${status}" { matches { path "/${status}" }; upstream "app"; priority "high" } }`
  const sentinel = await startSentinel(t, `${one}\ninclude "${routes}/**/*.kdl"`)
  writeFileSync(join(routes, 'team', 'a.kdl'), route(1))
  assert.equal((await nth(sentinel, 1)).event, 'reloaded')
  mkdirSync(join(routes, 'other'))
  writeFileSync(join(routes, 'other', 'b.kdl'), route(2))
  assert.equal((await nth(sentinel, 2)).event, 'reloaded')
  writeFileSync(join(routes, 'team', 'a.kdl'), route(3))
  assert.equal((await nth(sentinel, 3)).event, 'reloaded')
  rmSync(join(routes, 'other', 'b.kdl'))
  assert.equal((await nth(sentinel, 4)).event, 'reloaded')
  assert.equal(new Set(tries(sentinel).map(({ config_version: version }) => version)).size, 4)
})

test('the swap of a folder behind a link is seen, as Kubernetes changes a ConfigMap', async (t) => {
  const ports = await Promise.all(['one', 'two'].map(async (name) => (await startRecordingUpstream(t, (_, response) => response.end(name))).port))
  const mount = mkdtempSync(join(tmpdir(), 'sentinel-configmap-'))
  t.after(() => rmSync(mount, { recursive: true, force: true }))
  const publish = (version: string, port: number): void => {
    mkdirSync(join(mount, version))
    writeFileSync(join(mount, version, 'upstreams.kdl'), `upstreams { upstream "app" { target "127.0.0.1:${port}" } }`)
    symlinkSync(version, join(mount, '..data_tmp'))
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'))
  }
  publish('..v1', ports[0]!)
  symlinkSync(join('..data', 'upstreams.kdl'), join(mount, 'upstreams.kdl'))
  const sentinel = await startSentinel(t, siteOf([1], on).replace(/^upstreams .*$/m, `include "${mount}/upstreams.kdl"`))
  assert.equal((await sentinel.get('/')).text, 'one')
  publish('..v2', ports[1]!)
  rmSync(join(mount, '..v1'), { recursive: true })
  assert.equal((await nth(sentinel, 1)).event, 'reloaded')
  assert.equal((await sentinel.get('/')).text, 'two')
  publish('..v3', ports[0]!)
  assert.equal((await nth(sentinel, 2)).event, 'reloaded')
  assert.equal((await sentinel.get('/')).text, 'one')
})

test('a certificate that is renewed in its file is shown without being asked for', async (t) => {
  const { one } = await twoSites(t)
  const authority = makeAuthority('renewal')
  const [before, after] = ['before', 'after'].map((name) => authority.issue(name, 'DNS:localhost'))
  const pem = (path: string): string => readFileSync(path, 'utf8')
  const kdl = one.replace('listener "web" { address "127.0.0.1:0" }', 'listener "web" { address "127.0.0.1:0"; protocol "https"; tls { cert-file "tls.pem"; key-file "tls.key" } }')
  const sentinel = await startSentinel(t, kdl, { files: { 'tls.pem': pem(before!.cert), 'tls.key': pem(before!.key) } })
  assert.equal(await shownName(sentinel.port()), 'before')
  writeFileSync(join(sentinel.folder, 'tls.pem'), pem(after!.cert))
  writeFileSync(join(sentinel.folder, 'tls.key'), pem(after!.key))
  assert.equal((await nth(sentinel, 1)).event, 'reloaded')
  assert.equal(await shownName(sentinel.port()), 'after')
})

function shownName (port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}
