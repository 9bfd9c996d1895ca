import { connect, createServer } from 'node:net'

// The floor for anything in Node: copies bytes between two sockets and understands none of them.
const target = Number(process.argv[3])

const server = createServer({ noDelay: true }, (client) => {
  const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true })
  client.on('data', (chunk) => upstream.write(chunk))
  upstream.on('data', (chunk) => client.write(chunk))
  client.on('close', () => upstream.destroy())
  upstream.on('close', () => client.destroy())
  client.on('error', () => {})
  upstream.on('error', () => {})
})
server.listen(Number(process.argv[2]), '127.0.0.1')
// By itself, so that a profile is written.
process.on('SIGTERM', () => process.exit())
