import { connect } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { errorName, preface } from '../../proxy/http2/protocol.ts'
import { attacks, type Attack, type AttackName } from './h2-attacks.ts'
import { setting, types } from './h2-client.ts'

// Attacks from a thread of its own, so that whoever measures is not slowed down. Tells the error of each GOAWAY, and "closed"; a new connection comes a little later.
const { name, port } = workerData as { name: AttackName, port: number }
const attack: Attack = attacks[name]
const pauseMs = 200

function strike (): void {
  const socket = connect({ host: '127.0.0.1', port })
  let n = 0
  let received = Buffer.alloc(0)
  const go = (): void => {
    while (!socket.destroyed && socket.writable) {
      const batch = attack.batch(n++)
      if (batch === undefined) return
      const ready = batch.length === 0 || socket.write(batch)
      if (attack.everyMs !== undefined) return void setTimeout(go, attack.everyMs)
      if (!ready) return
    }
  }
  socket.on('connect', () => {
    socket.write(Buffer.concat([Buffer.from(preface, 'latin1'), attack.first ?? setting()]))
    go()
  })
  socket.on('drain', go)
  if (attack.deaf === true) socket.pause()
  else {
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes])
      for (let size; received.length >= 9 && received.length >= (size = 9 + received.readUIntBE(0, 3)); received = received.subarray(size)) {
        if (received.readUInt8(3) === types.goAway) parentPort!.postMessage(errorName(received.readUInt32BE(13)))
      }
    })
  }
  socket.on('error', () => {})
  socket.on('close', () => {
    parentPort!.postMessage('closed')
    setTimeout(strike, pauseMs)
  })
}

strike()
