import { createServer, type Socket } from 'node:net'
import { event } from '../event.ts'

// A server of events: every client is told one every quarter of a second, at moments spread evenly, so that there is a stream and no waves.
const everyMs = 250
const tickMs = 5
const slices = everyMs / tickMs
const head = [
  'HTTP/1.1 200 OK', 'Content-Type: text/event-stream', 'Cache-Control: no-store', 'X-Accel-Buffering: no', 'Transfer-Encoding: chunked', '', '',
].join('\r\n')

interface Listener {
  readonly socket: Socket
  number: number
}
const listeners: Set<Listener>[] = Array.from({ length: slices }, () => new Set())
let joined = 0
let next = 0

const server = createServer({ noDelay: true }, (socket) => {
  const slice = listeners[joined++ % slices]
  const listener = { socket, number: 0 }
  let asked = ''
  socket.on('data', (chunk) => {
    asked += chunk.toString('latin1')
    if (!asked.endsWith('\r\n\r\n')) return
    asked = ''
    socket.write(head)
    // The first at once, so that everybody is soon in place.
    tell(listener)
    slice?.add(listener)
  })
  socket.on('close', () => slice?.delete(listener))
  socket.on('error', () => {})
})
server.listen(Number(process.argv[2]), '127.0.0.1', 4096)

const started = performance.now()
setInterval(() => {
  const due = Math.ceil((performance.now() - started) / tickMs)
  // The timer may be late, and every slice has its turn all the same; whoever cannot keep up at all skips a whole turn of everybody's.
  for (next = Math.max(next, due - slices); next < due; next++) {
    for (const listener of listeners[next % slices] ?? []) tell(listener)
  }
}, tickMs)

function tell (listener: Listener): void {
  const text = event(listener.number++)
  listener.socket.write(`${text.length.toString(16)}\r\n${text}\r\n`, 'latin1')
}
