// Event streams that two readers could cut in two ways, and calls whose pieces say different things.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dataOf, event, streamFormats } from '../support/model-streams.ts'
import { startToolSite } from '../support/tooled-agent.ts'

const denied = { calls: { rm: { do: 'block' } } } as const

test('a refused call does not get out of a stream, however it is written', async (t) => {
  let chunks: readonly (string | Buffer)[] = []
  const { post } = await startToolSite(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.on('error', () => {})
    for (const chunk of chunks) response.write(chunk)
    response.end()
  })
  const usual = streamFormats['OpenAI chat completions']!.stream([{ name: 'rm', id: 'c1', pieces: ['{"secr', 'et":1}'] }])
  const whole = usual.join('')
  const oneLine = event({ choices: [{ index: 0, message: { role: 'assistant', tool_calls: [{ id: 'c', function: { name: 'rm', arguments: '{"secret":1}' } }] }, finish_reason: 'tool_calls' }] })
  const lines = `data: {"choices":[{"index":0,"message":{"role":"assistant",\ndata: "tool_calls":[{"id":"c","function":\ndata: {"name":"rm","arguments":"{\\"secret\\":1}"}}]},"finish_reason":"tool_calls"}]}\n\n`
  const ways: Readonly<Record<string, readonly (string | Buffer)[]>> = {
    'LF': usual,
    'CRLF': [whole.replaceAll('\n', '\r\n')],
    'CR': [whole.replaceAll('\n', '\r')],
    'mixed ends': [whole.replaceAll('\n\n', '\r\n\r')],
    'CRLF cut between CR and LF': whole.replaceAll('\n', '\r\n').split(/(?<=\r)/),
    'no blank behind the colon': [whole.replaceAll('data: ', 'data:')],
    'several lines of data': [lines],
    'several lines of data with CR': [lines.replaceAll('\n', '\r')],
    'without a blank line at the end': [oneLine.trimEnd()],
    'other fields around': [oneLine.replace('data:', 'id: 7\nretry: 10\nevent: x\n: comment\ndata:')],
    'escapes': [oneLine.replace('"rm"', '"\\u0072\\u006d"')],
    'a byte at a time': Array.from(Buffer.from(whole), (byte) => Buffer.from([byte])),
  }
  for (const [name, stream] of Object.entries(ways)) {
    await t.test(name, async () => {
      chunks = stream
      const got = await post({ stream: true }, denied)
      assert.ok(!/secr|et\\?":1/.test(got.text), got.text)
      assert.match(got.text, /was refused/)
      for (const data of dataOf(got.text)) if (data.startsWith('{')) JSON.parse(data)
      assert.ok(!/data: [^\n]*\r(?!\n)/.test(got.text), 'no line that some readers would not see as one')
    })
  }

  const item = (name: string, args: string): object => ({ type: 'function_call', id: 'f', call_id: 'c', name, arguments: args })
  const added = (name: string, args = ''): string => event({ type: 'response.output_item.added', output_index: 0, item: item(name, args) })
  const delta = (text: string): string => event({ type: 'response.function_call_arguments.delta', output_index: 0, item_id: 'f', delta: text })
  const done = (name: string, args: string): string => event({ type: 'response.output_item.done', output_index: 0, item: item(name, args) })
  const chat = (piece: object): string => event({ choices: [{ index: 0, delta: { tool_calls: [piece] } }] })
  const block = (more: object): string => event({ type: 'content_block_start', index: 0, content_block: { type: 'tool_use', id: 'c', ...more } })
  const json = (text: string): string => event({ type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: text } })
  const stop = event({ type: 'content_block_stop', index: 0 })
  const contradictions: Readonly<Record<string, readonly string[]>> = {
    'a call that ends with another name': [added('rm'), delta('{}'), done('read', '{}')],
    'pieces that are not what the call ends as': [added('read'), delta('{"secret":1}'), done('read', '{}')],
    'arguments that are not what the call ends as': [added('read', '{"secret":1}'), done('read', '{}')],
    'a middle that says something else': [added('read'), event({ type: 'response.function_call_arguments.done', output_index: 0, arguments: '{"secret":1}' }), done('read', '{}')],
    'pieces of no call': [delta('{"secret":1}')],
    'a call that has no end': [added('read'), delta('{"secret":1}')],
    'an answer that ends before its call': [added('read'), event({ type: 'response.completed', response: { output: [item('read', '{}')] } })],
    'a piece with another name': [chat({ index: 0, id: 'c', function: { name: 're', arguments: '' } }), chat({ index: 0, function: { name: 'ad', arguments: '{"secret":1}' } })],
    'a piece with another id': [chat({ index: 0, id: 'c', function: { name: 'read', arguments: '' } }), chat({ index: 0, id: 'd', function: { arguments: '{"secret":1}' } })],
    'a piece without an index': [chat({ id: 'c', function: { name: 'read', arguments: '{"secret":1}' } })],
    'a call without a name': [chat({ index: 0, id: 'c', function: { arguments: '{"secret":1}' } }), event('[DONE]')],
    'arguments twice': [block({ name: 'read', input: { secret: 1 } }), json('{}'), stop],
    'arguments that are no JSON': [block({ name: 'read', input: {} }), json('{"secret":1'), stop],
    'arguments of no block': [json('{"secret":1}')],
    'a block that begins twice': [block({ name: 'read', input: {} }), block({ name: 'rm', input: { secret: 1 } }), stop],
    'a name that is twice in an event': ['data: {"choices":[],"choices":[{"message":{"tool_calls":[{"function":{"name":"rm","arguments":"{\\"secret\\":1}"}}]}}]}\n\n'],
    'a mark at the beginning': [`\ufeff${oneLine}`],
    'bytes that are no UTF-8': ['data: {"secret":"\udc00'],
  }
  for (const [name, stream] of Object.entries(contradictions)) {
    await t.test(`${name}: the stream is cut before it`, async () => {
      chunks = name === 'bytes that are no UTF-8' ? [Buffer.from('data: {"secret":"\xff"}\n\n', 'latin1')] : stream
      await assert.rejects(post({ stream: true }))
    })
  }

  await t.test('a response that says in its end what it did not stream is asked about then', async () => {
    chunks = [added('read'), delta('{}'), done('read', '{}'), event({ type: 'response.completed', response: { output: [item('rm', '{"secret":1}')] } })]
    const got = await post({ stream: true }, denied)
    assert.ok(!got.text.includes('secret'))
  })
})

