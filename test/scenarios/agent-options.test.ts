// Every setting of an agent, flipped: what it changes is there to be seen. One that is in neither list below makes the first test fail.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { agents as agentBlock } from '../../config/sentinel/agent.ts'
import { settingName, type Fields } from '../../config/schema/field.ts'
import type { Event, ReplyOneOf } from '../../proto/codec/index.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'
import { decision, everything } from '../support/raw-agent.ts'
import { startWithRawAgents, type RawMember, type RawSite } from '../support/raw-agents.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { block } from '../support/staged.ts'

/** A setting, what the file says without and with it, and what can be seen then. */
interface Flip {
  readonly plain?: string
  readonly flipped: string
  readonly member?: RawMember
  readonly look: (site: RawSite) => unknown
  readonly seen: readonly [plain: unknown, flipped: unknown]
}

const failure: ReplyOneOf = { kind: 'error', value: { code: 'x', message: 'y', retryable: false } }
const streaming = { ...everything, requestBody: { kind: 'stream' as const, maxBytes: 0, over: 'block' as const } }
const after = (ms: number, kind: Event['kind'] = 'request_headers') => (event: Event): undefined | Promise<undefined> => (
  event.kind === kind ? new Promise((resolve) => { setTimeout(() => resolve(undefined), ms) }) : undefined
)
const statusOf = async ({ sentinel }: RawSite): Promise<number> => (await sentinel.request('/', { method: 'POST', body: 'hello', headers: { 'X-Secret': 'hush', 'X-Fact': 'client' } })).status
const thirdFault = async (site: RawSite): Promise<unknown> => {
  for (let i = 0; i < 3; i++) await statusOf(site)
  return (await site.sentinel.accessed((record) => record === site.sentinel.access[2])).fault
}
const first = (site: RawSite, kind: Event['kind']): Event['value'] => site.agents['a']!.events.find((event) => event.kind === kind)?.value
const bodyMode = (kind: 'request_headers' | 'response_headers') => async (site: RawSite): Promise<unknown> => {
  await statusOf(site)
  return (first(site, kind) as { bodyMode?: { kind: string } } | undefined)?.bodyMode?.kind
}
/** Two at once, the first of which is not answered until the other had its time. */
const refusedOfTwo = async (site: RawSite): Promise<number> => {
  const statuses = await Promise.all([statusOf(site), statusOf(site)])
  return statuses.filter((status) => status === 503).length
}

