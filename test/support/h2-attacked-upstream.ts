import { createServer } from 'node:http'
import { parentPort } from 'node:worker_threads'

// What attackers ask for, in a thread of its own. Tells its port.
const large = Buffer.alloc(4 * 1024 * 1024, 'l')

const server = createServer((request, response) => {
  if (request.url === '/sink') return void request.resume().on('end', () => response.end())
  // An answer that takes its time, and a body that nobody reads.
  if (request.url === '/slow') return void setTimeout(() => response.end('slow'), 100)
  response.end(request.url === '/large' ? large : 'hello')
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  parentPort!.postMessage(typeof address === 'object' && address !== null ? address.port : 0)
})
