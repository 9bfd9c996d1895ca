// The floor of calling.ts: a length-prefixed answer to each length-prefixed message. The argument is the socket.
import { createServer } from 'node:net'
import { frame, FrameDecoder } from '../../../proto/codec/index.ts'
import { answerTo } from './answers.ts'

createServer((socket) => {
  const frames = new FrameDecoder(1024 * 1024)
  socket.on('error', () => {})
  socket.on('data', (data) => {
    for (const message of frames.push(data)) socket.write(frame(answerTo(message)))
  })
}).listen(process.argv[2])
