// One table of exchanges, whatever the client and the target speak: each gets the same answer, and the target hears the same request.
import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { http2Upstream } from '../support/http2-upstream.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { httpUpstream } from '../support/upstream.ts'
import { askHttp1, askHttp2, type Asked, type Got } from '../support/version-clients.ts'

const always = { when: 'always', maxStreams: 100, pingIntervalMs: 0 } as const

/** What the target says to have heard: fields that are the same for all. */
function heard (request: IncomingMessage, body: string): string {
  const fields = Object.entries(request.headers).filter(([name]) => /^(?:x-[ab]|cookie|content-type|content-length|accept)$/.test(name)).map(([name, value]) => `${name}=${String(value)}`)
  const host = request.headers.host ?? request.headers[':authority' as 'host']
  return JSON.stringify({ method: request.method, url: request.url, named: host !== undefined, fields: fields.toSorted(), body: body.length, trailers: { ...request.trailers } })
}

/** Node adds the length by itself in one of the versions only. */
function whole (response: ServerResponse, text: string): void {
  response.setHeader('Content-Length', String(text.length))
  response.end(text)
}

/** Answers by its path. Written once for both versions: Node gives both the same face. */
function answer (request: IncomingMessage, response: ServerResponse): void {
  const [path = ''] = request.url!.split('?')
  switch (path) {
    case '/fields':
      response.setHeader('X-Dup', ['1', '2'])
      response.setHeader('Set-Cookie', ['a=1', 'b=2'])
      return whole(response, 'hello')
    case '/pieces':
      for (const piece of ['one ', 'two ', 'three']) response.write(piece)
      return void response.end()
    case '/empty': return void response.writeHead(200, { 'Content-Length': '0' }).end()
    case '/nothing': return void response.writeHead(204, { 'X-A': '1' }).end()
    case '/unchanged': return void response.writeHead(304, { ETag: '"v"' }).end()
    case '/error': return void response.writeHead(503, { 'Retry-After': '7', 'Content-Length': '4' }).end('busy')
    case '/large': return whole(response, 'x'.repeat(2_000_000))
    case '/trailers':
      response.setHeader('Trailer', 'X-Sum')
      response.write('abc')
      response.addTrailers({ 'X-Sum': '3' })
      return void response.end()
    case '/hints':
      response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      return whole(response, 'page')
    case '/early': return void response.writeHead(413, { 'Content-Length': '2' }).end('no')
    case '/broken':
      response.writeHead(200)
      response.write('half')
      return void setTimeout(() => (response as { stream?: { close (code: number): void } }).stream?.close(2) ?? response.destroy(), 50)
  }
  let body = ''
  request.setEncoding('latin1').on('data', (piece: string) => { body += piece }).on('end', () => whole(response, heard(request, body)))
}

const table: Readonly<Record<string, Asked>> = {
  'a plain request': { path: '/heard?a=b&c=%20d', headers: { 'x-a': '1', 'cookie': 'a=1; b=2', 'accept': 'text/plain' } },
  'fields that come more than once': { path: '/fields' },
  'HEAD': { method: 'HEAD', path: '/fields' },
  'OPTIONS for the server as a whole': { method: 'OPTIONS', path: '*' },
  'DELETE': { method: 'DELETE', path: '/heard' },
  'an answer in pieces': { path: '/pieces' },
  'an empty answer': { path: '/empty' },
  '204': { path: '/nothing' },
  '304': { path: '/unchanged' },
  'an error of the target': { path: '/error' },
  'a large answer': { path: '/large' },
  'trailers of an answer': { path: '/trailers', headers: { te: 'trailers' } },
  'early hints': { path: '/hints' },
  'a body with a length': { method: 'POST', path: '/heard', body: 'hello' },
  'a POST without a body': { method: 'POST', path: '/heard', body: '' },
  'a body in pieces': { method: 'POST', path: '/heard', body: ['one', 'two', 'three'], headers: { 'content-type': 'text/plain' } },
  'a large body': { method: 'PUT', path: '/heard', body: 'x'.repeat(2_000_000) },
  'trailers of a request': { method: 'POST', path: '/heard', body: ['one', 'two'], trailers: { 'x-sum': '6' } },
  'a body that is sent when it is asked for': { method: 'POST', path: '/heard', body: 'hello', expect: true },
  'an answer before the body has ended': { method: 'POST', path: '/early', body: ['some'], endless: true },
  'an answer that breaks off': { path: '/broken' },
}

test('the same exchange has the same result', async (t) => {
  const listener = answer as Parameters<typeof http2Upstream>[1] & typeof answer // Node's two pairs of types differ where nobody looks.
  const [one, two] = [await httpUpstream(t, listener), await http2Upstream(t, listener)]
  const start = (port: number, http2: boolean): Promise<TestProxy> => startProxy(t, {
    targets: [port], listener: { priorKnowledge: true }, upstream: http2 ? { http2: always } : {},
  })
  const [toOne, toTwo] = [await start(one.port, false), await start(two.port, true)]
  const ways: Readonly<Record<string, (asked: Asked) => Promise<Got>>> = {
    'HTTP/1.1 to HTTP/2': (asked) => askHttp1(toTwo.port, asked),
    'HTTP/2 to HTTP/1.1': (asked) => askHttp2(toOne.port, asked),
    'HTTP/2 to HTTP/2': (asked) => askHttp2(toTwo.port, asked),
  }
  for (const [what, asked] of Object.entries(table)) {
    const expected = await askHttp1(toOne.port, asked)
    for (const [way, ask] of Object.entries(ways)) {
      await t.test(`${what}: ${way}`, async () => assert.deepEqual(await ask(asked), expected))
    }
  }
  assert.equal(two.connections, 1)
})
