import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { rawAgent } from '../support/raw-agent.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'
import { scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

function isRunning (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('SIGHUP takes over routes, upstreams and agent settings without losing a request', async (t) => {
  const one = await startRecordingUpstream(t, (_, response) => response.end('one'))
  const two = await startRecordingUpstream(t, (_, response) => response.end('two'))
  const kdl = (port: number, greeting: string): string => siteWith(port, scriptedAgent('greeter', `config { greeting "${greeting}" }`), ['greeter'])
  const sentinel = await startSentinel(t, kdl(one.port, 'good morning'))
  assert.equal((await sentinel.get('/')).text, 'one')
  assert.equal(one.requests.at(-1)!.headers['x-greeting'], 'good morning')

  const pids = sentinel.agentPids()
  let running = true
  const statuses: number[] = []
  const traffic = (async () => { while (running) statuses.push((await sentinel.get('/')).status) })()
  for (let i = 0; i < 10; i++) {
    const even = i % 2 === 0
    const outcome = await sentinel.reload(kdl(even ? two.port : one.port, even ? 'good evening' : 'good night'))
    assert.equal(outcome.event, 'reloaded', outcome.msg)
    assert.equal((await sentinel.get('/')).text, even ? 'two' : 'one')
    assert.equal((even ? two : one).requests.at(-1)!.headers['x-greeting'], even ? 'good evening' : 'good night')
  }
  running = false
  await traffic
  assert.deepEqual([...new Set(statuses)], [200], `${statuses.length} requests during the reloads`)
  assert.deepEqual(sentinel.agentPids(), pids, 'the agent was not started again')
  assert.match(await sentinel.metrics(), /sentinel_config_reloads_total\{result="success"\} 11/)
})

test('a file with a mistake changes nothing and says why', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('still here'))
  const good = siteWith(upstream.port, '', [])
  const sentinel = await startSentinel(t, good)
  const outcome = await sentinel.reload(good.replace('upstream "app" }', 'upstream "ap" }'))
  assert.equal(outcome.event, 'reload-failed')
  assert.match(outcome.msg!, /sentinel\.kdl:\d+:\d+: CONFIG_UNKNOWN_REFERENCE/)
  assert.equal((await sentinel.get('/')).text, 'still here')
  assert.match(await sentinel.metrics(), /sentinel_config_reloads_total\{result="failure"\} 1/)
  assert.equal((await sentinel.reload(good)).event, 'reloaded', 'the next good file is taken')
})

test('an agent that refuses its new settings keeps the old ones, and so does everybody else', async (t) => {
  const one = await startRecordingUpstream(t, (_, response) => response.end('one'))
  const two = await startRecordingUpstream(t, (_, response) => response.end('two'))
  const kdl = (port: number, first: string, second: string): string =>
    siteWith(port, scriptedAgent('first', `config { ${first} }`) + '\n' + scriptedAgent('second', `config {\n${second}\n}`), ['first', 'second'])
  const sentinel = await startSentinel(t, kdl(one.port, 'words "a" "b"', 'greeting "old"'))
  const outcome = await sentinel.reload(kdl(two.port, 'words "c"', 'greeting 12'))
  assert.equal(outcome.event, 'reload-failed')
  assert.match(outcome.msg!, /sentinel\.kdl:\d+:\d+: agent 'second' refuses its configuration \(greeting\)/)
  assert.equal((await sentinel.get('/')).text, 'one')
  assert.equal(one.requests.at(-1)!.headers['x-words'], 'a,b', 'the first agent was not changed either')
  assert.equal(one.requests.at(-1)!.headers['x-greeting'], 'old')
})

test('an agent that is added by a reload is started and asked, one that is removed is stopped', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  await sentinel.get('/')
  assert.equal(upstream.requests.at(-1)!.headers['x-greeting'], undefined)
  assert.equal((await sentinel.reload(siteWith(upstream.port, scriptedAgent('late'), ['late']))).event, 'reloaded')
  await sentinel.get('/')
  assert.equal(upstream.requests.at(-1)!.headers['x-greeting'], 'hello')
  const pid = sentinel.agentPids()['late']!
  assert.equal((await sentinel.reload(siteWith(upstream.port, '', []))).event, 'reloaded')
  await eventually('the removed agent is gone', () => !isRunning(pid))
})

test('an agent that becomes another process gets a new one, and is not left without', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const kdl = (settings: string): string => siteWith(upstream.port, scriptedAgent('changing', settings), ['changing'])
  const sentinel = await startSentinel(t, kdl('env { N "1" }'))
  const before = sentinel.agentPids()['changing']
  assert.equal((await sentinel.reload(kdl('env { N "2" }'))).event, 'reloaded')
  assert.notEqual(sentinel.agentPids()['changing'], before)
  assert.equal((await sentinel.get('/')).status, 200)
  assert.equal((await sentinel.reload(kdl('unix-socket "placed.sock"'))).event, 'reloaded')
})

