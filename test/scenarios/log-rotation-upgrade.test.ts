import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { eventually } from '../support/running-service.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { isAlive } from '../support/workers.ts'

test('while one process hands over to another, one puts log files aside, and what the old one still writes is not lost', async (t) => {
  let release = (): void => {}
  const upstream = await startRecordingUpstream(t, (message, response) => {
    if (message.url === '/held') release = () => response.end('at last')
    else response.end('ok')
  })
  const kdl = siteWith(upstream.port, '', [], 'system { graceful-shutdown-timeout "60s" }').replace('observability {', 'observability { access-log { file "access.log"; rotate { max-size "4KiB"; keep 100 } };')
  const sentinel = await startSentinel(t, kdl)
  const aside = (): string[] => readdirSync(sentinel.folder).filter((name) => name.startsWith('access.log.2') && !name.endsWith('.part'))
  const held = sentinel.get('/held')
  await eventually(() => upstream.requests.some(({ url }) => url === '/held') ? true : undefined, 'the request that is held')
  sentinel.process.kill('SIGUSR2')
  const successor = (await sentinel.logged(({ event }) => event === 'upgraded'))['successor'] as number
  t.after(async () => {
    if (isAlive(successor)) process.kill(successor, 'SIGTERM')
    await eventually(() => isAlive(successor) ? undefined : true, 'the end of the successor')
  })
  let asked = 0
  await eventually(async () => {
    for (let i = 0; i < 10; i++) await sentinel.get(`/${asked++}`)
    return aside().length >= 3 && aside().some((name) => name.endsWith('.gz')) ? true : undefined
  }, 'three files put aside by the new process, and one compressed')
  release()
  assert.equal((await held).text, 'at last')
  await eventually(() => isAlive(sentinel.pid) ? undefined : true, 'the end of the old process')
  const paths = (): string[] => ['access.log', ...aside()].flatMap((name) => {
    let bytes
    try {
      bytes = readFileSync(join(sentinel.folder, name))
    } catch {
      // It gets another name at this moment.
      return []
    }
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().split('\n').slice(0, -1).map((line) => (JSON.parse(line) as { path: string }).path)
  })
  // One that is packed stands there twice for a moment.
  const all = await eventually(() => paths().length === asked + 1 ? paths() : undefined, `${asked + 1} lines, each once`)
  assert.deepEqual(new Set(all), new Set(['/held', ...Array.from({ length: asked }, (_, i) => `/${i}`)]))
})
