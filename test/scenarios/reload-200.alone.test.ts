import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, get, type IncomingMessage } from 'node:http'
import { test, type TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { scriptedAgent } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'
import { echoServer } from '../support/websocket.ts'

const reloads = 200
const streams = 500
const perSecond = 1_000

/** Requests that may wait for their answers: a machine that is busy with something else gets no more of them. */
const mostOpen = 300

/** Asks as often as it is told to, over connections that are kept. */
function load (t: TestContext, port: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  t.after(() => agent.destroy())
  const counts = { good: 0, open: 0, skipped: 0 }
  const wrong: string[] = []
  const over = (problem?: string): void => {
    counts.open--
    if (problem === undefined) counts.good++
    else wrong.push(problem)
  }
  const ask = (): void => {
    counts.open++
    get({ port, host: '127.0.0.1', path: '/app', agent }, (response) => {
      response.resume()
      response.on('end', () => over(response.statusCode === 200 ? undefined : `status ${response.statusCode}`))
    }).on('error', (error) => over(error.message))
  }
  const eachMs = 10
  const timer = setInterval(() => {
    for (let i = 0; i < perSecond / (1_000 / eachMs); i++) {
      if (counts.open < mostOpen) ask()
      else counts.skipped++
    }
  }, eachMs)
  const stop = async (): Promise<void> => {
    clearInterval(timer)
    while (counts.open > 0) await wait(10)
  }
  t.after(() => clearInterval(timer))
  return { counts, wrong, stop }
}

async function inGroups<T> (count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = []
  while (made.length < count) made.push(...await Promise.all(Array.from({ length: Math.min(50, count - made.length) }, make)))
  return made
}

function residentMiB (pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

test(`${reloads} reloads under load, with ${streams} WebSockets and ${streams} event streams open: nothing fails, nothing is closed, memory is flat`, async (t) => {
  const app = await httpUpstream(t, (_, response) => response.end('ok'))
  const listeners = new Set<NodeJS.WritableStream>()
  const events = await httpUpstream(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n')
    listeners.add(response)
    response.on('close', () => listeners.delete(response))
  })
  const echo = await echoServer(t)
  // What changes each time: a time-out of the listener, a route, weights, a limit, and the configuration of an agent.
  const kdl = (i: number): string => `
listeners { listener "web" { address "127.0.0.1:0"; keepalive-timeout "${60 + i % 2}s" } }
routes {
    route "chat" { matches { path "/" }; websocket #true; upstream "chat" }
    route "events" { matches { path "/events" }; upstream "events" }
    route "app" { matches { path-prefix "/app" }; filters "greeter"; upstream "app" }
    ${i % 3 === 0 ? `route "extra" { matches { path "/extra-${i}" }; upstream "app" }` : ''}
}
upstreams {
    upstream "app" { target "127.0.0.1:${app.port}" weight=${1 + i % 4}; target "localhost:${app.port}" weight=2 }
    upstream "chat" { target "127.0.0.1:${echo.port}" }
    upstream "events" { target "127.0.0.1:${events.port}" }
}
agents { ${scriptedAgent('greeter', `timeout "10s"; config { greeting "hello ${i}" }`)} }
limits { max-header-count ${100 + i % 5} }
observability { metrics { address "127.0.0.1:0" }; access-log { enabled #false }; logging { level "${i % 2 === 0 ? 'info' : 'debug'}" } }`
  // V8 lets garbage lie as long as there is room for it: where there is little, what grows is what is kept.
  const sentinel = await startSentinel(t, kdl(0), { env: { NODE_OPTIONS: '--max-old-space-size=64' } })
  const port = sentinel.port()

  const closed: string[] = []
  const tunnels = await inGroups(streams, async () => {
    const tunnel = new WebSocket(`ws://127.0.0.1:${port}/`)
    tunnel.on('close', (code) => closed.push(`WebSocket ${code}`))
    tunnel.on('error', () => { /* 'close' tells */ })
    await once(tunnel, 'open')
    return tunnel
  })
  const received: number[] = []
  const answers = await inGroups(streams, async () => {
    const [response] = await once(get({ port, host: '127.0.0.1', path: '/events', agent: false }), 'response') as [IncomingMessage]
    const number = received.push(0) - 1
    response.on('data', () => { received[number]!++ })
    for (const event of ['end', 'error'] as const) response.on(event, () => closed.push(`events ${event}`))
    return response
  })
  t.after(() => {
    for (const tunnel of tunnels) tunnel.terminate()
    for (const answer of answers) answer.destroy()
  })
  const beat = setInterval(() => {
    for (const listener of listeners) listener.write('data: more\n\n')
    for (const tunnel of tunnels) tunnel.send('still there')
  }, 2_000)
  t.after(() => clearInterval(beat))

  const traffic = load(t, port)
  const memory: number[] = []
  const startedMs = performance.now()
  for (let i = 1; i <= reloads; i++) {
    const outcome = await sentinel.reload(kdl(i))
    assert.equal(outcome.event, 'reloaded', outcome.msg)
    if (i % 20 === 0) memory.push(residentMiB(sentinel.pid))
  }
  const seconds = (performance.now() - startedMs) / 1000
  await traffic.stop()
  clearInterval(beat)
  const { good, skipped } = traffic.counts
  t.diagnostic(`${Math.round(seconds)} s, ${good} requests (${Math.round(good / seconds)} a second, ${skipped} not sent), MiB after each 20 reloads: ${memory.map(Math.round).join(' ')}`)
  assert.deepEqual(traffic.wrong, [], `${good} requests were answered`)
  assert.deepEqual(closed, [])
  assert.ok(good > reloads)
  const last = Promise.all(tunnels.map((tunnel) => new Promise<void>((resolve) => { tunnel.on('message', (said: Buffer) => { if (said.toString() === 'last') resolve() }) })))
  for (const tunnel of tunnels) tunnel.send('last')
  assert.equal((await last).length, streams)
  const before = [...received]
  for (const listener of listeners) listener.write('data: last\n\n')
  while (received.some((count, i) => count <= before[i]!)) await wait(10)
  // From the third sample on everything has been used; what a reload kept would be there fifty times over.
  const early = Math.max(...memory.slice(1, 4))
  assert.ok(memory.at(-1)! - early < 25, `memory grew: ${memory.map(Math.round).join(' ')} MiB`)
})
