// Every way that Redis is run in: alone behind a socket or TLS, watched by sentinels, as a cluster.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { makeAuthority } from '../support/authority.ts'
import { patienceMs } from '../support/patience.ts'
import { freePort, missing, redisCli, startRedis, startRedisSentinel, startServer } from '../support/redis.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { eventually } from '../support/workers.ts'

const test = atATime(2)

const skip = missing('redis-server') ?? false

const start = (t: TestContext, backend: string, filter = 'max-rps 1; burst 3'): Promise<RunningSentinel> => startSentinel(t, `
listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes { route "all" { matches { path-prefix "/" }; respond 200 "ok"; filters "limit" } }
filters { filter "limit" { type "rate-limit"; ${filter}; backend "redis" { ${backend}; timeout "5s"; on-failure "closed" } } }
observability { metrics { enabled #false } }
`)

async function statuses (sentinel: RunningSentinel, count: number, client = '192.0.2.1'): Promise<number[]> {
  const got: number[] = []
  for (let i = 0; i < count; i++) got.push((await sentinel.get('/', { headers: { 'X-Forwarded-For': client } })).status)
  return got
}

test('a Unix socket', { skip }, async (t) => {
  const redis = await startRedis(t, ['--unixsocket', 'redis.sock'])
  const sentinel = await start(t, `url "unix://${join(redis.folder, 'redis.sock')}"`)
  assert.deepEqual(await statuses(sentinel, 4), [200, 200, 200, 200])
  assert.equal(redisCli(redis.port, 'dbsize'), '1')
})

test('TLS: only with a certificate that its authority signed', { skip }, async (t) => {
  const authority = makeAuthority('stores')
  const { cert, key } = authority.issue('redis', 'IP:127.0.0.1')
  const port = await freePort()
  await startServer(t, port, /Ready to accept connections/, () => ['redis-server', '--port', '0', '--tls-port', String(port), '--bind', '127.0.0.1', '--save', '',
    '--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', authority.ca, '--tls-auth-clients', 'no'])
  const trusting = await start(t, `url "rediss://127.0.0.1:${port}"; ca-cert "${authority.ca}"`)
  assert.deepEqual(await statuses(trusting, 4), [200, 200, 200, 200])
  const strict = await start(t, `url "rediss://127.0.0.1:${port}"`)
  assert.deepEqual(await statuses(strict, 2), [503, 503])
})

test('sentinels: when the master dies, another one counts, and no request waits for ever', { skip }, async (t) => {
  const master = await startRedis(t)
  const replica = await startRedis(t, ['--replicaof', '127.0.0.1', String(master.port)])
  const watcher = await startRedisSentinel(t, master.port, 'main')
  await eventually(() => redisCli(replica.port, 'info', 'replication'), (info) => info.includes('master_link_status:up'))
  await eventually(() => redisCli(watcher.port, 'sentinel', 'replicas', 'main'), (text) => text.includes(String(replica.port)))
  const sentinel = await start(t, `url "redis+sentinel://127.0.0.1:${watcher.port}/main"`, 'max-rps 1; burst 99')
  assert.deepEqual(await statuses(sentinel, 3), [200, 200, 200])
  await eventually(() => redisCli(replica.port, 'dbsize'), (size) => size === '1')
  await master.kill()
  await eventually(() => redisCli(replica.port, 'role'), (role) => role.startsWith('master'))
  // A watcher that was not given a processor for two seconds does nothing for thirty (its TILT mode).
  await eventually(async () => (await statuses(sentinel, 1)).at(0), (status) => status === 200)
  assert.match(redisCli(replica.port, 'info', 'commandstats'), /evalsha/)
})

test('a cluster: keys are spread over its servers', { skip }, async (t) => {
  const nodes = await Promise.all([0, 1, 2].map(async () => {
    // The bus of a node listens 10 000 above its port.
    let port = await freePort()
    while (port > 50_000) port = await freePort()
    return startRedis(t, ['--cluster-enabled', 'yes', '--cluster-node-timeout', '30000'], port)
  }))
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  const made = spawnSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'], { encoding: 'utf8', timeout: patienceMs })
  assert.match(made.stdout, /All 16384 slots covered/)
  // Each server finds out for itself that all are there.
  await eventually(() => nodes.map(({ port }) => redisCli(port, 'cluster', 'info')), (infos) => infos.every((info) => info.includes('cluster_state:ok')))
  const [a, b] = await Promise.all([start(t, `url "redis+cluster://${addresses[0]},${addresses[1]}"`), start(t, `url "redis+cluster://${addresses[2]}"`)])
  for (let i = 0; i < 12; i++) {
    const client = `192.0.2.${i}`
    assert.deepEqual([...await statuses(a, 2, client), ...await statuses(b, 2, client)], [200, 200, 200, 200], client)
  }
  assert.ok((await Promise.all(Array.from({ length: 20 }, () => statuses(b, 1, '192.0.2.0')))).flat().includes(429))
  const sizes = nodes.map(({ port }) => redisCli(port, 'info', 'commandstats').includes('evalsha'))
  assert.deepEqual(sizes, [true, true, true])
})
