import { connect } from 'node:net'

// Stands in for wrk: `connections` keep-alive connections, one request in flight on each, for `seconds`. Prints one JSON line.
const [port, connections, seconds] = process.argv.slice(2).map(Number)
const request = `GET /bench HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`
const latencies: number[] = []
let requests = 0
let failed = 0
const started = performance.now()

for (let at = 0; at < (connections ?? 1); at++) {
  const socket = connect({ port: port ?? 0, host: '127.0.0.1', noDelay: true })
  let sent = 0
  let received = ''
  const send = (): void => {
    sent = performance.now()
    socket.write(request)
  }
  socket.on('connect', send)
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
    const end = received.indexOf('\r\n\r\n')
    if (end === -1) return
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(received)?.[1] ?? NaN)
    if (Number.isNaN(length)) throw new Error('the load client needs a Content-Length')
    if (received.length < end + 4 + length) return
    requests++
    if (!received.startsWith('HTTP/1.1 2')) failed++
    latencies.push(performance.now() - sent)
    received = ''
    send()
  })
  socket.on('error', () => failed++)
}

setTimeout(() => {
  latencies.sort((a, b) => a - b)
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0
  process.stdout.write(`${JSON.stringify({ requests, failed, seconds: (performance.now() - started) / 1000, p50Ms: at(0.5), p99Ms: at(0.99) })}\n`)
  process.exit(0)
}, (seconds ?? 1) * 1000)
