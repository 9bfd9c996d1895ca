// The admin address answers machines and operators, not the web pages of strangers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { request } from '../support/request.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

test('the admin address', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  const port = sentinel.metricsPort()
  for (const host of ['evil.test', 'evil.test:9090', '127.0.0.1.evil.test', 'localhost.evil.test', 'evil.localhost.test', '127.0.0.1@evil.test', 'evil', '[::1].evil.test']) {
    await t.test(`does not answer to the name "${host}"`, async () => {
      const answer = await request(port, '/status', { host })
      assert.equal(answer.status, 421)
      assert.doesNotMatch(answer.text, /listeners|agents/)
    })
  }
  for (const host of ['127.0.0.1', 'localhost', 'localhost:1', '[::1]:9090']) {
    await t.test(`answers to ${host}`, async () => assert.equal((await request(port, '/ready', { host })).status, 200))
  }
  await t.test('changes nothing, whatever the method', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) assert.equal((await request(port, '/status', { method })).status, 405)
  })
  await t.test('lets no page read it or frame it', async () => {
    const { headers } = await request(port, '/status', { headers: { Origin: 'http://evil.test' } })
    assert.equal(headers['access-control-allow-origin'], undefined)
    assert.match(String(headers['content-security-policy']), /frame-ancestors 'none'/)
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin')
  })
  await t.test('is not reached through a listener', async () => {
    for (const path of ['/status', '/metrics', '/health']) {
      const answer = await sentinel.request(path, { host: `127.0.0.1:${port}` })
      assert.equal(answer.headers['x-upstream'], 'yes')
    }
  })
  await t.test('lives on after noise', async (st) => {
    for (const bytes of ['\0\0\0\0\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 'GET /status HTTP/1.1\r\nUpgrade: h2c\r\nConnection: upgrade\r\nHost: evil\r\n\r\n']) {
      const client = await rawClient(st, port, bytes)
      client.socket.end()
      await client.ended()
      assert.doesNotMatch(client.received, /listeners/)
    }
    assert.equal((await request(port, '/health')).status, 200)
  })
})
