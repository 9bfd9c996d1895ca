import assert from 'node:assert/strict'
import test from 'node:test'
import { combinedLine, commonLine, jsonLine } from '../../../proxy/observe/access-line.ts'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { auditOf, decided, decisionOf } from '../../support/decision.ts'
import { exchangeOf } from '../../support/exchange.ts'

const noon = Date.UTC(2026, 0, 2, 12, 0, 0, 7)

function read (line: string): Record<string, unknown> {
  assert.equal(line.indexOf('\n'), line.length - 1, 'one line')
  return { ...JSON.parse(line) }
}

test('a line tells who asked for what and what they got', () => {
  const x = exchangeOf({ target: '/a/b?q=1', headers: ['User-Agent', 'curl/8', 'Referer', 'https://a.test/?token=abc&page=2'] })
  x.reply = { status: 200, headers: new HeaderList(), body: undefined }
  Object.assign(x, { requestBytes: 3, responseBytes: 4096, durationMs: 1.23456, upstream: 'shop', target: '127.0.0.1:9000', tries: 2, upstreamMs: 0.5 })
  const line = read(jsonLine(x, noon, []))
  assert.deepEqual(line, {
    ts: '2026-01-02T12:00:00.007Z', request_id: 'test-exchange', client_ip: '192.0.2.1', peer_ip: '192.0.2.1', listener: 'test',
    host: 'example.test', method: 'GET', path: '/a/b', query: 'q=1', protocol: 'HTTP/1.1', status: 200, bytes_in: 3, bytes_out: 4096,
    duration_ms: 1.235, route: null, upstream: 'shop', target: '127.0.0.1:9000', tries: 2, upstream_ms: 0.5, terminated_by: 'none',
    user_agent: 'curl/8', referer: 'https://a.test/?token=[redacted]&page=2',
  })
})

test('where one try was not enough, a line lists them all, and what spoke against another one', () => {
  const x = exchangeOf()
  x.attempts = [
    { target: 'a:1', hedge: false, status: 0, fault: 'UPSTREAM_RESET', ms: 1.5, reason: 'reset' },
    { target: 'b:1', hedge: true, status: 503, fault: undefined, ms: 2, reason: undefined },
  ]
  Object.assign(x, { upstream: 'shop', tries: 2, notRetried: 'budget' })
  const line = read(jsonLine(x, noon, []))
  assert.deepEqual(line['upstream_attempts'], [{ target: 'a:1', ms: 1.5, fault: 'UPSTREAM_RESET', retried: 'reset' }, { target: 'b:1', ms: 2, status: 503, hedge: true }])
  assert.equal(line['not_retried'], 'budget')
})

test('a line names each agent with its verdict, its time, its rules, and what failed', () => {
  const x = decided('/', decisionOf({ verdict: 'allow', status: 0, audit: undefined }),
    decisionOf({ agent: 'pii', verdict: 'failed', status: 0, audit: undefined, fault: new Fault('AGENT_TIMEOUT'), failureMode: 'open' }),
    decisionOf({ mode: 'monitor', applied: false, audit: auditOf({ ruleIds: Array.from({ length: 40 }, (_, i) => `r${i}`) }) }))
  const agents = read(jsonLine(x, noon, []))['agents']
  assert.ok(Array.isArray(agents))
  assert.deepEqual(agents[0], { agent: 'waf', phase: 'request-headers', mode: 'enforce', verdict: 'allow', applied: true, ms: 0.25 })
  assert.equal(agents[1].fault, 'AGENT_TIMEOUT')
  assert.equal(agents[1].failure_mode, 'open')
  assert.equal(agents[2].rule_ids.length, 33)
  assert.equal(agents[2].rule_ids[32], '… 8 more')
})

