import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { AgentClient } from '../../proxy/decisions/index.ts'
import { consult, ready } from './consulted.ts'
import { patienceMs } from './patience.ts'
import { rawAgent, type RawAgent, type Script } from './raw-agent.ts'

/** Asks once; both failure modes must make of it what they promise, with this code in the record. */
export async function fails (client: AgentClient, code: string, time: { readonly timeoutMs?: number } = {}): Promise<void> {
  const closed = await consult(client, {}, time)
  assert.equal(closed.status, 503)
  assert.equal(closed.x.fault?.code, code)
  assert.equal(closed.upstream, undefined)
  await client.settled(patienceMs)
  const open = await consult(client, { headers: { 'X-A': '1' } }, { ...time, failureMode: 'open' })
  assert.equal(open.status, 200)
  assert.equal(open.upstream?.headers.get('x-a'), '1')
  assert.equal(open.x.decisions?.[0]?.failureMode, 'open')
}

export async function failing (t: TestContext, script: Script): Promise<{ agent: RawAgent, client: AgentClient }> {
  const agent = await rawAgent(t, script)
  return { agent, client: await ready(t, agent.path) }
}
