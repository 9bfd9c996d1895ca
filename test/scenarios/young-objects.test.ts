// What a request needs is let go with it, so that full collections of garbage, in which nobody is served, are rare. Garbage that grows old tells of a
// structure that keeps what is gone: a Map whose entries come and go (proto/numbered.ts), an object literal with getters (proxy/pipeline/body.ts).
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { scripted, scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

const atOnce = 16
/** Of what was allocated. Where one of those structures is in the way of each request it is 6 to 30. */
const mostPercent = 3

const headers = scripted({ request: { do: 'allow' }, response: { do: 'allow' } })
const requests = { GET: { headers }, POST: { headers, method: 'POST', body: 'x'.repeat(2_000) } } as const

for (const [method, init] of Object.entries(requests)) {
  test(`next to nothing of what ${method} requests with an agent need grows old`, async (t) => {
    const upstream = await startRecordingUpstream(t)
    const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('a', 'timeout "10s"'), ['a']), { flags: ['--trace-gc-nvp'] })
    const agent = new http.Agent({ keepAlive: true, maxSockets: atOnce })
    t.after(() => agent.destroy())
    const ask = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += atOnce) {
        const answers = await Promise.all(Array.from({ length: atOnce }, () => sentinel.request('/', { ...init, agent })))
        for (const { status } of answers) assert.equal(status, 200)
      }
    }
    // Until everything is compiled, and what stays has grown old.
    await ask(1_500)
    const mark = sentinel.screen().length
    const scavenges = (): string[] => sentinel.screen().slice(mark).split('\n').filter((line) => / gc=s /.test(line))
    for (let tries = 0; scavenges().length < 4 && tries < 20; tries++) await ask(500)
    const sum = (figure: RegExp): number => scavenges().reduce((all, line) => all + Number(figure.exec(line)![1]), 0)
    assert.ok(scavenges().length >= 4, 'objects were collected')
    const percent = sum(/ promoted=(\d+)/) / sum(/ allocated=(\d+)/) * 100
    assert.ok(percent <= mostPercent, `${percent.toFixed(1)} % of what was allocated grew old`)
  })
}
