// Bytes that no request asked for never become the answer to another client's request: hidden second answers, bodies where there are none, greetings, and
// what comes while nobody asks. Kettle 2022 ("Browser-Powered Desync Attacks"); Klein 2004 and 2020 (response splitting, response queues); RFC 9112 section 9.2.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { connect, type AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { makeCertificate } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient, type RawClient } from '../support/raw-client.ts'
import { rawUpstream } from '../support/upstream.ts'

const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
const answerTo = (target: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`

async function ask (client: RawClient, target: string, method = 'GET'): Promise<string> {
  client.send(`${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)
  return (await client.answer()).body
}

/** What the target says to the request for /poisoned, and a moment later on the unused connection. */
const poisons: ReadonlyArray<[what: string, first: string, later: string]> = [
  ['a second answer behind the first', answerTo('/poisoned') + evil, ''],
  ['half an answer behind the first', `${answerTo('/poisoned')}HTTP/1.1 200 OK\r\nContent-`, 'Length: 4\r\n\r\nevil'],
  ['one octet behind the answer', `${answerTo('/poisoned')}\n`, ''],
  ['an empty line behind the answer', `${answerTo('/poisoned')}\r\n`, ''],
  ['an interim answer behind the answer', `${answerTo('/poisoned')}HTTP/1.1 100 Continue\r\n\r\n`, evil],
  ['an answer while nobody asks', answerTo('/poisoned'), evil],
  ['an interim answer while nobody asks', answerTo('/poisoned'), 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  ['an answer in an answer of another length', `HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n/poisonedX${evil}`, ''],
  ['an answer behind a chunked one', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n/poisoned\r\n0\r\n\r\n${evil}`, ''],
  ['an answer behind a trailer', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n/poisoned\r\n0\r\nX: y\r\n\r\n${evil}`, evil],
  ['a body behind 204', `HTTP/1.1 204 No Content\r\nContent-Length: ${evil.length}\r\n\r\n`, evil],
  ['chunks behind 204', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n', `0\r\n\r\n${evil}`],
  ['a body behind 304', `HTTP/1.1 304 Not Modified\r\nContent-Length: ${evil.length}\r\n\r\n${evil}`, ''],
  ['two final answers, the first of them refused', `HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n${evil}`, evil],
  ['a switch of protocols', `HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n${evil}`, evil],
]

describe('what a target says too much', () => {
  for (const [what, first, later] of poisons) {
    test(`${what}: no other client gets it`, async (t) => {
      const used: number[] = []
      const upstream = await rawUpstream(t, ({ socket, received, index }) => {
        const target = /([^ ]+) HTTP\/1\.1\r\n(?:[^\r]+\r\n)+\r\n$/.exec(received)?.[1] ?? ''
        used.push(index)
        if (target !== '/poisoned') return void socket.write(answerTo(target))
        socket.write(first)
        if (later !== '') setTimeout(() => socket.write(later), 10)
      })
      const { port } = await startProxy(t, { targets: [upstream.port] })
      const [attacker, victim] = [await rawClient(t, port), await rawClient(t, port)]
      for (let round = 0; round < 3; round++) {
        await ask(attacker, '/poisoned')
        await eventually('the connection is ended', () => upstream.sockets.size === 0)
        assert.equal(await ask(victim, `/victim-${round}`), `/victim-${round}`)
        assert.notEqual(used.at(-1), used.at(-2), 'the connection was not used again')
      }
    })
  }

  test('the body of an answer to HEAD: no other client gets it', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => {
      const [, method, target = ''] = /(\w+) ([^ ]+) HTTP\/1\.1\r\n(?:[^\r]+\r\n)+\r\n$/.exec(received) ?? []
      if (method === 'HEAD') socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${evil.length}\r\n\r\n${evil}`)
      else socket.write(answerTo(target))
    })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const victim = await rawClient(t, port)
    for (let round = 0; round < 3; round++) {
      const attacker = await rawClient(t, port, 'HEAD /poisoned HTTP/1.1\r\nHost: a\r\n\r\n')
      assert.match(await attacker.until('\r\n\r\n'), /^HTTP\/1\.1 200 [^]*\r\n\r\n$/)
      assert.equal(await ask(victim, `/victim-${round}`), `/victim-${round}`)
      assert.doesNotMatch(attacker.received, /evil/)
    }
  })

  test('a request that was answered early: its rest is no request to the target, and its answer nobody else\'s', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => {
      const target = /^\w+ ([^ ]+)/.exec(received)?.[1] ?? ''
      if (target === '/early' && received.includes('smuggled')) socket.write(evil)
      else if (!received.includes('smuggled')) socket.write(answerTo(target))
    })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const attacker = await rawClient(t, port, 'POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n')
    assert.equal((await attacker.answer()).body, '/early')
    attacker.send('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'.padEnd(60, '.'))
    const victim = await rawClient(t, port)
    for (let round = 0; round < 3; round++) assert.equal(await ask(victim, '/victim'), '/victim')
  })
})

test('over TLS, records behind an answer that ended its connection hang nobody', async (t) => {
  const folder = folderWith(t)
  makeCertificate(folder, 'local')
  const target = createTlsServer({ cert: readFileSync(`${folder}/local.pem`), key: readFileSync(`${folder}/local.key`) }, (socket) => {
    socket.on('error', () => { /* given up by the proxy */ }).on('data', () => {
      relayed.hold()
      // The first write is a record, and the others another one.
      for (const text of [`${answerTo('ok')}X`, evil, evil, evil]) socket.write(text)
      setTimeout(() => relayed.release(), 60)
    })
  })
  let relayed = { hold: (): void => {}, release: (): void => {} }
  await new Promise<void>((resolve) => { target.listen(0, '127.0.0.1', resolve) })
  const relay = createServer((socket) => { relayed = gather(socket, connect((target.address() as AddressInfo).port, '127.0.0.1')) })
  await new Promise<void>((resolve) => { relay.listen(0, '127.0.0.1', resolve) })
  t.after(() => {
    target.close()
    relay.close()
  })
  const { port } = await startProxy(t, { targets: [(relay.address() as AddressInfo).port], upstream: { tls: { insecureSkipVerify: true } } })
  const client = await rawClient(t, port)
  for (let round = 0; round < 3; round++) assert.equal(await ask(client, '/'), 'ok')
})

/** Passes on what the server says; what it says between `hold` and `release` in one piece, so that several records come in one read. */
function gather (client: Socket, server: Socket): { hold: () => void, release: () => void } {
  let held: Buffer[] | undefined
  for (const [socket, other] of [[client, server], [server, client]] as const) socket.on('error', () => { /* one of them was cut */ }).on('close', () => other.destroy())
  client.pipe(server)
  server.on('data', (bytes) => {
    if (held === undefined) client.write(bytes)
    else held.push(bytes)
  })
  return {
    hold: () => { held = [] },
    release: () => {
      if (held !== undefined && !client.destroyed) client.write(Buffer.concat(held))
      held = undefined
    },
  }
}
