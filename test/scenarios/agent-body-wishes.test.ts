// How long a body an agent of the SDK wants, and what it says of longer ones: in its definition and where it asks late.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { folderWith } from '../support/folder.ts'
import { fromDist } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { patient, siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

const overs = ['block', 'prefix', 'skip'] as const
const agent = `import { defineAgent } from 'sentinel/sdk'
const tell = (body, request) => request.headers.set('x-seen', body.length + ' ' + request.bodyTruncated)
const late = { name: 'late', async onRequest (request) { tell(await request.text({ max: 4, over: OVER }), request) } }
const early = { name: 'early', requestBody: { mode: 'buffer', max: 4, over: OVER }, onRequestBody: (body, request) => tell(body, request) }
export default defineAgent(WHICH)
`

for (const which of ['early', 'late'] as const) {
  test(`${which}: a longer body than the agent wants is what the agent says, unless the operator says otherwise`, async (t) => {
    const files = Object.fromEntries(overs.map((over) => [`${over}.mjs`, agent.replaceAll('OVER', `'${over}'`).replace('WHICH', which)]))
    const folder = folderWith(t, files)
    const upstream = await startRecordingUpstream(t)
    const withAgents = (settings: string): string => overs
      .map((over) => `agent "${over}" { command "${process.execPath}" "${fromDist('sdk', 'run', 'main.js')}" "${join(folder, `${over}.mjs`)}"; ${patient(settings)} }`).join('\n')
    const seenBy = async (settings: string, body: string): Promise<Record<string, unknown>> => {
      const routes = overs.map((over) => `route "${over}" { matches { path "/${over}" }; filters "${over}"; upstream "app" }`).join('\n')
      const sentinel = await startSentinel(t, siteWith(upstream.port, withAgents(settings), []).replace(/routes \{.*\}/, `routes { ${routes} }`))
      const seen: Record<string, unknown> = {}
      for (const over of overs) {
        const { status } = await sentinel.request(`/${over}`, { method: 'POST', body })
        seen[over] = status === 200 ? upstream.requests.at(-1)?.headers['x-seen'] ?? 'not asked' : status
        if (status === 200) assert.equal(upstream.requests.at(-1)?.body.toString(), body)
      }
      return seen
    }
    assert.deepEqual(await seenBy('', 'four'), { block: '4 false', prefix: '4 false', skip: '4 false' })
    assert.deepEqual(await seenBy('', 'longer'), { block: 413, prefix: '4 true', skip: which === 'late' ? '0 true' : 'not asked' })
    assert.deepEqual(await seenBy('body-over "block"', 'longer'), { block: 413, prefix: 413, skip: 413 })
    assert.deepEqual(await seenBy('body-over "prefix"', 'longer'), { block: '4 true', prefix: '4 true', skip: which === 'late' ? '0 true' : '4 true' })
    // The operator's limit is the lower one: what is above it is no longer the agent's to say.
    assert.deepEqual(await seenBy('max-request-body-size "3B"', 'longer'), { block: 413, prefix: 413, skip: 413 })
  })
}
