// Rotation, the error log, the audit log, and the file of the program's own log.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { atATime } from '../support/at-a-time.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { eventually } from '../support/running-service.ts'
import { scripted, scriptedAgent } from '../support/scripted-agent.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { deadPort } from '../support/upstream.ts'

const waiting = atATime(2)

interface Given {
  readonly port: number
  readonly logs: string
  readonly system?: string
  readonly more?: string
  readonly route?: string
}

const site = ({ port, logs, system = '', more = '', route = '' }: Given): string => `
system { graceful-shutdown-timeout "5s"; ${system} }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; ${route} } }
upstreams { upstream "app" { target "127.0.0.1:${port}" } }
${more}
observability { metrics { address "127.0.0.1:0" }\n${logs} }
`

/** Lines of a file and of all that was put aside of it. One that gets another name at this moment is left out. */
function linesOf ({ folder }: RunningSentinel, name: string): string[] {
  return readdirSync(folder).filter((file) => file.startsWith(name) && !file.endsWith('.part')).flatMap((file) => {
    let bytes
    try {
      bytes = readFileSync(join(folder, file))
    } catch {
      return []
    }
    return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().split('\n').slice(0, -1)
  })
}

function recordsOf (sentinel: RunningSentinel, name: string): Array<Readonly<Record<string, unknown>>> {
  return linesOf(sentinel, name).map((line) => JSON.parse(line) as Record<string, unknown>)
}

for (const workers of [1, 2]) {
  waiting(`files are put aside by size without losing a line, as many kept as were asked for, and compressed (workers: ${workers})`, async (t) => {
    const upstream = await startRecordingUpstream(t)
    const sentinel = await startSentinel(t, site({
      port: upstream.port, system: `worker-threads ${workers}`, logs: 'access-log { file "access.log"; rotate { max-size "20KiB"; keep 100 } }',
    }))
    let asked = 0
    const aside = (ending = ''): string[] => readdirSync(sentinel.folder).filter((file) => file.startsWith('access.log.2') && file.endsWith(ending))
    await eventually(async () => {
      await Promise.all(Array.from({ length: 40 }, () => sentinel.get(`/${asked++}`)))
      // A file is put aside now and then, however much is written.
      await new Promise((resolve) => { setTimeout(resolve, 50) })
      return aside().length >= 3 && aside('.gz').length >= 1 ? true : undefined
    }, 'three files put aside, and one compressed').catch((error: unknown) => assert.fail(`${String(error)}: ${readdirSync(sentinel.folder).join()}`))
    const paths = await eventually(() => {
      const found = linesOf(sentinel, 'access.log')
      return found.length === asked ? found.map((line) => (JSON.parse(line) as { path: string }).path) : undefined
    }, 'every line once')
    assert.equal(new Set(paths).size, asked)
    // Only so many stay.
    writeFileSync(sentinel.file, readFileSync(sentinel.file, 'utf8').replace('keep 100', 'keep 1'))
    sentinel.process.kill('SIGHUP')
    await eventually(() => aside().length === 1 ? true : undefined, 'one file kept')
  })
}

waiting('a file is put aside by its age, and one that nobody wrote to is not', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, site({ port: upstream.port, logs: 'access-log { file "access.log"; rotate { max-age "1s"; compress #false } }; error-log { file "error.log"; rotate { max-age "1s" } }' }))
  await sentinel.get('/one')
  await sentinel.logged(({ event }) => event === 'logs-rotated')
  assert.deepEqual(readdirSync(sentinel.folder).filter((file) => file.startsWith('error.log')), ['error.log'])
  await sentinel.get('/two')
  const paths = await eventually(() => linesOf(sentinel, 'access.log').length === 2 ? recordsOf(sentinel, 'access.log').map(({ path }) => path) : undefined, 'both lines')
  assert.deepEqual(new Set(paths), new Set(['/one', '/two']))
})

