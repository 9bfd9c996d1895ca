import type { Socket } from 'node:net'
import { peerMatcher } from '../../config/schema/address.ts'
import type { ProxyProtocolSettings } from './listener.ts'
import { addressOf, stateEnds } from './peer.ts'
import { readProxyHeader } from './proxy-header.ts'

/** A stage of a connection: the sender states who the client is. */
export interface Introduction {
  /** Whether this one may (and, unless that is optional, must) do so. */
  concerns (socket: Socket): boolean
  /** `done` is told what was wrong, if anything was; the bytes behind the header are in the socket again, which is paused. */
  begin (socket: Socket, done: (wrong: string | undefined) => void): void
}

export function introduction ({ from, required }: ProxyProtocolSettings, timeoutMs: number): Introduction {
  const isSender = peerMatcher(from)
  return {
    concerns: (socket) => isSender(addressOf(socket)),
    begin: (socket, done) => awaitHeader(socket, { required, timeoutMs }, done),
  }
}

interface Terms {
  readonly required: boolean
  readonly timeoutMs: number
}

function awaitHeader (socket: Socket, { required, timeoutMs }: Terms, done: (wrong: string | undefined) => void): void {
  let received: Buffer = Buffer.alloc(0)
  const end = (wrong: string | undefined, rest?: Buffer): void => {
    clearTimeout(timer)
    socket.off('data', onData)
    socket.off('end', onEnd)
    socket.off('close', onEnd)
    socket.pause()
    if (rest !== undefined && rest.length > 0) socket.unshift(rest)
    done(wrong)
  }
  const onData = (bytes: Buffer): void => {
    received = received.length === 0 ? bytes : Buffer.concat([received, bytes])
    const header = readProxyHeader(received)
    switch (header.kind) {
      case 'incomplete': return
      case 'bad': return end(header.detail)
      case 'none': return required ? end('there is none') : end(undefined, received)
      case 'header':
        if (header.ends !== undefined) stateEnds(socket, header.ends)
        return end(undefined, received.subarray(header.length))
    }
  }
  const onEnd = (): void => end('the connection ended before it was whole')
  const timer = setTimeout(() => end(`not whole within ${timeoutMs} ms`), timeoutMs)
  socket.on('error', ignore)
  socket.on('data', onData)
  socket.once('end', onEnd)
  socket.once('close', onEnd)
}

/** 'close' follows. */
function ignore (): void {}