test('answers that say to be something else than they are', async (t) => {
  let type = ''
  let body: string[] = []
  const { post } = await startToolSite(t, (_request, response) => {
    response.writeHead(200, type === '' ? {} : { 'content-type': type })
    for (const chunk of body) response.write(chunk)
    response.end()
  })
  const answer = { choices: [{ index: 0, message: { role: 'assistant', tool_calls: [{ id: 'c', function: { name: 'rm', arguments: '{"secret":1}' } }] }, finish_reason: 'tool_calls' }] }
  for (const said of ['', 'text/plain', 'text/html', 'application/octet-stream', 'image/png']) {
    for (const chunks of [[JSON.stringify(answer)], [' \n', JSON.stringify(answer)], [event(answer)], Array.from(event(answer)), [event(answer, 'x')], [':\n\n', event(answer)]]) {
      type = said
      body = chunks
      const got = await post({}, denied)
      assert.ok(!got.text.includes('secret') && got.text.includes('refused'), `${said}: ${chunks.join('')}`)
    }
    body = ['dat', 'a is not', ' {"secret":1}']
    assert.equal((await post({}, denied)).text, body.join(''))
    body = ['{ not JSON', ' }']
    assert.equal((await post({}, denied)).text, body.join(''))
    body = ['   ']
    assert.equal((await post({}, denied)).text, '   ')
  }
})

test('a packed stream is not passed unseen', async (t) => {
  const { post } = await startToolSite(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' })
    response.end('packed')
  })
  assert.equal((await post({ stream: true })).status, 502)
})
