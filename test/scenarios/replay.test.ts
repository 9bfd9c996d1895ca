import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { emptyAudit } from '../../proto/codec/index.ts'
import { folderWith } from '../support/folder.ts'
import { fromDist } from '../support/paths.ts'
import { startRecorded, type RecordedProxy } from '../support/recorded.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { decision, everything, rawAgent } from '../support/raw-agent.ts'
import { runSentinel } from '../support/sentinel.ts'

const denylist = (config: string): string => `agents { agent "denylist" type="denylist" { timeout "60s"; config { ${config} } } }`
const site = (port: number, config: string, more = ''): string => `
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; agents "denylist" } }
upstreams { upstream "app" { target "127.0.0.1:${port}" } }
${denylist(config)}
observability { metrics { address "127.0.0.1:0" }; access-log { enabled #false } }
${more}`

interface Report {
  readonly cases: number
  readonly notes: readonly string[]
  readonly agents: ReadonlyArray<{
    readonly agent: string, readonly cases: number, readonly asked: number, readonly not_asked: Readonly<Record<string, number>>
    readonly changes: ReadonlyArray<{ readonly request: string, readonly what: readonly string[], readonly before: { readonly verdict: string, readonly reason: string }, readonly after: { readonly verdict: string }, readonly uncertain: readonly string[] }>
  }>
}

async function recorded (t: TestContext, config: string, paths: readonly string[], headers: Readonly<Record<string, string>> = {}, more = ''): Promise<RecordedProxy & { file: string, port: number }> {
  const upstream = await startRecordingUpstream(t)
  const proxy = await startRecorded(t, site(upstream.port, config, more))
  const recording = await proxy.record()
  for (const path of paths) await proxy.sentinel.get(path, { headers })
  await recording.stop(paths.length)
  return { ...proxy, file: recording.file, port: upstream.port }
}

