// An upstream may answer anything at any speed: it splits no answer, reaches no other client, and does not end the process.
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { request } from '../support/request.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

/** An upstream that answers each piece of a request with these bytes. */
async function rawUpstream (t: TestContext, answer: (socket: Socket, head: string) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    socket.on('data', (data) => answer(socket, data.toString('latin1')))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port // A TCP server has one.
}

const answers: Readonly<Record<string, string>> = {
  'noise': '\0\x01\x02noise\r\n\r\n',
  'nothing and closes': '',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
  'a length beside chunked framing': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a length that is none': 'HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\na',
  'a bare carriage return in a header': 'HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n',
  'a NUL in a header': 'HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 0\r\n\r\n',
  'a status of 99': 'HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n',
  'a switch of protocols nobody asked for': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nevil',
  'a head without end': `HTTP/1.1 200 OK\r\n${'X-A: yyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n'.repeat(4_000)}`,
  'an unknown transfer coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx',
}

test('an upstream that answers', async (t) => {
  let bytes = ''
  const port = await rawUpstream(t, (socket, head) => {
    if (head.includes('/fine')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine')
    else socket.end(bytes, 'latin1')
  })
  const kdl = siteWith(port, '', []).replace(/target "[^"]+"/, (target) => `${target}; timeouts { read "2s" }`)
  const sentinel = await startSentinel(t, kdl)
  for (const [what, answer] of Object.entries(answers)) {
    await t.test(`${what} gives the client a whole answer of the proxy, and the next request is served`, async () => {
      bytes = answer
      const got = await sentinel.get('/bad')
      assert.ok(got.status === 502 || got.status === 504, `${got.status}`)
      assert.doesNotMatch(got.rawHeaders.join('\n') + got.text, /evil/)
      assert.equal((await sentinel.get('/fine')).text, 'fine')
    })
  }
  await t.test('with fewer bytes than it said has its answer cut, never completed', async () => {
    bytes = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort'
    await assert.rejects(sentinel.get('/short'))
    bytes = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n'
    await assert.rejects(sentinel.get('/short'))
    assert.equal((await sentinel.get('/fine')).text, 'fine')
  })
})

test('a second answer behind the first never becomes another client\'s', async (t) => {
  const port = await rawUpstream(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine' + 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
  })
  const sentinel = await startSentinel(t, siteWith(port, '', []))
  for (let i = 0; i < 20; i++) {
    const [one, two] = await Promise.all([request(sentinel.port(), '/one'), request(sentinel.port(), '/two')])
    for (const { text } of [one, two]) assert.doesNotMatch(text, /evil/)
  }
})

test('fields after a body that would steer what was decided before it are taken out', async (t) => {
  const port = await rawUpstream(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nSet-Cookie: evil=1\r\nContent-Type: evil\r\n\r\n')
  })
  const sentinel = await startSentinel(t, siteWith(port, '', []))
  const { status, trailers } = await sentinel.get('/')
  assert.equal(status, 200)
  assert.deepEqual({ ...trailers }, { 'x-sum': '1' })
})
