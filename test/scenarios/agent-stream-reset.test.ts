import assert from 'node:assert/strict'
import { constants } from 'node:http2'
import { describe, test } from 'node:test'
import { everything, rawAgent, type Script } from '../support/raw-agent.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { eventually } from '../support/running-service.ts'
import { startSentinel } from '../support/sentinel.ts'
import { siteWith } from '../support/scripted-agent.ts'

describe('an agent that resets its stream while the proxy watches its health', () => {
  for (const [name, code] of [['without an error', constants.NGHTTP2_NO_ERROR], ['as cancelled', constants.NGHTTP2_CANCEL]] as const) {
    test(`${name} fails its calls, and the proxy goes on and connects anew`, async (t) => {
      const upstream = await startRecordingUpstream(t)
      const script: Script = { describe: everything }
      const agent = await rawAgent(t, script)
      agent.sayHealth(true)
      const sentinel = await startSentinel(t, siteWith(upstream.port, `agent "raw" { unix-socket "${agent.path}"; timeout "60s" }`, ['raw']))
      assert.equal((await sentinel.get('/before')).status, 200)
      agent.script = { ...script, onEvent: (_event, wire) => wire.stream.close(code) }
      assert.equal((await sentinel.get('/reset')).status, 503)
      agent.script = script
      await eventually(async () => (await sentinel.get('/after')).status === 200 ? true : undefined, 'it is asked again')
    })
  }
})
