// Every setting of an agent, flipped: what it changes is there to be seen. One that is in neither list below makes the first test fail.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { agents as agentBlock } from '../../config/sentinel/agent.ts'
import { settingName, type Fields } from '../../config/schema/field.ts'
import type { Event, ReplyOneOf } from '../../proto/codec/index.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'
import { fromDist } from '../support/paths.ts'
import { decision, everything, type RawAgent } from '../support/raw-agent.ts'
import { startWithRawAgents, type RawMember } from '../support/raw-agents.ts'
import type { Received } from '../support/recording-upstream.ts'
import type { Answer } from '../support/request.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel, type AccessRecord, type RunningSentinel } from '../support/sentinel.ts'
import { block } from '../support/staged.ts'

/** A setting, what the file says without and with it, and what can be seen then. */
interface Flip {
  readonly plain?: string
  readonly flipped: string
  readonly member?: RawMember
  readonly look: (side: Side) => unknown
  readonly seen: readonly [plain: unknown, flipped: unknown]
}

/** An agent that has one of the two settings, and the route that asks it. All are in one configuration. */
interface Side {
  readonly settings: string
  readonly sentinel: RunningSentinel
  readonly agent: RawAgent
  readonly id: string
  ask (): Promise<Answer>
  accessed (): readonly AccessRecord[]
  received (): readonly Received[]
}

const failure: ReplyOneOf = { kind: 'error', value: { code: 'x', message: 'y', retryable: false } }
const streaming = { ...everything, requestBody: { kind: 'stream' as const, maxBytes: 0, over: 'block' as const } }
const after = (ms: number, kind: Event['kind'] = 'request_headers') => (event: Event): undefined | Promise<undefined> => (
  event.kind === kind ? new Promise((resolve) => { setTimeout(() => resolve(undefined), ms) }) : undefined
)
const statusOf = async (side: Side): Promise<number> => (await side.ask()).status
const thirdFault = async (side: Side): Promise<unknown> => {
  for (let i = 0; i < 3; i++) await statusOf(side)
  await eventually('all three are told', () => side.accessed().length === 3)
  return side.accessed()[2]!.fault
}
const first = ({ agent }: Side, kind: Event['kind']): Event['value'] => agent.events.find((event) => event.kind === kind)?.value
const bodyMode = (kind: 'request_headers' | 'response_headers') => async (side: Side): Promise<unknown> => {
  await statusOf(side)
  return (first(side, kind) as { bodyMode?: { kind: string } } | undefined)?.bodyMode?.kind
}
/** Two at once, the first of which is not answered until the other had its time. */
const refusedOfTwo = async (side: Side): Promise<number> => {
  const statuses = await Promise.all([statusOf(side), statusOf(side)])
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
    look: async (side) => { await statusOf(side); return side.agent.events.filter(({ timeoutMs }) => timeoutMs > 0).length },
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
    look: async (side) => { await statusOf(side); return (first(side, 'request_headers') as { headers: readonly string[] }).headers.includes('hush') },
  },
  'may': { flipped: 'may { rewrite #false }', member: { answer: () => decision({ kind: 'allow', value: {} }, { rewritePath: '/other' }) }, look: statusOf, seen: [200, 503] },
  'sets-headers': { flipped: 'sets-headers "x-fact"', look: async (side) => { await statusOf(side); return side.received()[0]!.headers['x-fact'] }, seen: ['client', undefined] },
  'config': { flipped: 'config { a 1 }', look: ({ agent }) => agent.configured[0]!.configJson.toString(), seen: ['{}', '{"a":1}'] },
  'circuit-breaker': {
    flipped: 'circuit-breaker { failure-threshold 2 }', member: { answer: () => failure }, look: thirdFault, seen: ['AGENT_ERROR', 'AGENT_BREAKER_OPEN'],
  },
  'retry': {
    flipped: 'retry { max-attempts 100; backoff "100ms"; max-backoff "500ms" }', seen: [503, 200],
    look: async (side) => {
      const { agent, sentinel, id } = side
      await agent.kill()
      await sentinel.logged((record) => record.event === 'agent-state' && record.agent === id && record['state'] === 'backoff')
      const asked = statusOf(side)
      if (!side.settings.includes('retry {')) return asked
      setTimeout(() => void agent.start(), 300)
      return asked
    },
  },
  'event-timeouts': { flipped: 'event-timeouts { request-headers "150ms" }', member: { answer: after(1_000) }, look: statusOf, seen: [200, 503] },
  'chunk-timeout': { flipped: 'chunk-timeout "150ms"', member: { describe: streaming, answer: after(1_000, 'request_body') }, look: statusOf, seen: [200, 503] },
  'health-check': {
    flipped: 'health-check { interval "50ms"; unhealthy-threshold 1 }', seen: [200, 503],
    look: async (side) => {
      const { agent, sentinel, id } = side
      agent.script.check = () => 'not_serving'
      if (side.settings.includes('health-check')) {
        await sentinel.logged((record) => record.event === 'agent-state' && record.agent === id && record['state'] === 'not-serving')
      }
      return statusOf(side)
    },
  },
}

