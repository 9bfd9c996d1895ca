// Calls that models ask for, and results that clients send them, from the agent's handler to the bytes that client and provider get.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { json, startToolSite, type ToolScript } from '../support/tooled-agent.ts'

interface Format {
  readonly protocol: string
  /** An answer with what the model says and these calls, each with its name, id and arguments. */
  readonly answer: (calls: ReadonlyArray<readonly [name: string, id: string, args: object]>) => unknown
  /** What an answer comes to: texts, calls with their arguments, and why the model stopped. */
  readonly read: (answer: never) => { readonly text: string, readonly calls: ReadonlyArray<readonly [name: string, args: unknown]>, readonly stop: unknown }
  readonly stops: { readonly calls: unknown, readonly none: unknown }
  /** A request with the result of a call. */
  readonly result: (id: string, name: string, content: string) => unknown
  readonly resultName: string
}

interface Chat { choices: [{ finish_reason: string, message: { content: string | null, tool_calls?: Array<{ function: { name: string, arguments: string } }> } }] }
interface Responses { output: Array<{ type: string, name: string, arguments: string, content: Array<{ text: string }> }>, status: string }
interface Messages { stop_reason: string, content: Array<{ type: string, text: string, name: string, input: unknown }> }
interface Gemini { candidates: [{ finishReason: string, content: { parts: Array<{ text?: string, functionCall?: { name: string, args: unknown } }> } }] }

const formats: Readonly<Record<string, Format>> = {
  'OpenAI chat completions': {
    protocol: 'openai-chat',
    answer: (calls) => ({
      id: 'chatcmpl-1', object: 'chat.completion', choices: [{
        index: 0, finish_reason: 'tool_calls',
        message: { role: 'assistant', content: null, tool_calls: calls.map(([name, id, args]) => ({ id, type: 'function', function: { name, arguments: JSON.stringify(args) } })) },
      }], usage: { total_tokens: 9 },
    }),
    read: ({ choices: [{ message, finish_reason: stop }] }: Chat) => ({
      text: message.content ?? '', calls: (message.tool_calls ?? []).map(({ function: f }) => [f.name, JSON.parse(f.arguments)] as const), stop,
    }),
    stops: { calls: 'tool_calls', none: 'stop' },
    result: (id, _name, content) => ({ model: 'gpt-5', messages: [{ role: 'user', content: 'hi' }, { role: 'assistant', tool_calls: [{ id }] }, { role: 'tool', tool_call_id: id, content }] }),
    resultName: '',
  },
  'OpenAI responses': {
    protocol: 'openai-responses',
    answer: (calls) => ({
      id: 'resp_1', object: 'response', status: 'completed',
      output: [{ type: 'reasoning', id: 'rs_1', summary: [] }, ...calls.map(([name, id, args]) => ({ type: 'function_call', id: `fc_${id}`, call_id: id, name, arguments: JSON.stringify(args), status: 'completed' }))],
    }),
    read: ({ output, status }: Responses) => ({
      text: output.filter(({ type }) => type === 'message').map(({ content }) => content[0]!.text).join(''),
      calls: output.filter(({ type }) => type === 'function_call').map(({ name, arguments: args }) => [name, JSON.parse(args)] as const), stop: status,
    }),
    stops: { calls: 'completed', none: 'completed' },
    result: (id, _name, content) => ({ model: 'gpt-5', input: [{ role: 'user', content: 'hi' }, { type: 'function_call_output', call_id: id, output: content }] }),
    resultName: '',
  },
  'Anthropic messages': {
    protocol: 'anthropic',
    answer: (calls) => ({
      id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', stop_reason: 'tool_use',
      content: [{ type: 'text', text: '' }, ...calls.map(([name, id, args]) => ({ type: 'tool_use', id, name, input: args }))],
    }),
    read: ({ content, stop_reason: stop }: Messages) => ({
      text: content.filter(({ type }) => type === 'text').map(({ text }) => text).join(''),
      calls: content.filter(({ type }) => type === 'tool_use').map(({ name, input }) => [name, input] as const), stop,
    }),
    stops: { calls: 'tool_use', none: 'end_turn' },
    result: (id, _name, content) => ({ model: 'claude', max_tokens: 9, messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }, { type: 'tool_result', tool_use_id: id, content }] }] }),
    resultName: '',
  },
  'Gemini generateContent': {
    protocol: 'gemini',
    answer: (calls) => ({ candidates: [{ finishReason: 'STOP', content: { role: 'model', parts: calls.map(([name, id, args]) => ({ functionCall: { id, name, args } })) } }] }),
    read: ({ candidates: [{ finishReason: stop, content: { parts } }] }: Gemini) => ({
      text: parts.map(({ text = '' }) => text).join(''), calls: parts.flatMap(({ functionCall: f }) => f === undefined ? [] : [[f.name, f.args] as const]), stop,
    }),
    stops: { calls: 'STOP', none: 'STOP' },
    result: (id, name, content) => ({ contents: [{ role: 'user', parts: [{ functionResponse: { id, name, response: { output: content } } }] }] }),
    resultName: 'read',
  },
}

