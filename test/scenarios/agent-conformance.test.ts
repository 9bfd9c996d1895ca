import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { Event } from '../../proto/codec/index.ts'
import { checkConformance, checks } from '../../proxy/decisions/conformance/run.ts'
import type { Checked } from '../../proxy/decisions/conformance/check.ts'
import { folderWith } from '../support/folder.ts'
import { fromDist } from '../support/paths.ts'
import { allow, decision, everything } from '../support/raw-agent.ts'
import { eventually } from '../support/running-service.ts'
import { runSentinel } from '../support/sentinel.ts'
import { flowing, wellMannered, wrong, type Manners } from '../support/well-mannered.ts'

const versions = (request: { protocolVersions: readonly number[] }): number => request.protocolVersions.includes(1) ? 1 : 0

/** For agents that answer nothing, and those that answer. */
const [shortMs, longMs] = [1_500, 60_000]

function checked (path: string, only: readonly string[] = [], timeoutMs = longMs): Promise<Checked[]> {
  return checkConformance({ target: { path }, timeoutMs, config: '{}', only: new Set(only), onChecked () {} })
}

/** An agent that breaks exactly what a check is about, and what of its report says so. */
const broken: Readonly<Record<string, readonly [() => Manners, RegExp]>> = {
  'describe': [() => ({ describe: { name: '' } }), /no name/],
  'describe-version': [() => ({ describe: everything }), /it chose 1 where 999/],
  'configure': [() => ({ configure: ({ version }) => version === 'two' ? { accepted: false, problems: [] } : { accepted: true, problems: [] } }), /refuses .* without a reason/],
  'configure-refuse': [() => ({ configure: ({ configJson }) => ({ accepted: configJson.toString() === '{}', problems: [] }) }), /does not say what is wrong/],
  'configure-validate': [() => ({ configure: ({ validateOnly }) => ({ accepted: !validateOnly, problems: [] }) }), /would refuse what it has accepted/],
  'reply': [() => ({ answer: (event, talk, properly) => { properly(); if (event.timeoutMs > 0) talk.say(event, allow) } }), /answered before/],
  'multiplexed': [() => {
    let waits: Event | undefined
    return { answer: (event, _talk, properly) => { if (event.exchange === 1 || waits !== undefined && event.exchange > 50) properly(); else waits = event } }
  }, /no reply to event 1 of exchange 2 in 1500 ms/],
  'order': [() => {
    let first: Event | undefined
    return {
      answer (event, talk, properly) {
        if (first === undefined) return void (first = event)
        properly()
        talk.say(event, allow)
        talk.say(first, allow)
      },
    }
  }, /answered event 2 before event 1/],
  'unknown-field': [() => ({ onBytes: (bytes, talk) => { if (bytes.includes('of a later version')) talk.end(3); return bytes.includes('of a later version') } }), /before the stream ended \(.*status 3/],
  'unknown-kind': [() => ({ answer: (event, talk, properly) => { if (event.kind === undefined) talk.say(event, allow); else properly() } }), /decision allow/],
  'unanswered': [() => ({ answer: (event, talk, properly) => { if (event.kind === 'complete') talk.say(event, allow); else properly() } }), /complete that awaits none/],
  'unknown-exchange': [() => ({ answer: (event, talk, properly) => { if (event.kind === 'response_headers') talk.say(event, allow); else properly() } }), /never saw/],
  'cancel-frees': [() => {
    let taken = 0
    return {
      describe: (request) => ({ ...everything, protocolVersion: versions(request), limits: { maxExchanges: 60, maxBodyBytes: 0 } }),
      answer (event, talk, properly) {
        // Given up before they are complete: their places are never free again.
        if (event.kind === 'cancel') taken++
        if (event.kind === 'request_headers' && taken >= 60) talk.say(event, wrong('busy'))
        else properly()
      },
    }
  }, /error busy/],
  'in-flight': [() => ({ answer: (event, talk, properly) => { if (talk.open.size >= 900) talk.say(event, wrong('busy')); else properly() } }), /error busy/],
  'streams-apart': [() => {
    const used = new Set<number>()
    return {
      answer (event, talk, properly) {
        if (event.kind === 'request_headers' && used.has(event.exchange)) return talk.say(event, wrong('used_before'))
        used.add(event.exchange)
        properly()
      },
    }
  }, /used_before/],
  'body-whole': [() => ({ answer: (event, _talk, properly) => { if (event.kind !== 'request_body' || event.value.data.length > 0) properly() } }), /no reply/],
  'body-beginning': [() => ({
    answer: (event, talk, properly) => {
      if (event.kind === 'request_body' && event.value.truncated) talk.say(event, decision({ kind: 'allow', value: {} }, { replaceBody: Buffer.from('x') }))
      else properly()
    },
  }), /another body where no whole body was shown/],
  'body-pieces': [() => ({
    describe: (request) => ({ ...flowing, protocolVersion: versions(request) }),
    answer: (event, talk, properly) => {
      if (event.kind === 'request_body') talk.say(event, { kind: 'chunk', value: { kind: 'hold', value: {} } })
      else properly()
    },
  }), /holds back the end/],
  'credit': [() => ({
    describe: (request) => ({ ...flowing, protocolVersion: versions(request) }),
    answer: (event, talk, properly) => { if (event.kind === 'credit') talk.say(event, allow); else properly() },
  }), /credit that awaits none/],
  'big-heads': [() => ({ answer: (event, talk, properly) => { if (event.kind === 'request_headers' && event.value.headers.length > 500) talk.say(event, wrong('too_many')); else properly() } }), /too_many/],
  'bytes': [() => ({ onBytes: (bytes, talk) => { if (bytes.includes(0xff)) talk.end(13); return bytes.includes(0xff) } }), /status 13/],
  'health': [() => ({ check: () => 'not_serving' as const }), /not_serving/],
  'half-closed': [() => ({ onHalfClosed: (talk) => talk.end(2) }), /status 2/],
  'proxy-gone': [() => {
    let broke = false
    return { onBroken: () => { broke = true }, serves: () => !broke }
  }, /no reply/],
  'garbage': [() => {
    let confused = false
    return { onGarbage: () => { confused = true }, serves: () => !confused }
  }, /no reply/],
}

describe('sentinel agent conformance', { concurrency: 3 }, () => {
  test('an agent on bare HTTP/2 that does what the protocol asks for passes every check, whole bodies and flowing ones', async (t) => {
    for (const shape of [everything, flowing]) {
      const agent = await wellMannered(t, { describe: (request) => ({ ...shape, protocolVersion: versions(request) }) })
      const all = await checked(agent.path)
      assert.deepEqual(all.filter(({ outcome }) => outcome === 'failed'), [])
      assert.ok(all.filter(({ outcome }) => outcome === 'passed').length >= checks.length - 4, JSON.stringify(all.filter(({ outcome }) => outcome !== 'passed')))
    }
  })

  test('every check has an agent that breaks it', () => {
    assert.deepEqual(checks.map(({ id }) => id).filter((id) => id !== 'drain').sort(), Object.keys(broken).sort())
  })

  for (const [id, [manners, says]] of Object.entries(broken)) {
    test(`${id} fails for an agent that breaks it`, async (t) => {
      const agent = await wellMannered(t, manners())
      const [found] = await checked(agent.path, [id], says.source.startsWith('no reply') ? shortMs : longMs)
      assert.equal(found?.outcome, 'failed', JSON.stringify(found))
      assert.match(found.detail, says)
    })
  }

  test('drain fails for an agent that goes on when it is told to stop', async (t) => {
    const agent = await wellMannered(t)
    const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' })
    t.after(() => other.kill('SIGKILL'))
    const [found] = await checkConformance({ target: { path: agent.path }, timeoutMs: shortMs, config: '{}', pid: other.pid, only: new Set(['drain']), onChecked () {} })
    assert.equal(found?.outcome, 'failed')
    assert.match(found.detail, /still holds the connection after 3000 ms/)
  })

  for (const [name, program] of [['waf', ['agents', 'waf', 'main.js']], ['denylist', ['agents', 'denylist', 'main.js']], ['scripted', ['test', 'support', 'agents', 'scripted.js']]] as const) {
    test(`the ${name} agent passes, and stops as it should`, async (t) => {
      const { socket, child } = await startAgent(t, program)
      const { code, stdout, stderr } = await runSentinel(['agent', 'conformance', `unix:${socket}`, '--stop-pid', String(child.pid)])
      assert.equal(code, 0, stdout + stderr)
      assert.match(stdout, /^passed {2,}describe .*\n/)
      assert.match(stdout, /passed +drain /)
      assert.match(stdout, /\d\d passed, 0 failed, \d not applicable\n$/)
    })
  }

  test('exits with 1 and the reasons when something failed, and with 2 when there is nobody, as text and as JSON', async (t) => {
    const agent = await wellMannered(t, { describe: everything })
    const text = await runSentinel(['agent', 'conformance', `unix:${agent.path}`, '--only', 'describe-version', '--only', 'health'])
    assert.equal(text.code, 1)
    assert.match(text.stdout, /FAILED {4}describe-version .*\n +it chose 1 where 999 was offered\n/)
    assert.match(text.stdout, /1 passed, 1 failed, 0 not applicable/)
    const json = await runSentinel(['agent', 'conformance', `unix:${agent.path}`, '--only', 'describe-version', '--json'])
    const report = JSON.parse(json.stdout) as { ok: boolean, checks: Checked[] }
    assert.equal(json.code, 1)
    assert.match(json.stdout, /"ms":\d+(?:\.\d{1,3})?\}/)
    assert.deepEqual([report.ok, report.checks.map(({ id, outcome }) => [id, outcome])], [false, [['describe-version', 'failed']]])
    const nobody = await runSentinel(['agent', 'conformance', 'unix:/nowhere/agent.sock'])
    assert.equal(nobody.code, 2)
    assert.match(nobody.stderr, /unix:\/nowhere\/agent\.sock: .*ENOENT/)
    const unknown = await runSentinel(['agent', 'conformance', `unix:${agent.path}`, '--only', 'helth'])
    assert.equal(unknown.code, 2)
    assert.match(unknown.stderr, /no check 'helth'/)
  })

  test('lists the checks with the rule of each', async () => {
    const { code, stdout } = await runSentinel(['agent', 'conformance', '--list'])
    assert.equal(code, 0)
    assert.equal(stdout.split('\n').length - 1, checks.length)
    assert.match(stdout, /^unknown-kind +An event of a kind that the agent does not know is answered with an error, never with a decision\.$/m)
  })
})

async function startAgent (t: TestContext, program: readonly string[]): Promise<{ readonly socket: string, readonly child: ChildProcess }> {
  const socket = join(folderWith(t), 'agent.sock')
  const child = spawn(process.execPath, [fromDist(...program)], { env: { ...process.env, SENTINEL_SOCKET: socket }, stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
  await eventually(() => existsSync(socket) ? true : undefined, 'its socket')
  return { socket, child }
}
