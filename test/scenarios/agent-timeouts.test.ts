// `event-timeouts { … }` and `chunk-timeout`: each kind of question to an agent has a time of its own.
import assert from 'node:assert/strict'
import { callPlaces } from '../../proxy/decisions/index.ts'
import { atATime } from '../support/at-a-time.ts'
import { consult, ready } from '../support/consulted.ts'
import { eventually } from '../support/eventually.ts'
import { fromDist } from '../support/paths.ts'
import { allow, rawAgent } from '../support/raw-agent.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { scripted, scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

const test = atATime(2)

test('the head of a request and that of an answer are waited for as long as each is said', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const agent = scriptedAgent('slow', 'timeout "60s"; max-timeout "60s"; event-timeouts { request-headers "2s" }')
  const sentinel = await startSentinel(t, siteWith(upstream.port, agent, ['slow']))
  const started = performance.now()
  const cut = await sentinel.request('/', { headers: scripted({ request: { do: 'never' } }) })
  assert.equal(cut.status, 503)
  assert.ok(performance.now() - started < 50_000, 'it was cut short')
  assert.equal((await sentinel.accessed(({ fault }) => fault === 'AGENT_TIMEOUT')).status, 503)
  const answered = await sentinel.request('/', { headers: scripted({ response: { do: 'sleep', ms: 2_500 } }) })
  assert.equal(answered.status, 200, 'an answer has the agent\'s own time')
})

test('an agent cannot ask for more time than is said, unless max-timeout allows it', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const more = { headers: scripted({ request: { do: 'more-time', ms: 2_500 } }) }
  const tight = await startSentinel(t, siteWith(upstream.port, scriptedAgent('slow', 'timeout "60s"; event-timeouts { request-headers "1s" }'), ['slow']))
  assert.equal((await tight.request('/', more)).status, 503)
  const wide = await startSentinel(t, siteWith(upstream.port, scriptedAgent('slow', 'timeout "60s"; max-timeout "60s"; event-timeouts { request-headers "1s" }'), ['slow']))
  assert.equal((await wide.request('/', more)).status, 200)
})

test('what was waited for a place of the filter counts, also where the agent asks for more time', async (t) => {
  let first: (() => void) | undefined
  const agent = await rawAgent(t, { onEvent (event, wire) {
    if (event.timeoutMs === 0) return
    if (first === undefined) first = () => wire.reply(event, allow)
    else wire.reply(event, { kind: 'more_time', value: { timeoutMs: 60_000 } })
  } })
  const client = await ready(t, agent.path)
  const overrides = { places: callPlaces(1), maxTimeoutMs: 3_000 }
  const asked = [consult(client, {}, { ...overrides, timeoutMs: 60_000 }), consult(client, {}, { ...overrides, timeoutMs: 2_500 })] as const
  await eventually('one waits', () => first !== undefined && overrides.places.queued === 1)
  setTimeout(() => first!(), 700)
  const [, { x }] = await Promise.all(asked)
  const [, ms] = /^no reply in (\d+) ms$/.exec(x.fault?.detail ?? '') ?? []
  assert.ok(Number(ms) < 2_500, x.fault?.detail)
})

test('a piece of a body that flows has a time of its own', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const program = `agent "pieces" { command ${JSON.stringify(process.execPath)} ${JSON.stringify(fromDist('test', 'support', 'agents', 'slow-pieces.js'))}; timeout "20s"`
  const start = (settings: string) => startSentinel(t, siteWith(upstream.port, `${program}; ${settings} }`, ['pieces']))
  const post = { method: 'POST', body: 'a piece' }
  const cut = await start('chunk-timeout "100ms"; event-timeouts { request-body "20s" }')
  assert.equal((await cut.request('/', post)).status, 503)
  const patient = await start('event-timeouts { request-body "20s" }')
  assert.equal((await patient.request('/', post)).status, 200)
})
