// What the compiler would have said, said to authors who have none.
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { allow, block, defineAgent, drop, redact, serve, startAgent, type Answered, type AgentDefinition, type Agent, type Fields } from 'sentinel/sdk'
import { fuzzBody, testAgent } from 'sentinel/sdk/testing'

const define = defineAgent as (definition: unknown) => Agent
const wrong = <T>(value: unknown): T => value as T

function run (onRequest: AgentDefinition<Fields, undefined>['onRequest']) {
  return testAgent(defineAgent({ name: 'test', ...onRequest === undefined ? {} : { onRequest } }))
}

test('a definition with a slip is refused, and never lets everything pass', () => {
  const cases: ReadonlyArray<readonly [definition: unknown, said: RegExp]> = [
    [undefined, /defineAgent is called with an object/],
    [{}, /an agent's name is .*, not undefined/],
    [{ name: 'x', onReqest () {} }, /an agent has no "onReqest"; did you mean "onRequest"\?/],
    [{ name: 'x', onWebsocketMessage () {} }, /did you mean "onWebSocketMessage"\?/],
    [{ name: 'x', something: 1 }, /an agent has no "something": name, version, /],
    [{ name: 'x', onRequest: 'block' }, /"onRequest" of an agent is a function/],
    [{ name: 'x', config: { country: 'CH' } }, /"config" of an agent is made of setting/],
    [{ name: 'x', requestBody: 'whole' }, /"requestBody" of an agent is "buffer", "stream" or "none"/],
    [{ name: 'x', requestBody: { mode: 'buffer', over: 'cut' } }, /over as "block", "prefix" or "skip"/],
    [{ name: 'x', setsHeaders: 'x-user' }, /"setsHeaders" of an agent is a list of texts/],
    [{ name: 'x', maxExchanges: '5' }, /"maxExchanges" of an agent is a whole number/],
  ]
  for (const [definition, said] of cases) assert.throws(() => define(definition), said)
  assert.doesNotThrow(() => define({ name: 'x', version: undefined, onRequest: undefined }))
})

test('a definition that defineAgent has not seen is not served', async () => {
  const definition = wrong<Agent>({ name: 'x', onRequest () {} })
  for (const start of [() => serve(definition), () => startAgent(definition, { listen: '127.0.0.1:0' }), () => testAgent(definition)]) {
    await assert.rejects(start, /an agent is what defineAgent\(\{ … \}\) gives/)
  }
})

test('a test whose options have a slip fails, and never passes because what it is about was not said', async () => {
  const agent = defineAgent({ name: 'test', onRequest () {}, onResponse () {}, onToolCall () {}, onToolResult () {}, onGuardrail () {}, onWebSocketMessage () {} })
  const tested = await testAgent(agent)
  const exchange = await tested.request('GET', '/')
  for (const [act, said] of [
    [() => testAgent(agent, wrong({ confg: {} })), /testAgent has no "confg"; did you mean "config"\?/],
    [() => tested.request('GET', '/', wrong({ header: { a: 'b' } })), /a request of a test has no "header"; did you mean "headers"\?/],
    [() => tested.request('/', 'GET'), /"\/" is no method: request\(method, url, \{ … \}\)/],
    [() => exchange.respond(200, wrong({ boddy: 'x' })), /a response of a test has no "boddy"; did you mean "body"\?/],
    [() => exchange.toolCall(wrong({ tool: 'a', argument: {} })), /a tool call of a test has no "argument"; did you mean "arguments"\?/],
    [() => exchange.toolResult(wrong({ results: 'x' })), /a tool result of a test has no "results"; did you mean "result"\?/],
    [() => exchange.guardrail(wrong({ inspection: 'pii', text: ['x'] })), /an inspection of a test has no "text"; did you mean "texts"\?/],
    [() => exchange.message('x', wrong({ form: 'upstream' })), /a message of a test has no "form"/],
    [() => fuzzBody(tested, 'x', wrong({ off: 'response' })), /fuzzBody has no "off"/],
    [() => startAgent(agent, wrong({ listen: '127.0.0.1:0', stroe: 'memory' })), /startAgent has no "stroe"; did you mean "store"\?/],
    [() => startAgent(agent, wrong({ listen: '127.0.0.1:0', tls: { cert: 'a', key: 'b', clientCA: 'c' } })), /tls of startAgent has no "clientCA"; did you mean "clientCa"\?/],
  ] as const) await assert.rejects(async () => { await act() }, said)
})

test('what cannot be attached is refused where it is attached: a body that should be hidden does not pass for a misspelt word', () => {
  assert.throws(() => redact(wrong({ replacedBody: 'hidden' })), /nothing called "replacedBody" can be attached: .*replaceBody/)
  assert.throws(() => block(403, wrong({ boddy: 'x' })), /nothing called "boddy"/)
  assert.throws(() => allow().with(wrong({ header: {} })), /nothing called "header"/)
  assert.throws(() => drop().with(wrong({ reason: 'x' })), /nothing called "reason"/)
  assert.throws(() => block().withAudit(wrong({ resaon: 'x' })), /an audit has no "resaon": .*reason/)
  assert.throws(() => allow().withAttribute('score', wrong(5)), /attribute "score" is a text, not of type number/)
  assert.throws(() => block().withAudit({ details: wrong({ score: 5 }) }), /detail "score" is a text, not of type number/)
  assert.throws(() => block(403).withHeader('x-score', wrong(5)), /the value of header "x-score" is a text, not of type number/)
  assert.throws(() => allow({ requestHeaders: wrong({ 'x-a': 'b' }) }).withRequestHeaders(wrong({ 'x-score': undefined })), /header "x-score" is a text, not of type undefined/)
})

test('a value of another type is an error of its exchange alone, and the next ones are answered', async () => {
  const slips: ReadonlyArray<(request: { headers: { set: (name: string, value: string) => void } }, attributes: { set: (name: string, value: string) => void }) => Answered> = [
    (_request, attributes) => attributes.set('score', wrong(5)),
    (request) => request.headers.set('x-score', wrong(5)),
    () => block().withAudit({ severity: wrong('hihg') }),
    () => block().withAudit({ reason: wrong(5) }),
    () => allow().withUpstream(wrong(5)),
  ]
  const agent = await run((request, { attributes }) => slips[Number(request.query)]?.(request, attributes))
  for (const at of slips.keys()) {
    const verdict = await agent.request('GET', `/?${at}`)
    assert.equal(verdict.kind, 'error', String(at))
    assert.equal((await agent.request('GET', '/?99')).kind, 'allow')
  }
})

test('of answers that are sent together, the one that cannot be written is an error and the others are what they are', async () => {
  let go = (): void => {}
  const together = new Promise<void>((resolve) => { go = resolve })
  const agent = await run(async (request) => {
    await together
    return request.path === '/wrong' ? block().withAudit({ severity: wrong('hihg') }) : block(451)
  })
  const exchanges = ['/a', '/wrong', '/b'].map((path) => agent.start('GET', path))
  go()
  const verdicts = await Promise.all(exchanges.map(({ verdict }) => verdict))
  assert.deepEqual(verdicts.map(({ kind, status }) => [kind, status]), [['block', 451], ['error', 0], ['block', 451]])
  assert.equal(verdicts[1]?.error?.code, 'bad_answer')
  assert.ok(agent.log.some(({ level, message }) => level === 'error' && message === 'an answer cannot be sent'))
})

test('more time is a number above 0, and what nobody would give is not asked for', async () => {
  const agent = await run((request, { moreTime }) => moreTime(Number(request.query)))
  for (const wrongTime of ['-5', '0', 'x']) assert.match((await agent.request('GET', `/?${wrongTime}`)).error?.message ?? '', /more time is a number of milliseconds above 0/)
  const exchange = agent.start('GET', '/?5000000000')
  assert.equal((await exchange.verdict).kind, 'allow')
  const [asked] = exchange.replies
  assert.deepEqual(asked?.kind === 'more_time' ? asked.value.timeoutMs : undefined, 600_000)
})