test('an agent that becomes another process and keeps its socket is never missed, and comes back when the new one is no good', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const kdl = (settings: string): string => siteWith(upstream.port, scriptedAgent('changing', `unix-socket "placed.sock"; ${settings}`), ['changing'])
  const sentinel = await startSentinel(t, kdl('env { N "1" }'))
  const files = (): string[] => readdirSync(sentinel.folder).filter((name) => name.startsWith('placed'))
  let running = true
  const outcomes: string[] = []
  const traffic = (async () => {
    while (running) {
      const { status } = await sentinel.get('/')
      outcomes.push(`${status} ${String(upstream.requests.at(-1)!.headers['x-greeting'])}`)
    }
  })()
  for (const n of ['2', '3']) {
    const before = sentinel.agentPids()['changing']!
    assert.equal((await sentinel.reload(kdl(`env { N "${n}" }`))).event, 'reloaded')
    assert.notEqual(sentinel.agentPids()['changing'], before)
    // What the old process took with it when it ended is put back after that.
    await eventually('the new file is there, and nothing else', () => !isRunning(before) && files().join() === 'placed.sock')
  }
  const good = sentinel.agentPids()['changing']!
  const bad = await sentinel.reload(kdl('env { N "4" }; config { greeting 12 }'))
  assert.equal(bad.event, 'reload-failed')
  await eventually('the bad one is gone', () => !isRunning(sentinel.agentPids()['changing']!) && files().join() === 'placed.sock')
  running = false
  await traffic
  assert.deepEqual([...new Set(outcomes)], ['200 hello'], `${outcomes.length} requests`)
  assert.ok(isRunning(good))
  assert.equal((await sentinel.reload(kdl('env { N "5" }'))).event, 'reloaded')
  assert.equal((await sentinel.get('/')).status, 200)
})

test('an agent that cannot handle the events that are listed is named with both lists', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('headers-only', 'events "request_headers" "request_body"'), ['headers-only']))
  const said = await sentinel.logged((record) => record['state'] === 'incompatible')
  assert.match(said.msg!, /lists the events request_headers, request_body; the agent describes request_headers, response_headers, complete/)
  assert.equal((await sentinel.get('/')).status, 503)
})

test('listeners can be added and removed', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const base = siteWith(upstream.port, '', [])
  const two = base.replace('listeners {', 'listeners { listener "extra" { address "127.0.0.2:0" };')
  const sentinel = await startSentinel(t, base)
  assert.equal((await sentinel.reload(two)).event, 'reloaded')
  const status = JSON.parse((await request(sentinel.metricsPort(), '/status')).text) as { listeners: Array<{ id: string, address: string }> }
  assert.deepEqual(status.listeners.map(({ id }) => id).sort(), ['extra', 'web'])
  const removed = await sentinel.reload(base)
  assert.equal(removed.event, 'reloaded', removed.msg)
  assert.equal((await sentinel.get('/')).text, 'ok')
})

test('a reload takes no agent and no upstream from a request that is under way', async (t) => {
  const slow = await startRecordingUpstream(t, (_, response) => response.end('old upstream'))
  const other = await startRecordingUpstream(t, (_, response) => response.end('new upstream'))
  const two = scriptedAgent('first', 'timeout "60s"') + '\n' + scriptedAgent('second', 'timeout "60s"')
  const sentinel = await startSentinel(t, siteWith(slow.port, two, ['first', 'second']))
  const pending = sentinel.request('/under-way', { headers: { 'x-script': JSON.stringify({ request: { do: 'sleep', ms: 2_000 } }) } })
  // The first agent has it; the second is to be asked after the reload.
  await eventually('it is under way', async () => /^sentinel_active_requests 1$/m.test(await sentinel.metrics()))
  assert.equal((await sentinel.reload(siteWith(other.port, '', []))).event, 'reloaded')
  assert.equal((await sentinel.get('/')).text, 'new upstream')
  const answer = await pending
  assert.deepEqual([answer.status, answer.text], [200, 'old upstream'])
  const record = await sentinel.accessed(({ path }) => path === '/under-way')
  assert.deepEqual(record.agents!.map(({ agent, verdict }) => `${String(agent)} ${String(verdict)}`), ['first allow', 'second allow', 'second allow', 'first allow'], 'responses pass in reverse order')
})

test('an agent that refuses what it had accepted is told of in the log', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const liar = await rawAgent(t, { configure: ({ validateOnly, configJson }) =>
    validateOnly || configJson.includes('one') ? { accepted: true, problems: [] } : { accepted: false, problems: [{ path: ['word'], message: 'changed my mind', hint: '' }] } })
  const kdl = (word: string): string => siteWith(upstream.port, `agent "liar" { unix-socket ${JSON.stringify(liar.path)}; managed #false; config { word "${word}" } }`, ['liar'])
  const sentinel = await startSentinel(t, kdl('one'))
  assert.equal((await sentinel.reload(kdl('two'))).event, 'reloaded')
  const said = await sentinel.logged(({ event }) => event === 'agent-refused')
  assert.match(said.msg!, /sentinel\.kdl:\d+:\d+: agent 'liar' refuses its configuration \(word\): changed my mind/)
})

test('streams on a route that a reload removes may finish for as long as a stop would let them, and others go on', async (t) => {
  const events = await startRecordingUpstream(t, (_, response) => { response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n') })
  const kdl = (routes: string): string => siteWith(events.port, '', [], 'system { graceful-shutdown-timeout "1s" }')
    .replace('routes {', `routes { ${routes}`)
  const gone = 'route "gone" { matches { path-prefix "/gone" }; upstream "app" };'
  const sentinel = await startSentinel(t, kdl(gone))
  const open = async (path: string): Promise<IncomingMessage> => {
    const [response] = await once(get({ port: sentinel.port(), host: '127.0.0.1', path, agent: false }), 'response') as [IncomingMessage]
    t.after(() => response.destroy())
    return response.on('error', () => { /* of the end of the test */ }).resume()
  }
  const [going, staying] = [await open('/gone'), await open('/stays')]
  const ended = once(going, 'end')
  const startedMs = performance.now()
  assert.equal((await sentinel.reload(kdl(''))).event, 'reloaded')
  await ended
  assert.ok(performance.now() - startedMs >= 900, 'it had its time')
  await new Promise((resolve) => { setTimeout(resolve, 300) })
  assert.equal(staying.complete, false)
})
