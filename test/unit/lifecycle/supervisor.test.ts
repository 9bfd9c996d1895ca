import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { LifeSign } from '../../../proxy/lifecycle/seam.ts'
import { superviseProgram, type ProgramExit, type ProgramSettings } from '../../../proxy/lifecycle/supervisor.ts'
import { folderWith } from '../../support/folder.ts'

/** Runs a line of JavaScript as the supervised program; resolves with its exits when it is given up. */
function exitsUntilGivenUp (t: TestContext, script: string, settings: Partial<ProgramSettings>): Promise<ProgramExit[]> {
  return new Promise((resolve) => {
    const exits: ProgramExit[] = []
    const program = superviseProgram({
      id: 'probe', command: [process.execPath, '-e', script], cwd: process.cwd(), env: {}, restartInitialMs: 1, restartMaxMs: 5, restartPolicy: 'always', maxRestarts: 0, life: undefined, ...settings,
    }, {
      onLine () {},
      onStart () {},
      onSilent () {},
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

/** Milliseconds from the sign until it was killed, of a program that listens and does nothing else. */
function killedAfter (t: TestContext, sign: LifeSign, silentMs: number): Promise<number> {
  const path = join(folderWith(t), 'spinning.sock')
  return new Promise((resolve) => {
    let signedMs = 0
    const program = superviseProgram({
      id: 'spinning', command: [process.execPath, '-e', `require('net').createServer().listen(${JSON.stringify(path)}, () => { console.log('listens'); setTimeout(() => { for (;;); }, 50) })`],
      cwd: process.cwd(), env: {}, restartInitialMs: 60_000, restartMaxMs: 60_000, restartPolicy: 'always', maxRestarts: 0, life: { target: { path }, silentMs },
    }, {
      onLine () {
        signedMs = performance.now()
        program.sign(sign)
      },
      onStart () {},
      onSilent () {},
      onExit ({ signal }) { if (signal === 'SIGKILL') resolve(performance.now() - signedMs) },
    })
    t.after(() => program.stop(AbortSignal.abort()))
  })
}

test('a program that has gone silent is killed after its time, and one that was never heard of after ten times as long', async (t) => {
  const [stalled, never] = await Promise.all([killedAfter(t, 'stalled', 400), killedAfter(t, 'backoff', 400)])
  assert.ok(stalled >= 390, `${stalled}`)
  assert.ok(never >= 3_990, `${never}`)
})
