// A request that two servers in a row could read in two ways is refused, and nothing of it reaches the upstream.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n'
const chunked = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n'

const ambiguous: Readonly<Record<string, string>> = {
  'a length beside chunked framing': `${chunked}Content-Length: 4\r\n\r\n0\r\n\r\n${hidden}`,
  'two lengths': `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 33\r\n\r\n${hidden}`,
  'a list of lengths': `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n${hidden}`,
  'a length with a sign': `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n${hidden}`,
  'a length in hexadecimal': `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n${hidden}`,
  'another coding before chunked': `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n${hidden}`,
  'chunked named twice': `${chunked}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  'a coding that only looks like chunked': `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`,
  'a vertical tab before chunked': `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n${hidden}`,
  'chunked framing in HTTP/1.0': `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  'white space before the colon': `POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 0\r\n\r\n${hidden}`,
  'a folded line': `POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n Content-Length: 33\r\n\r\n${hidden}`,
  'a line that ends with a bare line feed': `POST / HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 33\r\n\r\n${hidden}`,
  'a bare carriage return in a value': `POST / HTTP/1.1\r\nHost: a\r\nX: y\rContent-Length: 33\r\n\r\n${hidden}`,
  'a chunk size in another notation': `${chunked}\r\n0x1\r\na\r\n0\r\n\r\n${hidden}`,
  'a chunk extension with a bare line feed': `${chunked}\r\n1;\nx\r\na\r\n0\r\n\r\n${hidden}`,
  'a chunk size line with a bare line feed': `${chunked}\r\n1\na\r\n0\r\n\r\n${hidden}`,
  'two Host fields': `GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${hidden}`,
  'no Host': `GET / HTTP/1.1\r\nX: y\r\n\r\n${hidden}`,
  'a Host with user information': `GET / HTTP/1.1\r\nHost: a@b\r\n\r\n${hidden}`,
  'a target with another scheme than the listener': `GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n${hidden}`,
  'the preface of HTTP/2': `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`,
}

test('no ambiguous request', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  for (const [what, bytes] of Object.entries(ambiguous)) {
    await t.test(`with ${what} reaches the upstream, nor what hides behind it`, async (st) => {
      const before = upstream.requests.length
      const client = await rawClient(st, sentinel.port(), bytes)
      const received = await client.ended()
      assert.match(received, /^HTTP\/1\.1 400 /)
      assert.equal(received.match(/^HTTP\/1\.1 /gm)?.length, 1)
      assert.equal(upstream.requests.length, before)
    })
  }
})

test('the host of an absolute target replaces the Host field for route, agents and upstream alike', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []).replace('path-prefix "/"', 'host "inside.test"'))
  const refused = await rawClient(t, sentinel.port(), 'GET http://outside.test/ HTTP/1.1\r\nHost: inside.test\r\nConnection: close\r\n\r\n')
  assert.match(await refused.ended(), /^HTTP\/1\.1 404 /)
  const taken = await rawClient(t, sentinel.port(), 'GET http://inside.test/x HTTP/1.1\r\nHost: outside.test\r\nConnection: close\r\n\r\n')
  assert.match(await taken.ended(), /^HTTP\/1\.1 200 /)
  const { url, headers } = upstream.requests.at(-1)!
  assert.deepEqual([url, headers.host, headers['x-forwarded-host']], ['/x', 'inside.test', 'inside.test'])
})