test('the error log has what went wrong with requests and what the program warns of, in all workers', async (t) => {
  const port = await deadPort()
  const sentinel = await startSentinel(t, site({ port, system: 'worker-threads 2', logs: 'error-log { file "error.log" }' }))
  assert.equal((await sentinel.get('/x?token=hunter2')).status, 502)
  const [record] = await eventually(() => recordsOf(sentinel, 'error.log').filter(({ code }) => code === 'UPSTREAM_CONNECT').length > 0 ? recordsOf(sentinel, 'error.log').filter(({ code }) => code === 'UPSTREAM_CONNECT') : undefined, 'an error')
  assert.deepEqual([record!['level'], record!['route_id'], record!['upstream'], record!['status'], typeof record!['request_id'], typeof record!['timestamp']], ['error', 'all', 'app', 502, 'string', 'string'])
  writeFileSync(sentinel.file, 'nonsense')
  sentinel.process.kill('SIGHUP')
  await eventually(() => recordsOf(sentinel, 'error.log').find(({ code }) => code === 'RELOAD_FAILED'), 'what the program says')
})

test('an error log of errors has nothing that clients did wrong', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const logs = (level: string): string => `error-log { file "error.log"; level "${level}" }; audit-log { file "audit.log" }`
  const given = (level: string): string => site({ port: upstream.port, logs: logs(level), route: 'policies { max-body-size "10B" }' })
  const sentinel = await startSentinel(t, given('error'))
  await sentinel.request('/large', { method: 'POST', body: 'x'.repeat(100) } as never)
  await sentinel.reload(given('warn'))
  await sentinel.request('/again', { method: 'POST', body: 'x'.repeat(100) } as never)
  await eventually(() => recordsOf(sentinel, 'error.log').length > 0 ? true : undefined, 'a warning')
  assert.deepEqual(recordsOf(sentinel, 'error.log').filter(({ request_id: id }) => id !== undefined).map(({ code, level }) => [code, level]), [['BODY_TOO_LARGE', 'warn']])
})

async function audited (t: TestContext, settings: string, system = ''): Promise<{ sentinel: RunningSentinel, types: () => string[], find: (type: string) => Promise<Readonly<Record<string, unknown>>> }> {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, site({
    port: upstream.port, system, logs: `audit-log { file "audit.log"; ${settings} }`, more: `agents { ${scriptedAgent('judge')} }`,
    route: 'agents "judge"; policies { rate-limit { requests-per-second 1; burst 3; key "header:x-who" } }',
  }))
  return {
    sentinel,
    types: () => recordsOf(sentinel, 'audit.log').map(({ event_type: type }) => String(type)),
    find: (type) => eventually(() => recordsOf(sentinel, 'audit.log').find(({ event_type: found }) => found === type), type),
  }
}

test('the audit log says who was refused and why, what agents decided, and what was done to the proxy', async (t) => {
  const { sentinel, find } = await audited(t, '', 'worker-threads 2')
  await sentinel.get('/fine', { headers: { 'x-who': 'a' } })
  const decision = await find('agent_decision')
  assert.deepEqual([decision['agent_id'], decision['action'], decision['path'], decision['client_ip'], decision['route_id']], ['judge', 'allow', '/fine', '127.0.0.1', 'all'])
  await sentinel.get('/bad?token=hunter2', { headers: { 'x-who': 'b', ...scripted({ request: { do: 'block', status: 403, extras: { audit: { reason: 'token=hunter2', ruleIds: ['r1'] } } } }) } })
  const blocked = await find('blocked')
  assert.deepEqual([blocked['agent_id'], blocked['status'], blocked['path']], ['judge', 403, '/bad'])
  await Promise.all(Array.from({ length: 12 }, () => sentinel.get('/much', { headers: { 'x-who': 'c' } })))
  assert.equal((await find('rate_limit_exceeded'))['reason'], 'RATE_LIMITED')
  await sentinel.reload(readFileSync(sentinel.file, 'utf8').replace('burst 3', 'burst 4'))
  await eventually(() => recordsOf(sentinel, 'audit.log').find(({ action }) => action === 'reloaded'), 'the reload')
  assert.ok(!readFileSync(join(sentinel.folder, 'audit.log'), 'utf8').includes('hunter2'))
})

test('the audit log has the events that were asked for and no others', async (t) => {
  const { sentinel, find, types } = await audited(t, 'events "blocked"')
  await sentinel.get('/fine', { headers: { 'x-who': 'a' } })
  await sentinel.get('/bad', { headers: { 'x-who': 'b', ...scripted({ request: { do: 'block', status: 403 } }) } })
  await find('blocked')
  assert.deepEqual(types(), ['blocked'])
})

