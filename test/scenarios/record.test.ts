import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fromDist } from '../support/paths.ts'
import { startRecorded, type RecordedCase } from '../support/recorded.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { allow, everything, rawAgent } from '../support/raw-agent.ts'
import { eventually } from '../support/running-service.ts'
import { scripted, scriptedAgent } from '../support/scripted-agent.ts'
import { flowing } from '../support/well-mannered.ts'

const site = (port: number, agents: string, system = ''): string => `
system { graceful-shutdown-timeout "5s"; ${system} }
listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes {
  route "judged" { matches { path-prefix "/" }; upstream "app"; agents "judge" }
  route "free" { matches { path-prefix "/free" }; upstream "app" }
}
upstreams { upstream "app" { target "127.0.0.1:${port}" } }
agents { ${agents} }
observability { metrics { address "127.0.0.1:0" }; access-log { enabled #false } }
`

const at = (cases: readonly RecordedCase[], path: string): RecordedCase => {
  const found = cases.find(({ request }) => request.path === path)
  assert.ok(found, `no case of ${path}`)
  return found
}

describe('sentinel record', { concurrency: 2 }, () => {
  test('writes for each exchange what agents were asked and what they said: heads, attributes, edits, replies, times', async (t) => {
    const upstream = await startRecordingUpstream(t, (_message, response) => { response.setHeader('x-from', 'app'); response.end('ok') })
    const { sentinel, record } = await startRecorded(t, site(upstream.port, scriptedAgent('judge')))
    const recording = await record()
    await sentinel.get('/a?x=1', { headers: { 'x-script': JSON.stringify({ request: { do: 'allow', extras: { attributes: { user: 'ann' }, requestHeaders: { 'x-user': 'ann' } } } }) } })
    await sentinel.get('/b', { headers: scripted({ request: { do: 'block', status: 451, extras: { audit: { reason: 'law', ruleIds: ['l-1'] } } } }) })
    await sentinel.get('/c', { headers: scripted({ request: { do: 'throw' } }) })
    await sentinel.get('/free/d')
    assert.equal(await recording.stop(3), 0)
    const cases = recording.cases()
    assert.deepEqual(cases.map(({ request }) => request.path), ['/a', '/b', '/c'])
    const { agents: [judge], status, route } = at(cases, '/a')
    assert.ok(judge)
    assert.deepEqual([status, route, judge.agent, judge.mode], [200, 'judged', 'judge', 'enforce'])
    assert.deepEqual(judge.asked.map(({ event }) => event.kind), ['request_headers', 'response_headers'])
    const [asked, answered] = judge.asked
    assert.deepEqual([asked?.event.value['method'], asked?.event.value['raw_path'], asked?.event.value['query']], ['GET', '/a', 'x=1'])
    assert.deepEqual(asked?.reply?.value['attributes'], { user: 'ann' })
    assert.deepEqual(asked?.reply?.value['request_headers'], [{ action: 'set', name: 'x-greeting', value: 'hello' }, { action: 'set', name: 'x-user', value: 'ann' }])
    assert.ok(asked.ms! > 0)
    assert.ok(answered)
    assert.ok((answered.event.value['headers'] as string[][]).some(([name, value]) => name?.toLowerCase() === 'x-from' && value === 'app'))
    const blocked = at(cases, '/b').agents[0]!.asked[0]!.reply!
    assert.deepEqual([blocked.kind, blocked.value['kind'], (blocked.value['value'] as { status: number }).status], ['decision', 'block', 451])
    assert.deepEqual(blocked.value['audit'], { rule_ids: ['l-1'], reason: 'law' })
    const failed = at(cases, '/c')
    assert.deepEqual([failed.status, failed.agents[0]?.asked[0]?.reply?.kind], [503, 'error'])
    assert.match(recording.said(), /\d+ exchanges are recorded: .*cases-1\.jsonl/)
  })

  test('takes out secrets of fields, cookies, queries and attributes, leaves out bodies, and says what is missing; the file is for its owner alone', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { sentinel, record } = await startRecorded(t, site(upstream.port, scriptedAgent('judge')))
    const recording = await record()
    const headers = {
      'authorization': 'Bearer hunter-1', 'cookie': 'sid=hunter-2; theme=hunter-3', 'x-api-key': 'hunter-4', 'referer': 'http://a/b?token=hunter-5', 'x-plain': 'seen',
      ...scripted({ late: true, request: { do: 'block', body: 'said with hunter-6', extras: { attributes: { 'api-token': 'hunter-7' } } } }),
    }
    await sentinel.get('/secret?token=hunter-8&q=seen', { method: 'POST', headers: { ...headers, 'content-type': 'text/plain' }, body: 'body with hunter-9' })
    await recording.stop(1)
    const text = recording.text().replaceAll(/"x-script","[^}]*\}+"/g, '"x-script",""')
    assert.doesNotMatch(text.replaceAll(/\\".*?\\"/g, ''), /hunter-[1-5789]/)
    const [found] = recording.cases()
    assert.deepEqual(found?.redacted.filter((what) => !what.includes('x-script')), [
      'the body', 'the field authorization', 'the field cookie', 'the field referer', 'the field x-api-key', 'the query',
    ])
    assert.equal(found.request.query, 'token=[redacted]&q=seen')
    assert.match(recording.text(), /"sid=\[redacted\]; theme=\[redacted\]"/)
    assert.match(recording.text(), /"x-plain","seen"/)
    assert.match(recording.text(), /"data":\{"omitted":18\}/)
    assert.equal(statSync(recording.file).mode & 0o777, 0o600)
  })

  test('--bodies keeps what can be looked into, without the values of fields that are secrets; --unredacted keeps everything and says so', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const agent = await rawAgent(t, { describe: everything })
    const { sentinel, record } = await startRecorded(t, site(upstream.port, `agent "judge" { unix-socket "${agent.path}"; timeout "60s"; max-request-body-size "1MiB" }`))
    const [careful, all] = [await record(['--bodies', '--max-body', '1KiB']), await record(['--unredacted'])]
    const post = (path: string, body: string | Buffer): Promise<unknown> => sentinel.get(path, { method: 'POST', body, headers: { authorization: 'Basic aHVudGVy' } })
    await post('/json', '{"user":"ann","password":"hunter-1","deep":[{"api_key":"hunter-2"}]}')
    await post('/form', 'user=ann&password=hunter-3')
    await post('/long', 'x'.repeat(2_000))
    await post('/binary', Buffer.from([0, 1, 2, 0xff]))
    await careful.stop(4)
    await all.stop(4)
    const body = (cases: readonly RecordedCase[], path: string): unknown =>
      at(cases, path).agents[0]!.asked.find(({ event }) => event.kind === 'request_body')!.event.value['data']
    assert.deepEqual(['/json', '/form', '/long', '/binary'].map((path) => body(careful.cases(), path)), [
      { text: '{"user":"ann","password":"[redacted]","deep":[{"api_key":"[redacted]"}]}' }, { text: 'user=ann&password=[redacted]' }, { omitted: 2_000 }, { omitted: 4 },
    ])
    assert.doesNotMatch(careful.text(), /hunter|aHVudGVy/)
    assert.deepEqual(['/json', '/binary'].map((path) => body(all.cases(), path)), [
      { text: '{"user":"ann","password":"hunter-1","deep":[{"api_key":"hunter-2"}]}' }, { base64: 'AAEC/w==' },
    ])
    assert.match(all.text(), /Basic aHVudGVy/)
    assert.match(all.said(), /nothing is taken out: secrets of your clients will stand in the file/)
  })

  test('filters as tail does, ends by itself after --max, and never writes over a file', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { sentinel, record, command } = await startRecorded(t, site(upstream.port, scriptedAgent('judge')))
    const recording = await record(['--max', '3', '--status', '200', '--agent', 'judge'])
    for (let i = 0; i < 8; i++) {
      await sentinel.get(`/block-${i}`, { headers: scripted({ request: { do: 'block' } }) })
      await sentinel.get(`/allow-${i}`)
    }
    assert.equal(await recording.ended, 0)
    const lines = recording.text().trimEnd().split('\n').map((line) => JSON.parse(line) as { kind: string, status: number, cases: number })
    assert.deepEqual(lines.filter(({ kind }) => kind === 'case').map(({ status }) => status), [200, 200, 200])
    assert.deepEqual([lines[0]?.kind, lines.at(-1)?.kind, lines.at(-1)?.cases], ['head', 'end', 3])
    const again = await command('record', '-c', sentinel.file, '-o', recording.file, '--for', '1s')
    assert.equal(again.code, 2)
    assert.match(again.stderr, /exists already/)
  })

  test('ends after --for with what it has; without a proxy it says so and leaves no file', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { sentinel, record, command } = await startRecorded(t, site(upstream.port, scriptedAgent('judge')))
    const recording = await record(['--for', '5s'])
    assert.equal(await recording.ended, 0)
    await sentinel.stop()
    const gone = await command('record', '-c', sentinel.file, '-o', `${recording.file}.2`, '--for', '1s')
    assert.equal(gone.code, 2)
    assert.throws(() => readFileSync(`${recording.file}.2`))
  })

  test('ends as it should when its terminal is closed, and no field of a client steers a terminal that shows the file', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { sentinel, record } = await startRecorded(t, site(upstream.port, scriptedAgent('judge')))
    const recording = await record()
    await sentinel.get('/steers', { headers: { 'x-steers': '\u009b31m' } })
    await eventually(() => recording.cases().length > 0 ? true : undefined, 'the case')
    recording.process.kill('SIGHUP')
    assert.equal(await recording.ended, 0)
    assert.equal((JSON.parse(recording.text().trimEnd().split('\n').at(-1)!) as { kind: string }).kind, 'end')
    assert.match(recording.text(), /"x-steers","\\u009b31m"/i)
    assert.doesNotMatch(recording.text(), /[\u0080-\u009f]/)
  })

  test('asks for routes and agents that there are, and for bodies that can be had', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { sentinel, command } = await startRecorded(t, site(upstream.port, scriptedAgent('judge')))
    for (const [args, why] of [
      [['record', '--route', 'nowhere'], /there is no route 'nowhere'; there are: judged, free/], [['record', '--agent', 'nobody'], /there is no agent 'nobody'; there are: judge/],
      [['tail', '--agent', 'nobody'], /there is no agent 'nobody'/], [['record', '--max-body', '1MiB'], /at most 256KiB/],
    ] as const) {
      const { code, stderr } = await command(...args, '-c', sentinel.file)
      assert.equal(code, 2)
      assert.match(stderr, why)
    }
    assert.equal(existsSync(join(sentinel.folder, 'cases.jsonl')), false)
  })

  test('a disk that is full ends it: what is there are whole lines, and it says why', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { sentinel, controlSocket } = await startRecorded(t, site(upstream.port, scriptedAgent('judge')))
    const file = join(sentinel.folder, 'small.jsonl')
    // The shell's limit of a file's size, in blocks of 512 bytes; without the signal, writing fails as it does where there is no room.
    const args = [process.execPath, fromDist('proxy', 'main.js'), 'record', '-c', sentinel.file, '-s', controlSocket(), '-o', file]
    const child = spawn('sh', ['-c', 'trap "" XFSZ; ulimit -f 12; exec "$@"', 'sh', ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    t.after(() => child.kill('SIGKILL'))
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString() })
    const ended = new Promise((resolve) => { child.on('close', resolve) })
    await eventually(async () => {
      await sentinel.get('/fills')
      return said === '' ? undefined : true
    }, 'it ends')
    assert.equal(await ended, 2)
    assert.match(said, /small\.jsonl cannot be written any more: .+\n\d+ exchanges? (?:is|are) recorded/)
    const lines = readFileSync(file, 'utf8').split('\n')
    assert.equal(lines.pop(), '')
    const kinds = lines.map((line) => (JSON.parse(line) as { kind: string }).kind)
    assert.ok(kinds.length > 1 && kinds.every((kind, i) => kind === (i === 0 ? 'head' : 'case')), kinds.join())
  })

  test('sees the exchanges of all workers, and shadow agents that answer after the client was', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const shadow = await rawAgent(t, { onEvent: (event, wire) => { if (event.timeoutMs > 0) setTimeout(() => wire.reply(event, allow), 300) } })
    const { sentinel, record } = await startRecorded(t, site(upstream.port, `${scriptedAgent('judge')}\nagent "shade" { unix-socket "${shadow.path}"; mode "shadow"; timeout "5s" }`, 'worker-threads 2')
      .replace('agents "judge"', 'agents "judge" "shade"'))
    const recording = await record()
    await Promise.all(Array.from({ length: 12 }, (_, i) => sentinel.get(`/w-${i}`)))
    await recording.stop(12)
    const cases = recording.cases()
    assert.equal(new Set(cases.map(({ request }) => request.path)).size, 12)
    const { agents } = cases[0]!
    assert.deepEqual(agents.map(({ agent, asked: [first] }) => [agent, first?.reply?.kind]), [['judge', 'decision'], ['shade', 'decision']])
    assert.ok(agents[1]!.asked[0]!.ms! >= 250)
  })

  test('a reader who does not read costs nobody anything: what does not fit is counted and told', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const agent = await rawAgent(t, { describe: { ...flowing } })
    const { sentinel, record, controlSocket } = await startRecorded(t, site(upstream.port, `agent "judge" { unix-socket "${agent.path}"; timeout "60s" }`))
    // A second one, on the socket itself, which reads the first line and then nothing.
    const quick = await record(['--max', '10000'])
    const socket = connect(controlSocket())
    t.after(() => socket.destroy())
    let text = ''
    socket.on('data', (chunk: Buffer) => { text += chunk.toString('latin1') })
    const body = JSON.stringify({ bodies: true, unredacted: true, max_body_bytes: 262_144 })
    socket.write(`POST /record HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    await eventually(() => text.includes('{"record":"begun"}') ? true : undefined, 'it begins')
    socket.pause()
    const large = Buffer.alloc(200_000, 'x')
    for (let at = 0; at < 150; at += 10) {
      const sent = await Promise.all(Array.from({ length: 10 }, (_, i) => sentinel.get(`/large-${at + i}`, { method: 'POST', body: large })))
      assert.deepEqual(sent.map(({ status }) => status), Array.from({ length: 10 }, () => 200))
    }
    socket.resume()
    await eventually(async () => {
      await sentinel.get('/end')
      return text.includes('"/end"') ? true : undefined
    }, 'the last case')
    const [, lost] = /\{"lost":(\d+)\}/.exec(text) ?? []
    const seen = new Set([...text.matchAll(/"path":"\/large-(\d+)"/g)].map(([, number]) => number))
    assert.ok(Number(lost) > 0, 'nothing was lost')
    assert.ok(seen.size < 150 && seen.size + Number(lost) >= 150, `${seen.size} seen, ${lost} lost`)
    await quick.stop(150)
  })
})
