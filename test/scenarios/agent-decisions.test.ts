// Every decision kind and every attached item, from the agent's handler to the bytes a client and an upstream receive.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { fromDist } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { scripted, scriptedAgent, siteWith, type Script } from '../support/scripted-agent.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'
import { eventually } from '../support/eventually.ts'

const waiting = atATime(3)

test('decisions of an agent reach client and upstream as they were made', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('first') + '\n' + scriptedAgent('second'), ['first', 'second'], 'evidence { file "evidence.jsonl" }'))
  const ask = (path: string, script: Script, more: { method?: string, body?: string } = {}) => sentinel.request(path, { ...more, headers: scripted(script) })
  const lastSeen = () => upstream.requests.at(-1)!

  await t.test('nothing returned is allow', async () => {
    const answer = await ask('/allow', {})
    assert.equal(answer.status, 200)
    assert.equal(lastSeen().headers['x-greeting'], 'hello', 'a header set on the view reaches the upstream')
  })

  await t.test('block: status, headers and body exactly as the agent chose', async () => {
    const before = upstream.heads()
    const answer = await ask('/block', { request: { do: 'block', status: 429, body: 'slow down\n', headers: { 'Retry-After': '7', 'X-Why': 'too fast', 'Content-Type': 'text/x-why' } } })
    assert.deepEqual([answer.status, answer.text], [429, 'slow down\n'])
    assert.equal(answer.headers['retry-after'], '7')
    assert.equal(answer.headers['x-why'], 'too fast')
    assert.equal(answer.headers['content-type'], 'text/x-why')
    assert.equal(upstream.heads(), before, 'the upstream saw nothing of it')
  })

  await t.test('redirect: status and location', async () => {
    const answer = await ask('/redirect', { request: { do: 'redirect', status: 307, location: 'https://login.example/?next=%2F' } })
    assert.deepEqual([answer.status, answer.headers.location], [307, 'https://login.example/?next=%2F'])
  })

  await t.test('challenge: 401 with WWW-Authenticate', async () => {
    const answer = await ask('/challenge', { request: { do: 'challenge', scheme: 'Bearer', params: { realm: 'the "api"', error: 'invalid_token' } } })
    assert.equal(answer.status, 401)
    assert.equal(answer.headers['www-authenticate'], 'Bearer realm="the \\"api\\"", error="invalid_token"')
  })

  await t.test('review: refused with the ticket', async () => {
    const answer = await ask('/review', { request: { do: 'review', ticket: 'T-4711' } })
    assert.equal(answer.status, 403)
    assert.equal(answer.headers['x-sentinel-ticket'], 'T-4711')
  })

  await t.test('flag: goes on and is remembered', async () => {
    const answer = await ask('/flag', { request: { do: 'flag', extras: { audit: { ruleIds: ['r1', 'r2'], reason: 'odd', severity: 'low', confidence: 0.5, tags: ['t'] } } } })
    assert.equal(answer.status, 200)
    const record = await sentinel.accessed(({ path }) => path === '/flag')
    const decision = record.agents!.find(({ agent }) => agent === 'first')!
    assert.equal(decision['verdict'], 'flag')
    assert.deepEqual(decision['rule_ids'], ['r1', 'r2'])
  })

  await t.test('redact: goes on, changed', async () => {
    const answer = await ask('/redact', { request: { do: 'redact', extras: { requestHeaders: { 'X-Card': '****' }, audit: { redactions: ['card'] } } } })
    assert.equal(answer.status, 200)
    assert.equal(lastSeen().headers['x-card'], '****')
  })

  await t.test('request header edits: set, append, remove', async () => {
    await sentinel.request('/edits', { headers: {
      ...scripted({ request: { do: 'allow', extras: { requestHeaders: [{ action: 'set', name: 'X-A', value: 'new' }, { action: 'append', name: 'X-B', value: 'two' }, { action: 'remove', name: 'x-c', value: '' }] } } }),
      'X-A': 'old', 'X-B': 'one', 'X-C': 'gone',
    } })
    const { rawHeaders, headers } = lastSeen()
    assert.equal(headers['x-a'], 'new')
    assert.equal(headers['x-b'], 'one, two, two', 'both agents of the chain appended')
    assert.ok(!rawHeaders.some((name) => name.toLowerCase() === 'x-c'))
  })

  await t.test('response header edits of the request phase are applied when the response comes', async () => {
    const answer = await ask('/response-edits', { request: { do: 'allow', extras: { responseHeaders: { 'X-Quota': '9', 'x-upstream': null } } } })
    assert.equal(answer.headers['x-quota'], '9')
    assert.equal(answer.headers['x-upstream'], undefined)
  })

  await t.test('response header edits and blocks of the response phase', async () => {
    const edited = await ask('/response', { response: { do: 'allow', extras: { responseHeaders: { 'X-Late': 'yes' } } } })
    assert.equal(edited.headers['x-late'], 'yes')
    const blocked = await ask('/response', { response: { do: 'block', status: 451, body: 'not here' } }, { method: 'POST', body: 'secret answer' })
    assert.deepEqual([blocked.status, blocked.text], [451, 'not here'])
  })

  await t.test('path and query rewrites reach the upstream', async () => {
    await ask('/old?x=1', { request: { do: 'allow', extras: { rewritePath: '/new/path', rewriteQuery: 'y=2' } } })
    assert.equal(lastSeen().url, '/new/path?y=2')
  })

  await t.test('attributes of one agent are seen by the next', async () => {
    await ask('/attributes', { request: { do: 'allow', extras: { attributes: { user: 'ada' } } } })
    assert.equal(lastSeen().headers['x-seen-user'], 'ada')
  })

  await t.test('a late body request holds the upload until the verdict', async () => {
    const before = upstream.heads()
    const refused = await ask('/late', { late: true }, { method: 'POST', body: 'something forbidden inside' })
    assert.deepEqual([refused.status, refused.text], [403, 'late'])
    assert.equal(upstream.heads(), before)
    const passed = await ask('/late', { late: true }, { method: 'POST', body: 'something fine' })
    assert.deepEqual([passed.status, passed.text], [200, 'something fine'])
  })

  await t.test('complete is sent with the status the client got', async () => {
    await ask('/completed', { request: { do: 'block', status: 418 } })
    const said = await sentinel.logged((record) => record['path'] === '/completed' && record.agent === 'first')
    assert.equal(said['status'], 418)
  })

  await t.test('every decision that is not a plain allow leaves a receipt, and the chain is whole', async () => {
    await sentinel.stop()
    const file = join(sentinel.folder, 'evidence.jsonl')
    const verified = await runSentinel(['evidence', 'verify', file])
    assert.equal(verified.code, 0, verified.stdout + verified.stderr)
    const verdicts = new Set(readFileSync(file, 'utf8').trim().split('\n').map((line) => (JSON.parse(line) as { verdict?: string }).verdict))
    for (const verdict of ['block', 'redirect', 'challenge', 'review', 'flag', 'redact']) assert.ok(verdicts.has(verdict), verdict)
    assert.ok(!readFileSync(file, 'utf8').includes('secret answer'), 'no payload in evidence')
  })
})

