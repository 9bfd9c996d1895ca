// A small application for the examples: it says its name and what it was asked for, is well at /health, and sends back what WebSockets say.
// node examples/application.mjs PORT NAME
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'

/** Starts one on the loopback address. Resolves with the server; rejects when the port is taken. */
export function startApplication (port, name) {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/plain')
    response.setHeader('x-application', name)
    request.resume()
    response.end(request.url === '/health' ? 'ok\n' : `${name}: ${request.method} ${request.headers.host}${request.url}\n`)
  })
  server.on('upgrade', (request, socket) => {
    // RFC 6455, section 4.2.2.
    const proof = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${proof}\r\n\r\n`)
    echo(socket, name)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

/** Short texts come back behind the application's name; a request to close ends it. Frames as in RFC 6455, section 5.2. */
function echo (socket, name) {
  let held = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    held = Buffer.concat([held, chunk])
    while (held.length >= 6) {
      const length = held[1] & 0x7f
      // A demonstration: long messages are not for it.
      if (length > 125 - name.length - 2) return socket.end()
      if (held.length < 6 + length) return
      const key = held.subarray(2, 6)
      const text = Buffer.from(held.subarray(6, 6 + length).map((byte, i) => byte ^ key[i % 4]))
      const opcode = held[0] & 0x0f
      held = held.subarray(6 + length)
      if (opcode === 8) return socket.end(Buffer.from([0x88, 0]))
      if (opcode !== 1) continue
      const answer = Buffer.from(`${name}: ${text.toString('utf8')}`)
      socket.write(Buffer.concat([Buffer.from([0x81, answer.length]), answer]))
    }
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port = '9001', name = 'application'] = process.argv.slice(2)
  await startApplication(Number(port), name)
  console.log(`${name} on http://127.0.0.1:${port}`)
}
