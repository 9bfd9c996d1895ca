import { ChunkAnswer, pass, replace } from './chunk.ts'
import { allow, Decision, redact } from './decision.ts'
import { AgentFailure } from './failure.ts'

const plainAllow = allow()

/**
 * What a handler returned, as an answer to an event of this kind. Throws `AgentFailure` for what is none: `true` or `{ status: 403 }`
 * from a JavaScript agent must not pass for "go on".
 *
 * `current`: what a loop over the chunks recorded for the chunk that is answered.
 */
export function answerOf (outcome: unknown, body: 'stream' | 'whole', current: ChunkAnswer | undefined): ChunkAnswer | Decision {
  if (outcome === undefined) return body === 'stream' ? current ?? pass() : plainAllow
  if (outcome instanceof ChunkAnswer) return outcome
  if (!(outcome instanceof Decision)) throw new AgentFailure('bad_answer', 'a handler returned something that is not a decision')
  if (body === 'whole') return outcome
  if (outcome.extras.replaceBody !== undefined) return replacedInStream(outcome)
  return outcome.kind === 'allow' && (current !== undefined || Object.keys(outcome.extras).length === 0) ? current ?? pass() : outcome
}

/** A chunk answer where a whole body was shown: its one chunk was the body. */
export function decisionOf (answer: ChunkAnswer | Decision): Decision {
  if (answer instanceof Decision) return answer
  switch (answer.wire.kind) {
    case 'replace': return redact({ replaceBody: answer.wire.value })
    case 'drop': return redact({ replaceBody: '' })
    default: return plainAllow
  }
}

/** A handler for whole bodies, on a body that the operator has streamed: everything is held, so the last answer replaces it all. */
function replacedInStream (decision: Decision): ChunkAnswer {
  const { replaceBody = '', ...others } = decision.extras
  if (Object.keys(others).length > 0) throw new AgentFailure('bad_answer', 'what replaces a streamed body can carry nothing else')
  return replace(replaceBody)
}
