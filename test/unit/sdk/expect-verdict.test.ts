import assert from 'node:assert/strict'
import test from 'node:test'
import { allow, block, defineAgent } from '../../../sdk/index.ts'
import { expectVerdict, testAgent } from '../../../sdk/testing/index.ts'

const agent = defineAgent({
  name: 'door',
  onRequest (request) {
    if (request.path === '/admin') return block(403, { audit: { reason: 'not_admin', ruleIds: ['d-1'] } })
    if (request.path === '/broken') throw new Error('the list is gone')
    request.headers.set('X-Who', 'nobody')
    request.headers.append('x-who', 'else')
    request.headers.remove('cookie')
    return allow({ attributes: { user: 'nobody', more: 'yes' } })
  },
  onResponse: () => allow({ requestHeaders: { 'x-late': '1' } }),
})

test('what is expected and so passes; the rest may be anything', async () => {
  const tested = await testAgent(agent)
  expectVerdict(await tested.request('GET', '/admin'), { kind: 'block', status: 403, reason: 'not_admin', ruleIds: ['d-1'] })
  const passed = await tested.request('GET', '/')
  expectVerdict(passed, { kind: 'allow', requestHeaders: { 'x-who': 'nobody, else', cookie: null }, attributes: { user: 'nobody' } })
})

test('a failure says what was asked, what differs, and what was decided instead', async () => {
  const tested = await testAgent(agent)
  const verdict = await tested.request('GET', '/admin')
  assert.throws(() => expectVerdict(verdict, { kind: 'allow', status: 0, reason: 'not_admin', requestHeaders: { 'x-who': 'me' } }), {
    name: 'AssertionError',
    message: 'GET /admin: the verdict is not what was expected.\n' +
      '  kind: "block"\n    expected: "allow"\n  status: 403\n    expected: 0\n  requestHeaders: {}\n    expected: {"x-who":"me"}\n' +
      '  the agent decided: block 403, reason not_admin',
  })
})

test('an agent that fails is told with its error', async () => {
  const verdict = await (await testAgent(agent)).request('GET', '/broken')
  assert.throws(() => expectVerdict(verdict, { kind: 'allow' }), /GET \/broken: .*\n.*\n.*\n {2}the agent decided: error, agent_error: the list is gone$/)
})

test('a decision that the proxy would not apply is no decision', async () => {
  const badPath = defineAgent({ name: 'bad-path', onRequest: () => allow({ responseHeaders: { 'Content-Length': '3' } }) })
  const verdict = await (await testAgent(badPath)).request('GET', '/')
  assert.equal(verdict.kind, 'error')
  assert.equal(verdict.error?.code, 'AGENT_BAD_REPLY')
  assert.match(verdict.error.message, /^the proxy would not apply this decision: an edit of Content-Length, which belongs to the proxy$/)
  assert.deepEqual(verdict.responseHeaders, [])
})
