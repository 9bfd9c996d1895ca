import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { request } from '../support/request.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { httpUpstream, rawUpstream } from '../support/upstream.ts'

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

describe('forms of a request target', () => {
  const rows: ReadonlyArray<[sent: string, host: string, arrives: string]> = [
    ['OPTIONS *', 'Host: a', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n'],
    ['OPTIONS http://b.test', 'Host: a', 'OPTIONS * HTTP/1.1\r\nHost: b.test\r\n'],
    ['OPTIONS http://b.test/', 'Host: a', 'OPTIONS / HTTP/1.1\r\nHost: b.test\r\n'],
    ['GET http://b.test:81/x?y', 'Host: a', 'GET /x?y HTTP/1.1\r\nHost: b.test:81\r\n'],
    ['GET http://b.test?y', 'Host: b.test', 'GET /?y HTTP/1.1\r\nHost: b.test\r\n'],
  ]
  for (const [sent, host, arrives] of rows) {
    test(`${sent} arrives as ${JSON.stringify(arrives)}`, async (t) => {
      let seen = ''
      const upstream = await rawUpstream(t, ({ socket, received }) => { seen = received; socket.write(ok) })
      const { port } = await startProxy(t, { targets: [upstream.port] })
      const client = await rawClient(t, port, `${sent} HTTP/1.1\r\n${host}\r\n\r\n`)
      assert.equal((await client.answer()).status, 200)
      assert.ok(seen.startsWith(arrives), seen)
    })
  }

  test('OPTIONS * goes where a route takes it: one without conditions about paths', async (t) => {
    const upstream = await httpUpstream(t, (message, response) => response.end(message.url))
    const sentinel = await startSentinel(t, siteWith(upstream.port, '', []).replace('path-prefix "/"', 'method "OPTIONS"'))
    const answer = await request(sentinel.port(), '*', { method: 'OPTIONS' })
    assert.deepEqual([answer.status, answer.text], [200, '*'])
    await sentinel.reload(siteWith(upstream.port, '', []))
    assert.equal((await request(sentinel.port(), '*', { method: 'OPTIONS' })).status, 404)
  })
})

describe('a client of HTTP/1.0', () => {
  test('that asks for it keeps its connection', async (t) => {
    const upstream = await httpUpstream(t, (message, response) => { response.setHeader('Content-Length', message.url!.length); response.end(message.url) })
    const { port, listener } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port)
    for (let i = 0; i < 3; i++) {
      client.send(`GET /${i} HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n`)
      const answer = await client.answer()
      assert.deepEqual([answer.body, answer.header('connection')], [`/${i}`, 'keep-alive'])
    }
    assert.equal(listener.connections, 1)
    client.send('GET /last HTTP/1.0\r\n\r\n')
    assert.match(await client.ended(), /Connection: close\r\n[^]*\/last$/)
  })

  test('that asks for it does not keep it behind an answer whose length nobody knows', async (t) => {
    const upstream = await httpUpstream(t, (_message, response) => { response.write('a'); response.end('b') })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    assert.match(await client.ended(), /Connection: close\r\n\r\nab$/)
  })
})

test('an answer may flow while the request still does, in both directions', async (t) => {
  const upstream = await httpUpstream(t, (message, response) => {
    response.flushHeaders()
    message.on('data', (chunk: Buffer) => response.write(chunk.toString().toUpperCase()))
    message.on('end', () => response.end())
  })
  const { port } = await startProxy(t, { targets: [upstream.port] })
  for (const word of ['first', 'other']) {
    // A client that still sends when its answer begins may do so for ever: its connection is not used again, that of the upstream is.
    const client = await rawClient(t, port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (let i = 0; i < 5; i++) {
      client.send(`7\r\n${word} ${i}\r\n`)
      await client.until(`${word.toUpperCase()} ${i}`)
    }
    client.send('0\r\n\r\n')
    await client.until(new RegExp(`${word.toUpperCase()} 4\r\n0\r\n\r\n$`))
  }
  assert.equal(upstream.connections, 1)
})

test('trailers go both ways through one exchange', async (t) => {
  const upstream = await httpUpstream(t, (message, response) => {
    message.resume().on('end', () => {
      response.writeHead(200, { Trailer: 'X-Back' })
      response.write('ok')
      response.addTrailers({ 'X-Back': message.trailers['x-there'] ?? 'none' })
      response.end()
    })
  })
  const { port } = await startProxy(t, { targets: [upstream.port] })
  const client = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-There: and back\r\n\r\n')
  assert.match(await client.until(/\r\n0\r\n[^]*\r\n\r\n/), /\r\n0\r\nX-Back: and back\r\n\r\n$/)
})