test('what the program says goes to its file once it serves, without the time when that is not wanted, and back on a reload', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const given = (logging: string): string => site({ port: upstream.port, logs: `logging { ${logging} }` })
  const sentinel = await startSentinel(t, given(''))
  writeFileSync(sentinel.file, given('file "own.log"; timestamps #false'))
  sentinel.process.kill('SIGHUP')
  const record = await eventually(() => recordsOf(sentinel, 'own.log').find(({ event }) => event === 'reloaded'), 'a line in the file')
  assert.equal(record['time'], undefined)
  const back = await sentinel.reload(given(''))
  assert.equal(back.event, 'reloaded')
  assert.equal(typeof back['time'], 'number')
})

test('SIGUSR1 opens every log file anew in all workers', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const names = ['access.log', 'error.log', 'audit.log', 'own.log']
  const sentinel = await startSentinel(t, site({
    port: upstream.port, system: 'worker-threads 2', route: 'policies { max-body-size "10B" }; service-type "web"',
    logs: 'access-log { file "access.log" }; error-log { file "error.log" }; audit-log { file "audit.log" }',
  }))
  const reload = sentinel.file
  writeFileSync(reload, readFileSync(reload, 'utf8').replace('access-log {', 'logging { file "own.log" }; access-log {'))
  sentinel.process.kill('SIGHUP')
  await eventually(() => recordsOf(sentinel, 'own.log').some(({ event }) => event === 'reloaded') ? true : undefined, 'the file of the program')
  const some = async (path: string): Promise<void> => void await Promise.all(Array.from({ length: 30 }, () => sentinel.request(path, { method: 'POST', body: 'x'.repeat(100) })))
  await some('/before')
  await eventually(() => recordsOf(sentinel, 'access.log').length === 30 && recordsOf(sentinel, 'error.log').length >= 30 ? true : undefined, 'lines of before')
  for (const name of names) renameSync(join(sentinel.folder, name), join(sentinel.folder, `rotated-${name}`))
  sentinel.process.kill('SIGUSR1')
  await eventually(() => recordsOf(sentinel, 'own.log').some(({ event }) => event === 'logs-reopened') ? true : undefined, 'the word that it is done')
  await some('/after')
  await eventually(() => recordsOf(sentinel, 'access.log').length === 30 && recordsOf(sentinel, 'error.log').length >= 30 ? true : undefined, 'lines of after')
  for (const name of ['access.log', 'rotated-access.log']) assert.deepEqual(new Set(recordsOf(sentinel, name).map(({ path }) => path)), new Set([name === 'access.log' ? '/after' : '/before']))
  await eventually(() => recordsOf(sentinel, 'audit.log').some(({ action }) => action === 'logs-reopened') ? true : undefined, 'it is in the audit log')
})

test('a disk that is full costs lines, which are counted and said, and no request', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, site({ port: upstream.port, logs: 'access-log { file "/dev/full"; buffer-size "8KiB" }' }))
  const long = `/${'x'.repeat(3_900)}`
  // More than may wait.
  for (let i = 0; i < 1_500; i += 50) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => sentinel.get(long)))
    assert.ok(answers.every(({ status }) => status === 200))
  }
  await sentinel.logged(({ msg }) => msg === 'the access-log loses lines')
  const lost = Number(/sentinel_log_lines_lost_total\{log="access-log"\} (\d+)/.exec(await sentinel.metrics())?.[1])
  assert.ok(lost > 0 && lost < 1_500, `${lost}`)
})

test('an access log on standard error stays what it is with several workers', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, site({ port: upstream.port, system: 'worker-threads 2', logs: 'access-log { file "stderr" }' }))
  await sentinel.get('/there')
  const line = await sentinel.logged((record) => record['path'] === '/there')
  assert.deepEqual([line['status'], line['level']], [200, undefined])
})

test('the access log says where the time of a request went', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, site({ port: upstream.port, logs: '', more: `agents { ${scriptedAgent('judge')} }`, route: 'agents "judge"' }))
  await sentinel.get('/timed', { headers: scripted({ request: { do: 'sleep', ms: 30 } }) })
  const record = await sentinel.accessed(({ path }) => path === '/timed')
  const { judge = 0 } = record['filters_ms'] as Record<string, number>
  assert.ok(judge >= 29, JSON.stringify(record))
  assert.ok(Number(record['first_byte_ms']) >= judge && Number(record['duration_ms']) >= Number(record['first_byte_ms']))
  assert.ok(Number(record['connect_ms']) > 0 && Number(record['upstream_ms']) > 0)
})
