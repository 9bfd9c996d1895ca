import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { bytesOf, fixedUpstream, httpUpstream, rawUpstream } from '../support/upstream.ts'

describe('HTTP/1.1 passes through', () => {
  test('fields keep order, duplicates, spelling and bytes above ASCII in both directions', async (t) => {
    let seen = ''
    const upstream = await rawUpstream(t, ({ socket, received }) => {
      seen = received
      socket.write('HTTP/1.1 200 OK\r\nX-Z: 1\r\nx-a: \xe9\xff\r\nSet-Cookie: a\r\nset-COOKIE: b\r\nX-Empty:\r\nX-Pad:  v  \r\nContent-Length: 2\r\n\r\nok', 'latin1')
    })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, 'GET /p%41th/..;/x?q=%00&r HTTP/1.1\r\nX-B: 1\r\nHost: Ex.test\r\nx-b: \xe4\r\nCookie: a=1\r\n\r\n')
    const answer = await client.answer()
    assert.equal(answer.body, 'ok')
    assert.deepEqual(answer.fields.slice(0, 6), ['X-Z: 1', 'x-a: \xe9\xff', 'Set-Cookie: a', 'set-COOKIE: b', 'X-Empty: ', 'X-Pad: v'])
    assert.match(seen, /^GET \/x\?q=%00&r HTTP\/1\.1\r\nX-B: 1\r\nHost: Ex\.test\r\nx-b: \xe4\r\nCookie: a=1\r\n/)
  })

  test('path and query reach the target as they were sent', async (t) => {
    const upstream = await httpUpstream(t, (message, response) => response.end(message.url))
    const { port } = await startProxy(t, { targets: [upstream.port] })
    for (const target of ['/', '/a%20b?c=d%26', '/?', '/a?b?c', '/%E4%FF?x=%ff', "/a'b(c)!*;d=e,f"]) {
      const client = await rawClient(t, port, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)
      assert.equal((await client.answer()).body, target === '/?' ? '/' : target)
    }
  })

  test('bodies of every framing arrive byte for byte', async (t) => {
    const upstream = await httpUpstream(t, async (message, response) => {
      const body = await bytesOf(message)
      response.writeHead(200, { 'x-length': message.headers['content-length'] ?? message.headers['transfer-encoding'] ?? 'none' })
      response.write(body.subarray(0, 1))
      response.end(body.subarray(1))
    })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const bytes = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('')
    const client = await rawClient(t, port)
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 256\r\n\r\n${bytes}`)
    const plain = await client.answer()
    assert.deepEqual([plain.body, plain.header('x-length')], [bytes, '256'])
    client.send(`PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n80;x=y\r\n${bytes.slice(0, 128)}\r\n80\r\n${bytes.slice(128)}\r\n0\r\n\r\n`)
    const chunked = await client.answer()
    assert.deepEqual([chunked.body, chunked.header('x-length')], [bytes, 'chunked'])
  })

  test('a body delimited by the end of the connection becomes a chunked one', async (t) => {
    const upstream = await rawUpstream(t, ({ socket }) => socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end'))
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const answer = await (await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')).answer()
    assert.deepEqual([answer.body, answer.header('transfer-encoding')], ['until the end', 'chunked'])
  })

  test('HEAD, 204 and 304 have no body and keep the connection in order', async (t) => {
    const upstream = await rawUpstream(t, (connection) => {
      const { socket, received } = connection
      const last = received.slice(received.slice(0, -4).lastIndexOf('\r\n\r\n') + 1)
      if (last.includes('HEAD ')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n')
      else if (last.includes('/204')) socket.write('HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n')
      else if (last.includes('/304')) socket.write('HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 99\r\n\r\n')
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast')
    })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 [^]*Content-Length: 1234[^]*\r\n\r\n$/)
    const rest = await rawClient(t, port, 'GET /204 HTTP/1.1\r\nHost: a\r\n\r\n')
    const none = await rest.answer()
    assert.deepEqual([none.status, none.header('content-length'), none.header('transfer-encoding')], [204, undefined, undefined])
    rest.send('GET /304 HTTP/1.1\r\nHost: a\r\n\r\n')
    const unchanged = await rest.answer()
    assert.deepEqual([unchanged.status, unchanged.header('content-length'), unchanged.header('transfer-encoding')], [304, '99', undefined])
    rest.send('GET /end HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.equal((await rest.answer()).body, 'last')
  })

  test('trailers of the answer pass, those that would steer the message do not', async (t) => {
    const upstream = await fixedUpstream(t,
      'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-sum: 2\r\nSet-Cookie: a=b\r\n\r\n')
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.match(await client.until(/\r\n0\r\n[^]*\r\n\r\n/), /\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-sum: 2\r\n\r\n$/)
  })

  test('trailers of the request are there for filters once the body is read', async (t) => {
    const upstream = await httpUpstream(t, (message, response) => { message.resume().on('end', () => response.end()) })
    const { port, exchange } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: v\r\nCookie: evil\r\n\r\n')
    assert.equal((await client.answer()).status, 200)
    assert.deepEqual((await exchange(1)).requestBody?.trailers?.raw(), ['X-T', 'v'])
  })

  test('trailers that would steer the connection are refused', async (t) => {
    const upstream = await httpUpstream(t, (message, response) => { message.resume().on('end', () => response.end()) })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    for (const trailer of ['Content-Length: 5', 'Transfer-Encoding: chunked', 'Connection: close', 'Host: evil']) {
      const client = await rawClient(t, port, `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n${trailer}\r\n\r\n`)
      assert.equal((await client.answer()).status, 400, trailer)
    }
  })

  test('connections are used again on both sides', async (t) => {
    const upstream = await httpUpstream(t, (message, response) => response.end(message.url))
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port)
    for (let i = 0; i < 20; i++) {
      client.send(`GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`)
      assert.equal((await client.answer()).body, `/${i}`)
    }
    assert.equal(upstream.connections, 1)
  })

  test('pipelined requests are served one after the other, in order', async (t) => {
    let running = 0
    let most = 0
    const upstream = await httpUpstream(t, (message, response) => {
      most = Math.max(most, ++running)
      setImmediate(() => { running--; response.end(message.url) })
    })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, Array.from({ length: 10 }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''))
    for (let i = 0; i < 10; i++) assert.equal((await client.answer()).body, `/${i}`)
    assert.equal(most, 1)
  })

  test('an HTTP/1.0 client gets no chunks and a closed connection', async (t) => {
    const upstream = await httpUpstream(t, (_message, response) => { response.write('a'); response.end('b') })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, 'GET / HTTP/1.0\r\n\r\n')
    const all = await client.ended()
    assert.match(all, /^HTTP\/1\.1 200 [^]*\r\nConnection: close\r\n[^]*\r\nab$/)
    assert.doesNotMatch(all, /Transfer-Encoding/i)
  })

  test('the head of a stream does not wait for its first byte', async (t) => {
    let finish = (): void => assert.fail('not asked')
    const upstream = await httpUpstream(t, (_message, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.flushHeaders()
      finish = () => response.end('data: 1\n\n')
    })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until('\r\n\r\n')
    finish()
    assert.equal((await client.answer()).body, 'data: 1\n\n')
  })

  test('an interim answer goes in front, an upgrade that nobody asked for is a protocol fault', async (t) => {
    const interim = await fixedUpstream(t, 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx')
    const client = await rawClient(t, (await startProxy(t, { targets: [interim.port] })).port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.deepEqual([(await client.answer()).status, (await client.answer()).status], [103, 200])
    const upgrade = await fixedUpstream(t, 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
    const proxy = await startProxy(t, { targets: [upgrade.port] })
    const other = await rawClient(t, proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
    assert.equal((await other.answer()).status, 502)
    assert.equal((await proxy.exchange(1)).fault?.code, 'UPSTREAM_PROTOCOL')
  })
})
