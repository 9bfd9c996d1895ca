import { plainReply, type PlainJson } from '../../proto/message-json.ts'
import type { Decision, ReplyOneOf } from '../../proto/codec/index.ts'
import { printable } from '../observe/quote.ts'

/** A decision in one line: what the verdict is, and what of it a client or an operator would notice first. */
export function replySummary (reply: ReplyOneOf): string {
  switch (reply.kind) {
    case 'decision': return decisionSummary(reply.value)
    case 'error': return `error ${reply.value.code}${reply.value.message === '' ? '' : `: ${reply.value.message}`}`
    case 'findings': return reply.value.detected ? `findings: ${reply.value.findings.map(({ category }) => category).join(', ')}` : 'no findings'
    case 'chunk':
    case 'message': return `${reply.kind} ${reply.value.kind ?? 'of an unknown kind'}`
    default: return reply.kind ?? 'a reply of an unknown kind'
  }
}

function decisionSummary (decision: Decision): string {
  const { audit } = decision
  const why = audit === undefined ? [] : [audit.reason, audit.ruleIds.join(' ')].filter((text) => text !== '')
  return `${verdictWithStatus(decision)}${why.length === 0 ? '' : ` (${why.join('; ')})`}`
}

export function verdictWithStatus (decision: Decision): string {
  switch (decision.kind) {
    case undefined: return 'a decision of an unknown kind'
    case 'block': return `block ${decision.value.status === 0 ? 403 : decision.value.status}`
    case 'redirect': return `redirect ${decision.value.status === 0 ? 302 : decision.value.status} to ${decision.value.location}`
    case 'challenge': return `challenge ${decision.value.scheme}`
    default: return decision.kind
  }
}

/** Everything a reply holds beside its kind, a line each, for a terminal. */
export function replyLines (reply: ReplyOneOf): string[] {
  const plain = plainReply(reply)['value']
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain)) return []
  return Object.entries(plain).flatMap(([name, value]) => name === 'kind' ? [] : linesOf(name, value))
}

function linesOf (name: string, value: PlainJson): string[] {
  if (name === 'value' && typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value).flatMap(([inner, one]) => linesOf(inner, one))
  if (Array.isArray(value) && value.some((item) => typeof item === 'object')) return value.map((item: PlainJson) => `${name}: ${oneLine(item)}`)
  return [`${name}: ${oneLine(value)}`]
}

function oneLine (value: PlainJson): string {
  if (typeof value === 'string') return printable(value)
  if (Array.isArray(value)) return value.length === 2 && value.every((item) => typeof item === 'string') ? printable(`${value[0]}: ${value[1]}`) : printable(JSON.stringify(value))
  if (typeof value !== 'object' || value === null) return String(value)
  if ('text' in value && Object.keys(value).length === 1) return printable(JSON.stringify(value['text']))
  if (Object.keys(value).length === 0) return '{}'
  return printable(Object.entries(value).map(([name, one]) => `${name}=${typeof one === 'string' ? one : JSON.stringify(one)}`).join(' '))
}

/** How long, in the unit that reads well. */
export function took (ms: number): string {
  return ms >= 100 ? `${Math.round(ms)} ms` : `${Math.round(ms * 100) / 100} ms`
}

