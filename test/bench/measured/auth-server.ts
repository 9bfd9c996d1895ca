import { createServer } from 'node:http'

// What nginx asks with `auth_request`: allows everything. The argument is its socket.
const server = createServer((_, response) => {
  response.writeHead(204)
  response.end()
})
server.keepAliveTimeout = 600_000
server.listen(process.argv[2])
process.on('SIGTERM', () => process.exit())
