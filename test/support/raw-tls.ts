import type { TestContext } from 'node:test'
import { connect, type ConnectionOptions } from 'node:tls'
import { atEnd } from './at-end.ts'

export interface RawTls {
  /** Common name of the certificate that was shown. */
  readonly shown: string
  /** Sends the text and gives what comes back first. */
  readonly ask: (text: string) => Promise<string>
}

/** A connection that stays open until the test is over. Believes everybody. */
export function rawTls (t: TestContext, port: number, servername: string, options: ConnectionOptions = {}): Promise<RawTls> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername, ...options }, () => resolve({
      shown: String(socket.getPeerCertificate().subject.CN),
      ask: (text) => new Promise((answered, failed) => {
        socket.once('data', (chunk: Buffer) => answered(chunk.toString('latin1')))
        socket.once('close', () => failed(new Error('the connection was closed')))
        socket.write(text)
      }),
    }))
    socket.on('error', reject)
    atEnd(t, () => socket.destroy())
  })
}
