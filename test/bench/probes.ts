import { request as plainRequest, type RequestOptions } from 'node:http'
import { connect } from 'node:http2'
import { request as secureRequest } from 'node:https'
import { WebSocket } from 'ws'
import { body } from './body.ts'
import type { Target } from './load/driven.ts'
import { Unfit } from './unfit.ts'

type Probe = (target: Target) => Promise<void>
const withinMs = 10_000

/** One request on a connection of its own; the answer must be these bytes. */
export function answers (bytes: number, post?: Buffer): Probe {
  return ({ port, secure, path }) => new Promise((resolve, reject) => {
    const options: RequestOptions & { rejectUnauthorized: boolean } = {
      host: '127.0.0.1', port, path, method: post === undefined ? 'GET' : 'POST', agent: false, timeout: withinMs, rejectUnauthorized: false,
      headers: post === undefined ? {} : { 'content-length': post.length },
    }
    const request = (secure ? secureRequest : plainRequest)(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const got = Buffer.concat(chunks)
        if (response.statusCode === 200 && got.equals(body(bytes))) resolve()
        else reject(new Error(`answered ${response.statusCode} with ${got.length} bytes: ${got.toString('latin1').slice(0, 100)}`))
      })
    })
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('error', reject)
    request.end(post)
  })
}

/** The same over HTTP/2, which the contender must choose by ALPN. */
export function answersHttp2 (bytes: number): Probe {
  return ({ port, path }) => new Promise((resolve, reject) => {
    const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] })
    const refuse = (error: Error): void => {
      session.destroy()
      reject(/no application protocol/i.test(error.message) ? new Unfit('it does not offer HTTP/2') : error)
    }
    session.setTimeout(withinMs, () => refuse(new Error('no answer')))
    session.on('error', refuse)
    session.on('connect', (_session, socket) => {
      if ('alpnProtocol' in socket && socket.alpnProtocol !== 'h2') refuse(new Unfit('it does not offer HTTP/2'))
    })
    const stream = session.request({ ':path': path })
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', refuse)
    stream.on('end', () => {
      session.destroy()
      if (Buffer.concat(chunks).equals(body(bytes))) resolve()
      else reject(new Error('answered with other bytes'))
    })
  })
}

/** A WebSocket whose first message comes back. */
export const echoes: Probe = ({ port, path }) => new Promise((resolve, reject) => {
  const message = body(100)
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { handshakeTimeout: withinMs, perMessageDeflate: false })
  socket.on('unexpected-response', (_request, response) => reject(new Unfit(`it answers an upgrade with ${response.statusCode}`)))
  socket.on('error', reject)
  socket.on('open', () => socket.send(message))
  socket.on('message', (data: Buffer) => {
    socket.close()
    if (data.equals(message)) resolve()
    else reject(new Error('another message came back'))
  })
})

/** Whoever counts events looks at each of them. */
export const nothing: Probe = async () => {}
