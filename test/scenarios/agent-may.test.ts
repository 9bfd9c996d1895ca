// `may { … }`: what an operator does not let an agent change stays as it is. A decision that wants more is a failure, and none of it is applied.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Decision, Event, HeaderEdit, ReplyOneOf } from '../../proto/codec/index.ts'
import { eventually } from '../support/eventually.ts'
import { decision, everything } from '../support/raw-agent.ts'
import { startWithRawAgents, type RawMember } from '../support/raw-agents.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'

const set = (name: string): HeaderEdit => ({ action: 'set', name, value: 'changed' })
const append = (name: string): HeaderEdit => ({ action: 'append', name, value: 'changed' })
const remove = (name: string): HeaderEdit => ({ action: 'remove', name, value: '' })
const allowWith = (more: Partial<Decision>): ReplyOneOf => decision({ kind: 'allow', value: {} }, more)
const blockWith = (...headers: string[]): ReplyOneOf => decision({ kind: 'block', value: { status: 403, headers, body: Buffer.alloc(0) } })

/** By the path of the request: what the agent says to the kind of event that stands before the colon (its head unless given). */
function byPath (replies: Readonly<Record<string, ReplyOneOf>>): NonNullable<RawMember['answer']> {
  let path = ''
  return (event: Event) => {
    if (event.kind === 'request_headers') path = event.value.path.slice(1)
    const [kind, name] = path.includes(':') ? path.split(':') : ['request_headers', path]
    return kind === event.kind ? replies[path] ?? replies[name!] : undefined
  }
}

const allowed = {
  'set': allowWith({ requestHeaders: [set('X-User'), append('x-risk-score'), remove('X_Risk_Level')] }),
  'response': allowWith({ responseHeaders: [set('X-Frame-Options')] }),
  'response_headers:response': allowWith({ responseHeaders: [set('x-frame-options')] }),
  'attribute': allowWith({ attributes: new Map([['risk-score', '9'], ['user', 'ada']]) }),
  'own-answer': blockWith('X-Any', '1', 'Content-Type', 'text/plain'),
} as const

const refused = {
  'another-field': allowWith({ requestHeaders: [set('X-User'), set('X-Role')] }),
  'another-field-added': allowWith({ requestHeaders: [append('x-role')] }),
  'another-field-removed': allowWith({ requestHeaders: [remove('Authorization')] }),
  'alias-of-what-never': allowWith({ requestHeaders: [set('X.Risk_Secret')] }),
  'another-response-field': allowWith({ responseHeaders: [set('Set-Cookie')] }),
  'response_headers:another-response-field-then': allowWith({ responseHeaders: [remove('Strict-Transport-Security')] }),
  'own-answer-with-what-never': blockWith('x_risk_secret', '1'),
  'path': allowWith({ rewritePath: '/other' }),
  'query': allowWith({ rewriteQuery: 'a=1' }),
  'upstream': allowWith({ upstream: 'other' }),
  'another-attribute': allowWith({ attributes: new Map([['role', 'admin']]) }),
  'removed-attribute': allowWith({ attributes: new Map([['role', '']]) }),
  'request_body:body': decision({ kind: 'redact', value: {} }, { replaceBody: Buffer.from('changed') }),
  'response_body:body-of-the-answer': decision({ kind: 'redact', value: {} }, { replaceBody: Buffer.from('changed') }),
} as const

const rules = `may {
  request-headers "x-user" "X-Risk-*"; response-headers "x-frame-options"; not-headers "x-risk-secret"
  rewrite #false; choose-upstream #false; replace-bodies #false; attributes "risk-*" "user"
}`

