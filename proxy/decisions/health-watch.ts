import type { ClientHttp2Session } from 'node:http2'
import { decodeHealthCheckResponse, encodeHealthCheckRequest, frame, healthService } from '../../proto/codec/index.ts'
import { badReply, openStream } from './grpc-stream.ts'

/** More than any health answer. */
const maxMessageBytes = 1_024

/**
 * Listens to what the agent says of its own health (`grpc.health.v1.Health/Watch`). An agent without that service is taken as
 * serving: nobody is refused for saying nothing, and pings and deadlines watch over it as over all others.
 */
export function watchHealth (session: ClientHttp2Session, service: string, onChange: (serving: boolean) => void): void {
  let heard = false
  const stream = openStream(session, healthService.watch, maxMessageBytes, {
    onMessage (message) {
      const { status } = decodeHealthCheckResponse(message)
      if (status === 'unrecognized') throw badReply('a health status that this version does not know')
      heard = true
      onChange(status !== 'not_serving')
    },
    onDrain () {},
    // What was said last stays true: an agent that stops ends this stream before it closes the connection.
    onEnd () { if (!heard) onChange(true) },
  })
  stream.write(frame(encodeHealthCheckRequest({ service })))
  stream.end()
}
