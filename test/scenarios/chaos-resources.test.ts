// The machine runs out of something: disk, descriptors.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { accountFor, heldBy, leaksNothing, pause, recovers, startApplication, startLoad } from '../support/chaos.ts'
import { eventually } from '../support/eventually.ts'
import { startSentinel } from '../support/sentinel.ts'

/** A file system of its own of one MiB; `undefined` where nobody may mount one. */
function smallDisk (t: TestContext): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-disk-'))
  const mounted = process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'sentinel-test', folder]).status === 0
  t.after(() => {
    if (mounted) execFileSync('umount', ['-l', folder])
    rmSync(folder, { recursive: true, force: true })
  })
  return mounted ? folder : undefined
}

test('a full disk costs lines of the log, no request, and the log goes on when there is room', async (t) => {
  const disk = smallDisk(t)
  if (disk === undefined) return t.skip('only root may mount a file system')
  const application = await startApplication(t)
  const log = join(disk, 'logs', 'access.log')
  mkdirSync(join(disk, 'logs'))
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${application.port}" } }
observability { access-log { file "${log}" }; metrics { address "127.0.0.1:0" } }
`)
  await recovers(sentinel)
  const before = heldBy(sentinel.pid)
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(900 * 1024))
  const load = startLoad({ port: sentinel.port(), perSecond: 400 })
  await sentinel.logged(({ component, msg }) => component === 'access-log' && /lose|full|space|ENOSPC/i.test(msg ?? ''))
  // Before there is room again: a load that goes on would take that as well.
  const outcomes = await load.stop()
  const size = statSync(log).size
  rmSync(join(disk, 'ballast'))
  await eventually('lines are written again', async () => {
    await sentinel.get('/behind')
    return statSync(log).size > size
  })
  assert.deepEqual(outcomes.filter(({ status }) => status !== 200), [])
  await eventually('the last line is whole', () => readFileSync(log, 'utf8').endsWith('\n'))
  assert.doesNotThrow(() => readFileSync(log, 'utf8').trimEnd().split('\n').slice(1).forEach((line) => JSON.parse(line)), 'and none of them is half a line')
  await leaksNothing(sentinel, before)
})

test('with no descriptors left connections wait or fail by name, and all is well when some are free again', async (t) => {
  if (spawnSync('prlimit', ['--version']).status !== 0) return t.skip('prlimit is not there')
  const application = await startApplication(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0"; keepalive-timeout "60s" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${application.port}" } }
observability { metrics { address "127.0.0.1:0" } }
`)
  await recovers(sentinel)
  const before = heldBy(sentinel.pid)
  execFileSync('prlimit', ['--pid', String(sentinel.pid), `--nofile=${before.descriptors + 30}`])
  const idle: Socket[] = []
  for (let i = 0; i < 60; i++) {
    const socket = connect(sentinel.port(), '127.0.0.1')
    socket.on('error', () => {})
    idle.push(socket)
  }
  await pause(500)
  const during = startLoad({ port: sentinel.port(), perSecond: 20 })
  await pause(1_000)
  for (const socket of idle) socket.destroy()
  const meanwhile = await during.stop()
  await recovers(sentinel)
  const after = startLoad({ port: sentinel.port(), perSecond: 50 })
  await pause(1_000)
  const afterwards = await after.stop()
  assert.deepEqual(afterwards.filter(({ status }) => status !== 200), [])
  await accountFor(sentinel, [...meanwhile, ...afterwards])
  assert.equal(sentinel.process.exitCode, null)
  await leaksNothing(sentinel, before)
})

test('a limit of open files below the connections that may come is told at the start', async (t) => {
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; respond 204 } }
limits { max-total-connections 10000000 }
`)
  const { most, connections } = await sentinel.logged(({ event }) => event === 'few-descriptors')
  assert.equal(connections, 10_000_000)
  assert.ok(Number(most) < 10_000_000)
})
