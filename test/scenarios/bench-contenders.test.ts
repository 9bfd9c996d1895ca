import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { body, sizes } from '../bench/body.ts'
import type { Case } from '../bench/case.ts'
import { serverCertificate } from '../bench/certificate.ts'
import { contenders } from '../bench/contenders/contenders.ts'
import type { Certificate } from '../bench/contenders/contender.ts'
import { clientLoad } from '../bench/load/client.ts'
import type { Driven } from '../bench/load/driven.ts'
import type { Running } from '../bench/processes.ts'
import { answers, answersHttp2 } from '../bench/probes.ts'
import { begin } from '../bench/session.ts'
import { upstreams, type UpstreamId } from '../bench/upstreams/upstreams.ts'

/** Nothing here is timed: it only has to work. */
const folder = mkdtempSync(join(tmpdir(), 'sentinel-bench-contenders-'))
const behind = {} as Record<UpstreamId, Running>
let certificate: Certificate

before(async () => {
  certificate = serverCertificate(folder)
  await Promise.all((['uploads', 'events', 'echo'] as const).map(async (id) => { behind[id] = await upstreams[id](join(folder, id)) }))
})

after(async () => {
  for (const running of Object.values(behind)) await running.stop()
  rmSync(folder, { recursive: true, force: true })
})

const upload = body(sizes['10k'])
const upstream: Case = {
  id: 'uploads', title: '', conditions: '', unit: 'request', contenders: [], upstream: 'uploads', path: '/', figures: ['cpuUs'],
  probe: answers(sizes['100b'], upload),
  load: clientLoad('paced', { connections: 4 }),
}

// Much of the time is waiting, but those that start share one core.
describe('a benchmark that nobody has run for long', { concurrency: 3 }, () => {
  for (const contender of contenders.filter(({ id, compiles }) => compiles || id === 'direct')) {
    test(`${contender.title}: takes part, and its figures are of what it answered`, async () => {
      const session = await begin(upstream, contender, { folder: join(folder, contender.id), upstreamPort: behind.uploads.port, certificate })
      try {
        const { sample } = await session.round(2, 20)
        assert.ok((sample.perSecond ?? 0) > 0, JSON.stringify(sample))
        assert.equal(sample.loadedMb === undefined, contender.id === 'direct')
      } finally {
        await session.stop()
      }
    })
  }

  test('`node:http` + undici speaks TLS and HTTP/2, and the load sees which sessions were resumed', async () => {
    const undici = contenders.find(({ id }) => id === 'undici')
    assert.ok(undici !== undefined)
    const secure: Case = { ...upstream, secure: true, probe: answersHttp2(sizes['100b']), load: clientLoad('handshakes', { connections: 2, resume: true }) }
    const session = await begin(secure, undici, { folder: join(folder, 'secure'), upstreamPort: behind.uploads.port, certificate })
    try {
      assert.equal((await session.round(2, undefined)).sample.resumedPercent, 100)
    } finally {
      await session.stop()
    }
  })

  for (const [program, upstreamId, options] of [
    ['messages', 'echo', { connections: 4 }],
    ['event-clients', 'events', { clients: 20 }],
    ['idle-clients', 'uploads', { clients: 20 }],
  ] as const) {
    test(`the load ${program} counts what it gets, and nothing goes wrong`, async () => {
      const stretch = await clientLoad(program, options)({ port: behind[upstreamId].port, secure: false, path: '/', folder, perSecond: undefined })
      let driven: Driven
      try {
        driven = await stretch.run(3)
      } finally {
        await stretch.end()
      }
      assert.ok(driven.count > 0)
      assert.equal(driven.failed, 0)
    })
  }
})
