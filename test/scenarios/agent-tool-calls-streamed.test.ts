// Calls in answers that models stream, from the agent's handler to the bytes a client gets.
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { streamFormats, type StreamedCall } from '../support/model-streams.ts'
import { eventually } from '../support/eventually.ts'
import { startToolSite, tooledAgent, type ToolScript } from '../support/tooled-agent.ts'

const read: StreamedCall = { name: 'read', id: 'c1', pieces: ['{"pa', 'th":"/', 'a"}'] }
const rm: StreamedCall = { name: 'rm', id: 'c2', pieces: ['{"hid', 'den":"arguments"}'] }
const write: StreamedCall = { name: 'write', id: 'c3', pieces: ['{}'] }

test('calls in streamed answers are held back until their verdict', async (t) => {
  let chunks: readonly string[] = []
  const { post, asked } = await startToolSite(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    for (const chunk of chunks) response.write(chunk)
    response.end()
  })

  for (const [name, format] of Object.entries(streamFormats)) {
    const path = `/${format.protocol}`
    const ask = async (calls: readonly StreamedCall[], script: ToolScript = {}, at = path) => {
      chunks = format.stream(calls)
      const got = await post({ stream: true, messages: [] }, script, { path: at })
      assert.equal(got.status, 200)
      return got
    }

    await t.test(`${name}: what may pass is what the model said, byte for byte, and each call is asked about once`, async () => {
      const got = await ask([read, write])
      assert.equal(got.text, chunks.join(''))
      assert.deepEqual((await asked(path, 2)).map((record) => [record['protocol'], record['server'], record['tool'], record['id'], record['arguments']]), [
        [format.protocol, 'app', 'read', 'c1', '{"path":"/a"}'], [format.protocol, 'app', 'write', 'c3', '{}'],
      ])
    })

    await t.test(`${name}: of several calls the refused one is taken out`, async () => {
      const got = await ask([read, rm, write], { calls: { rm: { do: 'block' } } })
      const { text, calls, stop } = format.assemble(got.text)
      assert.deepEqual([calls, stop], [[['read', { path: '/a' }], ['write', {}]], format.stops.calls])
      assert.match(text, /^Well\. The call of the tool "rm" was refused\.\n?$/)
      assert.ok(!/hid|den|"arguments\\"/.test(got.text), 'nothing of its arguments gets out')
    })

    await t.test(`${name}: where no call is left, the model stopped for another reason`, async () => {
      const got = await ask([rm, write], { calls: { rm: { do: 'block', status: 451, body: 'the head has left' }, write: { do: 'review', ticket: 'T-2' } } })
      const { text, calls, stop } = format.assemble(got.text)
      assert.deepEqual([calls, stop], [[], format.stops.none])
      assert.match(text, /"rm" was refused.*T-2/s)
    })

    await t.test(`${name}: other arguments`, async () => {
      const got = await ask([rm, read], { calls: { rm: { do: 'redact', json: { path: '/tmp' } } } })
      assert.deepEqual(format.assemble(got.text).calls, [['rm', { path: '/tmp' }], ['read', { path: '/a' }]])
    })

    await t.test(`${name}: cut anywhere`, async () => {
      const whole = format.stream([rm, read]).join('')
      for (const size of [1, 7, 64]) {
        chunks = whole.match(new RegExp(`[^]{1,${size}}`, 'g'))!
        const got = await post({ stream: true }, { calls: { rm: { do: 'block' } } }, { path: `${path}/cut` })
        assert.deepEqual(format.assemble(got.text).calls, [['read', { path: '/a' }]])
      }
    })
  }

  await t.test('an agent that fails ends the stream before anything of the call is out', async () => {
    chunks = streamFormats['Anthropic messages']!.stream([rm])
    await assert.rejects(post({}, { calls: { rm: { do: 'throw' } } }), 'the answer is cut')
  })

  await t.test('what replaces arguments of a model and cannot stand there is the agent\'s failure', async () => {
    chunks = streamFormats['Anthropic messages']!.stream([rm])
    await assert.rejects(post({}, { calls: { rm: { do: 'redact', json: [1] } } }))
  })
})

test('text passes while a call is still being written, and the call when the agent has decided', async (t) => {
  const pending: { write?: (text: string) => void, end?: () => void } = {}
  const { sentinel } = await startToolSite(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    pending.write = (text) => response.write(text)
    pending.end = () => response.end()
  })
  let got = ''
  let ended = false
  const request = http.request({ host: '127.0.0.1', port: sentinel.port(), path: '/live', method: 'POST', headers: { 'x-tools': '{}' } }, (response) => {
    response.on('data', (chunk: Buffer) => { got += chunk.toString() })
    response.on('end', () => { ended = true })
  })
  request.end('{}')
  await eventually('the request arrived', () => pending.write !== undefined)
  const [start, block, ping, text, stop, call, ...rest] = streamFormats['Anthropic messages']!.stream([read])
  for (const [i, chunk] of [start, block, ping, text, stop].entries()) {
    pending.write!(chunk!)
    const sofar = [start, block, ping, text, stop].slice(0, i + 1).join('')
    await eventually(`event ${i} passed at once`, () => got === sofar)
  }
  const before = got
  pending.write!(call!)
  pending.write!(rest[0]!)
  pending.write!(': a comment while it is written\n\n')
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  assert.equal(got, before, 'nothing of the call is out')
  for (const chunk of rest.slice(1)) pending.write!(chunk)
  pending.end!()
  await eventually('the stream ended', () => ended)
  assert.equal(got, [start, block, ping, text, stop, call, rest[0], ': a comment while it is written\n\n', ...rest.slice(1)].join(''))
})

test('monitor, failing open and chains, in streams', async (t) => {
  const chunks = streamFormats['OpenAI chat completions']!.stream([rm, read])
  const answer: Parameters<typeof startToolSite>[1] = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(chunks.join('').replaceAll('\n', '\r'))
  }
  const monitor = await startToolSite(t, answer, { agent: 'mode "monitor"' })
  assert.equal((await monitor.post({}, { calls: { rm: { do: 'block' } } })).text, chunks.join('').replaceAll('\n', '\r'), 'byte for byte, ends of lines as well')
  const open = await startToolSite(t, answer, { agent: 'failure-mode "open"' })
  assert.equal((await open.post({}, { calls: { rm: { do: 'throw' } } })).status, 200)
  const chain = await startToolSite(t, answer, { agents: [tooledAgent('first'), tooledAgent('second')], names: ['first', 'second'] })
  const got = await chain.post({}, { calls: { rm: { do: 'redact', json: { n: 1 } } } }, { path: '/chain' })
  assert.deepEqual(streamFormats['OpenAI chat completions']!.assemble(got.text).calls, [['rm', { n: 1 }], ['read', { path: '/a' }]])
  // Each program has a log of its own: what it was shown tells the order.
  assert.deepEqual((await chain.asked('/chain', 4)).filter(({ tool }) => tool === 'rm').map((record) => [record.agent, record['arguments']]).toSorted(), [
    ['first', '{"n":1}'], ['second', '{"hidden":"arguments"}'],
  ], 'answers pass in reverse order')
})
