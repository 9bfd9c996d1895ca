import type { Socket } from 'node:net'
import { Exchange } from '../pipeline/exchange.ts'
import { faultReply } from '../pipeline/fault-reply.ts'
import type { FaultCode } from '../pipeline/faults.ts'
import type { ClientConnection } from './client-connection.ts'
import type { SpeakerHooks } from './http1.ts'
import { Http2Connection, type Http2Hooks } from './http2-connection.ts'
import type { CurrentSettings } from './listener.ts'
import { LogLimit } from './log-limit.ts'
import { newRequestId } from './request-id.ts'
import type { StreamExchange } from './stream-exchange.ts'
import type { StreamHead } from './stream-head.ts'

/** Speaks HTTP/2 on connections: each stream becomes an exchange, all of them side by side. */
export function http2 (current: CurrentSettings, hooks: SpeakerHooks): (socket: Socket) => ClientConnection {
  // A connection lives on after a fault of one stream: what it does wrong must not fill the disk.
  const limit = new LogLimit()
  const log: SpeakerHooks['log'] = (code, detail, socket) => {
    const line = limit.pass(detail)
    if (line !== undefined) hooks.log(code, line, socket)
  }
  const connectionHooks: Http2Hooks = {
    serve: (connection, open, head) => void serve(connection, open, head),
    refuse: (connection, open, code, detail) => void refuseOnly(connection, open, code, detail),
    log,
  }

  async function serve (connection: Http2Connection, open: StreamExchange, head: StreamHead): Promise<void> {
    const { accepted, protocol } = head
    try {
      const x = open.exchange = new Exchange({
        id: newRequestId(),
        startedMs: performance.now(),
        listener: current.settings.id,
        peer: connection.peer,
        request: accepted.head,
        requestBody: protocol === undefined ? open.body : undefined,
        ending: open.ending,
        upgrade: protocol === undefined ? undefined : { protocol: 'websocket', input: open.body! },
      })
      x.interim = (status, headers) => open.interim(status, headers)
      await hooks.serve(x, open)
      if (!open.began && !open.gone) await refuse(connection, open, 'INTERNAL', 'no answer was given', accepted.head.headers.get('accept'))
    } catch (error) {
      // Serve answers its own faults: what gets here is a bug, and half an answer must not look whole.
      hooks.log('INTERNAL', error instanceof Error ? error.stack ?? error.message : String(error), connection.socket)
      open.abort()
    }
    connection.finished(open)
  }

  async function refuseOnly (connection: Http2Connection, open: StreamExchange, code: FaultCode, detail: string): Promise<void> {
    await refuse(connection, open, code, detail)
    connection.finished(open)
  }

  async function refuse (connection: Http2Connection, open: StreamExchange, code: FaultCode, detail: string, accept?: string): Promise<void> {
    log(code, detail, connection.socket)
    try {
      await open.send(faultReply(code, open.exchange?.id ?? newRequestId(), accept))
    } catch {
      open.abort()
    }
  }

  return (socket) => new Http2Connection(socket, current, connectionHooks)
}
