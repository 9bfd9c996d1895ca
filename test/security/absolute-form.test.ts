// The host of an absolute target replaces Host for everybody: a route that was chosen by one and an upstream that reads the other would be two requests.
// Kettle 2017 ("Cracking the lens"); RFC 9112 section 3.2.2.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

test('the host of an absolute target replaces the Host field for route, agents and upstream alike', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []).replace('path-prefix "/"', 'host "inside.test"'))
  const refused = await rawClient(t, sentinel.port(), 'GET http://outside.test/ HTTP/1.1\r\nHost: inside.test\r\nConnection: close\r\n\r\n')
  assert.match(await refused.ended(), /^HTTP\/1\.1 404 /)
  const taken = await rawClient(t, sentinel.port(), 'GET http://inside.test/x HTTP/1.1\r\nHost: outside.test\r\nConnection: close\r\n\r\n')
  assert.match(await taken.ended(), /^HTTP\/1\.1 200 /)
  const { url, headers } = upstream.requests.at(-1)!
  assert.deepEqual([url, headers.host, headers['x-forwarded-host']], ['/x', 'inside.test', 'inside.test'])
})
