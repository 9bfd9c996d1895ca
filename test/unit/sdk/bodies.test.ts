import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { allow, block, defineAgent, drop, flag, hold, pass, passButTail, redact, replace, type AgentDefinition, type Fields } from 'sentinel/sdk'
import { pieces, splits, testAgent } from 'sentinel/sdk/testing'

function run (definition: Omit<AgentDefinition<Fields, undefined>, 'name'>) {
  return testAgent(defineAgent({ name: 'test', ...definition }))
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

test('a whole body is shown once, however many pieces it came in', async () => {
  const seen: string[] = []
  const agent = await run({ onRequestBody (body) { seen.push(text(body)) } })
  for (const bodyMode of ['buffer', 'stream'] as const) {
    const verdict = await agent.request('POST', '/', { body: ['he', 'll', 'o'], bodyMode })
    assert.deepEqual([verdict.kind, verdict.passedBody], ['allow', 'hello'])
  }
  assert.deepEqual(seen, ['hello', 'hello'])
})

test('a handler knows that it got only the beginning of a body, from the proxy and not from Content-Length', async () => {
  const seen: [number, boolean][] = []
  const agent = await run({
    requestBody: { mode: 'buffer', max: 4, over: 'prefix' },
    onRequest (request) { seen.push([-1, request.bodyTruncated]) },
    onRequestBody (body, request) { seen.push([body.length, request.bodyTruncated]) },
  })
  await agent.request('POST', '/', { body: 'four' })
  await agent.request('POST', '/', { body: 'five!' })
  assert.deepEqual(seen, [[-1, false], [4, false], [-1, false], [4, true]])
})

test('a body that is asked for late says that it was cut, and so does the body of a response', async () => {
  const seen: boolean[] = []
  const agent = await run({
    responseBody: { mode: 'buffer', max: 4, over: 'prefix' },
    async onRequest (request) {
      await request.body({ max: 4, over: 'prefix' })
      seen.push(request.bodyTruncated)
    },
    onResponseBody (_body, response) { seen.push(response.bodyTruncated) },
  })
  const exchange = await agent.request('POST', '/', { body: 'five!' })
  await exchange.respond(200, { body: 'four' })
  assert.deepEqual(seen, [true, false])
  await (await agent.request('POST', '/', { body: 'four' })).respond(200, { body: 'five!' })
  assert.deepEqual(seen, [true, false, false, true])
})

test('a body that is too long to be shown passes without a call, and is an empty one where it was asked for late', async () => {
  const seen: [number, boolean][] = []
  const early = await run({ requestBody: { mode: 'buffer', max: 4, over: 'skip' }, onRequestBody: () => block() })
  assert.deepEqual([(await early.request('POST', '/', { body: 'five!' })).kind, (await early.request('POST', '/', { body: 'four' })).kind], ['allow', 'block'])
  const late = await run({ async onRequest (request) { seen.push([(await request.body({ max: 4, over: 'skip' })).length, request.bodyTruncated]) } })
  const verdict = await late.request('POST', '/', { body: 'five!' })
  assert.deepEqual([verdict.kind, verdict.passedBody, seen], ['allow', 'five!', [[0, true]]])
})

test('a request without a body has no body events', async () => {
  const agent = await run({ onRequestBody: () => block(), onRequestChunk: () => block() })
  assert.equal((await agent.request('GET', '/')).kind, 'allow')
})

test('a whole body can be replaced, in either mode', async () => {
  const agent = await run({ onRequestBody: (body) => redact({ replaceBody: text(body).replaceAll('secret', '***') }) })
  for (const bodyMode of ['buffer', 'stream'] as const) {
    for (const body of splits('a secret b')) assert.equal((await agent.request('POST', '/', { body, bodyMode })).passedBody, 'a *** b')
  }
})

test('a whole body is found out wherever it is cut', async () => {
  const agent = await run({ onRequestBody: (body) => text(body).includes('attack') ? block() : undefined })
  for (const bodyMode of ['buffer', 'stream'] as const) {
    for (const body of splits('an attack here')) {
      const verdict = await agent.request('POST', '/', { body, bodyMode })
      assert.deepEqual([verdict.kind, verdict.passedBody], ['block', undefined])
    }
  }
})

test('header changes made with the body still reach the upstream in buffer mode', async () => {
  const agent = await run({ onRequestBody (body, request) { request.headers.set('x-length', String(body.length)) } })
  const verdict = await agent.request('POST', '/', { body: 'hello' })
  assert.deepEqual(verdict.requestHeaders, [{ action: 'set', name: 'x-length', value: '5' }])
})

test('header changes that come too late in stream mode are an error', async () => {
  const agent = await run({ onRequestChunk (_, request) { request.headers.set('a', 'b') } })
  const verdict = await agent.request('POST', '/', { body: 'hello' })
  assert.match(verdict.error?.message ?? '', /head went on/)
})

test('chunks pass, are replaced, held, dropped', async () => {
  const answers = { P: () => pass(), R: () => replace('<r>'), H: () => hold(), D: () => drop(), N: () => undefined }
  const agent = await run({
    requestBody: 'stream',
    onRequestChunk ({ bytes }) { return answers[text(bytes).slice(0, 1) as keyof typeof answers]() },
  })
  const cases: [body: string[], passed: string][] = [
    [['P1', 'N2'], 'P1N2'], [['P1', 'R2', 'P3'], 'P1<r>P3'], [['H1', 'H2', 'P3'], 'H1H2P3'], [['H1', 'R2'], '<r>'], [['H1', 'D2', 'P3'], 'P3'],
  ]
  for (const [body, passed] of cases) assert.equal((await agent.request('POST', '/', { body })).passedBody, passed, body.join(' '))
})

test('the end of a body cannot be held back', async () => {
  const agent = await run({ onRequestChunk: () => hold() })
  for (const bodyMode of ['buffer', 'stream'] as const) {
    assert.equal((await agent.request('POST', '/', { body: 'x', bodyMode })).error?.code, 'bad_answer')
  }
})

test('a tail kept back catches a pattern on any border', async () => {
  const agent = await run({
    onRequestChunk ({ bytes }, _, { memory }) {
      const seen = `${(memory.get('tail') as string | undefined) ?? ''}${text(bytes)}`
      if (seen.includes('attack')) return block()
      memory.set('tail', seen.slice(-5))
      return passButTail(5)
    },
  })
  for (const size of [1, 2, 3, 5, 7, 100]) {
    const verdict = await agent.request('POST', '/', { body: pieces('this is an attack, no doubt', size) })
    assert.equal(verdict.kind, 'block', `pieces of ${size}`)
    assert.equal((await agent.request('POST', '/', { body: pieces('this is an atta ck', size) })).passedBody, 'this is an atta ck')
  }
})

test('a decision in the middle of a stream ends it, one that goes on passes the chunk and keeps what is attached', async () => {
  const agent = await run({
    onRequestChunk ({ bytes }) { return text(bytes) === 'bad' ? block(422) : text(bytes) === 'odd' ? flag({ attributes: { odd: '1' } }) : allow() },
  })
  const blocked = await agent.request('POST', '/', { body: ['ok', 'bad', 'ok'] })
  assert.deepEqual([blocked.kind, blocked.status, blocked.passedBody], ['block', 422, undefined])
  const flagged = await agent.request('POST', '/', { body: ['ok', 'odd', 'ok'] })
  assert.deepEqual([flagged.kind, flagged.attributes, flagged.passedBody], ['flag', { odd: '1' }, 'okoddok'])
})

test('a chunk handler works on a body that the operator has buffered', async () => {
  const agent = await run({ onRequestChunk: ({ bytes, end }) => end ? replace(text(bytes).toUpperCase()) : drop() })
  assert.equal((await agent.request('POST', '/', { body: ['a', 'b'], bodyMode: 'buffer' })).passedBody, 'AB')
})

test('response bodies are seen whole and in chunks', async () => {
  const whole = await run({ onResponseBody: (body, response, request) => redact({ replaceBody: `${response.status} ${request.path} ${text(body)}` }) })
  assert.equal((await (await whole.request('GET', '/p')).respond(200, { body: 'hello' })).passedBody, '200 /p hello')
  const chunks = await run({ onResponseChunk: ({ bytes }) => replace(text(bytes).toUpperCase()) })
  assert.equal((await (await chunks.request('GET', '/')).respond(200, { body: ['a', 'b'] })).passedBody, 'AB')
})

test('a body longer than the agent takes is an error, not a pass', async () => {
  const agent = await run({ onRequestBody: () => allow(), maxBody: 8 })
  for (const bodyMode of ['buffer', 'stream'] as const) {
    assert.equal((await agent.request('POST', '/', { body: ['12345', '6789'], bodyMode })).error?.code, 'body_too_large')
    assert.equal((await agent.request('POST', '/', { body: ['1234', '5678'], bodyMode })).kind, 'allow')
  }
})

test('a handler can ask for the body when it has seen the headers', async () => {
  const agent = await run({
    async onRequest (request) {
      request.headers.set('x-before', '1')
      if (request.method !== 'POST') return undefined
      const body = text(await request.body({ max: '1KiB' }))
      request.headers.set('x-length', String(body.length))
      return body.includes('attack') ? block() : redact({ replaceBody: body.toUpperCase() })
    },
  })
  assert.equal((await agent.request('GET', '/', { body: 'attack' })).passedBody, undefined)
  assert.equal((await agent.request('POST', '/', { body: ['att', 'ack'] })).kind, 'block')
  const verdict = await agent.request('POST', '/', { body: 'hello' })
  assert.deepEqual([verdict.kind, verdict.passedBody], ['redact', 'HELLO'])
  assert.deepEqual(verdict.requestHeaders.map((e) => e.name), ['x-before', 'x-length'])
  const without = await agent.request('POST', '/')
  assert.deepEqual([without.kind, without.error], ['redact', undefined], 'where there is no body, the proxy is not asked to replace it')
  assert.equal(agent.open, 0)
})

test('a late body over its limit is refused by the proxy, and the handler hears of it', async () => {
  let ended = ''
  const agent = await run({
    async onRequest (request) {
      await request.body({ max: 4 }).catch((error: Error) => { ended = error.message })
    },
  })
  await assert.rejects(agent.request('POST', '/', { body: 'hello' }), /413/)
  await new Promise(setImmediate)
  assert.match(ended, /the exchange ended: decided/)
})

test('a handler can loop over the chunks and decide at the end', async () => {
  const agent = await run({
    async onRequest (request) {
      let length = 0
      request.headers.set('x-early', '1')
      for await (const chunk of request.chunks()) {
        length += chunk.bytes.length
        if (text(chunk.bytes) === 'bad') return block()
        if (text(chunk.bytes) === 'drop') chunk.answer(drop())
        if (text(chunk.bytes) === 'upper') chunk.answer(replace('UPPER'))
      }
      return length > 12 ? block(413) : undefined
    },
  })
  const verdict = await agent.request('POST', '/', { body: ['a', 'drop', 'b', 'upper'] })
  assert.deepEqual([verdict.kind, verdict.passedBody], ['allow', 'abUPPER'])
  assert.deepEqual(verdict.requestHeaders.map((e) => e.name), ['x-early'])
  assert.equal((await agent.request('POST', '/', { body: ['a', 'bad', 'c'] })).kind, 'block')
  assert.equal((await agent.request('POST', '/', { body: pieces('x'.repeat(20), 5) })).status, 413)
  assert.equal((await agent.request('GET', '/')).kind, 'allow')
})

test('a loop that is left early lets the rest pass', async () => {
  const agent = await run({
    async onRequest (request) {
      for await (const chunk of request.chunks()) if (text(chunk.bytes) === 'enough') break
    },
  })
  assert.equal((await agent.request('POST', '/', { body: ['a', 'enough', 'b', 'c'] })).passedBody, 'aenoughbc')
  assert.equal(agent.open, 0)
})

test('a handler that asks and decides without waiting decides with the body', async () => {
  const agent = await run({
    onRequest (request) {
      void request.body()
      return block(418)
    },
  })
  assert.equal((await agent.request('POST', '/', { body: 'hello' })).status, 418)
})

test('a body can be asked for in onRequest and nowhere else, and once', async () => {
  const late = await run({ async onResponse (_, request) { await request.body() } })
  const verdict = await (await late.request('POST', '/', { body: 'x' })).respond(200)
  assert.match(verdict.error?.message ?? '', /in onRequest/)
  const twice = await run({
    async onRequest (request) {
      assert.equal(await request.body(), await request.body())
      for await (const chunk of request.chunks()) assert.fail(String(chunk))
    },
  })
  assert.match((await twice.request('POST', '/', { body: 'x' })).error?.message ?? '', /asked for already/)
})
