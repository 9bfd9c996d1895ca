import { connect } from 'node:tls'
import { body, sizes } from '../body.ts'
import { conduct } from './conduct.ts'
import type { Driven } from './driven.ts'
import { Latencies } from './percentile.ts'

// A new TLS connection for every request, `connections` at a time; with `resume` each goes on with the session of the one before.
const expected = body(sizes['100b']).toString('latin1')

await conduct<{ connections: number, resume: boolean }>(async ({ port, path, connections, resume }) => {
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`
  /** Resolves with whether the session was resumed, and what to go on with. */
  const once = (session: Buffer | undefined): Promise<{ resumed: boolean, session: Buffer | undefined }> => new Promise((resolve, reject) => {
    let received = ''
    let ticket: Buffer | undefined
    let resumed = false
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'], ...session === undefined ? {} : { session } }, () => {
      resumed = socket.isSessionReused()
      socket.write(request, 'latin1')
    })
    socket.setEncoding('latin1')
    socket.on('session', (given) => { ticket = given })
    socket.on('data', (text: string) => { received += text })
    socket.on('error', reject)
    socket.on('close', () => {
      if (received.startsWith('HTTP/1.1 200') && received.endsWith(expected)) resolve({ resumed, session: ticket })
      else reject(new Error('another answer'))
    })
  })

  return async (seconds): Promise<Driven> => {
    const latencies = new Latencies()
    let failed = 0
    let resumed = 0
    const started = performance.now()
    const work = async (): Promise<void> => {
      let session = resume ? (await once(undefined)).session : undefined
      while (performance.now() - started < seconds * 1000) {
        const before = performance.now()
        try {
          const done = await once(session)
          latencies.add(performance.now() - before)
          if (done.resumed) resumed++
          if (resume) session = done.session ?? session
        } catch {
          failed++
        }
      }
    }
    await Promise.all(Array.from({ length: connections }, work))
    return { count: latencies.count, failed, seconds: (performance.now() - started) / 1000, ...latencies.summary(), resumed: resumed / latencies.count }
  }
})
