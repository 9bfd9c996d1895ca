// What is refused at the door costs the proxy less than what is served, and keeps nobody else from being served.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'

const flood = 3_000
const get = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'

async function start (t: TestContext, limits: string): Promise<RunningSentinel> {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  return startSentinel(t, `limits { ${limits} }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { address "127.0.0.1:0" } }`)
}

/** Processor time that the program has used so far, whatever else runs on the machine. */
function cpuMs (pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Opens connections that say `text`, and resolves when the last one was closed. */
async function connections (port: number, count: number, text: string, localAddress: string): Promise<void> {
  let left = count
  await Promise.all(Array.from({ length: 20 }, async () => {
    while (left-- > 0) {
      await new Promise<void>((resolve) => {
        const socket = connect({ port, host: '127.0.0.1', localAddress })
        socket.on('error', () => {}).on('close', () => resolve()).resume()
        socket.write(text)
      })
    }
  }))
}

async function cost (sentinel: RunningSentinel, text: string, localAddress: string): Promise<number> {
  await connections(sentinel.port(), 300, text, localAddress)
  const before = cpuMs(sentinel.pid)
  await connections(sentinel.port(), flood, text, localAddress)
  return (cpuMs(sentinel.pid) - before) * 1_000 / flood
}

test('connections above the share of a client, and heads that are none, cost less than requests', { timeout: 300_000 }, async (t) => {
  const sentinel = await start(t, 'max-connections-per-client 30')
  for (let i = 0; i < 30; i++) await (await rawClient(t, sentinel.port(), get)).answer()
  const served = await cost(sentinel, get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'), '127.0.0.2')
  const refused = await cost(sentinel, get, '127.0.0.1')
  const bad = await cost(sentinel, 'this is not HTTP\r\n\r\n', '127.0.0.3')
  t.diagnostic(`CPU for each connection: served ${served.toFixed(0)} µs, over the share ${refused.toFixed(0)} µs, a bad head ${bad.toFixed(0)} µs`)
  assert.ok(refused < served * 0.6, `${refused.toFixed(0)} µs for a refused connection, ${served.toFixed(0)} µs for a served one`)
  assert.ok(bad < served * 1.1, `${bad.toFixed(0)} µs for a bad head, ${served.toFixed(0)} µs for a request`)
  const { length } = sentinel.log
  assert.ok(length < 2_000, `${length} lines of log`)
})

test('whoever floods does not keep others from being served', { timeout: 300_000 }, async (t) => {
  const sentinel = await start(t, 'max-connections-per-client 3')
  const held = await Promise.all([1, 2, 3].map(() => rawClient(t, sentinel.port(), get)))
  for (const client of held) await client.answer()
  const floods = Promise.all([connections(sentinel.port(), flood, get, '127.0.0.1'), connections(sentinel.port(), flood, 'nonsense\r\n\r\n', '127.0.0.3')])
  let over = false
  void floods.then(() => { over = true })
  let served = 0
  do {
    await connections(sentinel.port(), 1, get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'), '127.0.0.2')
    served++
  } while (!over)
  await floods
  assert.ok(served > 20, `only ${served} requests in the time of the flood`)
  const ok = Number(/sentinel_requests_total\{route="all",method="GET",status="200"\} (\d+)/.exec(await sentinel.metrics())?.[1])
  assert.equal(ok, served + held.length, 'each of them was served')
})
