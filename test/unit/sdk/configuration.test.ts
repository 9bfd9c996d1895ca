import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { block, ConfigRefused, defineAgent, integer, list, refuse, required, section, setting, text } from 'sentinel/sdk'
import { testAgent } from 'sentinel/sdk/testing'

const limited = defineAgent({
  name: 'limited',
  config: {
    words: list(text, [], 'Blocked.'),
    limits: section({ maxLength: setting(integer(1, 100), 10, 'Of a path.') }, 'Limits.'),
  },
  prepare (config) {
    const empty = config.words.findIndex((word) => word.trim() === '')
    if (empty !== -1) throw refuse(['words', String(empty)], 'the word is blank', 'leave it out')
    if (config.words.includes('bug')) throw new Error('a bug in prepare')
    return new Set(config.words)
  },
  onRequest (request, { config, state, configVersion }) {
    if (state.has(request.path.slice(1))) return block(403, { body: configVersion })
    return request.path.length > config.limits.maxLength ? block(414) : undefined
  },
})

test('settings arrive typed and with defaults, and prepare makes the state of them', async () => {
  const agent = await testAgent(limited, { config: { words: 'a', limits: { 'max-length': 3 } } })
  assert.equal((await agent.request('GET', '/a')).status, 403)
  assert.equal((await agent.request('GET', '/bcd')).status, 414)
  assert.equal((await agent.request('GET', '/b')).kind, 'allow')
})

test('a missing, unknown, mistyped or nested wrong setting is a problem at its place', async () => {
  const strict = defineAgent({ name: 'strict', config: { key: required(text, 'Needed.'), limits: section({ max: setting(integer(1, 9), 1, 'x') }, 'y') } })
  await assert.rejects(testAgent(strict), /key/)
  const agent = await testAgent(strict, { config: { key: 'k' } })
  const problems = await agent.configure({ kye: 'k', limits: { max: 10, other: true } })
  // "kye" was meant for "key": that it is missing is no news.
  assert.deepEqual(problems.map((p) => p.path.join(' ')).sort(), ['kye', 'limits max', 'limits other'])
  assert.deepEqual((await agent.configure({})).map((p) => p.path.join(' ')), [''])
  assert.notDeepEqual(await agent.configure('text'), [])
  assert.notDeepEqual(await agent.configure([]), [])
})

test('an agent without settings refuses any', async () => {
  const agent = await testAgent(defineAgent({ name: 'plain', onRequest () {} }))
  assert.deepEqual((await agent.configure({ some: 1 })).map((p) => p.path), [['some']])
})

test('what prepare refuses comes back with path and hint; what it throws otherwise is a refusal too', async () => {
  const agent = await testAgent(limited, { config: { words: 'old' } })
  assert.deepEqual(await agent.configure({ words: ['a', ' '] }), [{ path: ['words', '1'], message: 'the word is blank', hint: 'leave it out' }])
  assert.deepEqual(await agent.configure({ words: 'bug' }), [{ path: [], message: 'a bug in prepare', hint: '' }])
  assert.equal((await agent.request('GET', '/old')).status, 403)
})

test('onConfigure hears of every configuration, and its problems refuse', async () => {
  const heard: unknown[] = []
  const agent = await testAgent(defineAgent({
    name: 'hearing',
    config: { n: setting(integer(0, 9), 0, 'x') },
    onConfigure ({ n }, { validateOnly, version }) {
      heard.push([n, validateOnly, version])
      if (n === 8) throw new ConfigRefused([{ path: ['n'], message: 'thrown' }])
      return n === 9 ? [{ path: ['n'], message: 'returned' }] : undefined
    },
  }))
  await agent.configure({ n: 1 }, { validateOnly: true, version: 'v1' })
  assert.equal((await agent.configure({ n: 8 }))[0]?.message, 'thrown')
  assert.equal((await agent.configure({ n: 9 }))[0]?.message, 'returned')
  assert.deepEqual(heard.slice(0, 2), [[0, false, 'test-1'], [1, true, 'v1']])
})

test('two configurations that overlap become active in the order they came', async () => {
  let release = (): void => {}
  const agent = await testAgent(defineAgent({
    name: 'slow',
    config: { n: setting(integer(0, 9), 0, 'x') },
    prepare: ({ n }) => n === 1 ? new Promise<number>((resolve) => { release = () => resolve(n) }) : n,
    onRequest: (_, { state }) => block(400 + state),
  }))
  const first = agent.configure({ n: 1 })
  const second = agent.configure({ n: 2 })
  await new Promise(setImmediate)
  release()
  await Promise.all([first, second])
  assert.equal((await agent.request('GET', '/')).status, 402)
})

test('an exchange ends with the configuration it began with', async () => {
  const agent = await testAgent(defineAgent({
    name: 'steady',
    config: { status: setting(integer(400, 599), 400, 'x') },
    onRequest () {},
    onResponse: (_, __, { config }) => block(config.status),
  }))
  const before = await agent.request('GET', '/')
  assert.deepEqual(await agent.configure({ status: 500 }), [])
  assert.equal((await before.respond(200)).status, 400)
  assert.equal((await (await agent.request('GET', '/')).respond(200)).status, 500)
})

test('an agent describes its settings, its headers and what it wants to see', async () => {
  const { description } = await testAgent(defineAgent({
    name: 'shown', version: '1', setsHeaders: ['X-User'], requestBody: { mode: 'buffer', max: '64KiB', over: 'prefix' }, maxBody: '1MiB', maxExchanges: 7,
    onRequestBody () {}, onResponseChunk () {},
  }))
  assert.deepEqual(description.events, ['request_headers', 'request_body', 'response_headers', 'response_body', 'complete'])
  assert.deepEqual(description.requestBody, { kind: 'buffer', maxBytes: 65536, over: 'prefix' })
  assert.deepEqual(description.responseBody, { kind: 'stream', maxBytes: 0, over: 'block' })
  assert.deepEqual(description.limits, { maxExchanges: 7, maxBodyBytes: 1048576 })
  assert.deepEqual(description.setsRequestHeaders, ['x-user'])
  assert.equal((JSON.parse((await testAgent(limited)).description.configSchema) as { type: string }).type, 'object')
})

test('a definition that can never work throws at once', () => {
  assert.throws(() => defineAgent({ name: 'no blanks' }), TypeError)
  assert.throws(() => defineAgent({ name: 'x', maxBody: 'much' }), TypeError)
  assert.throws(() => defineAgent({ name: 'x', requestBody: { mode: 'buffer', max: -1 } }), TypeError)
})
