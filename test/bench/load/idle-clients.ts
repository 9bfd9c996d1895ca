import { body, sizes } from '../body.ts'
import { conduct } from './conduct.ts'
import { crowd } from './crowd.ts'
import type { Driven } from './driven.ts'

// Many who ask once and then keep their connection.
const expected = body(sizes['100b']).toString('latin1')

await conduct<{ clients: number }>(async ({ port, path, clients }) => {
  let failed = 0
  await crowd(clients, port, (socket, inPlace) => {
    let received = ''
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
    socket.on('data', (text: string) => {
      received += text
      if (received.endsWith(expected)) inPlace()
    })
    socket.on('close', () => { failed++ })
  })

  return async (seconds): Promise<Driven> => {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    return { count: clients, failed, seconds, p50Ms: 0, p99Ms: 0 }
  }
})
