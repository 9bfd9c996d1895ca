import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { emptyAudit, emptyMessageAnswer, emptyWants } from '../../proto/codec/index.ts'
import { folderWith } from '../support/folder.ts'
import { fromDist } from '../support/paths.ts'
import { allow, decision, everything, rawAgent } from '../support/raw-agent.ts'
import { eventually } from '../support/running-service.ts'
import { runSentinel } from '../support/sentinel.ts'
import { scripted } from '../support/scripted-agent.ts'

const call = (path: string, ...args: string[]): ReturnType<typeof runSentinel> => runSentinel(['agent', 'call', `unix:${path}`, ...args])

interface Report {
  readonly agent: { readonly name: string }
  readonly config_problems: ReadonlyArray<{ readonly path: readonly string[], readonly message: string }>
  readonly answers: ReadonlyArray<{ readonly event: { readonly kind: string, readonly value: Readonly<Record<string, unknown>> }, readonly reply: Readonly<Record<string, unknown>>, readonly ms: number, readonly refused?: string }>
  readonly protocol_faults: readonly string[]
}

async function scriptedSocket (t: TestContext): Promise<string> {
  const socket = join(folderWith(t), 'agent.sock')
  const child = spawn(process.execPath, [fromDist('test', 'support', 'agents', 'scripted.js')], { env: { ...process.env, SENTINEL_SOCKET: socket }, stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
  await eventually(() => existsSync(socket) ? true : undefined, 'its socket')
  return socket
}

describe('sentinel agent call', () => {
  test('puts one exchange to an agent and prints its decisions in full, with times, as text and as JSON', async (t) => {
    const socket = await scriptedSocket(t)
    const fresh = await call(socket)
    assert.equal(fresh.code, 1)
    assert.match(fresh.stdout, /GET \/ {2}error not_configured: .*\n[^]*give it a configuration first: --config '\{\}'/)
    const script = scripted({ request: { do: 'flag', extras: { attributes: { user: 'ann' }, audit: { reason: 'odd', ruleIds: ['o-1'] } } }, response: { do: 'redirect', location: '/away', status: 307 } })
    const args = ['--config', '{"greeting":"hi"}', '--request', 'PUT /a?b=c', '-H', `x-script: ${script['x-script']}`, '--response', '404', '--response-header', 'x-a: b']
    const text = await call(socket, ...args)
    assert.equal(text.code, 0, text.stdout + text.stderr)
    assert.match(text.stdout, /^scripted 1\.0\.0, wants request_headers, response_headers, complete\nPUT \/a\?b=c {2}flag \(odd; o-1\) {2}[\d.]+ ms\n/)
    assert.match(text.stdout, /\n {2}request_headers: action=set name=x-greeting value=hi\n {2}attributes: user=ann\n {2}audit: rule_ids=\["o-1"\] reason=odd\nresponse 404 {2}redirect 307 to \/away {2}/)
    const json = await call(socket, ...args, '--json')
    const { answers, protocol_faults: faults } = JSON.parse(json.stdout) as Report
    assert.deepEqual(answers.map(({ event, reply }) => [event.kind, (reply['value'] as { kind: string }).kind]), [['request_headers', 'flag'], ['response_headers', 'redirect']])
    assert.deepEqual([answers[0]?.event.value['query'], faults], ['b=c', []])
  })

  test('shows bodies as the agent wants them, from a file as well, and says what it asks for late', async (t) => {
    const folder = folderWith(t, { 'body.txt': 'this is forbidden' })
    const agent = await rawAgent(t, { describe: everything })
    const { stdout, code } = await call(agent.path, '-r', '/upload', '-d', `@${join(folder, 'body.txt')}`, '--response', '200', '--response-data', 'answer')
    assert.equal(code, 0, stdout)
    assert.match(stdout, /POST \/upload {2}allow .*\nrequest body, 17 bytes {2}allow .*\nresponse 200 {2}allow .*\nresponse body, 6 bytes {2}allow/)
    assert.ok(agent.events.some((event) => event.kind === 'request_body' && event.value.data.toString() === 'this is forbidden'))
    assert.equal(agent.events.at(-1)?.kind, 'complete')
    assert.equal(agent.configured.length, 0)
    const late = await call(await scriptedSocket(t), '--config', '{}', '-d', 'forbidden', '-H', `x-script: ${scripted({ late: true })['x-script']}`)
    assert.match(late.stdout, /request body, 9 bytes {2}block 403/)
    agent.script = { onEvent: (event, wire) => wire.reply(event, decision({ kind: 'allow', value: {} }, { wants: emptyWants })) }
    assert.match((await call(agent.path)).stdout, /\n {2}wants: \{\}\n/)
  })

  test('asks about any kind of event, as recordings write it, and takes a body from its standard input', async (t) => {
    const agent = await rawAgent(t, { describe: { ...everything, events: [...everything.events, 'tool_call', 'websocket_message'] }, onEvent: (event, wire) => {
      if (event.timeoutMs > 0) wire.reply(event, event.kind === 'websocket_message' ? { kind: 'message', value: { ...emptyMessageAnswer, kind: 'drop', value: {} } } : allow)
    } })
    const tool = { kind: 'tool_call', value: { protocol: 'mcp', tool: 'delete', arguments_json: { text: '{"a":1}' } } }
    const message = { kind: 'websocket_message', value: { from_client: true, data: { text: 'hello' } } }
    const file = join(folderWith(t, { 'event.json': JSON.stringify(message) }), 'event.json')
    const { code, stdout, stderr } = await call(agent.path, '--event', JSON.stringify(tool), '--event', `@${file}`, '--json')
    assert.equal(code, 0, stderr)
    assert.deepEqual((JSON.parse(stdout) as Report).answers.map(({ event, reply }) => [event.kind, reply['kind']]), [
      ['request_headers', 'decision'], ['tool_call', 'decision'], ['websocket_message', 'message'],
    ])
    assert.ok(agent.events.some((event) => event.kind === 'tool_call' && event.value.tool === 'delete' && event.value.argumentsJson.toString() === '{"a":1}'))
    for (const [event, why] of [['{"kind":"dream"}', /an event of the kind "dream" is not known/], ['{', /--event is not JSON/], ['{"kind":"cancel"}', /'cancel' is told, and never answered/]] as const) {
      const refused = await call(agent.path, '--event', event)
      assert.equal(refused.code, 2)
      assert.match(refused.stderr, why)
    }
    const piped = spawn(process.execPath, [fromDist('proxy', 'main.js'), 'agent', 'call', `unix:${agent.path}`, '-d', '@-'], { stdio: ['pipe', 'ignore', 'ignore'] })
    piped.stdin.end('from a pipe')
    assert.equal(await new Promise((resolve) => { piped.on('close', resolve) }), 0)
    assert.ok(agent.events.some((event) => event.kind === 'request_body' && event.value.data.toString() === 'from a pipe'))
  })

  test('explains what listens where no agent does', async (t) => {
    const folder = folderWith(t, { 'file.txt': '' })
    const listening = (name: string, server: Server): Promise<string> => new Promise((resolve) => {
      t.after(() => server.close())
      const path = join(folder, name)
      server.listen(path, () => resolve(path))
    })
    const reasons: ReadonlyArray<readonly [string, RegExp]> = [
      [join(folder, 'nothing.sock'), /there is no such socket: does the agent run\?/], [join(folder, 'file.txt'), /nobody listens there/],
      [await listening('http1.sock', createHttp((_request, response) => response.end())), /does not speak HTTP\/2, as gRPC does/],
      [await listening('http2.sock', createHttp2((_request, response) => response.end())), /speaks HTTP\/2 and no gRPC/],
      [await listening('closes.sock', createServer((socket) => socket.end())), /it closed the connection before it said who it is/],
      [await listening('silent.sock', createServer((socket) => { t.after(() => socket.destroy()) })), /it takes the connection and does not say who it is/],
    ]
    await Promise.all(reasons.map(async ([path, why]) => {
      // They come at once, and share what there is of processors: only the silent one is waited for to the end.
      const { code, stderr } = await call(path, '--timeout', path.endsWith('silent.sock') ? '3s' : '60s')
      assert.equal(code, 2)
      assert.match(stderr, why)
    }))
  })

  test('explains how an agent breaks the protocol, and what a proxy would not apply', async (t) => {
    const agent = await rawAgent(t, {
      onEvent (event, wire) {
        if (event.kind === 'complete') return wire.reply(event, allow)
        wire.reply({ exchange: 7, sequence: 1 }, allow)
        wire.reply(event, decision({ kind: 'block', value: { status: 200, headers: [], body: Buffer.alloc(0) } }))
        wire.reply(event, allow)
      },
    })
    const { code, stdout } = await call(agent.path)
    assert.equal(code, 1)
    assert.match(stdout, /a proxy would refuse this as AGENT_BAD_REPLY: block with status 200/)
    assert.match(stdout, /it broke the protocol: a reply \(decision\) for event 1 of exchange 7, which never was/)
    assert.match(stdout, /it broke the protocol: .* which was answered before/)
    assert.match(stdout, /it broke the protocol: .* a complete that awaits none/)
    agent.script = { onEvent () {} }
    const silent = await call(agent.path, '--timeout', '2s')
    assert.equal(silent.code, 1)
    assert.match(silent.stdout, /no reply in \d{4,} ms: the operator's failure mode would decide/)
    agent.script = { onEvent: (_event, wire) => wire.raw(Buffer.alloc(40, 0xff)) }
    assert.match((await call(agent.path, '--timeout', '60s')).stdout, /it broke the protocol: the call ended/)
    agent.script = { configure: () => ({ accepted: false, problems: [{ path: ['rules', '3'], message: 'is no rule', hint: 'write one' }] }) }
    const refused = await call(agent.path, '--config', '{}')
    assert.equal(refused.code, 1)
    assert.match(refused.stdout, /configuration refused: rules\.3: is no rule \(write one\)/)
  })

  test('nothing that an agent says can steer the terminal or make up a line, as text and as JSON, and JSON says the same', async (t) => {
    const steering = '\u001b[2J\u0007\u009b31m\u202e\nmade up'
    const agent = await rawAgent(t, {
      describe: { name: `raw${steering}`, version: steering },
      onEvent: (event, wire) => {
        if (event.kind === 'request_headers') wire.reply(event, decision({ kind: 'flag', value: {} }, { audit: { ...emptyAudit, reason: steering, ruleIds: [steering] } }))
      },
    })
    const text = await call(agent.path)
    assert.equal(text.code, 0, text.stdout)
    const json = await call(agent.path, '--json')
    assert.equal((JSON.parse(json.stdout) as Report).agent.name, `raw${steering}`)
    const broken = createHttp2((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/grpc', 'grpc-status': '13', 'grpc-message': '\u009b31m it says' })
      response.end()
    })
    t.after(() => broken.close())
    const path = join(folderWith(t), 'broken.sock')
    await new Promise<void>((resolve) => { broken.listen(path, resolve) })
    const failed = await call(path)
    assert.equal(failed.code, 2)
    assert.match(failed.stderr, /it says/)
    for (const shown of [text.stdout, json.stdout, failed.stderr]) {
      assert.doesNotMatch(shown, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
      assert.doesNotMatch(shown, /^made up/m)
    }
  })

  test('says what cannot be understood and who is not there', async () => {
    const says: ReadonlyArray<readonly [readonly string[], RegExp]> = [
      [['unix:/nowhere/a.sock'], /unix:\/nowhere\/a\.sock: .*ENOENT/],
      [['/nowhere/a.sock'], /write unix:\/nowhere\/a\.sock/],
      [['nonsense'], /'nonsense' is no agent/],
      [['unix:/a', '--request', 'GET x'], /'GET x' is no request/],
      [['unix:/a', '-H', 'x'], /'x' is no field/],
      [['unix:/a', '--response', 'ok'], /'ok' is no status/],
      [['unix:/a', '--timeout', 'soon'], /'soon' is no time/],
      [['unix:/a', '-d', '@/nowhere/file'], /ENOENT/],
      [['a:1', '--client-cert', 'x'], /needs its key/],
      [[], /exactly one AGENT/],
    ]
    for (const [args, message] of says) {
      const { code, stderr } = await runSentinel(['agent', 'call', ...args])
      assert.deepEqual([args, code], [args, 2])
      assert.match(stderr, message)
    }
  })
})
