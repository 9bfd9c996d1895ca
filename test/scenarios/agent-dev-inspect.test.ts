import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { agentText, received, startDev } from '../support/agent-dev.ts'
import { atATime } from '../support/at-a-time.ts'
import { attachDebugger } from '../support/debugger.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'

const waiting = atATime(2)

const debuggerLine = /debugger: (ws:\/\/127\.0\.0\.1:\d+\/\S+)/g

function lastUrl (screen: string): string {
  return [...screen.matchAll(debuggerLine)].at(-1)?.[1] ?? ''
}

/** Counted from 0. */
const headerLine = agentText(1).split('\n').findIndex((line) => line.includes('x-version'))

waiting('a breakpoint that is looked at for ten seconds fails no request', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1) })
  const dev = await startDev(t, folder, ['--inspect=0'])
  const inspector = await attachDebugger(t, lastUrl(dev.screen()))
  await inspector.ask('Debugger.enable')
  const { locations } = await inspector.ask('Debugger.setBreakpointByUrl', { urlRegex: 'agent\\.ts$', lineNumber: headerLine }) as { locations: unknown[] }
  assert.equal(locations.length, 1, 'the breakpoint is in the running code, at the line of the TypeScript file')
  let answered = false
  const answer = dev.get('/held').finally(() => { answered = true })
  const { callFrames } = await inspector.next('Debugger.paused') as { callFrames: Array<{ functionName: string, location: { lineNumber: number } }> }
  assert.deepEqual([callFrames[0]?.functionName, callFrames[0]?.location.lineNumber], ['onRequest', headerLine])
  await sleep(10_000)
  assert.equal(answered, false)
  await inspector.ask('Debugger.resume')
  const { status, text } = await answer
  assert.deepEqual([status, received(text).headers['x-version']], [200, '1'])
  assert.ok(!/AGENT_|stalled/.test(dev.screen()), dev.screen())
})

waiting('after an edit the debugger finds the new code at the same port, and what stood at a breakpoint ends under the old code', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1) })
  const dev = await startDev(t, folder, ['--inspect=0'])
  const first = lastUrl(dev.screen())
  const inspector = await attachDebugger(t, first)
  await inspector.ask('Debugger.enable')
  await inspector.ask('Debugger.setBreakpointByUrl', { urlRegex: 'agent\\.ts$', lineNumber: headerLine })
  const held = dev.get('/held')
  await inspector.next('Debugger.paused')
  writeFileSync(join(folder, 'agent.ts'), agentText(2))
  await dev.shows(/^reloaded agent\.ts/m)
  assert.equal(received((await dev.get('/')).text).headers['x-version'], '2', 'the old process stands still, the new one decides')
  await inspector.ask('Debugger.resume')
  assert.equal(received((await held).text).headers['x-version'], '1')
  await eventually('the new process has the port', () => lastUrl(dev.screen()) !== first)
  assert.equal(new URL(lastUrl(dev.screen())).port, new URL(first).port)
  const next = await attachDebugger(t, lastUrl(dev.screen()))
  await next.ask('Debugger.enable')
  await next.ask('Debugger.setBreakpointByUrl', { urlRegex: 'agent\\.ts$', lineNumber: headerLine })
  const again = dev.get('/')
  await next.next('Debugger.paused')
  await next.ask('Debugger.resume')
  assert.equal(received((await again).text).headers['x-version'], '2')
})

test('without --inspect no port of a debugger is open', async (t) => {
  const dev = await startDev(t, folderWith(t, { 'agent.ts': agentText(1) }))
  await dev.get('/')
  assert.ok(!/debugger/i.test(dev.screen()), dev.screen())
})
