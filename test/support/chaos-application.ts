// An application that answers everything with 200: `node chaos-application.js PORT`. It prints its port when it serves.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => response.end('ok'))
})
server.keepAliveTimeout = 60_000
server.listen(Number(process.argv[2]), '127.0.0.1', () => { process.stdout.write(`${(server.address() as AddressInfo).port}\n`) })
