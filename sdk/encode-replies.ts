import { encodeFromAgent, maxAgentMessageBytes, type FromAgent } from '../proto/codec/index.ts'

/** The bytes of a message. Throws a RangeError or TypeError for what the proxy would end the connection for: it would cost all exchanges. */
export function encodeReplies (message: FromAgent): Buffer {
  const bytes = encodeFromAgent(message)
  if (bytes.length <= maxAgentMessageBytes) return bytes
  throw new RangeError(`an answer of ${bytes.length} bytes, and the proxy takes at most ${maxAgentMessageBytes}`)
}
