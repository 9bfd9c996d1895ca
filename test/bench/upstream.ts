import { createServer } from 'node:net'

// The least that answers HTTP: 100 bytes for every end of a head. Used when nginx is not there to be the upstream.
const answer = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n${'x'.repeat(100)}`

const server = createServer({ noDelay: true }, (socket) => {
  let rest = ''
  socket.on('data', (chunk) => {
    const heads = (rest + chunk.toString('latin1')).split('\r\n\r\n')
    rest = heads.pop() ?? ''
    if (heads.length > 0) socket.write(answer.repeat(heads.length))
  })
  socket.on('error', () => {})
})
server.listen(Number(process.argv[2]), '127.0.0.1')
