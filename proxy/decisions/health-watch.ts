import { decodeHealthCheckResponse, encodeHealthCheckRequest, frame, healthService } from '../../proto/codec/index.ts'
import { badReply } from './grpc-stream.ts'
import { keepListening } from './listening.ts'
import type { AgentSession } from './session.ts'

/** More than any health answer. */
const maxMessageBytes = 1_024

/**
 * Listens to what the agent says of its own health (`grpc.health.v1.Health/Watch`). An agent without that service is taken as
 * serving: nobody is refused for saying nothing, and pings and deadlines watch over it as over all others.
 */
export function watchHealth (session: AgentSession, service: string, onChange: (serving: boolean) => void): void {
  let heard = false
  keepListening(session, healthService.watch, frame(encodeHealthCheckRequest({ service })), maxMessageBytes, {
    onMessage (message) {
      const { status } = decodeHealthCheckResponse(message)
      if (status === 'unrecognized') throw badReply('a health status that this version does not know')
      heard = true
      onChange(status !== 'not_serving')
    },
    // What was said last stays true until it is asked again: an agent that stops ends this call before it closes the connection.
    onEnd (known) { if (!heard || !known) onChange(true) },
  })
}
