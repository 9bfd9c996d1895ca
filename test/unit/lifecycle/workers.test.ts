import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deserialize, serialize } from 'node:v8'
import { checkText } from '../../../config/sentinel/index.ts'
import { fromPlain, toPlain } from '../../../proxy/lifecycle/workers/config-transfer.ts'
import { afterDeath, neverDied } from '../../../proxy/lifecycle/workers/respawn.ts'
import { mergeLines, wholeLines } from '../../../proxy/lifecycle/workers/worker-lines.ts'
import { logTo } from '../../../proxy/observe/log.ts'
import { CountReader, Gathered } from '../../../proxy/observe/gather.ts'
import { metricTable } from '../../../proxy/observe/metrics-table.ts'
import { expose } from '../../../proxy/observe/exposition.ts'

test('a configuration goes through a channel and means the same, expressions and places in the file as well', () => {
  const { config } = checkText(`
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-regex "^/a+$" }; upstream "app"; filters "judge" } }
upstreams { upstream "app" { target "127.0.0.1:9" } }
agents { agent "judge" { command "true"; config {
  words "a" "b"
  nested { deep 1 }
} } }
`, 'sentinel.kdl', { env: {} })
  assert.ok(config)
  const sent = fromPlain(deserialize(serialize(toPlain(config))) as ReturnType<typeof toPlain>)
  assert.equal(JSON.stringify(sent), JSON.stringify(config))
  const path = (of: typeof config): RegExp | { test (text: string): boolean } => (of.routes[0]!.matches as unknown as { pathRegex: Array<{ test (text: string): boolean }> }).pathRegex.flat()[0]!
  assert.deepEqual(['/aaa', '/b'].map((text) => path(sent).test(text)), [true, false])
  for (const place of [[], ['words'], ['words', 1], ['nested'], ['nested', 'deep'], ['nested', 'none']]) {
    assert.deepEqual(sent.agents[0]!.config!.positionOf(place), config.agents[0]!.config!.positionOf(place), place.join(' '))
  }
})

test('the first that ends is replaced at once, those that keep ending after longer and longer pauses', () => {
  let state = neverDied
  const pauses = Array.from({ length: 12 }, () => (state = afterDeath(state, 100, 1)).pauseMs)
  assert.deepEqual(pauses.slice(0, 5), [0, 50, 100, 200, 400])
  assert.equal(pauses.at(-1), 5_000)
  assert.equal(afterDeath(state, 60_000, 1).pauseMs, 0)
  assert.equal(afterDeath({ inARow: 1, pauseMs: 0 }, 0, 0).pauseMs, 25)
})

test('what several processes count adds up, and stays when one is gone; gauges go with it', () => {
  const own = metricTable()
  const gathered = new Gathered()
  const tables = [metricTable(), metricTable()]
  const readers = tables.map((table) => new CountReader(table))
  const send = (): void => readers.forEach((reader, i) => gathered.add(i, structuredClone(reader.take())))
  tables.forEach((table, i) => {
    table.requests.cell('all', 'GET', '200').add(10 * (i + 1))
    table.requestDuration.cell('all').observe(0.002)
    table.openConnections.cell('web').set(3)
    table.agentState.cell('judge', 'ready').set(1)
  })
  send()
  tables[0]!.requests.cell('all', 'GET', '200').add(5)
  // Some are told anew each time, from a total that is kept elsewhere.
  for (const total of [4, 9]) {
    tables[1]!.targetPicks.clear()
    tables[1]!.targetPicks.cell('app', '127.0.0.1:9').set(total)
    send()
  }
  own.requests.cell('all', 'GET', '200').add(1)
  const text = (): string => expose(gathered.withOwn(own))
  assert.match(text(), /^sentinel_requests_total\{route="all",method="GET",status="200"\} 36$/m)
  assert.match(text(), /^sentinel_request_duration_seconds_bucket\{route="all",le="0.0025"\} 2$/m)
  assert.match(text(), /^sentinel_request_duration_seconds_count\{route="all"\} 2$/m)
  assert.match(text(), /^sentinel_open_connections\{listener="web"\} 6$/m)
  assert.match(text(), /^sentinel_agent_state\{agent="judge",state="ready"\} 1$/m)
  assert.match(text(), /^sentinel_upstream_target_picks_total\{upstream="app",target="127.0.0.1:9"\} 9$/m)
  gathered.forget(0)
  assert.match(text(), /^sentinel_requests_total\{route="all",method="GET",status="200"\} 36$/m)
  assert.match(text(), /^sentinel_open_connections\{listener="web"\} 3$/m)
})

test('lines of a worker keep their level, message and facts, and get its number; a crash of the program is an error', () => {
  const records: Array<Record<string, unknown>> = []
  const log = logTo({ level: 'debug', write: (line) => records.push(JSON.parse(line) as Record<string, unknown>) })
  const take = wholeLines(mergeLines(log, 2))
  take(Buffer.from('{"level":40,"time":1,"event":"agent-state","msg":"away"}\nFATAL ERR'))
  take(Buffer.from('OR: heap\n'))
  assert.deepEqual(records.map(({ level, msg, event, worker }) => ({ level, msg, event, worker })), [
    { level: 40, msg: 'away', event: 'agent-state', worker: 2 }, { level: 50, msg: 'FATAL ERROR: heap', event: undefined, worker: 2 },
  ])
})
