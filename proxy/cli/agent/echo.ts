import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Echo {
  readonly port: number
  close (): void
}

/** Most of a body that is told again; the rest is read and counted. */
const maxBodyBytes = 1024 * 1024

/** An application that answers with what it received: method, path, header fields and body, as JSON. */
export function startEcho (): Promise<Echo> {
  const server = createServer((request, response) => { void answer(request, response) })
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      resolve({
        port: (server.address() as AddressInfo).port, // Of a server that listens on a port.
        close () {
          server.close()
          server.closeAllConnections()
        },
      })
    })
  })
}

async function answer (request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url = '', rawHeaders } = request
  const kept: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      if (bytes < maxBodyBytes) kept.push(chunk.subarray(0, maxBodyBytes - bytes))
      bytes += chunk.length
    }
  } catch {
    return // The request was given up.
  }
  const text = JSON.stringify({
    method, path: url, headers: namedOnce(rawHeaders), body: Buffer.concat(kept).toString('utf8'), ...bytes > maxBodyBytes ? { bodyBytes: bytes } : {},
  }, undefined, 2) + '\n'
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text), 'Cache-Control': 'no-store' })
  response.end(method === 'HEAD' ? undefined : text)
}

/** Fields by name in lower case; several of one name as a list, so that none is lost. */
function namedOnce (raw: readonly string[]): Record<string, string | string[]> {
  const fields = new Map<string, string[]>()
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    fields.set(name, [...fields.get(name) ?? [], raw[i + 1]!])
  }
  return Object.fromEntries([...fields].map(([name, values]) => [name, values.length === 1 ? values[0]! : values]))
}
