import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
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
    const silent = await call(agent.path, '--timeout', '300ms')
    assert.equal(silent.code, 1)
    assert.match(silent.stdout, /no reply in 3\d\d ms: the operator's failure mode would decide/)
    agent.script = { onEvent: (_event, wire) => wire.raw(Buffer.alloc(40, 0xff)) }
    assert.match((await call(agent.path, '--timeout', '2s')).stdout, /it broke the protocol: the call ended/)
    agent.script = { configure: () => ({ accepted: false, problems: [{ path: ['rules', '3'], message: 'is no rule', hint: 'write one' }] }) }
    const refused = await call(agent.path, '--config', '{}')
    assert.equal(refused.code, 1)
    assert.match(refused.stdout, /configuration refused: rules\.3: is no rule \(write one\)/)
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
