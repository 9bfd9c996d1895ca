// Every published family of request smuggling, sent through the whole program to an upstream that writes down the bytes: exactly one request
// arrives, framed in one way only, or none.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { rawUpstream } from '../support/upstream.ts'

const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n'
const post = (fields: string, body: string, target = '/'): string => `POST ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`
const chunked = 'Transfer-Encoding: chunked\r\n'
const lengthOf = (text: string): string => `Content-Length: ${text.length}\r\n`

/** What stands where the framing is not clear: nothing may arrive. */
const none: Readonly<Record<string, string>> = {
  'CL.TE': post(`Content-Length: ${hidden.length + 5}\r\n${chunked}`, `0\r\n\r\n${hidden}`),
  'TE.CL': post(`${chunked}Content-Length: 4\r\n`, `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`),
  'TE.TE, the second unknown': post(`${chunked}Transfer-Encoding: cow\r\n`, `0\r\n\r\n${hidden}`),
  'TE.TE, the first unknown': post(`Transfer-Encoding: cow\r\n${chunked}`, `0\r\n\r\n${hidden}`),
  'CL.CL': post(`Content-Length: 0\r\n${lengthOf(hidden)}`, hidden),
  'a coding behind a tab': post('Transfer-Encoding:\tchunked\t\r\n', `0\r\n\r\n${hidden}`),
  'a coding in quotes': post('Transfer-Encoding: "chunked"\r\n', `0\r\n\r\n${hidden}`),
  'a coding with a parameter': post('Transfer-Encoding: chunked;q=1\r\n', `0\r\n\r\n${hidden}`),
  'a coding with an empty member': post('Transfer-Encoding: ,chunked\r\n', `0\r\n\r\n${hidden}`),
  'a coding with a NUL': post('Transfer-Encoding: chunked\0\r\n', `0\r\n\r\n${hidden}`),
  'a coding with other white space': post('Transfer-Encoding: \xa0chunked\r\n', `0\r\n\r\n${hidden}`),
  'a name with a space': post(`Transfer-Encoding : chunked\r\n${lengthOf(hidden)}`, hidden),
  'a name with an underscore': post(`Transfer_Encoding: chunked\r\n${lengthOf(hidden)}`, `0\r\n\r\n${hidden}`),
  'a length with an underscore': post('Content_Length: 0\r\n', hidden),
  'a name with a control character': post(`\x01Transfer-Encoding: chunked\r\n${lengthOf(hidden)}`, hidden),
  'a folded coding': post(`X: y\r\n\t${chunked}`, `0\r\n\r\n${hidden}`),
  'a coding behind a bare LF': post(`X: y\n${chunked}`, `0\r\n\r\n${hidden}`),
  'a coding behind a bare CR': post(`X: y\r${chunked}`, `0\r\n\r\n${hidden}`),
  'a length with a comma': post(`Content-Length: 0,${hidden.length}\r\n`, hidden),
  'a length with an underscore in it': post('Content-Length: 3_3\r\n', hidden),
  'a length in other digits': post('Content-Length: \xb2\r\n', hidden),
  'a chunk size with an underscore': post(chunked, `0_1\r\na\r\n0\r\n\r\n${hidden}`),
  'a chunk size that wraps at 64 bits': post(chunked, `10000000000000000\r\n0\r\n\r\n${hidden}`),
  'a chunk size behind a space': post(chunked, ` 0\r\n\r\n${hidden}`),
  'a chunk size before a space': post(chunked, `0 \r\n\r\n${hidden}`),
  'a bare LF behind the last chunk': post(chunked, `0\n\r\n${hidden}`),
  'a bare CR behind a chunk size': post(chunked, `1\rX\r\na\r\n0\r\n\r\n${hidden}`),
  'a chunk extension that hides a line': post(chunked, `1;a\nb\r\na\r\n0\r\n\r\n${hidden}`),
  'a chunk extension with a quoted line end': post(chunked, `1;a="\r\n0\r\n\r\n${hidden}"\r\n`),
  'a chunk with two octets behind it': post(chunked, `1\r\naXX0\r\n\r\n${hidden}`),
  'a trailer that frames': post(chunked, `0\r\n${lengthOf(hidden)}\r\n${hidden}`),
  'a trailer behind a bare LF': post(chunked, `0\r\nX: y\n\r\n${hidden}`),
  'a target with a line end': `GET /\n${hidden}`,
  'a target with a tab': `GET /\tHTTP/1.1\r\nHost: a\r\n\r\n${hidden}`,
  'a version of its own': `GET / HTTP/1.1x\r\nHost: a\r\n\r\n${hidden}`,
  'HTTP/0.9': `GET /\r\n${hidden}`,
}

