import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { agentText, received, startDev } from '../support/agent-dev.ts'
import { folderWith } from '../support/folder.ts'
import { within } from '../support/within.ts'

test('an edit counts for the next request in less than 200 ms', async (t) => {
  const folder = folderWith(t, { 'agent.ts': agentText(1) })
  const dev = await startDev(t, folder)
  await dev.get('/')
  let version = 1
  await within(200, async () => {
    await dev.idle()
    version++
    const startMs = performance.now()
    writeFileSync(join(folder, 'agent.ts'), agentText(version))
    for (;;) {
      const sentMs = performance.now()
      if (received((await dev.get('/')).text).headers['x-version'] === String(version)) return sentMs - startMs
      await sleep(5)
    }
  })
  await dev.shows(/^reloaded agent\.ts in \d+ms$/m)
})
