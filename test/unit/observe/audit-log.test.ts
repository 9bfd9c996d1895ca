import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auditLog, type AuditOptions } from '../../../proxy/observe/audit-log.ts'
import { errorLog } from '../../../proxy/observe/error-log.ts'
import { logTo, type LogRecord } from '../../../proxy/observe/log.ts'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'
import type { Exchange } from '../../../proxy/pipeline/exchange.ts'
import { Fault, type FaultCode } from '../../../proxy/pipeline/faults.ts'
import { auditOf, decided, decisionOf } from '../../support/decision.ts'
import { exchangeOf } from '../../support/exchange.ts'

const all: AuditOptions = { logBlocked: true, logAgentDecisions: true, logWafEvents: true, events: [], firewalls: new Set(['waf']) }

function written (options: Partial<AuditOptions>, ...events: ReadonlyArray<Exchange | LogRecord>): Array<Readonly<Record<string, unknown>>> {
  const lines: string[] = []
  const log = auditLog({ ...all, ...options }, (line) => void lines.push(line))
  for (const event of events) {
    if ('facts' in event) log.heard(event)
    else log.observe(event)
  }
  return lines.map((line) => {
    assert.equal(line.indexOf('\n'), line.length - 1, 'one line')
    return JSON.parse(line) as Record<string, unknown>
  })
}

const typesOf = (records: ReadonlyArray<Readonly<Record<string, unknown>>>): unknown[] => records.map(({ event_type: type }) => type)
const said = (event: string, facts: LogRecord['facts'] = {}): LogRecord => ({ level: 'info', message: 'said', facts: { event, ...facts } })

function faulty (code: FaultCode): Exchange {
  const x = exchangeOf()
  x.fault = new Fault(code)
  x.reply = { status: x.fault.row.status, headers: new HeaderList(), body: undefined }
  return x
}

test('a decision of a firewall that names rules is a match, or a block when it stopped the request', () => {
  const found = auditOf({ ruleIds: ['xss'], tags: ['a'] })
  const blocked = decided('/', decisionOf({ agent: 'waf', audit: found, applied: true, status: 403 }))
  const seen = decided('/', decisionOf({ agent: 'waf', audit: found, applied: false, mode: 'monitor', status: 403 }))
  const other = decided('/', decisionOf({ agent: 'judge', audit: found, verdict: 'allow', status: 0 }))
  const clean = decided('/', decisionOf({ agent: 'waf', audit: undefined, verdict: 'allow', status: 0 }))
  assert.deepEqual(typesOf(written({}, blocked)), ['waf_block', 'blocked'])
  assert.deepEqual(typesOf(written({}, seen, other, clean)), ['waf_match', 'agent_decision', 'agent_decision'])
  assert.deepEqual(typesOf(written({ logWafEvents: false }, blocked, seen)), ['blocked'])
  assert.deepEqual(typesOf(written({ logBlocked: false, logAgentDecisions: false }, blocked, other)), ['waf_block'])
  const [record] = written({}, blocked)
  assert.deepEqual([record!['rule_ids'], record!['tags'], record!['action'], record!['applied']], [['xss'], ['a'], 'block', true])
})

test('who is refused is told of, and what is nobody\'s refusal is not', () => {
  assert.deepEqual(typesOf(written({}, ...(['ADDRESS_REFUSED', 'ORIGIN_REFUSED', 'HEADER_MISSING', 'RATE_LIMITED', 'CLIENT_TUNNELS_FULL', 'AGENT_TIMEOUT'] as const).map(faulty))),
    ['blocked', 'blocked', 'blocked', 'rate_limit_exceeded', 'blocked', 'blocked'])
  assert.deepEqual(written({}, ...(['CLIENT_GONE', 'NO_ROUTE', 'UPSTREAM_TIMEOUT', 'OVERLOADED', 'INTERNAL'] as const).map(faulty), exchangeOf()), [])
})

test('what the program says of itself is told by its kind; what agents and other workers say is not', () => {
  const events = ['reloaded', 'reload-failed', 'certificates-reloaded', 'certificate-kept', 'breaker-open', 'breaker-half-open', 'breaker-closed', 'cache-purged', 'command', 'upgraded', 'logs-reopened']
  assert.deepEqual(typesOf(written({}, ...events.map((event) => said(event)))), [
    'config_change', 'config_change', 'cert_reload', 'cert_reload', 'circuit_breaker_change', 'circuit_breaker_change', 'circuit_breaker_change', 'cache_purge', 'admin_action',
    'admin_action', 'admin_action',
  ])
  assert.deepEqual(written({}, said('agent-ready'), { ...said('reloaded', { agent: 'forger' }), foreign: true }, said('reloaded', { worker: 1 }), said('constructor'), said('toString')), [])
  const [record] = written({}, said('command', { upstream: 'app', token: 'hunter2', note: 'password=hunter2' }))
  assert.deepEqual(record!['details'], { upstream: 'app', token: '[redacted]', note: 'password=[redacted]' })
  assert.deepEqual(typesOf(written({ events: ['cert-reload', 'auth-event'] }, ...events.map((event) => said(event)))), ['cert_reload', 'cert_reload'])
})

test('nothing that a client sends begins a line of its own in the audit or error log', () => {
  const evil = 'x"}\r\n{"event_type":"forged"'
  const x = exchangeOf({ target: `/${evil}`, authority: evil, method: evil })
  x.fault = new Fault('ADDRESS_REFUSED', evil)
  assert.deepEqual(typesOf(written({}, x)), ['blocked'])
  const lines: string[] = []
  errorLog('warn', (line) => void lines.push(line)).observe(x)
  assert.equal(lines.join('').indexOf('\n'), lines.join('').length - 1)
  assert.deepEqual((JSON.parse(lines[0]!) as { code: string }).code, 'ADDRESS_REFUSED')
})

test('an agent cannot write into the audit log, whatever its lines say', () => {
  const heard: LogRecord[] = []
  const log = logTo({ level: 'info', write: () => {} })
  log.listen((record) => void heard.push(record))
  log.mergeAgentLine('forger', 'stdout', JSON.stringify({ level: 30, msg: 'configuration taken over', event: 'reloaded' }))
  log.child({ agent: 'judge' }).warn('circuit breaker: open', { event: 'breaker-open' })
  assert.equal(heard.length, 2)
  assert.deepEqual(typesOf(written({}, ...heard)), ['circuit_breaker_change'])
})