const flips: Readonly<Record<string, Flip>> = {
  'timeout': { flipped: 'timeout "150ms"', member: { answer: after(1_000) }, look: statusOf, seen: [200, 503] },
  'max-timeout': {
    plain: 'timeout "1s"', flipped: 'timeout "1s"; max-timeout "60s"', seen: [503, 200], look: statusOf,
    member: { answer: after(2_500), moreTimeMs: 50_000 },
  },
  'failure-mode': { flipped: 'failure-mode "open"', member: { answer: () => failure }, look: statusOf, seen: [503, 200] },
  'mode': { flipped: 'mode "monitor"', member: { answer: () => block(410) }, look: statusOf, seen: [410, 200] },
  'events': {
    flipped: 'events "request_headers"', member: { describe: everything }, seen: [4, 1],
    look: async (site) => { await statusOf(site); return site.agents['a']!.events.filter(({ timeoutMs }) => timeoutMs > 0).length },
  },
  'max-request-body-size': { flipped: 'max-request-body-size "3B"', member: { describe: everything }, look: statusOf, seen: [200, 413] },
  'max-response-body-size': { flipped: 'max-response-body-size "3B"', member: { describe: everything }, look: statusOf, seen: [200, 502] },
  'request-body-mode': { flipped: 'request-body-mode "stream"', member: { describe: everything }, look: bodyMode('request_headers'), seen: ['buffer', 'stream'] },
  'response-body-mode': { flipped: 'response-body-mode "stream"', member: { describe: everything }, look: bodyMode('response_headers'), seen: ['buffer', 'stream'] },
  'body-over': { plain: 'max-request-body-size "3B"', flipped: 'max-request-body-size "3B"; body-over "prefix"', member: { describe: everything }, look: statusOf, seen: [413, 200] },
  'max-concurrent-calls': { plain: 'max-queued-calls 0', flipped: 'max-queued-calls 0; max-concurrent-calls 1', member: { answer: after(2_500) }, look: refusedOfTwo, seen: [0, 1] },
  'max-queued-calls': { plain: 'max-concurrent-calls 1', flipped: 'max-concurrent-calls 1; max-queued-calls 0', member: { answer: after(2_500) }, look: refusedOfTwo, seen: [0, 1] },
  'connections': { flipped: 'connections 3', look: connected, seen: [1, 3] },
  'pool': { flipped: 'pool { connections 3 }', look: connected, seen: [1, 3] },
  'see': {
    flipped: 'see { hide "x-secret" }', seen: [true, false],
    look: async (site) => { await statusOf(site); return (first(site, 'request_headers') as { headers: readonly string[] }).headers.includes('hush') },
  },
  'may': { flipped: 'may { rewrite #false }', member: { answer: () => decision({ kind: 'allow', value: {} }, { rewritePath: '/other' }) }, look: statusOf, seen: [200, 503] },
  'sets-headers': { flipped: 'sets-headers "x-fact"', look: async (site) => { await statusOf(site); return site.upstream.requests[0]!.headers['x-fact'] }, seen: ['client', undefined] },
  'config': { flipped: 'config { a 1 }', look: ({ agents }) => agents['a']!.configured[0]!.configJson.toString(), seen: ['{}', '{"a":1}'] },
  'circuit-breaker': {
    flipped: 'circuit-breaker { failure-threshold 2 }', member: { answer: () => failure }, look: thirdFault, seen: ['AGENT_ERROR', 'AGENT_BREAKER_OPEN'],
  },
  'retry': {
    flipped: 'retry { max-attempts 100; backoff "100ms"; max-backoff "500ms" }', seen: [503, 200],
    look: async (site) => {
      await site.agents['a']!.kill()
      await site.sentinel.logged(({ event, state }) => event === 'agent-state' && state === 'backoff')
      const asked = statusOf(site)
      if (!has(site, 'retry {')) return asked
      setTimeout(() => void site.agents['a']!.start(), 300)
      return asked
    },
  },
  'event-timeouts': { flipped: 'event-timeouts { request-headers "150ms" }', member: { answer: after(1_000) }, look: statusOf, seen: [200, 503] },
  'chunk-timeout': { flipped: 'chunk-timeout "150ms"', member: { describe: streaming, answer: after(1_000, 'request_body') }, look: statusOf, seen: [200, 503] },
  'health-check': {
    flipped: 'health-check { interval "50ms"; unhealthy-threshold 1 }', seen: [200, 503],
    look: async (site) => {
      site.agents['a']!.script.check = () => 'not_serving'
      if (has(site, 'health-check')) await site.sentinel.logged(({ event, state }) => event === 'agent-state' && state === 'not-serving')
      return statusOf(site)
    },
  },
}

async function connected (site: RawSite): Promise<number> {
  const { sessions } = site.agents['a']!
  const wanted = has(site, 'connections 3') ? 3 : 1
  await eventually('they come, one by one', () => sessions.size >= wanted)
  // One that should not come has time to.
  await new Promise((resolve) => { setTimeout(resolve, 300) })
  return sessions.size
}

/** Whether its configuration says so. */
function has (site: RawSite, words: string): boolean {
  return readFileSync(site.sentinel.file, 'utf8').includes(words)
}

