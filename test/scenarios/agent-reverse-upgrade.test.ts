// A new process takes over while agents are connected that came by themselves: the old one keeps their connections until it is done, and sends those that
// come from then on to the new one, which serves when they are there.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { atATime } from '../support/at-a-time.ts'
import { eventually } from '../support/eventually.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { agentToken, startReverseAgent } from '../support/reverse-agent.ts'
import { scripted, siteWith } from '../support/scripted-agent.ts'
import { startSentinel, type LogRecord, type RunningSentinel } from '../support/sentinel.ts'

const test = atATime(2)

const guard = `agent "guard" { reverse { token "${agentToken}" }; timeout "60s" }`

async function withReverseAgent (t: TestContext, more = '', places = 1) {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-reverse-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const socket = join(folder, 'agents.sock')
  const upstream = await startRecordingUpstream(t)
  const kdl = (agents: string): string => siteWith(upstream.port, agents, ['guard'], `reverse-listener "unix:${socket}"; ${more}`)
  const sentinel = await startSentinel(t, kdl(guard))
  startReverseAgent(t, `unix:${socket}`)
  await eventually('the agent has all its places', async () => new RegExp(`arrivals_total\\{outcome="accepted"\\} ${places}\\b`).test(await sentinel.metrics()))
  // Accepted is not yet configured; with several workers each has a connection of its own.
  await eventually('it decides wherever a request comes in', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(sentinel)))
    return answers.every(({ status }) => status === 410)
  })
  await eventually('and one more connection waits', async () => /arrivals_total\{outcome="waits"\} [1-9]/.test(await sentinel.metrics()))
  return { sentinel, kdl }
}

const ask = (sentinel: RunningSentinel) => sentinel.request('/', { headers: { connection: 'close', ...scripted({ request: { do: 'block', status: 410 } }) } })

async function upgrade (sentinel: RunningSentinel): Promise<LogRecord> {
  const seen = sentinel.log.length
  const outcome = () => sentinel.log.slice(seen).find(({ event }) => event === 'upgraded' || event === 'upgrade-failed')
  sentinel.process.kill('SIGUSR2')
  await eventually('it was tried', () => outcome() !== undefined)
  return outcome()!
}

for (const [what, more, places] of [['one process', '', 1], ['several workers', 'system { worker-threads 2 }', 2]] as const) {
  test(`no request meets a proxy without its agent: ${what}`, async (t) => {
    const { sentinel } = await withReverseAgent(t, more, places)
    const statuses = new Map<number, number>()
    let stop = false
    const load = (async () => {
      while (!stop) {
        const { status } = await ask(sentinel)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        await wait(10)
      }
    })()
    const record = await upgrade(sentinel)
    assert.equal(record.event, 'upgraded', record.msg)
    t.after(() => { process.kill(record['successor'] as number, 'SIGTERM') })
    await wait(1_500)
    stop = true
    await load
    assert.deepEqual([...statuses.keys()], [410])
  })
}

test('when the new process does not come to serve, the agent goes on with the old one, and one more connection waits there again', async (t) => {
  const { sentinel, kdl } = await withReverseAgent(t)
  writeFileSync(sentinel.file, kdl(`${guard}; agent "broken" { command ${JSON.stringify(process.execPath)} "-e" "setTimeout(() => process.exit(1), 500)" }`))
  assert.equal((await upgrade(sentinel)).event, 'upgrade-failed')
  assert.equal((await ask(sentinel)).status, 410)
  await eventually('it waits again', async () => /arrivals_total\{outcome="waits"\} [2-9]/.test(await sentinel.metrics()))
})
