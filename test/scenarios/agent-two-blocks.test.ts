// Two agents that block the same request at the same time: one answer goes out, and it does not hang on who was quicker.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { block, cancelOf, inParallel } from '../support/staged.ts'
import { startWithRawAgents } from '../support/raw-agents.ts'

test('the first in the order of the file that does not allow decides, not the first to answer; the others are cancelled, and what they said is kept', async (t) => {
  let answered = (): void => {}
  const secondSaid = new Promise<void>((resolve) => { answered = resolve })
  const { sentinel, upstream, agents } = await startWithRawAgents(t, {
    fine: {},
    // It answers only after the one behind it has, and after the last one was told to stop.
    slow: { answer: async ({ kind }) => {
      if (kind !== 'request_headers') return undefined
      await secondSaid
      await agents.never.seen((event) => event.kind === 'cancel')
      return block(401, 'of-slow')
    } },
    quick: { answer: ({ kind }) => { if (kind === 'request_headers') setImmediate(answered); return block(418, 'of-quick') } },
    never: { answer: () => false },
  }, inParallel('fine', 'slow', 'quick', 'never'))
  const answer = await sentinel.get('/')
  assert.deepEqual([answer.status, answer.text], [401, '401'])
  assert.equal(upstream.heads(), 0)
  for (const name of ['fine', 'never'] as const) assert.equal(await cancelOf(agents[name]), 'decided', name)
  for (const agent of Object.values(agents)) await agent.seen(({ kind }) => kind === 'complete')
  const record = await sentinel.accessed(({ path }) => path === '/')
  assert.deepEqual(record.agents!.map(({ agent, verdict, applied, status, rule_ids, parallel }) => [agent, verdict, applied, status, rule_ids, parallel]), [
    ['fine', 'allow', false, undefined, undefined, 'all/parallel'],
    ['quick', 'block', false, 418, ['of-quick'], 'all/parallel'],
    ['never', 'cancelled', false, undefined, undefined, 'all/parallel'],
    ['slow', 'block', true, 401, ['of-slow'], 'all/parallel'],
  ])
  assert.match(await sentinel.metrics(), /sentinel_agent_calls_total\{agent="never",phase="request-headers",verdict="cancelled",mode="enforce"\} 1/)
})