for (const failureMode of ['closed', 'open'] as const) {
  test(`what is allowed is applied, and what is not makes the decision a failure: ${failureMode}`, async (t) => {
    const answer = byPath({ ...allowed, ...refused })
    const { sentinel, upstream } = await startWithRawAgents(t, { a: { describe: everything, answer, settings: `failure-mode "${failureMode}"; ${rules}` } }, {
      route: 'other-upstreams "other"; filters "a"; ', more: 'upstreams { upstream "other" { target "127.0.0.1:1" } }',
    })
    const ask = (name: string) => sentinel.request(`/${name}?q=1`, { method: 'POST', body: 'body', headers: { 'X-User': 'client', 'X-Role': 'client', 'x-risk-level': 'client', authorization: 'client' } })
    for (const name of Object.keys(allowed)) {
      assert.equal((await ask(name)).status, name === 'own-answer' ? 403 : 200, name)
      const record = await sentinel.accessed(({ path }) => path === `/${name}`)
      assert.ok(record.agents!.every(({ fault }) => fault === undefined), name)
    }
    assert.deepEqual((({ 'x-user': user, 'x-risk-score': score, 'x-risk-level': level }) => [user, score, level])(upstream.requests[0]!.headers), ['changed', 'changed', undefined])
    for (const name of Object.keys(refused)) {
      const before = upstream.requests.length
      const given = await ask(name)
      const record = await sentinel.accessed(({ path }) => path === `/${name}`)
      assert.ok(record.agents!.some(({ fault, failure_mode }) => fault === 'AGENT_NOT_ALLOWED' && failure_mode === failureMode), name)
      if (failureMode === 'closed') {
        assert.deepEqual([given.status, record.fault], [503, 'AGENT_NOT_ALLOWED'], name)
        assert.match(String(record['detail']), /its may block does not allow it to/)
        if (!name.startsWith('response_')) assert.equal(upstream.requests.length, before, name)
        continue
      }
      const { url, headers, body } = upstream.requests.at(-1)!
      assert.deepEqual([given.status, given.text, url, body.toString()], [200, 'body', `/${name}?q=1`, 'body'], name)
      assert.deepEqual([headers['x-user'], headers['x-role'], headers.authorization, headers['x-risk-secret'], given.headers['set-cookie']], ['client', 'client', 'client', undefined, undefined], name)
    }
    assert.match(await sentinel.metrics(), new RegExp(`sentinel_agent_failures_total\\{agent="a",code="AGENT_NOT_ALLOWED",failure_mode="${failureMode}"\\} ${Object.keys(refused).length}`))
  })
}

test('pieces of a body that flows are not changed either, and a watching agent is told on', async (t) => {
  const streaming = { ...everything, requestBody: { kind: 'stream' as const, maxBytes: 0, over: 'block' as const } }
  for (const [answer, status] of [[{ kind: 'replace', value: Buffer.from('x') }, 503], [{ kind: 'drop', value: {} }, 503], [{ kind: 'pass', value: {} }, 200]] as const) {
    const { sentinel, upstream } = await startWithRawAgents(t, {
      a: { describe: streaming, settings: 'may { replace-bodies #false }', answer: ({ kind }) => kind === 'request_body' ? { kind: 'chunk', value: answer } : undefined },
    }, { filters: ['a'] })
    assert.equal((await sentinel.request('/', { method: 'POST', body: 'body' })).status, status)
    if (status === 200) assert.equal(upstream.requests[0]!.body.toString(), 'body')
    else assert.equal((await sentinel.accessed(() => true)).fault, 'AGENT_NOT_ALLOWED')
  }
  for (const mode of ['monitor', 'shadow', 'dry-run']) {
    const { sentinel } = await startWithRawAgents(t, { a: { settings: `mode "${mode}"; may { rewrite #false }`, answer: () => allowWith({ rewritePath: '/other' }) } }, { filters: ['a'] })
    assert.equal((await sentinel.get('/')).status, 200)
    const found = /sentinel_agent_failures_total\{agent="a",code="AGENT_NOT_ALLOWED",failure_mode="open"\} 1/
    await eventually(`it is counted, ${mode}`, async () => found.test(await sentinel.metrics()))
  }
})

const proxyOwned = [
  'Connection', 'Keep-Alive', 'Proxy-Connection', 'Proxy-Authenticate', 'Proxy-Authorization', 'Proxy', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'HTTP2-Settings', 'Content-Length', 'Host',
  'Expect', 'Forwarded', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Forwarded-Port', 'X-Real-IP', 'X-Request-Id', 'transfer_encoding', 'x_forwarded.for', 'CONTENT_LENGTH',
]

test('what belongs to the connection, the framing or the proxy no agent may change, whatever the file says', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const replies: Record<string, ReplyOneOf> = {}
  for (const name of proxyOwned) {
    for (const edit of [set, append, remove]) {
      replies[`${edit.name}-${name}`] = allowWith({ requestHeaders: [edit(name)] })
      replies[`${edit.name}-${name}-of-answer`] = allowWith({ responseHeaders: [edit(name)] })
    }
    replies[`block-${name}`] = blockWith(name, '1')
  }
  const { sentinel } = await startWithRawAgents(t, { a: { answer: byPath(replies), settings: 'may { request-headers "*"; response-headers "*" }' } }, { upstream, filters: ['a'] })
  for (const name of Object.keys(replies)) {
    assert.equal((await sentinel.get(`/${name}`)).status, 503, name)
    assert.equal((await sentinel.accessed(({ path }) => path === `/${name}`)).fault, 'AGENT_BAD_REPLY', name)
  }
  assert.equal(upstream.heads(), 0)
})