test('an agent may choose another upstream that the route lists, and no other', async (t) => {
  const usual = await startRecordingUpstream(t, (_, response) => response.end('usual'))
  const canary = await startRecordingUpstream(t, (_, response) => response.end('canary'))
  const more = `upstreams { upstream "canary" { target "127.0.0.1:${canary.port}" }; upstream "hidden" { target "127.0.0.1:${canary.port}" } }`
  const sentinel = await startSentinel(t, siteWith(usual.port, scriptedAgent('chooser'), ['chooser'], more, 'other-upstreams "canary"; '))
  const choose = (upstream: string) => sentinel.request(`/${upstream}`, { headers: scripted({ request: { do: 'allow', extras: { upstream } } }) })
  assert.equal((await choose('canary')).text, 'canary')
  assert.equal((await choose('app')).text, 'usual')
  assert.equal((await choose('hidden')).status, 503)
  const record = await sentinel.accessed(({ path }) => path === '/hidden')
  assert.equal(record.fault, 'AGENT_BAD_REPLY')
})

waiting('an agent that asks for more time gets it, within max-timeout; one that does not runs into its deadline', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('slow', 'timeout "1s"; max-timeout "8s"'), ['slow']))
  await sentinel.get('/warm')
  const ask = (path: string, what: 'sleep' | 'more-time', ms: number) => sentinel.request(path, { headers: scripted({ request: { do: what, ms } }) })
  const answers = await Promise.all([ask('/more', 'more-time', 2_500), ask('/less', 'sleep', 2_500), ask('/too-much', 'more-time', 30_000)])
  assert.deepEqual(answers.map(({ status }) => status), [200, 503, 503])
  assert.equal((await sentinel.accessed(({ path }) => path === '/too-much')).fault, 'AGENT_TIMEOUT')
})

