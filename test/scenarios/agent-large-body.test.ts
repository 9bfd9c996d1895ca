// A body of 10 MB and agents that may see 1 MiB of it: in every mode the operator's word counts, and what goes on arrives whole.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { everything, type RawAgent } from '../support/raw-agent.ts'
import { startWithRawAgents, type RawMember } from '../support/raw-agents.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'

const body = Buffer.alloc(10_000_000, 'abcdefghijklmnop')
const limit = 1024 * 1024
const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const whole = digest(body)

const bodyModes = ['buffer', 'stream', 'hybrid:512KiB'] as const
const overs = ['block', 'prefix', 'skip'] as const
const modes = ['enforce', 'monitor', 'shadow', 'dry-run'] as const

interface Case {
  readonly id: string
  readonly bodyMode: typeof bodyModes[number]
  readonly over: typeof overs[number]
  readonly mode: typeof modes[number]
}

const cases: Case[] = bodyModes.flatMap((bodyMode) => overs.flatMap((over) => modes.map((mode) => ({ id: `${bodyMode.slice(0, 6)}-${over}-${mode}`, bodyMode, over, mode }))))

const members = Object.fromEntries(cases.map(({ id, bodyMode, over, mode }): [string, RawMember] => [id, {
  describe: everything,
  settings: `mode "${mode}"; body-over "${over}"; request-body-mode "${bodyMode}"; response-body-mode "${bodyMode}"; max-request-body-size "1MiB"; max-response-body-size "1MiB"; timeout "90s"`,
}]))
const more = `routes { ${cases.map(({ id }) => `route "${id}" { matches { path "/${id}" }; filters "${id}"; upstream "app" }`).join('\n')} }`

/** Bytes of a body that the agent was shown, and whether it was told that there is more. */
function shownTo (agent: RawAgent, kind: 'request_body' | 'response_body'): { readonly bytes: number, readonly truncated: boolean } {
  const pieces = agent.events.flatMap((event) => event.kind === kind ? [event.value] : [])
  return { bytes: pieces.reduce((sum, { data }) => sum + data.length, 0), truncated: pieces.some(({ truncated }) => truncated) }
}

/** What an agent is shown of the body, as its settings say; `undefined`: of a copy that nobody waits for, as much as it keeps up with. */
function expected ({ bodyMode, over, mode }: Case): { readonly bytes: number, readonly truncated: boolean } | undefined {
  if (bodyMode !== 'buffer') return mode === 'shadow' ? undefined : { bytes: body.length, truncated: false }
  return over === 'prefix' ? { bytes: limit, truncated: true } : { bytes: 0, truncated: false }
}

for (const way of ['with its length', 'in chunks']) {
  test(`a request's body, sent ${way}`, async (t) => {
    const upstream = await startRecordingUpstream(t, (_request, response) => response.end('ok'))
    const { sentinel, agents } = await startWithRawAgents(t, members, { upstream, more })
    for (const one of cases) {
      const before = upstream.requests.length
      const sent = way === 'in chunks' ? { headers: { 'Transfer-Encoding': 'chunked' } } : {}
      const { status } = await sentinel.request(`/${one.id}`, { method: 'POST', body, ...sent }).catch(() => ({ status: 413 }))
      const refused = one.bodyMode === 'buffer' && one.over === 'block' && one.mode === 'enforce'
      assert.equal(status, refused ? 413 : 200, one.id)
      if (refused) assert.equal(upstream.requests.length, before, one.id)
      else assert.equal(digest(upstream.requests.at(-1)!.body), whole, one.id)
      await agents[one.id]!.seen(({ kind }) => kind === 'complete')
      const shown = shownTo(agents[one.id]!, 'request_body')
      const wanted = expected(one)
      if (wanted !== undefined) assert.deepEqual(shown, wanted, one.id)
      if (one.bodyMode !== 'buffer' || one.over === 'prefix') continue
      const record = await sentinel.accessed(({ path }) => path === `/${one.id}`)
      const of = record.agents!.find(({ phase }) => phase === 'request-body')!
      assert.deepEqual([of['fault'], of['failure_mode']], ['AGENT_BODY_TOO_LARGE', refused ? 'closed' : 'open'], one.id)
    }
  })
}

test('an answer\'s body', async (t) => {
  const upstream = await startRecordingUpstream(t, (_request, response) => response.end(body))
  const { sentinel, agents } = await startWithRawAgents(t, members, { upstream, more })
  for (const one of cases) {
    const refused = one.bodyMode === 'buffer' && one.over === 'block' && one.mode === 'enforce'
    const answer = await sentinel.get(`/${one.id}`)
    assert.equal(answer.status, refused ? 502 : 200, one.id)
    if (refused) assert.equal((await sentinel.accessed(({ path }) => path === `/${one.id}`)).fault, 'AGENT_ANSWER_TOO_LARGE')
    else assert.equal(digest(answer.bytes), whole, one.id)
    await agents[one.id]!.seen(({ kind }) => kind === 'complete')
    const wanted = expected(one)
    if (wanted !== undefined) assert.deepEqual(shownTo(agents[one.id]!, 'response_body'), wanted, one.id)
  }
})
