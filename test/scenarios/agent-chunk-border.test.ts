// A pattern that lies across the border of two pieces of a body is found by an agent that sees pieces, and nothing of it gets past.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromDist } from '../support/paths.ts'
import { rawClient } from '../support/raw-client.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { rawUpstream } from '../support/upstream.ts'

const word = 'forbidden'
const border = `agent "border" { command ${JSON.stringify(process.execPath)} ${JSON.stringify(fromDist('test', 'support', 'agents', 'border.js'))}; timeout "60s" }`
/** What chunks hold, without their frames. */
function contentOf (chunked: string): string {
  let content = ''
  for (let rest = chunked; ;) {
    const [, size, after] = /^([0-9a-f]+)\r\n([^]*)$/.exec(rest) ?? []
    if (size === undefined || after === undefined) return content
    content += after.slice(0, parseInt(size, 16))
    rest = after.slice(parseInt(size, 16) + 2)
  }
}

const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`

test('in a request: whatever the border, the upstream gets what stands ahead the pattern at the most', async (t) => {
  let received = ''
  const upstream = await rawUpstream(t, (connection) => { received = connection.received })
  const sentinel = await startSentinel(t, siteWith(upstream.port, border, ['border']))
  for (let at = 1; at < word.length; at++) {
    received = ''
    const client = await rawClient(t, sentinel.port(), `POST /${at} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`)
    client.send(chunk(`${at} ahead ${word.slice(0, at)}`))
    await sentinel.logged((record) => record['piece'] === `${at} ahead ${word.slice(0, at)}`)
    client.send(chunk(`${word.slice(at)} after`))
    assert.match(await client.until('\r\n\r\n'), /^HTTP\/1.1 422 /, `border at ${at}`)
    const body = contentOf(received.slice(received.indexOf('\r\n\r\n') + 4))
    assert.doesNotMatch(body, /f|after/, `border at ${at}: ${body}`)
    client.socket.destroy()
  }
})

test('in an answer: the client gets what stands ahead the pattern at the most, and no end', async (t) => {
  for (const at of [1, 4, 8]) {
    let say = (_text: string): void => {}
    const upstream = await rawUpstream(t, ({ socket }) => {
      say = (text) => void socket.write(text)
      socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(`${at} ahead ${word.slice(0, at)}`)}`)
    })
    const sentinel = await startSentinel(t, siteWith(upstream.port, border, ['border']))
    const client = await rawClient(t, sentinel.port(), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await sentinel.logged((record) => record['piece'] === `${at} ahead ${word.slice(0, at)}`)
    say(chunk(`${word.slice(at)} after`) + chunk('').trim() + '\r\n\r\n')
    const all = await client.ended()
    assert.doesNotMatch(all, /0\r\n\r\n$/, 'no end')
    const body = contentOf(all.slice(all.indexOf('\r\n\r\n') + 4))
    assert.doesNotMatch(body, /f|after/, `border at ${at}: ${body}`)
  }
})

test('what looks like the beginning of the pattern and is none arrives whole', async (t) => {
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    if (received.endsWith('0\r\n\r\n')) socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('forbidde')}${chunk('d forb')}0\r\n\r\n`)
  })
  const sentinel = await startSentinel(t, siteWith(upstream.port, border, ['border']))
  const client = await rawClient(t, sentinel.port(), `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('forbid')}${chunk('dance, for')}0\r\n\r\n`)
  const all = await client.ended()
  assert.equal(contentOf(all.slice(all.indexOf('\r\n\r\n') + 4)), 'forbidded forb')
})
