import { now, readEvent } from '../event.ts'
import { conduct } from './conduct.ts'
import { crowd } from './crowd.ts'
import type { Driven } from './driven.ts'
import { Latencies } from './percentile.ts'

// Many who listen to a stream of events each. Latency is from sending an event to reading it.
await conduct<{ clients: number }>(async ({ port, path, clients }) => {
  let delays = new Latencies()
  let failed = 0
  await crowd(clients, port, (socket, inPlace) => {
    let rest = ''
    let last: number | undefined
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\n\r\n`)
    socket.on('data', (text: string) => {
      rest += text
      // A chunk's size and the head stand on lines of their own; events end with an empty line of line feeds.
      for (let end = rest.indexOf('\n\n'); end !== -1; end = rest.indexOf('\n\n')) {
        const event = readEvent(rest.slice(rest.lastIndexOf('\n', end - 1) + 1, end))
        rest = rest.slice(end + 2)
        if (event === undefined || (last !== undefined && event.number !== last + 1)) failed++
        if (event === undefined) continue
        delays.add(now() - event.sentMs)
        last = event.number
        inPlace()
      }
    })
    socket.on('close', () => { failed++ })
  })

  return async (seconds): Promise<Driven> => {
    delays = new Latencies()
    failed = 0
    const started = performance.now()
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    return { count: delays.count, failed, seconds: (performance.now() - started) / 1000, ...delays.summary() }
  }
})
