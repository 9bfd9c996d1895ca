import { decodeToAgent, emptyDecision, encodeFromAgent, type Reply } from '../../../proto/codec/index.ts'

const allow = { kind: 'decision', value: { ...emptyDecision, kind: 'allow', value: {} } } as const
const pass = { kind: 'chunk', value: { kind: 'pass', value: {} } } as const

/** What an agent that lets everything pass replies to a `ToAgent`. */
export function repliesTo (message: Buffer): Reply[] {
  return decodeToAgent(message).events.filter(({ timeoutMs }) => timeoutMs > 0)
    .map(({ exchange, sequence, kind }) => ({ exchange, sequence, ...kind === 'request_body' ? pass : allow }))
}

/** The same as the bytes of a `FromAgent`. */
export function answerTo (message: Buffer): Buffer {
  return encodeFromAgent({ replies: repliesTo(message) })
}
