import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { testAgent } from 'sentinel/sdk/testing'
import { denylist } from '../../../agents/denylist/denylist.ts'

async function blockedBy (config: object, url: string, { ip = '192.0.2.1', headers = {} }: { ip?: string, headers?: Record<string, string | string[]> } = {}) {
  const agent = await testAgent(denylist, { config })
  const verdict = await agent.request('GET', url, { ip, headers })
  return verdict.kind === 'allow' ? undefined : verdict.audit.ruleIds[0]
}

test('without settings everything passes', async () => {
  assert.equal(await blockedBy({}, '/', { ip: '10.0.0.1', headers: { 'user-agent': 'sqlmap' } }), undefined)
})

test('addresses are refused exactly and by network, IPv4 and IPv6', async () => {
  const config = { 'block-ips': ['192.0.2.7', '10.0.0.0/8', '10.1.0.0/16', '2001:db8::/32', '::ffff:198.51.100.0/120'] }
  const cases: [ip: string, rule: string | undefined][] = [
    ['192.0.2.7', 'block-ips 192.0.2.7'], ['192.0.2.8', undefined], ['10.255.255.255', 'block-ips 10.0.0.0/8'], ['11.0.0.0', undefined],
    ['10.1.2.3', 'block-ips 10.1.0.0/16'], ['::ffff:10.2.0.1', 'block-ips 10.0.0.0/8'], ['::FFFF:a02:1', 'block-ips 10.0.0.0/8'],
    ['2001:db8:ffff::1', 'block-ips 2001:db8::/32'], ['2001:0DB8:0:0::1', 'block-ips 2001:db8::/32'], ['2001:db9::1', undefined],
    ['198.51.100.9', 'block-ips ::ffff:198.51.100.0/120'], ['::1', undefined], ['', undefined],
  ]
  for (const [ip, rule] of cases) assert.equal(await blockedBy(config, '/', { ip }), rule, ip)
})

test('a single address may stand without a list', async () => {
  assert.equal(await blockedBy({ 'block-ips': '10.0.0.0/8' }, '/', { ip: '10.9.9.9' }), 'block-ips 10.0.0.0/8')
})

test('a header cannot lend a client another address', async () => {
  const headers = { 'x-forwarded-for': '192.0.2.200', forwarded: 'for=192.0.2.200' }
  assert.equal(await blockedBy({ 'block-ips': '10.0.0.1' }, '/', { ip: '10.0.0.1', headers }), 'block-ips 10.0.0.1')
  assert.equal(await blockedBy({ 'block-ips': '192.0.2.200' }, '/', { ip: '10.0.0.1', headers }), undefined)
})

test('paths are refused exactly, by beginning and by expression', async () => {
  const config = { 'block-paths': ['/exact', '/admin/*', '/tmp*', '/\\.(env|git)(/|$)/', '/café'] }
  const cases: [url: string, rule: string | undefined][] = [
    ['/exact', '/exact'], ['/exact?x=/admin/1', '/exact'], ['/exactly', undefined], ['/Exact', undefined], ['/exact/', undefined],
    ['/admin', '/admin/*'], ['/admin/', '/admin/*'], ['/admin/a/b', '/admin/*'], ['/administrator', undefined], ['/x/admin/', undefined],
    ['/tmp', '/tmp*'], ['/tmpfile', '/tmp*'], ['/a/.env', '/\\.(env|git)(/|$)/'], ['/.git/config', '/\\.(env|git)(/|$)/'], ['/.github', undefined],
    ['/caf%c3%a9', '/café'], ['/', undefined], ['/?/exact', undefined],
  ]
  for (const [url, rule] of cases) assert.equal(await blockedBy(config, url), rule && `block-paths ${rule}`, url)
})

test('a path cannot hide behind another spelling', async () => {
  for (const url of ['/a/../admin/x', '//admin//x', '/%61dmin/x', '/./admin/x', '/admin/./x', '/x/%2e%2e/admin/x']) {
    assert.equal(await blockedBy({ 'block-paths': '/admin/*' }, url), 'block-paths /admin/*', url)
  }
})