/** What is clear: one request arrives, and what looks like another one is its body. */
const one: Readonly<Record<string, string>> = {
  'a request in a body of known length': post(lengthOf(hidden), hidden),
  'a request in a chunk': post(chunked, `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`),
  'a request in a chunk, with an extension and a trailer': post(chunked, `${hidden.length.toString(16)};a="b;c"\r\n${hidden}\r\n000\r\nX: y\r\n\r\n`),
  'a request in a body of GET (CL.0)': post(lengthOf(hidden), hidden).replace('POST', 'GET'),
  'a request in a body of OPTIONS, with a target like a file (CL.0)': post(lengthOf(hidden), hidden, '/style.css').replace('POST', 'OPTIONS'),
  'a Connection field that names the framing': post(`Connection: Content-Length, Transfer-Encoding, Host\r\n${lengthOf(hidden)}`, hidden),
  'an Upgrade to h2c': post(`Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n${lengthOf(hidden)}`, hidden),
  'an Expect before it (CL.0)': post(`Expect: 100-continue\r\n${lengthOf(hidden)}`, hidden),
}

/** How many requests a reader sees who goes by the framing fields alone. */
function requestsIn (bytes: string): string[] {
  const lines: string[] = []
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf('\r\n\r\n', at)
    assert.notEqual(end, -1, `half a head: ${JSON.stringify(bytes.slice(at))}`)
    const head = bytes.slice(at, end)
    lines.push(head.split('\r\n')[0]!)
    const length = /\r\ncontent-length: (\d+)(?=\r\n|$)/i.exec(head)?.[1]
    const isChunked = /\r\ntransfer-encoding: chunked(?=\r\n|$)/i.test(head)
    assert.ok(!(length !== undefined && isChunked), 'framed twice')
    at = end + 4
    if (!isChunked) at += Number(length ?? 0)
    else {
      for (let size = -1; size !== 0;) {
        const lineEnd = bytes.indexOf('\r\n', at)
        size = Number.parseInt(bytes.slice(at, lineEnd), 16)
        assert.match(bytes.slice(at, lineEnd), /^[0-9a-f]+$/i)
        at = size === 0 ? bytes.indexOf('\r\n\r\n', lineEnd) + 4 : lineEnd + 2 + size + 2
      }
    }
  }
  return lines
}

test('what reaches the upstream', async (t) => {
  let heard = ''
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    heard = received
    // A head alone is answered late: its body may be on its way.
    setTimeout(() => { if (heard === received) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok') }, 30)
  })
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  for (const [family, bytes] of Object.entries(none)) {
    await t.test(`of ${family}: nothing whole`, async (st) => {
      heard = ''
      const client = await rawClient(st, sentinel.port(), bytes)
      assert.equal((await client.ended()).match(/^HTTP\/1\.1 400 /gm)?.length, 1)
      assert.doesNotMatch(heard, /hidden/)
      if (heard !== '') assert.throws(() => requestsIn(heard), 'a body that was refused has no end')
    })
  }
  for (const [family, bytes] of Object.entries(one)) {
    await t.test(`of ${family}: one request`, async (st) => {
      heard = ''
      const client = await rawClient(st, sentinel.port(), bytes)
      const received = await client.until(/HTTP\/1\.1 200 [^]*ok$/)
      assert.equal(received.match(/^HTTP\/1\.1 200 /gm)?.length, 1)
      const lines = requestsIn(heard)
      assert.equal(lines.length, 1, heard)
      assert.doesNotMatch(lines[0]!, /hidden/)
      assert.match(heard, /\/hidden/)
      assert.doesNotMatch(heard.slice(0, heard.indexOf('\r\n\r\n')), /upgrade|http2-settings/i)
      client.socket.destroy()
    })
  }
})
