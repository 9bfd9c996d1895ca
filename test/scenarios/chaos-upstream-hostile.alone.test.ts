// Targets that are there and do not do their work: paused, resetting, dripping, half-closing, of a name that nobody knows.
import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { accountFor, heldBy, leaksNothing, pause, recovers, startApplication, startLoad, type Outcome } from '../support/chaos.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'

/** One upstream that is well, and one that is not. */
const site = (well: number, ill: string, upstream = ''): string => `listeners { listener "web" { address "127.0.0.1:0" } }
routes {
    route "ill" { matches { path-prefix "/ill/" }; upstream "ill" }
    route "all" { matches { path-prefix "/" }; upstream "well" }
}
upstreams {
    upstream "well" { target "127.0.0.1:${well}" }
    upstream "ill" { target "${ill}"; ${upstream} }
}
observability { metrics { address "127.0.0.1:0" } }
`

async function listening (t: TestContext, serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    serve(socket)
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as { port: number }).port}`
}

interface Given {
  readonly sentinel: RunningSentinel
  readonly seconds?: number
  readonly disturb?: () => Promise<void>
}

const median = (outcomes: readonly Outcome[]): number => outcomes.map(({ ms }) => ms).toSorted((a, b) => a - b)[Math.floor(outcomes.length / 2)]!

/** Load on both for a while. Whoever is well stays well: none of its requests fails, and they stay as fast as this machine can do it. */
async function beside ({ sentinel, seconds = 2.5, disturb }: Given) {
  await recovers(sentinel)
  const before = heldBy(sentinel.pid)
  const alone = startLoad({ port: sentinel.port(), perSecond: 150, path: '/alone/' })
  await pause(1_000)
  const aloneMs = median(await alone.stop())
  const [well, ill] = [startLoad({ port: sentinel.port(), perSecond: 100 }), startLoad({ port: sentinel.port(), perSecond: 50, path: '/ill/' })]
  if (disturb === undefined) await pause(seconds * 1000)
  else await disturb()
  const [good, bad] = await Promise.all([well.stop(), ill.stop()])
  await accountFor(sentinel, good)
  await accountFor(sentinel, bad, '/ill/')
  assert.deepEqual(good.filter(({ status }) => status !== 200), [])
  assert.ok(median(good) < 100 + 5 * aloneMs, `the median of the others is ${median(good)} ms, and ${aloneMs} ms when all are well`)
  await leaksNothing(sentinel, before)
  return bad
}

test('a target that is paused costs its own requests a time-out, and serves again when it goes on', async (t) => {
  const [well, ill] = [await startApplication(t), await startApplication(t)]
  const sentinel = await startSentinel(t, site(well.port, `127.0.0.1:${ill.port}`, 'timeouts { connect "1s"; read "1s" }'))
  const bad = await beside({ sentinel, async disturb () {
    await pause(700)
    ill.signal('SIGSTOP')
    await pause(2_500)
    ill.signal('SIGCONT')
    await recovers(sentinel, '/ill/again')
  } })
  assert.ok(bad.some(({ status }) => status === 504))
})

test('a target that resets connections at any moment fails its own requests by name', async (t) => {
  const well = await startApplication(t)
  let count = 0
  const ill = await listening(t, (socket) => {
    socket.once('data', () => {
      const kind = count++ % 4
      if (kind === 1) socket.write('HTTP/1.1 200 OK\r\nContent-')
      if (kind === 2) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
      if (kind === 3) return void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
      setTimeout(() => socket.resetAndDestroy(), 5)
    })
  })
  const bad = await beside({ sentinel: await startSentinel(t, site(well.port, ill)) })
  assert.ok(bad.some(({ status }) => status === 502) && bad.some(({ status }) => status === 200) && bad.some(({ error }) => error !== ''))
})

test('a target that answers one byte a second is cut off by the time for the whole, and takes nobody\'s place', async (t) => {
  const well = await startApplication(t)
  const ill = await listening(t, (socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n')
      const timer = setInterval(() => socket.write('x'), 1_000)
      socket.on('close', () => clearInterval(timer))
    })
  })
  const bad = await beside({ sentinel: await startSentinel(t, site(well.port, ill, 'timeouts { request "1500ms" }')) })
  assert.ok(bad.every(({ status, ms }) => status === 0 && ms < 40_000))
})

test('a target that ends its side at once, or behind half an answer, is found out', async (t) => {
  const well = await startApplication(t)
  let count = 0
  const ill = await listening(t, (socket) => {
    if (count++ % 2 === 0) socket.end()
    else socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'))
  })
  const bad = await beside({ sentinel: await startSentinel(t, site(well.port, ill)) })
  assert.ok(bad.every(({ status }) => status === 502 || status === 0))
})

test('a target of a name that nobody knows keeps no proxy from starting, and fails its own requests by name', async (t) => {
  const well = await startApplication(t)
  const bad = await beside({ sentinel: await startSentinel(t, site(well.port, 'nobody.invalid:80')), seconds: 1.5 })
  assert.ok(bad.every(({ status }) => status === 502 || status === 503 || status === 504))
})
