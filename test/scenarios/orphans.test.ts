import { spawn, type ChildProcess } from 'node:child_process'
import type { TestContext } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { eventually } from '../support/eventually.ts'
import { fromDist } from '../support/paths.ts'

const test = atATime(3)

/** Its end, seen from here, is the end of the one who started it. */
function child (t: TestContext, args: readonly string[]): ChildProcess {
  const started = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], serialization: 'advanced' })
  t.after(() => { started.kill('SIGKILL') })
  return started
}

const programs: ReadonlyArray<readonly [title: string, args: readonly string[]]> = [
  ['a worker', [fromDist('proxy', 'lifecycle', 'workers', 'child.js')]],
  ['an agent that is worked on', [fromDist('sdk', 'run', 'workbench.js')]],
  ['the proxy of an agent that is worked on', ['--import', fromDist('proxy', 'cli', 'agent', 'end-with-parent.js'), '--eval', 'setInterval(() => {}, 1000)']],
]

for (const [title, args] of programs) {
  test(`${title} ends with the process that started it, also while it is still loaded`, async (t) => {
    for (const ms of [0, 25, 50, 75, 100, 150, 200, 400, 1_000]) {
      const one = child(t, args)
      await new Promise((resolve) => { setTimeout(resolve, ms) })
      one.disconnect()
      await eventually(`it ends when it is left alone after ${ms} ms`, () => one.exitCode !== null || one.signalCode !== null)
    }
  })
}