describe('sentinel replay', () => {
  test('puts recorded exchanges to the agents of a new configuration, without listeners, and tells which decisions change', async (t) => {
    const { file, port, command } = await recorded(t, 'block-paths "/admin/*" "/old"', ['/admin/a', '/admin/b', '/old', '/shop?q=1', '/new'])
    const folder = folderWith(t, { 'same.kdl': site(port, 'block-paths "/admin/*" "/old"'), 'next.kdl': site(port, 'block-paths "/admin/*" "/new"; block-response-code 451') })
    const same = await command('replay', file, '--config', join(folder, 'same.kdl'))
    assert.deepEqual([same.code, same.stderr], [0, ''])
    assert.match(same.stdout, /\d+ cases, no decision would change\n$/)
    const next = await command('replay', file, '--config', join(folder, 'next.kdl'))
    assert.equal(next.code, 1, next.stderr)
    assert.match(next.stdout, /block 403 \(path_blocked.*\) → block 451 \(path_blocked.*\) {2}2 times\n {4}GET [\w.:]+\/admin\/a {2}all .*:\d+\n/)
    assert.match(next.stdout, /block 403 \(path_blocked.*\) → allow {2}1 time\n {4}GET [\w.:]+\/old /)
    assert.match(next.stdout, /allow → block 451 \(path_blocked.*\) {2}1 time\n {4}GET [\w.:]+\/new /)
    assert.match(next.stdout, /in 4 of them decisions would change\n$/)
    const json = await command('replay', file, '--config', join(folder, 'next.kdl'), '--agent', 'denylist', '--json', '--ignore', 'body')
    const report = JSON.parse(json.stdout) as Report
    assert.deepEqual(report.agents[0]?.changes.map(({ request, before, after }) => [request.replace(/^GET [^/]+/, ''), before.verdict, after.verdict]), [
      ['/admin/a', 'block 403', 'block 451'], ['/admin/b', 'block 403', 'block 451'], ['/old', 'block 403', 'allow'], ['/new', 'allow', 'block 451'],
    ])
  })

  test('puts them to an agent that somebody serves, and says when it breaks off', async (t) => {
    const { file, command } = await recorded(t, 'block-paths "/b"', ['/a', '/b'])
    const agent = await rawAgent(t, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, decision({ kind: 'redirect', value: { status: 302, location: '/away' } })) } })
    const found = await command('replay', file, '--agent', `unix:${agent.path}`, '--json')
    assert.equal(found.code, 1)
    const report = JSON.parse(found.stdout) as Report
    assert.ok(report.agents[0]!.changes.every(({ after }) => after.verdict === 'redirect 302'))
    const heads = agent.events.flatMap((event) => event.kind === 'request_headers' ? [event.value] : [])
    assert.ok(heads.some(({ path, route, headers }) => path === '/b' && route === 'all' && headers.includes('Host')))
    agent.script = { onEvent: (_event, wire) => wire.stream.close() }
    const broken = await command('replay', file, '--agent', `unix:${agent.path}`)
    assert.equal(broken.code, 2)
    assert.match(broken.stdout, /could not be asked to the end/)
    await agent.kill()
    assert.equal((await command('replay', file, '--agent', `unix:${agent.path}`)).code, 2)
  })

  test('says that a change is uncertain where what decided may have been taken out of the recording', async (t) => {
    const { file, port, command } = await recorded(t, '', ['/a?token=secret'], { authorization: 'Bearer secret' })
    const folder = folderWith(t, { 'next.kdl': site(port, 'block-paths "/a"') })
    const { code, stdout } = await command('replay', file, '--config', join(folder, 'next.kdl'))
    assert.equal(code, 1)
    assert.match(stdout, /\/a\?token=\[redacted\].*\n {6}uncertain: the field authorization, the query are not in the recording\n/)
  })

  test('an agent that says the same about evidence has changed nothing, and secrets that it says are not printed', async (t) => {
    const says = await rawAgent(t, {
      onEvent: (event, wire) => {
        const audit = { ...emptyAudit, reason: 'token=hunter2-token', ruleIds: ['password=hunter2-rule'] }
        if (event.kind === 'request_headers') wire.reply(event, decision({ kind: 'block', value: { status: 403, headers: [], body: Buffer.from('no') } }, { audit }))
      },
    })
    const receipt = {
      v: 1, seq: 1, prev: '0', hash: '1', kind: 'decision', event_id: 'a', phase: 'request-headers', agent: 'says', mode: 'enforce', method: 'GET', host: 'a', path: '/a', route: 'all',
      verdict: 'block', status: 403, reason: 'token=[redacted]', rule_ids: ['password=[redacted]'],
    }
    const folder = folderWith(t, { 'evidence.jsonl': `${JSON.stringify(receipt)}\n` })
    const same = await runSentinel(['replay', 'evidence.jsonl', '--agent', `unix:${says.path}`], { cwd: folder })
    assert.match(same.stdout, /1 case, no decision would change\n$/)
    writeFileSync(join(folder, 'evidence.jsonl'), `${JSON.stringify({ ...receipt, reason: 'another' })}\n`)
    const other = await runSentinel(['replay', 'evidence.jsonl', '--agent', `unix:${says.path}`], { cwd: folder })
    assert.equal(other.code, 1, other.stdout)
    assert.doesNotMatch(other.stdout, /hunter2/)
  })

  test('reads evidence: puts what receipts hold and says what they do not', async (t) => {
    const evidence = join(folderWith(t), 'evidence.jsonl')
    const { port, command, sentinel } = await recorded(t, 'block-paths "/admin/*" "/old"', ['/admin/a', '/old', `/admin/${'x'.repeat(60)}`], {}, `evidence { file ${JSON.stringify(evidence)} }`)
    await sentinel.stop()
    const folder = folderWith(t, { 'next.kdl': site(port, 'block-paths "/admin/*"') })
    const { code, stdout } = await command('replay', evidence, '--config', join(folder, 'next.kdl'), '--json')
    const report = JSON.parse(stdout) as Report
    assert.equal(code, 1)
    assert.deepEqual([report.cases, report.agents[0]?.asked], [2, 2])
    assert.deepEqual(report.agents[0]?.changes.map(({ request, before, after, uncertain }) => [request.replace(/^GET [^/]+/, ''), before.verdict, after.verdict, uncertain]), [
      ['/old', 'block 403', 'allow', ['the fields', 'the query', 'the body']],
    ])
    assert.match(report.notes.join('\n'), /this is evidence: .*nothing of plain allows\n1 receipt is left out: its path is masked/)
  })

  test('--save makes tests of them that the sdk runs: what was decided is expected, what is uncertain is only told', async (t) => {
    const { file, command } = await recorded(t, 'block-paths "/admin/*"', ['/admin/a', '/shop'])
    // Where the package's own name is known.
    const folder = mkdtempSync(join(fromDist('test'), 'saved-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const module = (paths: string): string => `import { block, defineAgent } from 'sentinel/sdk'
export default defineAgent({ name: 'mine', onRequest ({ path }) {
  if (${paths}) return block(403, { body: 'Access denied', audit: { reason: 'path_blocked', ruleIds: ['path:/admin/*'] } })
} })\n`
    const saved = await command('replay', file, '--save', folder, '--module', './agent.mjs')
    assert.equal(saved.code, 0, saved.stderr)
    const cases = readdirSync(join(folder, 'cases')).map((name) => JSON.parse(readFileSync(join(folder, 'cases', name), 'utf8')) as { request: { url: string }, expected: { kind: string, reason: string, ruleIds: string[] } })
    const blocked = cases.find(({ request }) => request.url.endsWith('/admin/a'))
    assert.deepEqual([blocked?.expected.kind, blocked?.expected.reason], ['block', 'path_blocked'])
    const rules = JSON.stringify(blocked!.expected.ruleIds)
    const runTests = (paths: string): { status: number | null, stdout: string } => {
      writeFileSync(join(folder, 'agent.mjs'), module(paths).replace("['path:/admin/*']", rules))
      // Not as a part of this run of tests.
      const { NODE_TEST_CONTEXT: _, ...env } = process.env
      const { status, stdout } = spawnSync(process.execPath, ['--test', join(folder, 'replay.test.mjs')], { encoding: 'utf8', env })
      return { status, stdout }
    }
    const right = runTests("path.startsWith('/admin/')")
    assert.equal(right.status, 0, right.stdout)
    assert.match(right.stdout, new RegExp(`pass ${cases.length}\\b`))
    const again = await command('replay', file, '--save', folder, '--module', './agent.mjs')
    assert.deepEqual([again.code, /cases holds cases already/.test(again.stderr)], [2, true])
    // The agent of the folder where it is called is who is meant, and `sentinel agent test` runs them.
    const cwd = folderWith(t, { 'agent.ts': module("path.startsWith('/admin/')").replace("['path:/admin/*']", rules) })
    const here = await runSentinel(['replay', file, '--save', 'saved'], { cwd })
    assert.match(here.stdout, /sentinel agent test saved\/replay\.test\.mjs\n$/)
    const tested = await runSentinel(['agent', 'test', 'saved/replay.test.mjs'], { cwd, env: { NODE_TEST_CONTEXT: '' } })
    assert.equal(tested.code, 0, tested.stdout + tested.stderr)
    const nobody = await runSentinel(['replay', file, '--save', 'saved'], { cwd: folderWith(t, {}) })
    assert.match(nobody.stderr, /there is no agent\.ts and no agent\.js in .*\nOr say with --module/)
    const wrong = runTests("path.startsWith('/shop')")
    assert.equal(wrong.status, 1)
    assert.match(wrong.stdout, /not ok|✖/)
  })

  test('says what could not be put, and that the agents of a chain are asked each on its own', async (t) => {
    const wholeRequests = { ...everything, events: ['request_headers', 'request_body', 'complete'] as const }
    const head = { kind: 'request_headers', value: { method: 'POST', path: '/a', raw_path: '/a' } }
    const allowed = { kind: 'decision', value: { kind: 'allow' } }
    const ofOne = (agent: string, asked: readonly object[]): object => ({ agent, asked: asked.map((one) => ({ timeout_ms: 60_000, reply: allowed, ...one })) })
    const lines = (agents: readonly object[]): string => [
      { v: 1, kind: 'head' }, { v: 1, kind: 'case', id: 'a', request: { method: 'POST', host: 'a', path: '/a' }, agents, redacted: [] }, { v: 1, kind: 'end', lost: 0 },
    ].map((line) => `${JSON.stringify(line)}\n`).join('')
    const withBody = lines([ofOne('one', [{ event: head }, { event: { kind: 'request_body', value: { data: { omitted: 5 }, end: true } } }])])
    const [agree, refuse] = [await rawAgent(t, { describe: wholeRequests }), await rawAgent(t, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, decision({ kind: 'redirect', value: { status: 302, location: '/' } })) } })]
    const folder = folderWith(t, {
      'body.jsonl': withBody, 'known.jsonl': withBody.replace('"head"', '"head","bodies":true'),
      'cut.jsonl': lines([ofOne('one', [{ event: head }])]).slice(0, -10), 'none.jsonl': '{"v":1,"kind":"head"}\n',
      'two.jsonl': lines([ofOne('one', [{ event: head }]), ofOne('two', [{ event: head }])]),
      'two.kdl': `listeners { listener "web" { address "127.0.0.1:0" } }
        routes { route "all" { matches { path-prefix "/" }; upstream "app"; agents "one" "two" } }
        upstreams { upstream "app" { target "127.0.0.1:1" } }
        agents { agent "one" { unix-socket ${JSON.stringify(refuse.path)}; timeout "60s" }; agent "two" { unix-socket ${JSON.stringify(agree.path)}; timeout "60s" } }`,
    })
    const of = (...args: string[]): ReturnType<typeof runSentinel> => runSentinel(['replay', ...args], { cwd: folder })
    const body = await of('body.jsonl', '--agent', `unix:${agree.path}`)
    assert.equal(body.code, 2, body.stdout)
    assert.match(body.stdout, /not asked 1 time: what it would be shown is not in the recording: record with --bodies\n1 case, no decision would change, as far as could be asked\n$/)
    const known = await of('known.jsonl', '--agent', `unix:${agree.path}`)
    assert.match(known.stdout, /not asked 1 time: what it would be shown is not in the recording: it was no text, too long, or came in pieces\n/)
    const cut = await of('cut.jsonl', '--agent', `unix:${agree.path}`)
    assert.equal(cut.code, 0, cut.stderr)
    assert.match(cut.stdout, /cut\.jsonl has no end.*\nthe last line of cut\.jsonl is cut off and left out\n/)
    const none = await of('none.jsonl', '--agent', `unix:${agree.path}`)
    assert.equal(none.code, 2)
    assert.match(none.stderr, /none\.jsonl holds nothing that can be put to an agent/)
    const two = await of('two.jsonl', '--config', 'two.kdl', '--json')
    const { notes, agents } = JSON.parse(two.stdout) as Report
    assert.deepEqual([two.code, agents.map(({ changes }) => changes.length)], [1, [1, 0]])
    assert.match(notes.join('\n'), /each agent was asked on its own/)
  })

  test('refuses what cannot be replayed, with the line; and what is not clear', async (t) => {
    const folder = folderWith(t, {
      'bad.jsonl': '{"v":1,"kind":"head"}\nnot json\n', 'later.jsonl': '{"v":2,"kind":"head"}\n', 'empty.jsonl': '',
      'kind.jsonl': '{"v":1,"kind":"case","id":"a","request":{"method":"GET","host":"a","path":"/"},"agents":[{"agent":"x","asked":[{"event":{"kind":"dream"}}]}],"redacted":[]}\n',
      'two.jsonl': `{"v":1,"kind":"case","id":"a","request":{"method":"GET","host":"a","path":"/"},"agents":[{"agent":"x","asked":[]},{"agent":"y","asked":[]}],"redacted":[]}\n`,
    })
    const of = (name: string, ...args: string[]): ReturnType<typeof runSentinel> => runSentinel(['replay', name, ...args], { cwd: folder })
    const says: ReadonlyArray<readonly [string, readonly string[], RegExp]> = [
      ['bad.jsonl', ['--agent', 'unix:/a'], /bad\.jsonl:2 is not JSON/],
      ['later.jsonl', ['--agent', 'unix:/a'], /later\.jsonl:1 is of version 2; this Sentinel reads version 1/],
      ['empty.jsonl', ['--agent', 'unix:/a'], /empty/],
      ['kind.jsonl', ['--agent', 'unix:/a'], /kind\.jsonl:1: an event of the kind "dream" is not known/],
      ['two.jsonl', ['--agent', 'unix:/a'], /the agents x, y were recorded: say with --as which/],
      ['two.jsonl', [], /say whom to ask/],
      ['two.jsonl', ['--agent', 'unix:/a', '--as', 'z'], /no agent 'z' was recorded; there are: x, y/],
      ['nowhere.jsonl', ['--agent', 'unix:/a'], /cannot be read/],
    ]
    for (const [name, args, message] of says) {
      const { code, stderr } = await of(name, ...args)
      assert.deepEqual([name, code], [name, 2])
      assert.match(stderr, message)
    }
  })
})

