import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export interface Received {
  readonly method: string
  readonly url: string
  /** As on the wire: name, value, name, value, … */
  readonly rawHeaders: readonly string[]
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** Fields behind the body, as on the wire. */
  readonly rawTrailers: readonly string[]
}

export interface RecordingUpstream {
  readonly port: number
  /** Whole requests, in the order they ended. */
  readonly requests: readonly Received[]
  /** Requests whose head arrived, whether or not the rest did. */
  readonly heads: () => number
}

/** A real HTTP server that keeps what it got. Without `answer` it sends the request's body back. */
export async function startRecordingUpstream (
  t: TestContext,
  answer: (request: Received, response: ServerResponse) => void = (request, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'x-upstream': 'yes' })
    response.end(request.body)
  },
): Promise<RecordingUpstream> {
  const requests: Received[] = []
  let heads = 0
  const server = createServer((request, response) => {
    heads++
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => {})
    request.on('end', () => {
      const received = {
        method: request.method!, url: request.url!, rawHeaders: request.rawHeaders, headers: request.headers, body: Buffer.concat(chunks),
        rawTrailers: request.rawTrailers,
      }
      requests.push(received)
      answer(received, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, requests, heads: () => heads }
}
