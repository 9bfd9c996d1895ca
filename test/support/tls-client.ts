import { connect, type ConnectionOptions } from 'node:tls'
import { patienceMs } from './patience.ts'

export interface Shaken {
  /** Common name of the certificate that was shown. */
  readonly shown: string
  readonly version: string
  readonly resumed: boolean
  /** What came back for a request, when one was sent. */
  readonly answer: string
  /** The last session that the server handed out. */
  readonly session: Buffer | undefined
}

export interface ShakeOptions extends ConnectionOptions {
  /** Sent after the handshake; the connection is over when it is answered. */
  readonly send?: string
}

export const closingRequest = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'

/** One connection to 127.0.0.1. Asks for no name unless there is a `servername`, believes everybody. Rejects when it is refused before there is an answer. */
export function shake (port: number, { send = closingRequest, ...options }: ShakeOptions = {}): Promise<Shaken> {
  return new Promise((resolve, reject) => {
    let answer = ''
    let session: Buffer | undefined
    let facts = { shown: '', version: '', resumed: false }
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => {
      facts = { shown: String(socket.getPeerCertificate().subject?.CN ?? ''), version: socket.getProtocol() ?? '', resumed: socket.isSessionReused() }
      socket.write(send)
    })
    socket.setTimeout(patienceMs, () => socket.destroy(new Error('the server is silent')))
    socket.on('session', (ticket: Buffer) => { session = ticket })
    socket.on('data', (chunk: Buffer) => { answer += chunk.toString('latin1') })
    socket.on('error', reject)
    socket.on('close', () => answer === '' ? reject(new Error('closed without an answer')) : resolve({ ...facts, answer, session }))
  })
}