async function connected ({ agent: { sessions }, settings }: Side): Promise<number> {
  const wanted = settings.includes('connections 3') ? 3 : 1
  await eventually('they come, one by one', () => sessions.size >= wanted)
  // One that should not come has time to.
  await new Promise((resolve) => { setTimeout(resolve, 300) })
  return sessions.size
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

/** What changes routes of other agents as well, and has a proxy for each side. */
const everywhere = ['sets-headers']

const shared = Object.entries(flips).filter(([name]) => !everywhere.includes(name))

/** One proxy with an agent for each of these sides, before a route of its own. */
async function startSides (t: TestContext, given: ReadonlyArray<readonly [id: string, settings: string, member: RawMember | undefined]>): Promise<Side[]> {
  const routes = given.map(([id]) => `route "${id}" { matches { path-prefix "/${id}/" }; filters "${id}"; upstream "app" }\n`)
  const members = Object.fromEntries(given.map(([id, settings, member]) => [id, { ...member, settings }]))
  const { sentinel, agents, upstream } = await startWithRawAgents(t, members, { more: `routes { ${routes.join('')} }` })
  return given.map(([id, settings]) => {
    const path = `/${id}/`
    return {
      settings, sentinel, id, agent: agents[id]!,
      ask: () => sentinel.request(path, { method: 'POST', body: 'hello', headers: { 'X-Secret': 'hush', 'X-Fact': 'client' } }),
      accessed: () => sentinel.access.filter((record) => record.path === path),
      received: () => upstream.requests.filter(({ url }) => url === path),
    }
  })
}

test('what each setting changes can be seen', { concurrency: 6 }, async (t) => {
  const sides = await startSides(t, shared.flatMap(([name, { plain = '', flipped, member }]) => [[`${name}-plain`, plain, member], [`${name}-flipped`, flipped, member]]))
  await Promise.all(shared.map(([name, { flipped, look, seen }]) => t.test(`${name}: ${flipped}`, async () => {
    assert.deepEqual(await Promise.all(sides.filter(({ id }) => [`${name}-plain`, `${name}-flipped`].includes(id)).map(look)), seen)
  })))
})

for (const name of everywhere) {
  const { plain = '', flipped, member, look, seen } = flips[name]!
  test(`${name}: ${flipped}`, async (t) => {
    const found: unknown[] = []
    for (const settings of [plain, flipped]) found.push(...await Promise.all((await startSides(t, [[name, settings, member]])).map(look)))
    assert.deepEqual(found, seen)
  })
}

test('env: the program has what is written, and nothing else of the proxy\'s', async (t) => {
  // An agent as others, so that nobody waits for one that never comes.
  const script = "process.stderr.write(JSON.stringify({ msg: 'word is ' + process.env.WORD + ', secret is ' + process.env.SECRET }) + '\\n'); import(process.argv[1])"
  const command = ['-e', script, fromDist('test', 'support', 'agents', 'scripted.js')].map((word) => JSON.stringify(word)).join(' ')
  for (const [settings, word] of [['', 'undefined'], ['env { WORD "hello" }', 'hello']]) {
    const agent = `agent "a" { command ${JSON.stringify(process.execPath)} ${command}; failure-mode "open"; ${settings} }`
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