test('calls in answers of models and results in requests to them', async (t) => {
  let answer: unknown
  let packed = false
  const { upstream, post, asked, sentinel } = await startToolSite(t, (_request, response) => {
    if (!packed) return json(response, answer)
    const body = gzipSync(JSON.stringify(answer))
    response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip', 'content-length': body.length })
    response.end(body)
  })

  for (const [name, format] of Object.entries(formats)) {
    const path = `/${format.protocol}`
    const ask = async (calls: Parameters<Format['answer']>[0], script: ToolScript = {}, at = path) => {
      answer = format.answer(calls)
      const got = await post({ model: 'm', messages: [] }, script, { path: at })
      assert.equal(got.headers['content-length'], String(got.bytes.length))
      return got
    }

    await t.test(`${name}: each call is asked about, in order, and what may pass is what the model said, byte for byte`, async () => {
      const got = await ask([['read', 'c1', { path: '/a' }], ['write', 'c2', {}]])
      assert.equal(got.text, JSON.stringify(answer))
      assert.deepEqual((await asked(path, 2)).map((record) => [record['asked'], record['protocol'], record['server'], record['tool'], record['id'], record['arguments']]), [
        ['call', format.protocol, 'app', 'read', 'c1', '{"path":"/a"}'], ['call', format.protocol, 'app', 'write', 'c2', '{}'],
      ])
    })

    await t.test(`${name}: of several calls the refused one is taken out`, async () => {
      const got = await ask([['read', 'c1', { path: '/a' }], ['rm', 'c2', { secret: 'arguments' }], ['write', 'c3', {}]], { calls: { rm: { do: 'block' } } })
      assert.equal(got.status, 200)
      const read = format.read(JSON.parse(got.text) as never)
      assert.deepEqual(read, { text: 'The call of the tool "rm" was refused.', calls: [['read', { path: '/a' }], ['write', {}]], stop: format.stops.calls })
      assert.ok(!got.text.includes('secret'))
    })

    await t.test(`${name}: where no call is left, the model stopped for another reason`, async () => {
      const got = await ask([['rm', 'c1', {}], ['pay', 'c2', {}]], { calls: { rm: { do: 'block' }, pay: { do: 'review', ticket: 'T-1' } } })
      const { text, calls, stop } = format.read(JSON.parse(got.text) as never)
      assert.deepEqual([calls, stop], [[], format.stops.none])
      assert.match(text, /"rm" was refused\.\n?.*"pay" waits for a person.*T-1/s)
    })

    await t.test(`${name}: other arguments`, async () => {
      const got = await ask([['read', 'c1', { path: '/etc/shadow' }], ['write', 'c2', { a: 1 }]], { calls: { read: { do: 'redact', json: { path: '/tmp' } } } })
      assert.deepEqual(format.read(JSON.parse(got.text) as never).calls, [['read', { path: '/tmp' }], ['write', { a: 1 }]])
    })

    await t.test(`${name}: an answer of the agent takes the place of all`, async () => {
      const got = await ask([['rm', 'c1', {}]], { calls: { rm: { do: 'block', status: 451, body: 'no' } } })
      assert.deepEqual([got.status, got.text], [451, 'no'])
    })

    await t.test(`${name}: results are asked about in the next request, replaced, and refused`, async () => {
      answer = format.answer([])
      const at = `${path}/results`
      const body = format.result('c1', 'read', 'the key is 42')
      assert.equal((await post(body, {}, { path: at })).status, 200)
      assert.equal(upstream.requests.at(-1)!.body.toString(), JSON.stringify(body))
      const [record] = await asked(at, 1)
      assert.deepEqual([record!['asked'], record!['protocol'], record!['server'], record!['tool'], record!['id']], ['result', format.protocol, 'app', format.resultName, 'c1'])
      assert.match(String(record!['result']), /the key is 42/)

      const replaced = format.protocol === 'gemini' ? { output: '****' } : '****'
      await post(body, { results: { c1: { do: 'redact', json: replaced }, read: { do: 'redact', json: replaced } } }, { path: at })
      const sent = upstream.requests.at(-1)!
      assert.equal(sent.body.toString(), JSON.stringify(body).replace('the key is 42', '****'))
      assert.equal(sent.headers['content-length'], String(sent.body.length))

      const before = upstream.heads()
      const refused = await post(body, { results: { c1: { do: 'block' }, read: { do: 'block' } } }, { path: at })
      assert.deepEqual([refused.status, upstream.heads()], [403, before])
    })
  }

  await t.test('calls of other forms: custom tools, functions of old, shells that clients run', async () => {
    answer = { choices: [{ finish_reason: 'tool_calls', message: { role: 'assistant', tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'sql', input: 'drop table "x"' } }] } }] }
    await post({}, {}, { path: '/custom' })
    assert.deepEqual((await asked('/custom', 1)).map((record) => [record['tool'], record['arguments']]), [['sql', '"drop table \\"x\\""']])
    answer = { choices: [{ finish_reason: 'function_call', message: { role: 'assistant', function_call: { name: 'rm', arguments: '{}' } } }] }
    assert.deepEqual(JSON.parse((await post({}, { calls: { rm: { do: 'block' } } })).text), { choices: [{ finish_reason: 'stop', message: { role: 'assistant', content: 'The call of the tool "rm" was refused.' } }] })
    answer = { output: [{ type: 'local_shell_call', id: 'l', call_id: 'c', action: { type: 'exec', command: ['rm', '-rf', '/'] } }] }
    assert.ok(!(await post({}, { calls: { local_shell: { do: 'block' } } }, { path: '/shell' })).text.includes('-rf'))
    assert.equal((await asked('/shell', 1))[0]!['arguments'], '{"type":"exec","command":["rm","-rf","/"]}')
  })

  await t.test('an answer that came packed all the same is unpacked, and goes on packed when nothing changes', async () => {
    packed = true
    answer = formats['Anthropic messages']!.answer([['rm', 'c1', {}]])
    const same = await post({}, {})
    assert.equal(same.headers['content-encoding'], 'gzip')
    assert.deepEqual(same.bytes, gzipSync(JSON.stringify(answer)))
    const other = await post({}, { calls: { rm: { do: 'block' } } })
    assert.equal(other.headers['content-encoding'], undefined)
    assert.equal((JSON.parse(other.text) as Messages).stop_reason, 'end_turn')
    packed = false
  })

  await t.test('answers in which a call cannot be read in one way only do not get out', async () => {
    for (const text of [
      '{"choices":[{"message":{"tool_calls":[{"function":{"name":"a","name":"rm","arguments":"{}"}}]}}]}',
      '{"choices":[{"message":{"tool_calls":[{"function":{"name":"a","arguments":"{\\"x\\":1,\\"x\\":2}"}}]}}]}',
      '{"choices":[{"message":{"tool_calls":[{"function":{"name":"a","arguments":"{half"}}]}}]}',
      '{"choices":[{"message":{"tool_calls":[{"function":{"Name":"rm","arguments":"{}"}}]}}]}',
      '{"content":[{"type":"tool_use","input":{}}]}', '{"choices":', '[[', '{"a":1}{"b":2}',
    ]) {
      answer = text
      const got = await post({}, {}, { path: '/odd-answers' })
      assert.equal(got.status, 502, text)
    }
    const record = await sentinel.accessed(({ path }) => path === '/odd-answers')
    assert.equal(record.fault, 'AGENT_ANSWER_UNREADABLE')
  })
})

test('what an answer filter packs for clients is packed as they asked for it', async (t) => {
  const { post } = await startToolSite(t, (_request, response) => json(response, { pad: 'x'.repeat(4096), choices: [] }), {
    names: ['small', 'tools'], more: 'filters { filter "small" { type "compress"; algorithms "gzip" } }',
  })
  const got = await post({}, {}, { headers: { 'Accept-Encoding': 'gzip' } })
  assert.equal(got.headers['content-encoding'], 'gzip')
})
