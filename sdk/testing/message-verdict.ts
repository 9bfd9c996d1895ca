import { emptyAudit, type Audit, type Reply } from '../../proto/codec/index.ts'
import type { WebSocketMessage } from '../../proto/codec/index.ts'

/** What came of a message of a WebSocket, put so that a test can compare it. */
export interface MessageVerdict {
  /** "error" when the agent failed: then the operator's failure mode would decide. */
  readonly kind: 'allow' | 'drop' | 'replace' | 'close' | 'error'
  /** What would go on: the message, or what replaces it. Undefined when nothing does. */
  readonly passed: string | undefined
  /** Whether that is one of bytes. */
  readonly binary: boolean
  /** Of a close; 0 otherwise. */
  readonly code: number
  /** Of a close; empty otherwise. */
  readonly reason: string
  /** What the agent says of its failure. */
  readonly error: { readonly code: string, readonly message: string, readonly retryable: boolean } | undefined
  /** Facts it stated; an empty value removes one. */
  readonly attributes: Readonly<Record<string, string>>
  /** Facts for log and evidence. */
  readonly audit: Audit
  /** The agent wants to see no more of them. */
  readonly done: boolean
}

export function messageVerdictOf (reply: Reply, sent: WebSocketMessage): MessageVerdict {
  const going = { ...neither, passed: sent.data.toString(), binary: sent.binary }
  if (reply.kind === 'error') return { ...neither, kind: 'error', error: reply.value }
  if (reply.kind !== 'message' && reply.kind !== 'decision') throw new Error(`a reply of kind ${reply.kind} to a message`)
  const { attributes, audit, wants } = reply.value
  const said = { attributes: Object.fromEntries(attributes), audit: audit ?? emptyAudit, done: wants?.done === true }
  if (reply.kind === 'decision') return { ...ofDecision(reply.value, going), ...said }
  const { value } = reply
  switch (value.kind) {
    case 'allow': return { ...going, ...said }
    case 'drop': return { ...neither, kind: 'drop', ...said }
    case 'replace': return { ...neither, kind: 'replace', passed: value.value.data.toString(), binary: value.value.binary, ...said }
    case 'close': return { ...neither, kind: 'close', ...value.value, ...said }
    case undefined: throw new Error('an answer for a message without a kind')
  }
}

const neither: MessageVerdict = {
  kind: 'allow', passed: undefined, binary: false, code: 0, reason: '', error: undefined, attributes: {}, audit: emptyAudit, done: false,
}

/** What refuses a request closes a WebSocket. */
function ofDecision ({ kind, replaceBody }: Extract<Reply, { kind: 'decision' }>['value'], going: MessageVerdict): MessageVerdict {
  if (kind !== 'allow' && kind !== 'flag' && kind !== 'redact') return { ...neither, kind: 'close', code: 1008 }
  return replaceBody === undefined ? going : { ...going, kind: 'replace', passed: replaceBody.toString() }
}