/** Where what it changes is tested, and words that stand there. */
const elsewhere: Readonly<Record<string, readonly [file: string, words: string]>> = {
  'type': ['scenarios/denylist.test.ts', 'denylist'],
  'unix-socket': ['support/raw-agents.ts', 'unix-socket'],
  'grpc': ['scenarios/agent-tls.test.ts', 'grpc '],
  'http': ['golden/agent-http.txt', 'http '],
  'transport': ['golden/agent-transport-word.txt', 'transport'],
  'tls': ['golden/agent-tls-switched-off.txt', 'tls'],
  'managed': ['scenarios/agent-failure.alone.test.ts', 'absent'],
  'command': ['support/scripted-agent.ts', 'command'],
  'restart': ['support/failure-modes.ts', 'restart { initial-delay "1s" }'],
  'reverse': ['scenarios/agent-reverse.test.ts', 'reverse'],
  'script': ['scenarios/script-agent.test.ts', 'script'],
  'host': ['scenarios/agent-host.test.ts', 'host "'],
  'http2': ['scenarios/agent-keep-alive.test.ts', 'http2 {'],
  'against': ['scenarios/agent-comparison.test.ts', 'against'],
}

/** Settings in effect, by their names in the file. */
const inEffect = Object.entries(agentBlock.row.fields ?? {}).flatMap(([key, field]) => {
  const { row } = field
  const idle = row.notBuilt === true || row.inert !== undefined || (row.shape === 'block' && allInert(row.fields ?? {}))
  return idle ? [] : [settingName(key, field)]
})

function allInert (fields: Fields): boolean {
  return Object.values(fields).every(({ row }) => row.inert !== undefined)
}

test('every setting in effect is flipped here, or tested where this file says', () => {
  const tested = [...Object.keys(flips), ...Object.keys(elsewhere), 'env', 'connect-timeout']
  assert.deepEqual(inEffect.filter((name) => !tested.includes(name)), [], 'write a flip for it')
  assert.deepEqual(tested.filter((name) => !inEffect.includes(name)), [], 'there is no such setting')
  for (const [name, [file, words]] of Object.entries(elsewhere)) {
    const path = join(import.meta.dirname, '../../../test', file)
    assert.ok(existsSync(path) && readFileSync(path, 'utf8').includes(words), `${name}: nothing of it in ${file}`)
  }
})

for (const [name, { plain = '', flipped, member = {}, look, seen }] of Object.entries(flips)) {
  test(`${name}: ${flipped}`, async (t) => {
    const found: unknown[] = []
    for (const settings of [plain, flipped]) found.push(await look(await startWithRawAgents(t, { a: { ...member, settings } }, { filters: ['a'] })))
    assert.deepEqual(found, seen)
  })
}

test('env: the program has what is written, and nothing else of the proxy\'s', async (t) => {
  const script = "process.stderr.write(JSON.stringify({ msg: 'word is ' + process.env.WORD + ', secret is ' + process.env.SECRET }) + '\\n')"
  for (const [settings, word] of [['', 'undefined'], ['env { WORD "hello" }', 'hello']]) {
    const agent = `agent "a" { command ${JSON.stringify(process.execPath)} "-e" ${JSON.stringify(script)}; failure-mode "open"; ${settings} }`
    const sentinel = await startSentinel(t, siteWith(1, agent, ['a']), { env: { SECRET: 'hush' } })
    await sentinel.logged(({ msg }) => msg?.includes(`word is ${word}, secret is undefined`) === true)
  }
})

test('connect-timeout: somebody who takes connections and says nothing is given up then', async (t) => {
  const path = join(folderWith(t), 'silent.sock')
  const server = createServer(() => { /* says nothing */ })
  await new Promise<void>((resolve) => { server.listen(path, resolve) })
  t.after(() => server.close())
  for (const [settings, found] of [['', false], ['connect-timeout "100ms"', true]] as const) {
    const sentinel = await startSentinel(t, siteWith(1, `agent "a" { unix-socket ${JSON.stringify(path)}; managed #false; ${settings} }`, ['a']))
    const isGivenUp = (): boolean => sentinel.log.some(({ event, state }) => event === 'agent-state' && state === 'backoff')
    if (found) await eventually('it is given up', isGivenUp)
    else await new Promise((resolve) => { setTimeout(resolve, 1_000) })
    assert.equal(isGivenUp(), found)
  }
})
