import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, renameSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

test('SIGUSR1 opens the access log anew, and a file that cannot be opened ends nothing', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const kdl = siteWith(upstream.port, '', []).replace('observability {', 'observability { access-log { file "access.log" };')
  const sentinel = await startSentinel(t, kdl)
  const file = join(sentinel.folder, 'access.log')
  const written = async (path: string, text: string): Promise<void> => {
    const deadline = performance.now() + 5_000
    while (!readFileSync(path, 'utf8').includes(text)) {
      assert.ok(performance.now() < deadline, `${text} is not in ${path}`)
      await new Promise((resolve) => { setTimeout(resolve, 10) })
    }
  }
  await sentinel.get('/first')
  await written(file, '/first')

  renameSync(file, `${file}.1`)
  sentinel.process.kill('SIGUSR1')
  await sentinel.logged(({ event }) => event === 'logs-reopened')
  await sentinel.get('/second')
  await written(file, '/second')

  renameSync(file, `${file}.2`)
  mkdirSync(file)
  sentinel.process.kill('SIGUSR1')
  await sentinel.logged(({ event }) => event === 'logs-not-reopened')
  assert.equal((await sentinel.get('/third')).status, 200)
  await written(`${file}.2`, '/third')
  rmdirSync(file)
})
