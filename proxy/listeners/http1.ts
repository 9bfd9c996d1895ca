import type { Socket } from 'node:net'
import type { MaybePromise } from '../pipeline/body.ts'
import { Exchange } from '../pipeline/exchange.ts'
import { faultReply } from '../pipeline/fault-reply.ts'
import { Fault, type FaultCode } from '../pipeline/faults.ts'
import type { ClientConnection } from './client-connection.ts'
import { Connection, type ConnectionHooks, type OpenExchange } from './connection.ts'
import type { CurrentSettings, ListenerHooks } from './listener.ts'
import { newRequestId } from './request-id.ts'

/** What a protocol needs of the listener around it. */
export interface SpeakerHooks extends Pick<ListenerHooks, 'serve'> {
  /** Something that no exchange tells about. */
  readonly log: (code: FaultCode, detail: string, socket: Socket) => void
  /** The listener is closing: no further request is served. */
  readonly isClosing: () => boolean
}

/** Speaks HTTP/1.1 on connections: requests become exchanges, one after the other. */
export function http1 (current: CurrentSettings, hooks: SpeakerHooks): (socket: Socket) => ClientConnection {
  const connectionHooks: ConnectionHooks = {
    serve: (connection, open) => void serveOpen(connection, open),
    refused: (connection, code, detail) => hooks.log(code, detail, connection.socket),
    isClosing: hooks.isClosing,
  }

  async function serveOpen (connection: Connection, open: OpenExchange): Promise<void> {
    const { writer } = open
    try {
      const served = begin(connection, open)
      if (served instanceof Promise) await served
      if (!writer.began && !connection.socket.destroyed) await refuse(connection, open, 'INTERNAL', 'no answer was given')
    } catch (error) {
      // Serve answers its own faults: what gets here is a bug, and half an answer must not look whole.
      hooks.log('INTERNAL', error instanceof Error ? error.stack ?? error.message : String(error), connection.socket)
      writer.abort()
    }
    connection.finished(open)
    open.ending.end(exchangeOver)
  }

  function begin (connection: Connection, open: OpenExchange): MaybePromise<void> {
    const { received, writer, body, upgrade, ending } = open
    if ('code' in received) return refuse(connection, open, received.code, received.detail)
    if (received.expect === 'unknown') return refuse(connection, open, 'EXPECTATION_REFUSED', 'an expectation other than 100-continue')
    const x = writer.exchange = new Exchange({
      id: newRequestId(),
      startedMs: performance.now(),
      listener: current.settings.id,
      peer: connection.peer,
      request: received.head,
      requestBody: body,
      ending,
      upgrade: upgrade === undefined ? undefined : { protocol: 'websocket', input: upgrade },
    })
    // HTTP/1.0 knows no interim answers.
    if (received.head.version === '1.1') x.interim = (status, headers) => writer.interim(status, headers)
    return hooks.serve(x, writer)
  }

  async function refuse (connection: Connection, { received, writer }: OpenExchange, code: FaultCode, detail: string): Promise<void> {
    hooks.log(code, detail, connection.socket)
    connection.closing = true
    const accept = 'head' in received ? received.head.headers.get('accept') : undefined
    try {
      await writer.send(faultReply(code, writer.exchange?.id ?? newRequestId(), accept))
    } catch {
      writer.abort()
    }
  }

  return (socket) => new Connection(socket, current, connectionHooks)
}

/** One object for all: an exchange that is over needs no stack trace. */
const exchangeOver = new Fault('CLIENT_GONE', 'the exchange is over')
