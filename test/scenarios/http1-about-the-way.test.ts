import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { rawUpstream } from '../support/upstream.ts'

/** Sends one request; gives the status, and what the target heard. */
async function asked (t: Parameters<typeof rawClient>[0], request: string): Promise<{ status: number, heard: string }> {
  let heard = ''
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    heard = received
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })
  const { port } = await startProxy(t, { targets: [upstream.port] })
  const { status } = await (await rawClient(t, port, request)).answer()
  return { status, heard }
}

describe('requests about the server as a whole, and about the way to it', () => {
  test('OPTIONS * reaches the target as it is, and so does the absolute form that means it', async (t) => {
    for (const target of ['*', 'http://a']) {
      const { status, heard } = await asked(t, `OPTIONS ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)
      assert.equal(status, 200)
      assert.match(heard, /^OPTIONS \* HTTP\/1\.1\r\nHost: a\r\n/)
    }
  })

  test('Max-Forwards is counted down, ends here at 0, and must be a number', async (t) => {
    const options = (value: string): string => `OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: ${value}\r\n\r\n`
    assert.match((await asked(t, options('2'))).heard, /\r\nMax-Forwards: 1\r\n/)
    assert.deepEqual(await asked(t, options('0')), { status: 204, heard: '' })
    assert.deepEqual(await asked(t, options('-1')), { status: 400, heard: '' })
  })

  test('of other methods Max-Forwards means nothing', async (t) => {
    assert.match((await asked(t, 'GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n')).heard, /\r\nMax-Forwards: 0\r\n/)
  })

  test('TRACE and CONNECT are refused: the target hears nothing', async (t) => {
    for (const request of ['TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 'TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n']) {
      assert.deepEqual(await asked(t, request), { status: 501, heard: '' })
    }
  })
})
