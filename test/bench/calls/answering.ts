// The other side of calling.ts, in a process of its own: answers every event at once, over three transports. The argument is the folder of the sockets.
import { Server, ServerCredentials, type sendUnaryData, type ServerDuplexStream, type ServerUnaryCall } from '@grpc/grpc-js'
import { createServer as createHttp2 } from 'node:http2'
import { join } from 'node:path'
import {
  agentService, emptyDescribeResponse, encodeConfigureResponse, encodeDescribeResponse, encodeFromAgent, frame, FrameDecoder, type Reply,
} from '../../../proto/codec/index.ts'
import { answerTo, repliesTo } from './answers.ts'

const folder = process.argv[2]!

/** An agent without the SDK. */
const raw = createHttp2({ settings: { initialWindowSize: 4 * 1024 * 1024 } })
raw.on('session', (session) => session.setLocalWindowSize(16 * 1024 * 1024))
raw.on('stream', (stream, headers) => {
  const frames = new FrameDecoder(1024 * 1024)
  let replies: Reply[] = []
  stream.on('error', () => {})
  const path = headers[':path']
  const known = [agentService.describe, agentService.configure, agentService.process].some((one) => one === path)
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': known ? '0' : '12' }))
  if (!known) return void stream.end()
  stream.on('data', (data: Buffer) => {
    for (const message of frames.push(data)) {
      if (path === agentService.describe) stream.end(frame(encodeDescribeResponse({ ...emptyDescribeResponse, name: 'raw', protocolVersion: 1, events: ['request_headers', 'request_body'] })))
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

const bytes = (given: Buffer): Buffer => given
const asBytes = { requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes }
const grpc = new Server()
grpc.addService({
  ask: { path: '/bench/Ask', requestStream: false, responseStream: false, ...asBytes },
  stream: { path: '/bench/Stream', requestStream: true, responseStream: true, ...asBytes },
}, {
  ask: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => callback(null, answerTo(call.request)),
  stream: (call: ServerDuplexStream<Buffer, Buffer>) => {
    call.on('data', (message: Buffer) => call.write(answerTo(message)))
    call.on('end', () => call.end())
    call.on('error', () => {})
  },
})

await new Promise<void>((resolve) => raw.listen(join(folder, 'raw.sock'), resolve))
await new Promise<void>((resolve, reject) => grpc.bindAsync(`unix:${join(folder, 'grpc.sock')}`, ServerCredentials.createInsecure(), (error) => error === null ? resolve() : reject(error)))
