import assert from 'node:assert/strict'
import test from 'node:test'
import { logTo } from '../../../proxy/observe/log.ts'
import type { LogLevel, RootLog } from '../../../proxy/observe/log.ts'
import { agentLines } from '../../../proxy/observe/agent-lines.ts'
import { prettyLine } from '../../../proxy/observe/pretty.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'

function start (level: LogLevel = 'debug'): { log: RootLog, records: Record<string, unknown>[] } {
  const records: Record<string, unknown>[] = []
  return { log: logTo({ level, write: (line) => records.push({ ...JSON.parse(line) }) }), records }
}

test('a fault is logged with its code, its detail and its cause', () => {
  const { log, records } = start()
  log.child({ component: 'upstreams' }).warn('no answer', { error: new Fault('UPSTREAM_CONNECT', 'refused', new Error('ECONNREFUSED')) })
  assert.equal(records[0]?.['level'], 40)
  assert.equal(records[0]?.['component'], 'upstreams')
  assert.equal(records[0]?.['code'], 'UPSTREAM_CONNECT')
  assert.match(JSON.stringify(records[0]), /refused.*ECONNREFUSED/)
})

test('secrets do not reach the log by field name, in headers, in URLs or in messages', () => {
  const { log, records } = start()
  log.error('upstream said Authorization: Bearer hunter2hunter2 to https://u:hunter2@host/?token=hunter2&a=1', {
    headers: { Cookie: 'hunter2', 'Set-Cookie': ['hunter2'], 'x-api-key': 'hunter2' },
    url: '/callback?code=hunter2&a=1',
    list: [{ password: 'hunter2' }],
    error: new Error('GET https://u:hunter2@h/ failed, api_key=hunter2'),
    tokens: 512,
  })
  const text = JSON.stringify(records)
  assert.ok(!text.includes('hunter2'), text)
  assert.equal(records[0]?.['tokens'], 512, 'a count is no secret')
  assert.ok(text.includes('a=1'))
})

test('facts cannot take the place of level, time and message', () => {
  const lines: string[] = []
  logTo({ level: 'info', write: (line) => lines.push(line) }).info('real', { level: 10, msg: 'forged', time: 0 })
  assert.equal(lines[0]?.match(/"msg":/g)?.length, 1)
  assert.equal(lines[0]?.match(/"level":/g)?.length, 1)
  assert.equal(JSON.parse(lines[0]!).msg, 'real')
})

test('whatever is given as facts, the log does not throw and the line is bounded', () => {
  const { log, records } = start()
  const circle: Record<string, unknown> = { big: 1n, nan: NaN, fn: () => 1, symbol: Symbol('s'), bytes: Buffer.alloc(1e6), map: new Map([['a', 1]]) }
  circle['self'] = circle
  log.info('odd', circle)
  log.info('huge', { text: 'x'.repeat(1e6), list: Array.from({ length: 1e5 }, () => 'y') })
  assert.equal(records.length, 2)
  assert.ok(JSON.stringify(records[1]).length < 20_000)
})

test('the level is changed for children that parts of the proxy hold already', () => {
  const { log, records } = start('warn')
  const child = log.child({ component: 'agents' })
  child.info('unheard')
  log.setLevel('debug')
  child.debug('heard')
  assert.deepEqual(records.map(({ msg }) => msg), ['heard'])
})

test('a line of an agent keeps its level, message and facts, under the agent\'s name only', () => {
  const { log, records } = start()
  log.mergeAgentLine('waf', 'stdout', '{"level":50,"time":1,"pid":7,"hostname":"h","msg":"bad rule","agent":"other","component":"main","event":"ready","rule":7}')
  log.mergeAgentLine('waf', 'stderr', 'plain \u001b[31mred\u001b[0m words\n')
  log.mergeAgentLine('waf', 'stdout', '{"level":')
  log.mergeAgentLine('waf', 'stdout', '   \n')
  const { time: _, ...first } = records[0]!
  assert.deepEqual(first, { level: 50, rule: 7, agent_event: 'ready', agent: 'waf', msg: 'bad rule' })
  assert.equal(records[1]?.['msg'], 'plain red words')
  assert.equal(records[1]?.['level'], 40)
  assert.equal(records[2]?.['msg'], '{"level":')
  assert.equal(records.length, 3)
})

test('an agent that says too much is cut short, and that is said', () => {
  const { log, records } = start()
  let clock = 0
  const lines = agentLines(log, () => clock)
  for (let i = 0; i < 10_000; i++) lines.merge('loud', 'stdout', `line ${i}`)
  lines.merge('quiet', 'stdout', 'x'.repeat(100_000))
  assert.equal(records.length, 501)
  assert.ok(String(records[500]?.['msg']).length < 2_100)
  clock = 1_000
  lines.merge('loud', 'stdout', 'again')
  assert.equal(records.at(-1)?.['msg'], 'again')
  lines.close()
  assert.equal(records.at(-1)?.['dropped'], 9_500)
})

test('on a terminal a line shows time, level, who, message and facts, and cannot steer the terminal', () => {
  const line = JSON.stringify({ level: 40, time: Date.now(), agent: 'waf', code: 'AGENT_TIMEOUT', msg: 'late \u001b[2J\u009b', words: 'a b' })
  const shown = prettyLine(line, false)
  assert.match(shown, /^\d\d:\d\d:\d\d\.\d{3} warn {2}\[agent waf\] late \\u001b\[2J\\u009b code=AGENT_TIMEOUT words="a b"\n$/)
  assert.ok(!prettyLine('no json \u001b[2J', true).includes('\u001b[2J'))
  const lines = prettyLine(JSON.stringify({ level: 30, msg: 'first\n12:00:00.000 error made up', error: { stack: 'Error: one\n  at two' } }), false)
  assert.equal(lines, 'info  first\n    12:00:00.000 error made up\n    Error: one\n    at two\n', 'further lines stand apart')
})
