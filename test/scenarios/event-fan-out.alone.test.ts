import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { rawUpstream } from '../support/upstream.ts'

/** `SENTINEL_FAN_OUT=5000` for as many as the promise says. */
const clients = Number(process.env['SENTINEL_FAN_OUT'] ?? 500)
const events = 20
const skip = process.platform === 'linux' ? false : 'memory of a process is read from /proc'

function residentBytes (pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) * 1024
}

/** So many at a time: the line of connections that wait to be accepted is finite. */
const dialled = 100

test(`${clients} clients of event streams get every event, in order, and cost little`, { timeout: 120_000, skip }, async (t) => {
  const streams: Socket[] = []
  let told = (): void => {}
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    if (!received.endsWith('\r\n\r\n')) return
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
    streams.push(socket)
    told()
  })
  const pool = `connection-pool { max-connections ${clients + 10} }`
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []).replace(`"127.0.0.1:${upstream.port}" }`, `"127.0.0.1:${upstream.port}"; ${pool} }`))
  const before = residentBytes(sentinel.pid)
  const bodies: string[] = []
  let heard = 0
  let complete = (): void => {}
  const all = new Promise<void>((resolve) => { complete = resolve })
  for (let i = 0; i < clients; i++) {
    bodies[i] = ''
    const socket = connect(sentinel.port(), '127.0.0.1')
    t.after(() => socket.destroy())
    socket.on('error', (error) => assert.fail(error))
    socket.on('data', (bytes) => {
      const ended = bodies[i]!.includes(`data: ${events}\n`)
      bodies[i] += bytes.toString('latin1')
      if (!ended && bodies[i]!.includes(`data: ${events}\n`) && ++heard === clients) complete()
    })
    socket.write('GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n')
    while (i + 1 - streams.length >= dialled) await new Promise<void>((resolve) => { told = resolve })
  }
  while (streams.length < clients) await new Promise<void>((resolve) => { told = resolve })
  await new Promise((wait) => setTimeout(wait, 300))
  const after = residentBytes(sentinel.pid)
  const startedMs = performance.now()
  for (let event = 1; event <= events; event++) {
    const data = `data: ${event}\n\n`
    for (const stream of streams) stream.write(`${data.length.toString(16)}\r\n${data}\r\n`)
    await new Promise((wait) => setTimeout(wait, 5))
  }
  await all
  const ms = performance.now() - startedMs
  const wanted = Array.from({ length: events }, (_, i) => `data: ${i + 1}`).join(' ')
  for (const body of bodies) assert.equal([...body.matchAll(/data: \d+/g)].join(' '), wanted)
  const each = (after - before) / clients / 1024
  t.diagnostic(`${each.toFixed(1)} KiB for each of ${clients} clients; ${clients * events} events in ${ms.toFixed(0)} ms`)
  assert.ok(each < 64, `${each} KiB for each client`)
})
