import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { superviseProgram, type ProgramExit, type ProgramSettings } from '../../../proxy/lifecycle/supervisor.ts'

/** Runs a line of JavaScript as the supervised program; resolves with its exits when it is given up. */
function exitsUntilGivenUp (t: TestContext, script: string, settings: Partial<ProgramSettings>): Promise<ProgramExit[]> {
  return new Promise((resolve) => {
    const exits: ProgramExit[] = []
    const program = superviseProgram({
      id: 'probe', command: [process.execPath, '-e', script], cwd: process.cwd(), env: {}, restartInitialMs: 1, restartMaxMs: 5, restartPolicy: 'always', maxRestarts: 0, ...settings,
    }, {
      onLine () {},
      onStart () {},
      onExit (exit) {
        exits.push(exit)
        if (exit.restartMs === undefined) resolve(exits)
      },
    })
    t.after(() => program.stop(AbortSignal.abort()))
  })
}

test('a program that keeps ending is given up after the restarts that are allowed in a row', async (t) => {
  const exits = await exitsUntilGivenUp(t, 'process.exit(3)', { maxRestarts: 2 })
  assert.deepEqual(exits.map(({ code, restartMs }) => [code, restartMs !== undefined]), [[3, true], [3, true], [3, false]])
})

test('on-failure: a program that ends by itself without an error is not started again', async (t) => {
  const exits = await exitsUntilGivenUp(t, '', { restartPolicy: 'on-failure' })
  assert.deepEqual(exits.map(({ code }) => code), [0])
})

test('on-failure: one that ends by a signal is started again', async (t) => {
  const exits = await exitsUntilGivenUp(t, 'process.kill(process.pid, "SIGKILL")', { restartPolicy: 'on-failure', maxRestarts: 1 })
  assert.deepEqual(exits.map(({ signal }) => signal), ['SIGKILL', 'SIGKILL'])
})

test('never: not even after an error, nor when it cannot be started', async (t) => {
  assert.equal((await exitsUntilGivenUp(t, 'process.exit(1)', { restartPolicy: 'never' })).length, 1)
  const [exit] = await exitsUntilGivenUp(t, '', { restartPolicy: 'never', command: ['/no/such/program'] })
  assert.match(exit?.error ?? '', /ENOENT/)
})
