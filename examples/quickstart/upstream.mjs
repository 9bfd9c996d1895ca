// The application behind the quickstart: says hello and repeats what reached it. Run alone: node upstream.mjs [PORT]
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'

/** Starts it on the loopback address. Resolves with the server; rejects when the port is taken. */
export function startUpstream (port) {
  const server = createServer((request, response) => {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({
        hello: 'from the application behind Sentinel',
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      }, null, 2) + '\n')
    })
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const port = Number(process.argv[2] ?? 8081)
  await startUpstream(port)
  console.log(`demo upstream on http://127.0.0.1:${port}`)
}
