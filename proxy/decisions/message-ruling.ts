import { isUtf8 } from 'node:buffer'
import type { MessageAnswer } from '../../proto/codec/index.ts'
import type { MessageVerdict, TunnelMessage } from '../pipeline/exchange.ts'
import { auditOf, checkAttributes, checkWants, rule, stages, type Ruling } from './decide.ts'
import { badReply } from './grpc-stream.ts'
import type { Answer } from './question.ts'

/** An answer about a message that was checked whole. */
export interface MessageRuling extends Pick<Ruling, 'attributes' | 'audit' | 'wants' | 'ticket'> {
  readonly verdict: string
  readonly outcome: MessageVerdict
}

/** Policy was violated (RFC 6455 section 7.4.1). */
const refusedCode = 1008
const maxReasonBytes = 123

/** Judges an answer; throws AGENT_BAD_REPLY when any part of it is unknown, malformed or out of place, so that none is applied. */
export function ruleMessage (answer: Answer, message: TunnelMessage): MessageRuling {
  switch (answer.kind) {
    case 'message': return ofAnswer(answer.value)
    case 'decision': return ofDecision(rule(answer.value, stages.webSocketMessage), message)
    case 'chunk': throw badReply('an answer for a chunk where a message was asked about')
    case 'findings': throw badReply('findings where a message was asked about')
  }
}

function ofAnswer (answer: MessageAnswer): MessageRuling {
  const { attributes, audit, wants } = answer
  checkAttributes(attributes)
  checkWants(wants, stages.webSocketMessage)
  return { verdict: answer.kind ?? '', outcome: outcomeOf(answer), attributes, audit: auditOf(audit), wants, ticket: undefined }
}

function outcomeOf (answer: MessageAnswer): MessageVerdict {
  switch (answer.kind) {
    case 'allow': return passed
    case 'drop': return { kind: 'drop' }
    case 'replace': return replacement(answer.value.binary, answer.value.data)
    case 'close': {
      const { code, reason } = answer.value
      if (code !== 0 && !maySend(code)) throw badReply(`close with the code ${code}, which no Close frame may have`)
      if (Buffer.byteLength(reason) > maxReasonBytes) throw badReply(`close with a reason of more than ${maxReasonBytes} bytes`)
      return { kind: 'close', code: code === 0 ? refusedCode : code, reason, fault: undefined }
    }
    case undefined: throw badReply('an answer for a message of a kind that this version does not know')
  }
}

/** What refuses a request closes a WebSocket; its status and its page have nowhere to go. */
function ofDecision ({ verdict, reply, replaceBody, attributes, audit, wants, ticket }: Ruling, { binary }: TunnelMessage): MessageRuling {
  const outcome = reply !== undefined ? { kind: 'close' as const, code: refusedCode, reason: '', fault: undefined }
    : replaceBody === undefined ? passed : replacement(binary, replaceBody)
  return { verdict, outcome, attributes, audit, wants, ticket }
}

function replacement (binary: boolean, data: Buffer): MessageVerdict {
  if (!binary && !isUtf8(data)) throw badReply('a text that is not valid UTF-8')
  return { kind: 'replace', binary, data }
}

/** RFC 6455 section 7.4.2, without what is said for an end of the connection. */
function maySend (code: number): boolean {
  return code >= 3000 && code <= 4999 || code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006
}

const passed: MessageVerdict = { kind: 'pass' }
