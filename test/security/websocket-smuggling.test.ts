import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { startSentinel } from '../support/sentinel.ts'
import { rawUpstream } from '../support/upstream.ts'
import { acceptingHandshake, webSocketRequest } from '../support/websocket.ts'

/**
 * A handshake that fails behind a proxy that takes it for done gives a raw connection to the server, past every rule. What stands here has to
 * be true whoever answers what: only a proven switch makes a tunnel, and anything else leaves requests what they are.
 */
const hidden = 'GET /admin HTTP/1.1\r\nHost: a\r\n\r\n'

const site = (port: number): string => `
listeners { listener "web" { address "127.0.0.1:0" } }
routes {
  route "chat" { matches { path-prefix "/chat" }; upstream "app"; websocket #true }
  route "plain" { matches { path-prefix "/plain" }; upstream "app" }
}
upstreams { upstream "app" { target "127.0.0.1:${port}" } }
observability { metrics { address "127.0.0.1:0" } }`

/** The field lines of a handshake, one of them changed. */
const rows: ReadonlyArray<[what: string, request: string]> = [
  ['with a version that nobody speaks', webSocketRequest.replace('Version: 13', 'Version: 1337')],
  ['without a version', webSocketRequest.replace('Sec-WebSocket-Version: 13\r\n', '')],
  ['whose version is taken out by Connection', webSocketRequest.replace('keep-alive, Upgrade', 'Upgrade, Sec-WebSocket-Version')],
  ['on a route that wants none', webSocketRequest.replace('/chat', '/plain')],
  ['for h2c', webSocketRequest.replace('Upgrade: websocket', 'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__')],
  ['with two protocols in one line', webSocketRequest.replace('Upgrade: websocket', 'Upgrade: h2c, websocket')],
  ['without a key', webSocketRequest.replace(/Sec-WebSocket-Key: .*\r\n/, '')],
  ['in HTTP/1.0', webSocketRequest.replace('HTTP/1.1', 'HTTP/1.0')],
  ['with a body', webSocketRequest.replace('\r\n\r\n', '\r\nContent-Length: 4\r\n\r\nbody')],
]

const answers: ReadonlyArray<[what: string, answer: (head: string) => string]> = [
  ['refuses', () => 'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n'],
  ['answers as if nothing were', () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['repeats a proof of somebody else', () => acceptingHandshake('Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n')],
  ['says 101 and no more', () => 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
]

test('behind a handshake that is none, nothing reaches the upstream past the routes', async (t) => {
  let heard = ''
  let answer = acceptingHandshake
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    heard += received
    socket.write(answer(received))
  })
  const sentinel = await startSentinel(t, site(upstream.port))

  await t.test('and a good one does become a tunnel, so that the others say something', async (t) => {
    const client = await rawClient(t, sentinel.port(), webSocketRequest)
    assert.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 101 /)
  })

  for (const [upstreamDoes, given] of answers) {
    for (const [what, request] of [...rows, ['that is good', webSocketRequest] as const]) {
      await t.test(`one ${what}, when the upstream ${upstreamDoes}`, async (t) => {
        heard = ''
        answer = given
        const client = await rawClient(t, sentinel.port(), `${request}${hidden}`)
        await client.until(/HTTP\/1\.1 \d\d\d [^]*\r\n\r\n/)
        client.send(hidden)
        await new Promise((wait) => setTimeout(wait, 20))
        assert.doesNotMatch(client.received, /HTTP\/1\.1 101 /)
        assert.doesNotMatch(heard, /admin/)
      })
    }
  }
})