test('nothing a client sends can begin a line or a field of its own', () => {
  const evil = 'x"}\r\n{"ts":"forged","a":"\\'
  const x = exchangeOf({ target: `/${evil}?q=${evil}`, authority: evil, method: evil, headers: ['User-Agent', evil, 'Referer', evil] })
  const line = read(jsonLine(x, noon, []))
  assert.equal(line['ts'], '2026-01-02T12:00:00.007Z')
  assert.equal(line['user_agent'], evil)
  assert.equal(line['host'], evil)
  for (const [format, lineOf, quotes] of [['combined', combinedLine, 6], ['common', commonLine, 2]] as const) {
    const line = lineOf(x, noon)
    assert.equal(line.indexOf('\n'), line.length - 1, format)
    assert.equal(line.match(/(?<!\\)"/g)?.length, quotes, `${format} has its quoted fields and no more`)
  }
})

test('letters of other languages are shown as such, and what turns or hides text is escaped', () => {
  const wire = Buffer.from('München \u202e \u0085', 'utf8').toString('latin1')
  const line = jsonLine(exchangeOf({ headers: ['User-Agent', wire] }), noon, [])
  assert.ok(line.includes('München \\u202e \\u0085'))
  const broken = jsonLine(exchangeOf({ headers: ['User-Agent', 'a\u00ffb'] }), noon, [])
  assert.ok(broken.includes('a\u00ffb'), 'bytes that are no UTF-8 stay as they came')
})

test('values of secret query keys are not logged, however the key is spelled', () => {
  for (const key of ['token', 'access_token', 'Api-Key', '%74oken', 'user[password]', 'X-Amz-Signature', 'code', 'client.secret']) {
    const line = jsonLine(exchangeOf({ target: `/?a=1&${key}=hunter2&b=2` }), noon, [])
    assert.ok(!line.includes('hunter2'), key)
    assert.ok(line.includes('b=2'), key)
  }
  assert.ok(jsonLine(exchangeOf({ target: '/?keyword=x&a;b=c&=d' }), noon, []).includes('"query":"keyword=x&a;b=c&=d"'))
})

test('parameters of a path that are secret, and keys of known shapes in it, are not logged', () => {
  for (const target of ['/a;jsessionid=hunter2/b', '/a;token=hunter2', `/hooks/sk_live_hunter2${'0'.repeat(24)}/b`]) {
    const x = exchangeOf({ target })
    for (const line of [jsonLine(x, noon, []), combinedLine(x, noon), commonLine(x, noon)]) assert.ok(!line.includes('hunter2'), line)
  }
  assert.equal(read(jsonLine(exchangeOf({ target: '/maps;zoom=3/a-name-that-is-long-and-harmless' }), noon, []))['path'], '/maps;zoom=3/a-name-that-is-long-and-harmless')
})

test('it says who ended the exchange', () => {
  const blocked = decided('/', decisionOf())
  assert.equal(read(jsonLine(blocked, noon, []))['terminated_by'], 'agent')
  const monitored = decided('/', decisionOf({ mode: 'monitor', applied: false }))
  assert.equal(read(jsonLine(monitored, noon, []))['terminated_by'], 'none')
  const gone = exchangeOf()
  gone.fault = new Fault('CLIENT_GONE')
  assert.equal(read(jsonLine(gone, noon, []))['terminated_by'], 'client')
  assert.equal(read(jsonLine(gone, noon, []))['status'], 0)
})

test('values of attributes are logged only when the operator listed them', () => {
  const x = exchangeOf()
  x.setAttribute('user', 'ann')
  x.setAttribute('card', '4111')
  assert.equal(read(jsonLine(x, noon, []))['attributes'], undefined)
  assert.deepEqual(read(jsonLine(x, noon, ['user', 'absent']))['attributes'], { user: 'ann' })
})

test('the combined format is what Apache writes', () => {
  const x = exchangeOf({ target: '/x?password=p', headers: ['User-Agent', 'a"b', 'Referer', 'http://r/'] })
  x.reply = { status: 404, headers: new HeaderList(), body: undefined }
  x.responseBytes = 12
  assert.equal(combinedLine(x, noon),
    '192.0.2.1 - - [02/Jan/2026:12:00:00 +0000] "GET /x?password=[redacted] HTTP/1.1" 404 12 "http://r/" "a\\x22b"\n')
})

test('the common format is the combined one without referer and user agent', () => {
  const x = exchangeOf({ target: '/caf\u00c3?token=p&q="', method: 'PUT', headers: ['User-Agent', 'curl', 'Referer', 'http://r/'] })
  assert.equal(commonLine(x, noon), '192.0.2.1 - - [02/Jan/2026:12:00:00 +0000] "PUT /caf\\xc3?token=[redacted]&q=\\x22 HTTP/1.1" 0 -\n')
})
