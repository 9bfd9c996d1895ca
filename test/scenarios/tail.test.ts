import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { OptionValues } from '../../proxy/cli/command.ts'
import { statusRange } from '../../proxy/cli/tail-filter.ts'
import { folderWith } from '../support/folder.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { eventually, startProgram } from '../support/running-service.ts'
import { scripted, scriptedAgent } from '../support/scripted-agent.ts'
import { startTailed } from '../support/tail.ts'
import { isAlive, workersOf } from '../support/workers.ts'

const site = (port: number, system = '', agents = ''): string => `
system { graceful-shutdown-timeout "5s"; ${system} }
listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes {
  route "all" { matches { path-prefix "/" }; upstream "app" }
  route "api" { matches { path-prefix "/api" }; upstream "app"; ${agents === '' ? '' : 'agents "judge"'} }
  route "teapot" { matches { path "/teapot" }; respond 418 "short and stout" }
}
upstreams { upstream "app" { target "127.0.0.1:${port}" } }
${agents === '' ? '' : `agents { ${agents} }`}
observability { metrics { address "127.0.0.1:0" }; access-log { enabled #false } }
`

describe('sentinel tail', { concurrency: 2 }, () => {
  test('shows requests as they end, with their times and decisions, on one line each, although no access log is written', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { tail, sentinel } = await startTailed(t, site(upstream.port, '', scriptedAgent('judge')))
    const tailing = await tail()
    await sentinel.get('/api/a?x=1&token=hunter2')
    await sentinel.get('/api/b', { headers: scripted({ request: { do: 'block', status: 403 } }) })
    const lines = await eventually(() => tailing.lines().length >= 2 ? tailing.lines() : undefined, 'two lines')
    const [first = '', second = ''] = lines
    assert.match(first, /^\d\d:\d\d:\d\d\.\d{3} {2}200 {2}GET [\w.]+(:\d+)?\/api\/a\?x=1&token=\[redacted\] {2}127\.0\.0\.1 {2}api → 127\.0\.0\.1:\d+ {2}[\d.]+ms \(judge [\d.]+, .*upstream [\d.]+.*\) {2}judge=allow/)
    assert.match(second, /403 .*\/api\/b .*judge=block\/403/)
    assert.ok(!first.includes('hunter2'))
    await tailing.stop()
  })

  test('as JSON has lines of the access log, and ends with who reads', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { tail, sentinel } = await startTailed(t, site(upstream.port))
    const tailing = await tail(['--json'])
    await sentinel.get('/one')
    const [record] = await eventually(() => tailing.records().length > 0 ? tailing.records() : undefined, 'a line')
    assert.deepEqual([record!['path'], record!['status'], record!['route']], ['/one', 200, 'all'])
    await tailing.stop()
  })

  test('filters by route, status, agent, method, path and address, each kind by any of its values, all kinds together', async (t) => {
    const upstream = await startRecordingUpstream(t, (message, response) => {
      response.statusCode = message.url?.includes('missing') === true ? 404 : message.url?.includes('broken') === true ? 503 : 200
      response.end('ok')
    })
    const kdl = site(upstream.port, '', scriptedAgent('judge'))
    const wanted: ReadonlyArray<readonly [OptionValues, readonly string[]]> = [
      [{ route: ['api'] }, ['/api/ok', '/api/missing', '/api/broken']],
      [{ route: ['api,teapot'] }, ['/api/ok', '/api/missing', '/api/broken', '/teapot']],
      [{ status: ['5xx'] }, ['/api/broken']],
      [{ status: ['404', '>=500'] }, ['/api/missing', '/api/broken']],
      [{ agent: ['judge'], status: ['<300'] }, ['/api/ok']],
      [{ method: ['delete'] }, ['/gone']],
      [{ path: ['/from'] }, ['/from/far']],
      [{ path: ['/*/far', '*ok'] }, ['/api/ok', '/from/far']],
      [{ ip: ['10.1.0.0/16'] }, ['/from/far']],
    ]
    // With who sees all they are as many as may look on.
    for (const part of [wanted.slice(0, 7), wanted.slice(7)]) {
      const { watch, sentinel } = await startTailed(t, kdl)
      const several = await Promise.all(part.map(async ([options, paths]) => ({ paths, watched: await watch(options) })))
      const all = await watch()
      for (const path of ['/api/ok', '/api/missing', '/api/broken', '/plain', '/teapot']) await sentinel.get(path)
      await sentinel.get('/from/far', { headers: { 'x-forwarded-for': '10.1.2.3' } })
      await sentinel.get('/gone', { method: 'DELETE' })
      await eventually(() => all.records.length === 7 ? true : undefined, 'all of them')
      for (const { watched: { records }, paths } of several) await eventually(() => records.length >= paths.length ? true : undefined, `those that fit: ${paths.join()}`)
      if (part.length === 7) await assert.rejects(watch(), /as many look on/)
      await sentinel.get('/last')
      for (const { watched: { records }, paths } of several) assert.deepEqual(records.map(({ path }) => path), paths)
    }
  })

  test('what cannot be understood is refused', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { watch } = await startTailed(t, site(upstream.port))
    await assert.rejects(watch({ ip: ['nonsense'] }), /no address/)
    await assert.rejects(watch({ status: ['teapot'] }), /no status/)
    assert.deepEqual(['5xx', '404', '400-499', '>=500', '>499', '<400', '<=399', '0', 'x', '5x', '-1'].map((text) => statusRange(text)), [
      [500, 599], [404, 404], [400, 499], [500, 999], [500, 999], [0, 399], [0, 399], [0, 0], undefined, undefined, undefined,
    ])
  })

  test('sees all workers, and those that take the place of others', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { watch, sentinel } = await startTailed(t, site(upstream.port, 'worker-threads 2'))
    const { records } = await watch()
    const several = async (path: string): Promise<void> => void await Promise.all(Array.from({ length: 40 }, () => sentinel.get(path)))
    await several('/before')
    await eventually(() => records.length === 40 ? true : undefined, 'forty lines')
    const before = (await workersOf(sentinel)).map(({ pid }) => pid)
    for (const pid of before) process.kill(pid, 'SIGKILL')
    await eventually(async () => (await workersOf(sentinel)).every(({ pid, state }) => state === 'serving' && !before.includes(pid)) ? true : undefined, 'other workers')
    await several('/after')
    await eventually(() => records.filter(({ path }) => path === '/after').length === 40 ? true : undefined, 'forty more lines')
  })

  test('goes on when another process takes over', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { tail, sentinel } = await startTailed(t, site(upstream.port))
    const tailing = await tail(['--json'])
    sentinel.process.kill('SIGUSR2')
    const successor = (await sentinel.logged(({ event }) => event === 'upgraded'))['successor'] as number
    t.after(async () => {
      process.kill(successor, 'SIGTERM')
      await eventually(() => isAlive(successor) ? undefined : true, 'the end of the successor')
    })
    await eventually(async () => {
      await sentinel.get('/after')
      return tailing.records().some(({ path }) => path === '/after') ? true : undefined
    }, 'a line of the new process')
    await tailing.stop()
  })

  test('shows what both do while the old process finishes what it has, and after two upgrades', async (t) => {
    const finish: Array<() => void> = []
    const upstream = await startRecordingUpstream(t, (received, response) => {
      if (received.url === '/slow') finish.push(() => response.end('late'))
      else response.end('ok')
    })
    const { tail, sentinel } = await startTailed(t, site(upstream.port))
    const tailing = await tail(['--json'])
    const seen = (path: string): Promise<true> => eventually(() => tailing.records().some((record) => record['path'] === path) ? true : undefined, path)
    const pending: Array<ReturnType<typeof sentinel.get>> = []
    let serving = sentinel.pid
    for (const round of [1, 2]) {
      pending.push(sentinel.get('/slow'))
      await eventually(() => finish.length === round ? true : undefined, 'the request arrives')
      process.kill(serving, 'SIGUSR2')
      const { successor } = await eventually(() => sentinel.log.filter(({ event }) => event === 'upgraded')[round - 1], 'another process') as { successor?: number }
      serving = successor!
      t.after(() => { if (isAlive(successor!)) process.kill(successor!, 'SIGKILL') })
      await eventually(async () => {
        await sentinel.get(`/after-${round}`)
        return tailing.records().some(({ path }) => path === `/after-${round}`) ? true : undefined
      }, 'a line of the new process')
    }
    assert.ok(isAlive(sentinel.pid), 'the first one has something to finish')
    for (const end of finish) end()
    for (const answer of pending) assert.equal((await answer).text, 'late')
    await seen('/slow')
    await eventually(() => tailing.records().filter(({ path }) => path === '/slow').length === 2 ? true : undefined, 'both lines')
    await eventually(() => isAlive(sentinel.pid) ? undefined : true, 'the end of the first process')
    await sentinel.get('/in-the-end')
    await seen('/in-the-end')
    assert.equal(tailing.records().filter(({ path }) => path === '/in-the-end').length, 1)
    await tailing.stop()
  })

  test('goes on when who takes over has nothing to show at first', async (t) => {
    const socket = join(folderWith(t), 'control.sock')
    let asked = 0
    const server = createServer((_request, response) => {
      if (++asked === 2) return void response.writeHead(503).end('{"ok":false,"error":"the proxy is starting or stopping"}\n')
      response.write(`{"tail":"begun"}\n{"path":"/${asked}"}\n`)
      if (asked === 1) response.end()
    })
    await new Promise<void>((resolve) => { server.listen(socket, resolve) })
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
    const child = startProgram(t, ['tail', '--json', '-s', socket])
    let shown = ''
    child.stdout!.on('data', (chunk: Buffer) => { shown += chunk.toString() })
    await eventually(() => shown === '{"path":"/1"}\n{"path":"/3"}\n' ? true : child.exitCode === null ? undefined : assert.fail(`it ended with ${child.exitCode}`), 'both lines')
  })

  test('a reader that is too slow loses lines and is told how many; nobody waits for it', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { sentinel, stalled, watch } = await startTailed(t, site(upstream.port))
    const slow = await stalled()
    const quick = await watch()
    // Much more than sockets and the proxy hold for somebody.
    const path = `/${'x'.repeat(4_000)}`
    const count = 1_200
    for (let i = 0; i < count; i += 50) await Promise.all(Array.from({ length: 50 }, () => sentinel.get(path)))
    await eventually(() => quick.records.length === count ? true : undefined, 'all lines for who reads')
    const { lines, asked } = await slow.read()
    const lost = lines.reduce((sum, line) => sum + Number((/^\{"lost":(\d+)\}$/.exec(line) ?? [])[1] ?? 0), 0)
    assert.ok(lost > 0)
    const told = lost + lines.filter((line) => line.startsWith('{"ts"')).length
    // Those that were asked for to find the end may be among the lost.
    assert.ok(told >= count && told <= count + asked, `${told} of ${count}, and ${asked}`)
  })
})
