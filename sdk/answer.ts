import { ChunkAnswer, pass, replace } from './chunk.ts'
import { allow, Decision, redact, type DecisionKind } from './decision.ts'
import { AgentFailure } from './failure.ts'

const plainAllow = allow()

const goesOn: ReadonlySet<DecisionKind> = new Set(['allow', 'flag', 'redact'])

/**
 * What a handler returned, as an answer to an event with this kind of body. Throws `AgentFailure` for what is none: `true` or
 * `{ status: 403 }` from a JavaScript agent must not pass for "go on".
 *
 * `current`: what a loop over the chunks recorded for the chunk that is answered.
 */
export function answerOf (outcome: unknown, body: 'stream' | 'whole' | 'none', current: ChunkAnswer | undefined): ChunkAnswer | Decision {
  if (outcome === undefined) return body === 'stream' ? current ?? pass() : plainAllow
  if (outcome instanceof ChunkAnswer && Object.keys(outcome.extras).length > 0) {
    throw new AgentFailure('bad_answer', 'an answer for a piece of a body carries nothing: attributes and audit go with a decision')
  }
  if (outcome instanceof ChunkAnswer && body !== 'none') return body === 'stream' ? outcome : wholeOf(outcome)
  if (!(outcome instanceof Decision)) throw notADecision(outcome)
  if (body !== 'stream') return outcome
  if (outcome.extras.replaceBody !== undefined) return replacedInStream(outcome)
  const isPlain = outcome.kind === 'allow' && (current !== undefined || Object.keys(outcome.extras).length === 0)
  return isPlain ? current ?? pass() : outcome
}

/** Its type is told, never what it holds. */
export function notADecision (outcome: unknown): AgentFailure {
  const types: Readonly<Record<string, string>> = { boolean: String(outcome), object: outcome === null ? 'null' : 'an object', string: 'a text', function: 'a function' }
  const what = outcome instanceof ChunkAnswer ? 'an answer for a piece of a body' : types[typeof outcome] ?? `a ${typeof outcome}`
  return new AgentFailure('bad_answer', `a handler returned ${what}, which is no decision: return allow(), block(…) or one of their like, or nothing`)
}

/** A chunk answer where the whole body was shown as one chunk. */
function wholeOf (answer: ChunkAnswer): Decision {
  switch (answer.wire.kind) {
    case 'replace': return redact({ replaceBody: answer.wire.value })
    case 'drop': return redact({ replaceBody: '' })
    case 'hold': throw new AgentFailure('bad_answer', 'the end of a body cannot be held back')
    default: return plainAllow
  }
}

/** A handler for whole bodies, on a body that the operator has streamed: everything is held, so the last answer replaces it all. */
function replacedInStream (decision: Decision): ChunkAnswer | Decision {
  const { replaceBody = '', ...others } = decision.extras
  // Whoever refuses refuses, whatever would have become of the body.
  if (!goesOn.has(decision.kind)) return new Decision(decision.outcome, others)
  if (decision.kind === 'flag' || Object.keys(others).length > 0) throw new AgentFailure('bad_answer', 'what replaces a streamed body can carry nothing else')
  return replace(replaceBody)
}
