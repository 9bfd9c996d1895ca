// One answer becomes two: by a line break in a field, by a chunk of no octets, by a status or a length that is not true. What a target says is refused, what
// a filter or an agent writes is a fault. Klein 2004 ("Divide and Conquer"); CVE-2016-2216 and CVE-2018-12116 (Node), CVE-2020-26116 (Python), CVE-2023-24816.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Filter, Reply } from '../../proxy/pipeline/exchange.ts'
import { bodyOf, type Body } from '../../proxy/pipeline/body.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { answersByLlhttp } from '../support/llhttp.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { fixedUpstream } from '../support/upstream.ts'

const get = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'

const answers: Readonly<Record<string, string>> = {
  'a bare CR in a value': 'X: y\rSet-Cookie: evil=1\r\n', 'a bare LF in a value': 'X: y\nSet-Cookie: evil=1\r\n', 'a NUL in a value': 'X: y\0z\r\n', 'a folded value': 'X: y\r\n Set-Cookie: evil=1\r\n', 'a space before a colon': 'Set-Cookie : evil=1\r\n',
  'a line without a colon': 'evil\r\n', 'a field without a name': ': evil\r\n', 'a CR in a name': 'X\r: y\r\n', 'a control character in a name': 'X\x01: y\r\n', 'a DEL in a value': 'X: \x7f\r\n', 'a vertical tab in a value': 'X: \x0b\r\n',
  'two lengths': 'Content-Length: 1\r\nContent-Length: 2\r\n', 'the same length twice': 'Content-Length: 5\r\nContent-Length: 5\r\n', 'a list of lengths': 'Content-Length: 5, 5\r\n', 'a signed length': 'Content-Length: +5\r\n', 'a hexadecimal length': 'Content-Length: 0x5\r\n', 'an empty length': 'Content-Length:\r\n',
  'a length beside a coding': 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', 'two codings': 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', 'gzip before chunked': 'Transfer-Encoding: gzip, chunked\r\n', 'chunked before gzip': 'Transfer-Encoding: chunked, gzip\r\n', 'an unknown coding': 'Transfer-Encoding: xchunked\r\n',
  'identity': 'Transfer-Encoding: identity\r\nContent-Length: 5\r\n', 'a coding behind a tab': 'Transfer-Encoding: chunked\t\r\n', 'an absurd length': 'Content-Length: 18446744073709551621\r\n',
}

describe('an answer of a target', () => {
  for (const [what, fields] of Object.entries(answers)) {
    test(`with ${what} is refused, and nothing of it reaches the client`, async (t) => {
      const upstream = await fixedUpstream(t, `HTTP/1.1 200 OK\r\n${fields}\r\nhello${evil}`)
      const { port, exchange } = await startProxy(t, { targets: [upstream.port] })
      const received = await (await rawClient(t, port, get)).ended()
      assert.match(received, /^HTTP\/1\.1 502 /)
      assert.doesNotMatch(received, /evil/)
      assert.equal((await exchange(1)).fault?.code, 'UPSTREAM_PROTOCOL')
    })
  }

  for (const [what, line] of Object.entries({
    'a CR in the reason': 'HTTP/1.1 200 O\rSet-Cookie: evil', 'a LF in the reason': 'HTTP/1.1 200 O\nSet-Cookie: evil', 'a NUL in the reason': 'HTTP/1.1 200 \0', 'two digits': 'HTTP/1.1 20 OK', 'four digits': 'HTTP/1.1 2000 OK', 'no version': '200 OK', 'another protocol': 'ICY 200 OK', 'HTTP/2': 'HTTP/2 200 OK',
    'two spaces': 'HTTP/1.1  200 OK', 'a status below 100': 'HTTP/1.1 099 OK', 'nothing': '', 'a line before it': 'x\r\nHTTP/1.1 200 OK', 'an empty line before it': '\r\nHTTP/1.1 200 OK', 'TE in HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked',
  })) {
    test(`that begins with ${what} is refused`, async (t) => {
      const upstream = await fixedUpstream(t, `${line}\r\nContent-Length: 0\r\n\r\n`)
      const { port } = await startProxy(t, { targets: [upstream.port] })
      const received = await (await rawClient(t, port, get)).ended()
      assert.match(received, /^HTTP\/1\.1 502 /)
      assert.doesNotMatch(received, /evil/)
    })
  }

  test('has a reason that nobody passes on', async (t) => {
    const upstream = await fixedUpstream(t, 'HTTP/1.1 200 evil reason\r\nContent-Length: 0\r\n\r\n')
    const { port } = await startProxy(t, { targets: [upstream.port] })
    assert.match(await (await rawClient(t, port, get)).ended(), /^HTTP\/1\.1 200 OK\r\n/)
  })
})

/** A body that gives these pieces, whatever the contract says. */
function pieces (texts: readonly string[], length?: number): Body {
  const left = texts.map((text) => Buffer.from(text))
  return { length, trailers: undefined, read: () => left.shift(), cancel: () => {} }
}

const written: Readonly<Record<string, (reply: Reply) => void>> = {
  'a line break in a value': (reply) => { reply.headers.append('X', `y\r\n\r\n${evil}`) }, 'a line break in a name': (reply) => { reply.headers.append(`X: y\r\n\r\n${evil}`, 'z') }, 'a bare CR': (reply) => { reply.headers.append('X', 'y\rz') }, 'a bare LF': (reply) => { reply.headers.append('X', 'y\nz') },
  'a character above all octets that ends in a line break': (reply) => { reply.headers.append('X', 'y\u010d\u010az') }, 'a second length': (reply) => { reply.headers.append('Content-Length', '0') }, 'a coding': (reply) => { reply.headers.append('Transfer-Encoding', 'chunked') },
  'a connection that closes': (reply) => { reply.headers.append('Connection', 'close') }, 'a body that is longer than it says': (reply) => { reply.body = pieces(['ok', evil], 2) }, 'a body that is shorter than it says': (reply) => { reply.body = pieces(['ok'], 90) },
  'a piece of no octets': (reply) => { reply.body = pieces(['ok', '', evil]) }, 'a first piece of no octets': (reply) => { reply.body = pieces(['', evil]) }, 'a line break in a trailer': (reply) => {
    reply.body = { ...pieces(['ok']), trailers: new HeaderList(['X', `y\r\n\r\n${evil}`]), length: undefined }
  },
}

describe('an answer that a filter wrote', () => {
  for (const [what, write] of Object.entries(written)) {
    test(`with ${what} is one answer at most`, async (t) => {
      const upstream = await fixedUpstream(t, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      const filter: Filter = { name: 'evil', onResponse: (_x, reply) => {
        reply.body?.cancel()
        reply.body = bodyOf(Buffer.from('ok'))
        write(reply)
        return undefined
      } }
      const { port } = await startProxy(t, { targets: [upstream.port], filters: [filter] })
      const received = await (await rawClient(t, port, get)).ended()
      const { answers: seen } = answersByLlhttp(Buffer.from(received, 'latin1'), 'GET', 'lenient')
      assert.ok(seen.length <= 1, received)
      if (seen[0]?.status === 200) assert.ok(['ok', `ok${evil}`, evil].includes(seen[0].body), received)
    })
  }
})