waiting('bodies are replaced by an agent on the way there and on the way back, and framed anew', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const bodies = `agent "bodies" { command ${JSON.stringify(process.execPath)} ${JSON.stringify(fromDist('test', 'support', 'agents', 'bodies.js'))}; timeout "60s" }`
  const sentinel = await startSentinel(t, siteWith(upstream.port, bodies, ['bodies']))
  const answer = await sentinel.request('/', { method: 'POST', body: 'my card is 4111-1111-1111-1111, thanks' })
  assert.equal(upstream.requests.at(-1)!.body.toString(), 'my card is [card], thanks')
  assert.equal(upstream.requests.at(-1)!.headers['content-length'], '25')
  assert.equal(answer.text, 'MY CARD IS [CARD], THANKS')
  const blocked = await sentinel.request('/', { method: 'POST', body: 'forbidden' })
  assert.equal(blocked.status, 422)
  assert.equal(upstream.requests.length, 1)
})

waiting('in monitor mode an agent is asked and recorded, never applied', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('watcher', 'mode "monitor"'), ['watcher']))
  const answer = await sentinel.request('/watched', { headers: scripted({ request: { do: 'block', status: 403, body: 'no' } }) })
  assert.equal(answer.status, 200)
  assert.equal(upstream.requests.at(-1)!.headers['x-greeting'], undefined, 'no edit is applied')
  const record = await sentinel.accessed(({ path }) => path === '/watched')
  assert.deepEqual([record.agents![0]!['verdict'], record.agents![0]!['applied'], record.agents![0]!['mode']], ['block', false, 'monitor'])
  const failed = await sentinel.request('/watched', { headers: scripted({ request: { do: 'throw' } }) })
  assert.equal(failed.status, 200, 'a failure of a monitoring agent never matters')
})

waiting('in shadow mode the request does not wait', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('shade', 'mode "shadow"; timeout "60s"'), ['shade']))
  const answer = await sentinel.request('/shadowed', { headers: scripted({ request: { do: 'sleep', ms: 8_000 } }) })
  assert.equal(answer.status, 200)
  assert.ok(answer.ms < 7_000, `the client waited ${answer.ms} ms`)
  await sentinel.request('/shadow-block', { headers: scripted({ request: { do: 'block' } }) })
  await eventually('the shadow decision is counted', async () => (
    /sentinel_agent_calls_total\{agent="shade",phase="request-headers",verdict="block",mode="shadow"\} 1/.test(await sentinel.metrics())
  ))
})

waiting('in dry-run mode the decision is told in a header, and applied nowhere', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('dry', 'mode "dry-run"'), ['dry']))
  const answer = await sentinel.request('/', { headers: scripted({ request: { do: 'block', status: 403 } }) })
  assert.equal(answer.status, 200)
  assert.match(String(answer.headers['x-sentinel-dry-run']), /dry=block/)
})

const kinds = {
  allow: {}, flag: {}, redact: {},
  block: { status: 418 }, redirect: { status: 302 }, challenge: { status: 401 }, review: { status: 403 },
} as const satisfies Record<string, { readonly status?: number }>

/** Where a decision is given: what is still open there. */
const phases = {
  'request-headers': { step: 'request', record: 'request-headers', request: true, response: true, body: false },
  'request-body': { step: 'requestBody', record: 'request-body', request: true, response: true, body: true },
  'request-piece': { step: 'requestBody', record: 'request-body', request: false, response: true, body: false },
  'response-headers': { step: 'response', record: 'response-headers', request: false, response: true, body: false },
  'response-body': { step: 'responseBody', record: 'response-body', request: false, response: true, body: true },
  'response-piece': { step: 'responseBody', record: 'response-body', request: false, response: false, body: false },
} as const

/** What can be attached, and what has to be open for it. */
const items = {
  requestHeaders: { extras: { requestHeaders: { 'X-Edit': 'of-request' } }, needs: 'request' },
  responseHeaders: { extras: { responseHeaders: { 'X-Edit': 'of-response' } }, needs: 'response' },
  replaceBody: { extras: { replaceBody: 'replaced' }, needs: 'body' },
  rewritePath: { extras: { rewritePath: '/rewritten' }, needs: 'request' },
  rewriteQuery: { extras: { rewriteQuery: 'rewritten=1' }, needs: 'request' },
  upstream: { extras: { upstream: 'other' }, needs: 'request' },
  attributes: { extras: { attributes: { note: 'attached' } }, needs: undefined },
  audit: { extras: { audit: { ruleIds: ['attached'], severity: 'low' } }, needs: undefined },
} as const satisfies Record<string, { readonly extras: NonNullable<NonNullable<Script['request']>['extras']>, readonly needs: 'request' | 'response' | 'body' | undefined }>

