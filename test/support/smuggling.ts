/**
 * Attacks of one class against the whole program, with a victim: another client, whose requests share the upstream's connections with the attacker's.
 * Behind the proxy stands a server that keeps its connections and reads as Node reads.
 */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { rawClient, type RawClient } from './raw-client.ts'
import { siteWith } from './scripted-agent.ts'
import { startSentinel } from './sentinel.ts'

export const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n'
export const chunked = 'Transfer-Encoding: chunked\r\n'
export const post = (fields: string, body: string, target = '/'): string => `POST ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`
export const lengthOf = (text: string): string => `Content-Length: ${text.length}\r\n`
export const chunk = (text: string, extension = ''): string => `${text.length.toString(16)}${extension}\r\n${text}\r\n`

export interface Attacks {
  /** What it is that nobody may take in two ways → the bytes. One refusal, and nothing whole arrives. */
  readonly refused?: Readonly<Record<string, string>>
  /** With another status than 400. */
  readonly status?: number
  /** What is clear: one request arrives, and what looks like another one is a part of it. */
  readonly one?: Readonly<Record<string, string>>
}

interface Behind {
  readonly port: number
  /** Requests as the server read them: method, target and body. */
  readonly read: string[]
  /** Bytes of each connection. */
  readonly heard: string[]
}

export function smuggling (name: string, { refused = {}, status = 400, one = {} }: Attacks): void {
  test(name, async (t) => {
    const behind = await serverBehind(t)
    const sentinel = await startSentinel(t, siteWith(behind.port, '', []))
    const victim = await rawClient(t, sentinel.port())
    let victims = 0
    const victimIsServed = async (): Promise<void> => {
      const target = `/victim-${++victims}`
      victim.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)
      assert.equal((await victim.answer()).body, `GET ${target} `, 'the victim gets its own answer')
    }
    await victimIsServed()
    for (const [what, bytes] of Object.entries(refused)) {
      await t.test(`${what}: refused, and nothing whole arrives`, async (st) => {
        behind.read.length = 0
        const client = await rawClient(st, sentinel.port(), bytes)
        const received = await client.ended()
        assert.deepEqual(received.match(/^HTTP\/1\.1 \d+/gm), [`HTTP/1.1 ${status}`])
        await victimIsServed()
        assert.deepEqual(behind.read, [`GET /victim-${victims} `])
      })
    }
    for (const [what, bytes] of Object.entries(one)) {
      await t.test(`${what}: one request arrives`, async (st) => {
        behind.read.length = 0
        const client = await rawClient(st, sentinel.port(), bytes)
        const answer = await finalAnswer(client)
        assert.equal(answer.status, 200)
        await victimIsServed()
        assert.equal(behind.read.length, 2, JSON.stringify(behind.read))
        assert.doesNotMatch(behind.read[0]!, /^\S+ \/hidden/)
        client.socket.destroy()
        assert.equal(client.received.match(/^HTTP\/1\.1 200/gm)?.length, 1)
      })
    }
    for (const bytes of behind.heard) assertFramedOnce(bytes)
  })
}

async function finalAnswer (client: RawClient): ReturnType<RawClient['answer']> {
  for (;;) {
    const answer = await client.answer()
    if (answer.status >= 200) return answer
  }
}

async function serverBehind (t: TestContext): Promise<Behind> {
  const read: string[] = []
  const heard: string[] = []
  const server = createServer((request: IncomingMessage, response) => {
    let body = ''
    request.on('error', () => { /* broken off by the proxy */ }).on('data', (piece: Buffer) => { body += piece.toString('latin1') }).on('end', () => {
      const seen = `${request.method} ${request.url} ${body}`
      read.push(seen)
      response.end(seen)
    })
  })
  server.on('connection', (socket: Socket) => {
    const index = heard.push('') - 1
    socket.on('data', (piece: Buffer) => { heard[index] += piece.toString('latin1') })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, read, heard }
}

/** No head says how its body is framed in two ways, under any name, nor switches protocols. */
function assertFramedOnce (bytes: string): void {
  for (const head of bytes.match(/[A-Z]+ \S+ HTTP\/1\.1\r\n(?:[^\r\n]+\r\n)*\r\n/g) ?? []) {
    const framings = head.match(/^(?:content.length|transfer.encoding):.*$/gim) ?? []
    assert.ok(framings.length <= 1, head)
    assert.doesNotMatch(head, /^(?:upgrade|http2-settings|connection):/im)
  }
}
