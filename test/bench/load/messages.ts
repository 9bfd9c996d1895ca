import { WebSocket } from 'ws'
import { body, sizes } from '../body.ts'
import { conduct } from './conduct.ts'
import type { Driven } from './driven.ts'
import { Latencies } from './percentile.ts'

// WebSocket messages that come back: `connections` connections, one message of 100 bytes in flight on each.
const message = body(sizes['100b'])

await conduct<{ connections: number }>(async ({ port, path, connections }) => {
  let latencies = new Latencies()
  let failed = 0
  let untilMs = 0
  let flying = 0
  const open = (): Promise<() => void> => new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false, skipUTF8Validation: true })
    let sentMs = 0
    const say = (): void => {
      sentMs = performance.now()
      flying++
      socket.send(message, { binary: true })
    }
    socket.on('message', (data: Buffer) => {
      flying--
      latencies.add(performance.now() - sentMs)
      if (!data.equals(message)) failed++
      if (performance.now() < untilMs) say()
    })
    socket.on('open', () => resolve(say))
    socket.on('error', reject)
    socket.on('close', () => { failed++ })
  })
  const says = await Promise.all(Array.from({ length: connections }, open))

  return async (seconds): Promise<Driven> => {
    latencies = new Latencies()
    failed = 0
    const started = performance.now()
    untilMs = started + seconds * 1000
    for (const say of says) say()
    while (performance.now() < untilMs || (flying > 0 && performance.now() < untilMs + 5_000)) await new Promise((resolve) => setTimeout(resolve, 5))
    failed += flying
    return { count: latencies.count, failed, seconds: (performance.now() - started) / 1000, ...latencies.summary() }
  }
})
