import { createServer } from 'node:http'
import { body, sizes } from '../body.ts'

// Answers 200 to POST of the 10 KiB it knows and to what has no body, 400 to anything else: an upload that arrives damaged counts as failed.
const expected = body(sizes['10k'])
const answer = body(sizes['100b'])

const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const right = (request.method === 'GET' && chunks.length === 0) || Buffer.concat(chunks).equals(expected)
    response.writeHead(right ? 200 : 400, { 'content-type': 'text/plain', 'content-length': answer.length })
    response.end(answer)
  })
})
server.listen(Number(process.argv[2]), '127.0.0.1', 4096)