test('user agents are refused by a part in any case, by expression, and in a second field', async () => {
  const config = { 'block-user-agents': ['SqlMap', '/^curl/7\\./', '/^$/'] }
  const cases: [value: string | string[], rule: string | undefined][] = [
    ['sqlmap/1.0', 'SqlMap'], ['Mozilla (SQLMAP)', 'SqlMap'], ['curl/7.88', '/^curl/7\\./'], ['CURL/7.1', '/^curl/7\\./'], ['curl/8.0', undefined],
    ['', '/^$/'], [['Mozilla', 'sqlmap'], 'SqlMap'],
  ]
  for (const [value, rule] of cases) assert.equal(await blockedBy(config, '/', { headers: { 'User-Agent': value } }), rule && `block-user-agents ${rule}`, String(value))
  assert.equal(await blockedBy(config, '/'), undefined)
})

test('the refusal says what the operator chose and nothing of the rule; the audit says the rest', async () => {
  const config = { 'block-ips': '10.0.0.0/8', 'block-response-code': 410, 'block-message': 'Go away' }
  const verdict = await (await testAgent(denylist, { config })).request('GET', '/', { ip: '10.0.0.1' })
  assert.deepEqual([verdict.kind, verdict.status, verdict.body], ['block', 410, 'Go away'])
  assert.deepEqual(verdict.headers, { 'cache-control': 'no-store', 'content-type': 'text/plain; charset=utf-8' })
  const { reason, ruleIds, tags, severity, confidence } = verdict.audit
  assert.deepEqual({ reason, ruleIds, tags, severity, confidence }, {
    reason: 'ip_blocked', ruleIds: ['block-ips 10.0.0.0/8'], tags: ['denylist'], severity: 'medium', confidence: 1,
  })
  const plain = await (await testAgent(denylist, { config: { 'block-paths': '/x' } })).request('GET', '/x')
  assert.deepEqual([plain.status, plain.body, plain.audit.reason], [403, 'Access denied', 'path_blocked'])
})

test('a reload that leaves a list out clears it, and a refused one changes nothing', async () => {
  const agent = await testAgent(denylist, { config: { 'block-ips': '10.0.0.1' } })
  const kind = async () => (await agent.request('GET', '/', { ip: '10.0.0.1' })).kind
  assert.equal(await kind(), 'block')
  assert.notDeepEqual(await agent.configure({ 'block-ips': 'nonsense' }), [])
  assert.equal(await kind(), 'block')
  assert.deepEqual(await agent.configure({}, { validateOnly: true }), [])
  assert.equal(await kind(), 'block')
  assert.deepEqual(await agent.configure({}), [])
  assert.equal(await kind(), 'allow')
})

test('every mistake is found, at its place', async () => {
  const agent = await testAgent(denylist)
  const problems = await agent.configure({
    'block-ips': ['10.0.0.0/33', '10.0.0.1'], 'block-paths': ['/ok', 'relative', '/a*b', '/admin/', '/(/'], 'block-user-agents': '/[/', 'block-response-code': 200, 'blok-message': 'x',
  })
  assert.deepEqual(problems.map((p) => p.path.join(' ')).sort(), [
    'block-ips 0', 'block-paths 1', 'block-paths 2', 'block-paths 3', 'block-paths 4', 'block-response-code', 'block-user-agents', 'blok-message',
  ])
  assert.match(problems.find((p) => p.path[0] === 'blok-message')?.hint ?? '', /block-message/)
  assert.match(problems.find((p) => p.path[1] === '3')?.hint ?? '', /"\/admin\/\*"/)
})

test('countries are accepted and said to have no effect', async () => {
  const agent = await testAgent(denylist, { config: { 'block-ips': '10.0.0.0/8', 'block-countries': ['XX', 'YY'] } })
  assert.ok(agent.log.some(({ level, message }) => level === 'warn' && /block-countries has no effect/.test(message)))
  assert.equal((await agent.request('GET', '/')).kind, 'allow')
})

test('100 000 addresses cost a request no more than a few', async () => {
  const range = (count: number) => Array.from({ length: count }, (_, i) => `10.${i >> 16}.${i >> 8 & 255}.${i & 255}`)
  const [few, many] = await Promise.all([10, 100_000].map((count) => testAgent(denylist, { config: { 'block-ips': range(count) } })))
  const timeOf = async (agent = few!) => {
    const start = performance.now()
    for (let i = 0; i < 300; i++) assert.equal((await agent.request('GET', '/', { ip: '172.16.0.1' })).kind, 'allow')
    return performance.now() - start
  }
  await timeOf()
  // A list that is walked through would be slower by orders of magnitude.
  assert.ok(await timeOf(many!) < 10 * await timeOf() + 50)
  assert.equal((await many!.request('GET', '/', { ip: '10.1.134.159' })).kind, 'block')
})
