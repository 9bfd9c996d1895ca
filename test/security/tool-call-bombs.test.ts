// Bodies that are meant to cost more than they weigh.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { json, startToolSite } from '../support/tooled-agent.ts'

test('hostile requests are refused at once, and the proxy serves on', async (t) => {
  const { upstream, post, asked } = await startToolSite(t, (_request, response) => json(response, {}), { agent: 'max-request-body-size "16MiB"', more: 'limits { max-body-size "32MiB" }' })
  const call = '{"jsonrpc":"2.0","id":N,"method":"tools/call","params":{"name":"a"}}'
  const bombs: Readonly<Record<string, { readonly raw: string | Buffer, readonly headers?: Readonly<Record<string, string>>, readonly status: number }>> = {
    'nested lists': { raw: '['.repeat(1_000_000), status: 400 },
    'nested objects': { raw: '{"a":'.repeat(500_000), status: 400 },
    'nested arguments': { raw: call.replace('"a"}', `"a","arguments":${'['.repeat(500)}${']'.repeat(500)}}`).replace('N', '1'), status: 400 },
    'a batch of 100 000 calls': { raw: `[${Array.from({ length: 100_000 }, (_, i) => call.replace('N', String(i))).join(',')}]`, status: 400 },
    'a batch of 300 calls': { raw: `[${Array.from({ length: 300 }, (_, i) => call.replace('N', String(i))).join(',')}]`, status: 400 },
    'a million names': { raw: `{${Array.from({ length: 1_000_000 }, (_, i) => `"${i}":0`).join(',')}}`, status: 400 },
    'a million numbers': { raw: `[${'1,'.repeat(1_000_000)}1]`, status: 400 },
    'a number without an end': { raw: `{"id":${'1'.repeat(5_000_000)}}`, status: 400 },
    'a text without an end': { raw: `"${'\\"'.repeat(5_000_000)}`.replace('"', '["'), status: 400 },
    'a name of a megabyte': { raw: call.replace('"a"', `"${'a'.repeat(1_000_000)}"`).replace('N', '1'), status: 400 },
    'a bomb of gzip': { raw: gzipSync(Buffer.alloc(64 * 1024 * 1024, '[')), headers: { 'Content-Encoding': 'gzip' }, status: 413 },
    'a bomb in a bomb': { raw: gzipSync(gzipSync(Buffer.alloc(64 * 1024 * 1024, '['))), headers: { 'Content-Encoding': 'gzip, gzip' }, status: 413 },
    'results without an end': { raw: JSON.stringify({ messages: Array.from({ length: 300 }, () => ({ role: 'tool', content: '' })) }), status: 400 },
  }
  for (const [name, { raw, headers = {}, status }] of Object.entries(bombs)) {
    await t.test(name, async () => {
      const answer = await post(undefined, {}, { raw, headers, path: '/bomb' })
      assert.equal(answer.status, status, answer.text.slice(0, 200))
      assert.equal(upstream.heads(), 0)
    })
  }
  assert.deepEqual(await asked('/bomb', 0), [], 'nobody is asked about a part of them')
  assert.equal((await post({ jsonrpc: '2.0', id: 1, method: 'ping' })).status, 200)
})

test('hostile answers and streams are cut, held no further than the limit, and the proxy serves on', async (t) => {
  let write: (send: (text: string) => void) => void = () => {}
  const { post } = await startToolSite(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.on('error', () => {})
    write((text) => response.write(text))
    response.end()
  }, { agent: 'max-response-body-size "256KiB"' })
  const start = 'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"a","arguments":"["}}]}}]}\n\n'
  const streams: Readonly<Record<string, (send: (text: string) => void) => void>> = {
    'an event without an end': (send) => { for (let i = 0; i < 64; i++) send('x'.repeat(16 * 1024)) },
    'an event of data without an end': (send) => { for (let i = 0; i < 64; i++) send(`data: ${'x'.repeat(16 * 1024)}\n`) },
    'a call without an end': (send) => {
      send(start)
      for (let i = 0; i < 64; i++) send(`data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"${'1,'.repeat(4096)}"}}]}}]}\n\n`)
    },
    'calls without an end': (send) => { for (let i = 0; i < 2_000; i++) send(start.replace('"index":0,"id"', `"index":${i},"id"`)) },
    'comments without an end behind a call': (send) => { send(start); for (let i = 0; i < 64; i++) send(`: ${'x'.repeat(16 * 1024)}\n\n`) },
    'nesting': (send) => send(`data: ${'['.repeat(200_000)}\n\n`),
    'a call that is not JSON in the end': (send) => send(`${start}data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n`),
  }
  for (const [name, stream] of Object.entries(streams)) {
    await t.test(name, async () => {
      write = stream
      await assert.rejects(post({}), 'the answer is cut')
    })
  }
  write = (send) => { for (let i = 0; i < 2_000; i++) send('\n\n: a\n\n') }
  assert.equal((await post({})).text.length, 2_000 * 7, 'what says nothing passes')
})
