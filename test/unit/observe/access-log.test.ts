import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkText, type LogField, type SentinelConfig } from '../../../config/sentinel/index.ts'
import { logFields } from '../../../config/sentinel/log-fields.ts'
import { factOf } from '../../../proxy/filters/index.ts'
import { accessLog, type AccessLogOptions } from '../../../proxy/observe/access-log.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'
import type { Exchange } from '../../../proxy/pipeline/exchange.ts'
import { isSampled } from '../../../proxy/pipeline/sampling.ts'
import { decided, decisionOf } from '../../support/decision.ts'
import { exchangeOf } from '../../support/exchange.ts'

const site = 'listeners { listener "web" { address "127.0.0.1:0" } }\nroutes { route "all" { matches { path-prefix "/" }; upstream "app" } }\nupstreams { upstream "app" { target "a:80" } }\n'

function optionsOf (kdl: string): AccessLogOptions {
  const { config, problems } = checkText(`${site}observability { access-log { ${kdl} } }`, '/etc/sentinel/sentinel.kdl', { env: {} })
  assert.ok(config, JSON.stringify(problems))
  const { file: _file, bufferSize: _size, enabled: _enabled, ...options }: SentinelConfig['observability']['accessLog'] = config.observability.accessLog
  return { ...options, factOf }
}

function linesOf (options: AccessLogOptions, ...exchanges: readonly Exchange[]): string[] {
  const lines: string[] = []
  const record = accessLog(options, (line) => void lines.push(line))
  for (const x of exchanges) record(x)
  return lines
}

function full (): Exchange {
  const x = decided('/a?q=1&token=hunter2', decisionOf())
  x.request.headers.append('User-Agent', 'curl/8')
  x.request.headers.append('Referer', 'https://a.test/?token=hunter2')
  x.request.headers.append('X-Tenant', 'blue')
  x.request.headers.append('Authorization', 'Bearer hunter2')
  x.request.headers.append('Cookie', 'sid=hunter2')
  x.reply = { status: 503, headers: new HeaderList(['Set-Cookie', 'sid=hunter2', 'X-Served', 'a']), body: undefined }
  x.fault = new Fault('UPSTREAM_RESET', 'token=hunter2')
  x.setAttribute('score', '7')
  x.setAttribute('geo.country', 'DE')
  x.setAttribute('rate-limit.over', 'each')
  x.setAttribute('api-key', 'hunter2')
  x.waits = [{ filter: 'denylist', side: 'request', sinceMs: 0, ms: 1 }, { filter: 'limit', side: 'request', sinceMs: 0, ms: 2 }, { filter: 'denylist', side: 'response', sinceMs: 0, ms: 3 }]
  x.attempts = [{ target: 'a:80', hedge: false, status: 503, fault: undefined, ms: 1, reason: undefined }]
  x.trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: false, recording: undefined }
  x.route = { name: 'all', namespace: 'team', service: 'shop', filters: [], responder: { name: '', respond: () => Promise.reject(new Error('nobody asks')) }, maxBodyBytes: 0 }
  return Object.assign(x, {
    cache: 'hit',
    upstream: 'app', target: 'a:80', tries: 2, upstreamMs: 3, notRetried: 'budget', queuedMs: 4, poolMs: 5, connectMs: 6, tlsMs: 7, firstByteMs: 8, durationMs: 9,
    requestBytes: 10, responseBytes: 11, peer: { ...x.peer, tls: { version: 'TLSv1.3', sni: 'a.test' } },
  })
}

test('every field can be chosen, and says what a whole line says', () => {
  const extras = 'request-headers "x-tenant" "authorization"; response-headers "x-served" "set-cookie"; attributes "score" "api-key"'
  const [whole] = linesOf(optionsOf(extras), full())
  const alone = new Set(['instance_id', 'connection_reused'])
  const names = (Object.keys(logFields) as LogField[]).filter((name) => !alone.has(name))
  const [chosen] = linesOf(optionsOf(`${extras}; fields ${names.map((name) => `"${name}"`).join(' ')}`), full())
  const read = (line = ''): Record<string, unknown> => ({ ...JSON.parse(line), ts: '' })
  assert.deepEqual(Object.keys(read(chosen)), names, 'in the order in which they were chosen')
  assert.deepEqual(read(chosen), read(whole))
  assert.deepEqual(read(whole)['filters_ms'], { denylist: 4, limit: 2 })
  assert.deepEqual(read(whole)['request_headers'], { 'x-tenant': 'blue', authorization: '[redacted]' })
  assert.ok(!`${whole}${chosen}`.includes('hunter2'))
})

