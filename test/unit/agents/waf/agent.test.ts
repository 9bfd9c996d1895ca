import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testAgent } from 'sentinel/sdk/testing'
import { waf } from '../../../../agents/waf/agent.ts'

const attack = "/?q=1'%20OR%201=1--"
const type = { 'content-type': 'application/x-www-form-urlencoded' }

test('an attack is answered with 403, the request id and nothing about rules', async () => {
  const agent = await testAgent(waf)
  const { kind, status, headers, body, audit, attributes } = await agent.request('GET', attack)
  assert.deepEqual([kind, status], ['block', 403])
  assert.equal(headers['x-waf-blocked'], 'true')
  assert.match(headers['content-type']!, /^text\/plain/)
  assert.match(body, /^This request was blocked\.\nRequest id: \S+\n$/)
  assert.doesNotMatch(body + JSON.stringify(headers), /sqli|score/)
  assert.ok(audit.ruleIds.some((id) => id.startsWith('sqli-')))
  assert.deepEqual([audit.reason, audit.severity, audit.tags[0]], ['sqli', 'critical', 'sqli'])
  assert.ok(audit.confidence > 0.5 && audit.confidence <= 1)
  assert.equal(audit.details.get('score'), attributes['waf.score'])
  assert.doesNotMatch(JSON.stringify([...audit.details]), /OR 1=1/, 'evidence holds no payload')
})

test('an ordinary request passes and leaves nothing behind', async () => {
  const agent = await testAgent(waf)
  const verdict = await agent.request('POST', '/shop?q=select+a+plan', { headers: type, body: "name=O%27Brien&note=it's+5+o'clock" })
  assert.equal(verdict.kind, 'allow')
  assert.deepEqual(verdict.attributes, {})
})

test('an attack in the body is refused, however the body was cut', async () => {
  const agent = await testAgent(waf)
  const verdict = await agent.request('POST', '/', { headers: type, body: ['q=%3Cscr', 'ipt%3Eale', 'rt(1)'] })
  assert.equal(verdict.kind, 'block')
})

test('head and body add to one score', async () => {
  const agent = await testAgent(waf)
  // A %u escape in the query is a warning (3), one in the body counts no further; JSON that is broken is a notice (2).
  const head = await agent.request('GET', '/?a=%u0041')
  assert.deepEqual([head.kind, head.attributes['waf.score']], ['allow', '3'])
  const json = { 'content-type': 'application/json' }
  assert.equal((await agent.request('POST', '/', { headers: json, body: '{' })).kind, 'allow')
  assert.equal((await agent.request('POST', '/?a=%u0041', { headers: json, body: '{' })).kind, 'block')
})

test('detect lets the request pass and flags it', async () => {
  const agent = await testAgent(waf, { config: { mode: 'detect' } })
  const verdict = await agent.request('GET', attack)
  assert.equal(verdict.kind, 'flag')
  assert.ok(verdict.audit.ruleIds.length > 0)
})

test('threshold, status and message are the operator\'s', async () => {
  const agent = await testAgent(waf, { config: { threshold: 100, 'block-status': 406, 'block-message': 'No.' } })
  assert.equal((await agent.request('GET', attack)).kind, 'allow')
  await agent.configure({ 'block-status': 406, 'block-message': 'No.' })
  const verdict = await agent.request('GET', attack)
  assert.equal(verdict.status, 406)
  assert.match(verdict.body, /^No\.\n/)
})

test('paranoia level 3 as in the example refuses attacks and lets a plain page pass', async () => {
  const agent = await testAgent(waf, { config: { 'paranoia-level': 3 } })
  const headers = { 'user-agent': 'Mozilla/5.0', accept: 'text/html' }
  assert.equal((await agent.request('GET', '/products?page=2', { headers })).kind, 'allow')
  assert.equal((await agent.request('GET', attack, { headers })).kind, 'block')
})

test('excluded paths are not inspected, and nothing hides behind them', async () => {
  const agent = await testAgent(waf, { config: { 'exclude-paths': ['/raw'] } })
  for (const url of ['/raw?q=<script>', '/raw/x?q=<script>']) assert.equal((await agent.request('GET', url)).kind, 'allow', url)
  assert.equal((await agent.request('POST', '/raw', { headers: type, body: 'q=<script>' })).kind, 'allow')
  for (const url of ['/rawhide?q=<script>', '/raw/..%2fadmin?q=<script>', '/raw%2f..%2fadmin?q=<script>', '/raw;x/?q=<script>', '/raw/..%5cadmin?q=<script>']) {
    assert.equal((await agent.request('GET', url)).kind, 'block', url)
  }
})

test('bodies are left alone when the operator says so, heads are not', async () => {
  const agent = await testAgent(waf, { config: { 'body-inspection': false } })
  assert.equal((await agent.request('POST', '/', { headers: type, body: 'q=<script>' })).kind, 'allow')
  assert.equal((await agent.request('POST', attack, { headers: type, body: 'q=1' })).kind, 'block')
})

test('a body over max-body-size is refused', async () => {
  const agent = await testAgent(waf, { config: { 'max-body-size': '1KiB' } })
  assert.equal((await agent.request('POST', '/', { headers: type, body: 'a'.repeat(1025) })).kind, 'block')
  assert.equal((await agent.request('POST', '/', { headers: type, body: 'a'.repeat(1024) })).kind, 'allow')
})

test('a rule can be switched off; an unknown one is refused with its place', async () => {
  const agent = await testAgent(waf, { config: { 'rules-disabled': ['scanner-agent'] } })
  assert.equal((await agent.request('GET', '/', { headers: { 'user-agent': 'nikto' } })).kind, 'allow')
  const [problem] = await agent.configure({ 'rules-disabled': ['scanner-agent', 'sqli-unoin'] })
  assert.deepEqual(problem?.path, ['rules-disabled', '1'])
  assert.match(problem?.hint ?? '', /sqli-union-select/)
})

test('settings that do not exist or are out of range are refused', async () => {
  for (const config of [{ 'paranoia-level': 5 }, { mode: 'blok' }, { paranoia: 1 }, { threshold: 0 }, { 'exclude-paths': ['raw'] }]) {
    await assert.rejects(testAgent(waf, { config }), JSON.stringify(config))
  }
})
