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
    let failure: Error | undefined
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'], ...session === undefined ? {} : { session } }, () => {
      resumed = socket.isSessionReused()
      socket.write(request, 'latin1')
    })
    socket.setEncoding('latin1')
    socket.on('session', (given) => { ticket = given })
    socket.on('data', (text: string) => { received += text })
    socket.on('error', (error) => { failure = error })
    socket.on('close', () => {
      // Who has sent all and closed may answer our own close with a reset: nothing is lost by it.
      if (received.startsWith('HTTP/1.1 200') && received.endsWith(expected)) resolve({ resumed, session: ticket })
      else reject(failure ?? new Error(`another answer: ${received.slice(0, 100)}`))
    })
  })

  return async (seconds): Promise<Driven> => {
    const latencies = new Latencies()
    let failed = 0
    let reason: string | undefined
    let resumed = 0
    const firsts = await Promise.all(Array.from({ length: connections }, async () => resume ? (await once(undefined)).session : undefined))
    const started = performance.now()
    const work = async (first: Buffer | undefined): Promise<void> => {
      let session = first
      while (performance.now() - started < seconds * 1000) {
        const before = performance.now()
        try {
          const done = await once(session)
          latencies.add(performance.now() - before)
          if (done.resumed) resumed++
          if (resume) session = done.session ?? session
        } catch (error) {
          failed++
          reason ??= String(error)
        }
      }
    }
    await Promise.all(firsts.map(work))
    return { count: latencies.count, failed, reason, seconds: (performance.now() - started) / 1000, ...latencies.summary(), resumed: resumed / latencies.count }
  }
})
