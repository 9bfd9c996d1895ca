import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, renameSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { eventually } from '../support/eventually.ts'

test('SIGUSR1 opens the access log anew, and a file that cannot be opened ends nothing', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const kdl = siteWith(upstream.port, '', []).replace('observability {', 'observability { access-log { file "access.log" };')
  const sentinel = await startSentinel(t, kdl)
  const file = join(sentinel.folder, 'access.log')
  const written = (path: string, text: string): Promise<void> => eventually(`${text} is in ${path}`, () => readFileSync(path, 'utf8').includes(text))
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
