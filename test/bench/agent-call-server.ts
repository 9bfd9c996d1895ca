// The other side of agent-call.bench.ts, in its own process: answers "allow" to every event, over three transports.
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { createServer as createHttp2 } from 'node:http2'
import { createServer } from 'node:net'
import { join } from 'node:path'
import {
  agentService, decodeToAgent, emptyDecision, emptyDescribeResponse, encodeConfigureResponse, encodeDescribeResponse, encodeFromAgent, frame, FrameDecoder, type Reply,
} from '../../proto/codec/index.ts'

const folder = process.argv[2]!
const allow = { kind: 'decision', value: { ...emptyDecision, kind: 'allow', value: {} } } as const

function repliesTo (message: Buffer): Reply[] {
  return decodeToAgent(message).events.filter(({ timeoutMs }) => timeoutMs > 0).map(({ exchange, sequence }) => ({ exchange, sequence, ...allow }))
}

const echo = createServer((socket) => {
  const frames = new FrameDecoder(1024 * 1024)
  socket.on('error', () => {})
  socket.on('data', (data) => {
    for (const message of frames.push(data)) socket.write(frame(encodeFromAgent({ replies: repliesTo(message) })))
  })
})

const raw = createHttp2({ settings: { initialWindowSize: 4 * 1024 * 1024 } })
raw.on('stream', (stream, headers) => {
  const frames = new FrameDecoder(1024 * 1024)
  let replies: Reply[] = []
  stream.on('error', () => {})
  const path = headers[':path']
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.on('data', (data: Buffer) => {
    for (const message of frames.push(data)) {
      if (path === agentService.describe) stream.end(frame(encodeDescribeResponse({ ...emptyDescribeResponse, name: 'raw', protocolVersion: 1, events: ['request_headers'] })))
      else if (path === agentService.configure) stream.end(frame(encodeConfigureResponse({ accepted: true, problems: [] })))
      else {
        if (replies.length === 0) {
          setImmediate(() => {
            if (replies.length > 0) stream.write(frame(encodeFromAgent({ replies })))
            replies = []
          })
        }
        replies.push(...repliesTo(message))
      }
    }
  })
})

const unary = new Server()
unary.addService({
  ask: { path: '/bench/Ask', requestStream: false, responseStream: false, requestSerialize: (b: Buffer) => b, requestDeserialize: (b: Buffer) => b, responseSerialize: (b: Buffer) => b, responseDeserialize: (b: Buffer) => b },
}, {
  ask: (call: { request: Buffer }, callback: (error: null, answer: Buffer) => void) => callback(null, encodeFromAgent({ replies: repliesTo(call.request) })),
})

await new Promise<void>((resolve) => echo.listen(join(folder, 'echo.sock'), resolve))
await new Promise<void>((resolve) => raw.listen(join(folder, 'raw.sock'), resolve))
await new Promise<void>((resolve, reject) => unary.bindAsync(`unix:${join(folder, 'unary.sock')}`, ServerCredentials.createInsecure(), (error) => error === null ? resolve() : reject(error)))
process.stdout.write('ready\n')
process.stdin.on('end', () => process.exit(0)).resume()
