import { createServer, type Socket } from 'node:net'

// What HAProxy asks by its Stream Processing Offload Protocol (doc/SPOE.txt of HAProxy 2.6, section 3): sets `allow` for everything. The argument is its
// socket.
const helloType = 1
const disconnectType = 2
const notifyType = 3
const agentHelloType = 101
const agentDisconnectType = 102
const ackType = 103
/** FIN: the frame is not followed by others of its message. */
const flags = Buffer.from([0, 0, 0, 1])

createServer((socket) => {
  let held: Buffer = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', (data) => {
    held = held.length === 0 ? data : Buffer.concat([held, data])
    const answers: Buffer[] = []
    while (held.length >= 4 && held.length >= 4 + held.readUInt32BE(0)) {
      const end = 4 + held.readUInt32BE(0)
      const answer = answerTo(held.subarray(4, end), socket)
      if (answer !== undefined) answers.push(answer)
      held = held.subarray(end)
    }
    if (answers.length > 0) socket.write(Buffer.concat(answers))
  })
}).listen(process.argv[2])
process.on('SIGTERM', () => process.exit())

function answerTo (frame: Buffer, socket: Socket): Buffer | undefined {
  switch (frame[0]) {
    case helloType: return framed(agentHelloType, Buffer.from([0, 0]), Buffer.concat([
      text('version'), string('2.0'), text('max-frame-size'), Buffer.from([3]), varint(16_380), text('capabilities'), string('pipelining'),
    ]))
    case notifyType: {
      // Stream and frame ids come back as they are.
      const streamEnd = varintEnd(frame, 5)
      return framed(ackType, frame.subarray(5, varintEnd(frame, streamEnd)), allow)
    }
    case disconnectType:
      socket.end(framed(agentDisconnectType, Buffer.from([0, 0]), Buffer.concat([text('status-code'), Buffer.from([3, 0]), text('message'), string('bye')])))
      return undefined
    default: return undefined
  }
}

function framed (type: number, ids: Buffer, payload: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(1 + flags.length + ids.length + payload.length)
  return Buffer.concat([length, Buffer.from([type]), flags, ids, payload])
}

/** One value in the low bits of the first octet, sixteen or more in the next ones, seven bits each. */
function varint (number: number): Buffer {
  if (number < 240) return Buffer.from([number])
  const octets = [number & 0xff | 240]
  let rest = (number - 240) >>> 4
  while (rest >= 128) {
    octets.push(rest & 0xff | 128)
    rest = (rest - 128) >>> 7
  }
  return Buffer.from([...octets, rest])
}

function varintEnd (frame: Buffer, at: number): number {
  if ((frame[at++] ?? 0) < 240) return at
  while ((frame[at] ?? 0) >= 128) at++
  return at + 1
}

function text (value: string): Buffer {
  return Buffer.concat([varint(value.length), Buffer.from(value)])
}

/** Typed: 8 is a string. */
function string (value: string): Buffer {
  return Buffer.concat([Buffer.from([8]), text(value)])
}

/** One action: set a variable, three arguments; of the transaction; true. */
const allow = Buffer.concat([Buffer.from([1, 3, 2]), text('allow'), Buffer.from([0x11])])
