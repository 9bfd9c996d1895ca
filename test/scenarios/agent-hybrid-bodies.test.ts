// `request-body-mode "hybrid:N"`: a body that says that it is short is shown whole, any other in pieces.
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { fromDist } from '../support/paths.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { bytesOf, httpUpstream } from '../support/upstream.ts'

test('short bodies are shown whole, longer ones and those of unknown length in pieces, both ways', async (t) => {
  const app = await httpUpstream(t, (request, response) => void bytesOf(request).then((body) => {
    if (request.url === '/chunked') response.write(body.subarray(0, 1))
    response.end(request.url === '/chunked' ? body.subarray(1) : body)
  }))
  const agent = `agent "both" { command ${JSON.stringify(process.execPath)} ${JSON.stringify(fromDist('test', 'support', 'agents', 'both-ways.js'))}
    request-body-mode "hybrid:1KiB"; response-body-mode "hybrid:2048"; timeout "60s" }`
  const sentinel = await startSentinel(t, siteWith(app.port, agent, ['both']))
  const shown = async (bytes: number, path = '/'): Promise<string> => {
    const body = 'x'.repeat(bytes)
    const answer = await sentinel.request(path, { method: 'POST', body })
    assert.equal(answer.status, 200)
    assert.equal(answer.text, body)
    return `${String(answer.headers['x-request-shown'] ?? 'pieces')} ${String(answer.headers['x-response-shown'] ?? 'pieces')}`
  }
  assert.equal(await shown(1024), 'whole whole')
  assert.equal(await shown(1025), 'pieces whole')
  assert.equal(await shown(2049), 'pieces pieces')
  assert.equal(await shown(10, '/chunked'), 'whole pieces')
  const unknown = http.request({ port: sentinel.port(), method: 'POST' })
  unknown.write('a')
  const answer = await new Promise<http.IncomingMessage>((resolve) => { unknown.end('b').once('response', resolve) })
  assert.equal((await bytesOf(answer)).toString(), 'ab')
  assert.equal(answer.headers['x-request-shown'], undefined)
})