for (const [phase, at] of Object.entries(phases)) {
  test(`every kind of decision with everything that can be attached: ${phase}`, async (t) => {
    const answering = (name: string) => startRecordingUpstream(t, (request, response) => {
      response.writeHead(200, { 'x-served-by': name })
      response.end(request.body)
    })
    const app = await answering('app')
    const other = await answering('other')
    const mode = phase.endsWith('piece') ? 'stream' : 'buffer'
    const agent = `agent "decides" { command ${JSON.stringify(process.execPath)} ${JSON.stringify(fromDist('test', 'support', 'agents', 'decides.js'))}; timeout "60s"; request-body-mode "${mode}"; response-body-mode "${mode}" }`
    const site = siteWith(app.port, agent, ['decides'], `upstreams { upstream "other" { target "127.0.0.1:${other.port}" } }`, 'other-upstreams "other"; ')
    const sentinel = await startSentinel(t, site.replace('observability { ', 'observability { logging { access-log { attributes "note" } }; '))

    for (const [kind, { status = 200 }] of Object.entries(kinds) as Array<[keyof typeof kinds, { status?: number }]>) {
      for (const [item, { extras, needs }] of Object.entries(items)) {
        const name = `${kind} with ${item}`
        const url = `/${kind}/${item}`
        const received = app.heads() + other.heads()
        const step = { do: kind, status: status === 200 ? 403 : status, body: 'no', extras } as const
        const answer = await sentinel.request(`${url}?q=1`, { method: 'POST', body: 'original', headers: scripted({ [at.step]: step }) }).catch(() => undefined)
        const record = await sentinel.accessed(({ path }) => path === url)
        const inPieces = item === 'replaceBody' && phase.endsWith('piece')
        if (inPieces && (kind === 'allow' || kind === 'redact')) {
          // What would replace a whole body replaces the piece.
          assert.deepEqual([answer?.text, record.agents!.find((one) => one['phase'] === at.record)!['verdict']], ['replaced', 'redact'], name)
          continue
        }
        const decision = record.agents!.find((one) => one['phase'] === at.record && (one['verdict'] !== 'allow' || kind === 'allow'))!

        // The SDK leaves what would replace the body out of an answer that takes the place of everything.
        if (needs !== undefined && !at[needs] && !(inPieces && status !== 200)) {
          // Out of place: nothing of the decision counts, and the failure mode is closed. What has begun is cut.
          if (phase === 'response-piece') assert.equal(answer, undefined, name)
          else assert.equal(answer?.status, 503, name)
          assert.match(String(record.fault), /^AGENT_(?:BAD_REPLY|ERROR)$/, name)
          if (at.request) assert.equal(app.heads() + other.heads(), received, name)
          continue
        }
        assert.deepEqual([decision['verdict'], decision['applied']], [kind, true], name)
        if (phase === 'response-piece' && status !== 200) {
          assert.equal(answer, undefined, `${name}: the head is out, so the answer is cut`)
          continue
        }
        assert.equal(answer?.status, status, name)
        if (at.request && status !== 200) assert.equal(app.heads() + other.heads(), received, `${name}: the upstream sees nothing of it`)
        if (item === 'audit') assert.deepEqual(decision['rule_ids'], ['attached'], name)
        if (item === 'attributes') assert.deepEqual(record['attributes'], { note: 'attached' }, name)
        if (item === 'responseHeaders') assert.equal(answer!.headers['x-edit'], 'of-response', name)
        if (item === 'replaceBody' && status === 200 && phase === 'response-body') assert.equal(answer!.text, 'replaced', name)
        if (status !== 200 || !at.request) continue

        const [seen] = [item === 'upstream' ? other : app].map(({ requests }) => requests.at(-1)!)
        assert.equal(answer!.headers['x-served-by'], item === 'upstream' ? 'other' : 'app', name)
        assert.equal(seen!.url, item === 'rewritePath' ? '/rewritten?q=1' : item === 'rewriteQuery' ? `${url}?rewritten=1` : `${url}?q=1`, name)
        assert.equal(seen!.headers['x-edit'], item === 'requestHeaders' ? 'of-request' : undefined, name)
        assert.equal(seen!.body.toString(), item === 'replaceBody' ? 'replaced' : 'original', name)
        assert.deepEqual([decision['path'], decision['query'], decision['upstream']], [
          item === 'rewritePath' ? '/rewritten' : undefined, item === 'rewriteQuery' ? 'rewritten=1' : undefined, item === 'upstream' ? 'other' : undefined,
        ], `${name}: the log says where it was sent`)
      }
    }
  })
}
