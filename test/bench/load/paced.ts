import { connect, type Socket } from 'node:net'
import { body, sizes } from '../body.ts'
import { conduct } from './conduct.ts'
import type { Driven } from './driven.ts'
import { Latencies } from './percentile.ts'

// A timetable of requests, which no answer changes: a proxy that pauses for 50 ms is asked meanwhile as often as before, and every one of
// those requests shows it. A request that finds no free connection waits for one, and its latency counts from then.
const expected = body(sizes['100b']).toString('latin1')

interface Line {
  readonly socket: Socket
  askedMs: number
  received: string
}

await conduct<{ connections: number }>(async ({ port, path, connections, perSecond = 1000 }) => {
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`
  const free: Line[] = []
  let waiting: number[] = []
  let latencies = new Latencies()
  let late = new Latencies()
  let failed = 0
  let dueMs = Infinity
  const everyMs = 1000 / perSecond

  const ask = (line: Line, sinceMs: number): void => {
    line.askedMs = sinceMs
    line.socket.write(request, 'latin1')
  }
  /** Sends whatever is due; called on every occasion, because timers are coarse. */
  const keepUp = (): void => {
    for (const nowMs = performance.now(); dueMs <= nowMs; dueMs += everyMs) {
      late.add(nowMs - dueMs)
      const line = free.pop()
      if (line === undefined) waiting.push(nowMs)
      else ask(line, nowMs)
    }
  }
  const answered = (line: Line): void => {
    latencies.add(performance.now() - line.askedMs)
    if (!line.received.startsWith('HTTP/1.1 200') || !line.received.endsWith(expected)) failed++
    line.received = ''
    const since = waiting.shift()
    if (since === undefined) free.push(line)
    else ask(line, since)
  }
  const open = (): Promise<void> => new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
      free.push(line)
      resolve()
    })
    const line = { socket, askedMs: 0, received: '' }
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      line.received += text
      if (complete(line.received)) answered(line)
      keepUp()
    })
    socket.on('error', reject)
    socket.on('close', () => { failed++ })
  })
  for (let at = 0; at < connections; at++) await open()

  return async (seconds): Promise<Driven> => {
    latencies = new Latencies()
    late = new Latencies()
    waiting = []
    failed = 0
    const started = performance.now()
    dueMs = started
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        keepUp()
        if (performance.now() - started < seconds * 1000) return
        clearInterval(timer)
        dueMs = Infinity
        resolve()
      }, 1)
    })
    const ranMs = performance.now() - started
    // What was asked in time is part of the figures, however long it takes.
    for (const untilMs = performance.now() + 10_000; free.length < connections && performance.now() < untilMs;) await new Promise((resolve) => setTimeout(resolve, 5))
    failed += connections - free.length
    return { count: latencies.count, failed, seconds: ranMs / 1000, ...latencies.summary(), lateP99Ms: late.summary().p99Ms }
  }
})

function complete (text: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  return end !== -1 && text.length >= end + 4 + expected.length
}