test('fields that are not there are left out, and the names of other products are understood', () => {
  assert.deepEqual(linesOf(optionsOf('fields { timestamp #true; correlation-id; query #false; "latency"; upstream }'), exchangeOf()).map((line) => Object.keys(JSON.parse(line) as object)), [['ts', 'request_id', 'duration_ms']])
  assert.deepEqual(linesOf(optionsOf('fields "query"'), exchangeOf()), ['{}\n'])
  const [chosen] = linesOf({ ...optionsOf('fields "instance_id" "connection_reused"'), instance: 'a1' }, full())
  assert.equal(chosen, '{"instance_id":"a1","connection_reused":false}\n')
})

test('a line of a template has the facts that it names, and a dash for what is missing', () => {
  const template = '${client.ip} \\"${request.method} ${request.uri}\\" ${response.status} ${response.bytes} \\"${request.header.User-Agent}\\" \\"${request.header.X-None}\\" ${time.total}/${time.queue}/${time.filters} ${exchange.decisions} ${exchange.fault} ${upstream.tries} ${response.header.X-Served}'
  const [line] = linesOf(optionsOf(`format "custom"; template "${template}"`), full())
  assert.equal(line, '192.0.2.1 "GET /a?q=1&token=[redacted]" 503 11 "curl/8" "-" 9/4/denylist=1,limit=2,denylist=3 waf=block/403 UPSTREAM_RESET 2 a\n')
})

test('secrets that a template names are hidden', () => {
  const template = '${request.query} ${request.uri} ${request.header.authorization} ${request.header.cookie} ${request.cookie.sid} ${request.query.token} ${request.header.referer} ${response.header.set-cookie} ${agent.api-key}'
  const [line = ''] = linesOf(optionsOf(`format "custom"; template "${template}"`), full())
  assert.ok(!line.includes('hunter2'), line)
  assert.equal(line.match(/\[redacted\]/g)?.length, 9)
})

test('nothing that a client sends ends a line of a template, or a quoted field of it', () => {
  const evil = 'x"\r\n\\forged \u001b[31m'
  const x = exchangeOf({ target: `/${evil}?q=${evil}`, authority: evil, method: evil, headers: ['User-Agent', evil] })
  const template = '\\"${request.method}\\" \\"${request.uri}\\" \\"${request.path}\\" \\"${request.query.q}\\" \\"${request.host}\\" \\"${request.header.user-agent}\\"'
  const [line = ''] = linesOf(optionsOf(`format "custom"; template "${template}"`), x)
  assert.equal(line.indexOf('\n'), line.length - 1)
  assert.ok(!/[\u0000-\u0009\u000b-\u001f]/.test(line))
  assert.equal(line.match(/(?<!\\)"/g)?.length, 12)
})

test('the share of requests that get a line is chosen by their ids, and is what was asked for', () => {
  const ids = Array.from({ length: 20_000 }, (_, i) => `request-${i}`)
  for (const rate of [0, 0.01, 0.25, 0.9, 1]) {
    const chosen = ids.filter((id) => isSampled(id, rate))
    assert.ok(Math.abs(chosen.length / ids.length - rate) < 0.01, `${chosen.length} at ${rate}`)
    assert.deepEqual(ids.filter((id) => isSampled(id, rate)), chosen, 'the same ones again')
    assert.ok(chosen.every((id) => isSampled(id, Math.min(1, rate * 1.1))), 'those of a smaller share are among those of a larger one')
  }
})

test('a request that failed has a line whatever the share, unless that is not wanted', () => {
  const fine = exchangeOf()
  fine.reply = { status: 404, headers: new HeaderList(), body: undefined }
  const failed = exchangeOf()
  failed.reply = { status: 500, headers: new HeaderList(), body: undefined }
  const faulty = Object.assign(exchangeOf(), { fault: new Fault('RATE_LIMITED'), reply: { status: 429, headers: new HeaderList(), body: undefined } })
  const blocked = decided('/', decisionOf())
  blocked.reply = { status: 403, headers: new HeaderList(), body: undefined }
  const unanswered = exchangeOf()
  assert.equal(linesOf(optionsOf('sample-rate 0'), fine, failed, faulty, blocked, unanswered).length, 4)
  assert.equal(linesOf(optionsOf('sample-rate 0; always-log-errors #false'), fine, failed, faulty, blocked, unanswered).length, 0)
  assert.equal(linesOf(optionsOf(''), fine, failed).length, 2)
})
