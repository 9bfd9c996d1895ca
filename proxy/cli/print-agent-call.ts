import { plainEvent, plainReply, type PlainObject } from '../../proto/message-json.ts'
import type { EventOneOf, ReplyOneOf } from '../../proto/codec/index.ts'
import type { Called, Put } from '../decisions/by-hand/call.ts'
import { printable } from '../observe/quote.ts'
import { replyLines, replySummary, took } from './decision-text.ts'
import { painter, type Paint } from './paint.ts'

export function calledJson ({ describe, problems, puts, faults }: Called): PlainObject {
  return {
    agent: { name: describe.name, version: describe.version, events: describe.events },
    config_problems: problems.map(({ path, message, hint }) => ({ path, message, hint })),
    answers: puts.map(({ event, reply, ms, moreTimeMs, refused }) => ({
      event: plainEvent(event), reply: reply === undefined ? null : plainReply(reply), ms: Math.round(ms * 1000) / 1000,
      ...moreTimeMs === undefined ? {} : { more_time_ms: moreTimeMs }, ...refused === undefined ? {} : { refused },
    })),
    protocol_faults: faults,
  }
}

export function calledText ({ describe, problems, puts, faults }: Called, colour: boolean): string {
  const paint = painter(colour)
  const out = [paint.dim(printable(`${describe.name} ${describe.version}, wants ${describe.events.join(', ')}`))]
  for (const { path, message, hint } of problems) {
    out.push(paint.bad(printable(`configuration refused: ${path.join('.')}${path.length === 0 ? '' : ': '}${message}${hint === '' ? '' : ` (${hint})`}`)))
  }
  for (const put of puts) out.push(...putLines(put, paint))
  if (puts.length === 0 && problems.length === 0) out.push(paint.warn('it wants nothing of this exchange: nothing was asked'))
  for (const fault of faults) out.push(paint.bad(printable(`it broke the protocol: ${fault}`)))
  return `${out.join('\n')}\n`
}

function putLines ({ event, reply, ms, moreTimeMs, refused }: Put, paint: Paint): string[] {
  const what = paint.bold(printable(eventText(event)))
  const more = moreTimeMs === undefined ? [] : [`  it asked for ${moreTimeMs} ms more`]
  if (reply === undefined) return [`${what}  ${paint.bad(`no reply in ${took(ms)}: the operator's failure mode would decide`)}`, ...more]
  const head = `${what}  ${verdictPaint(reply, paint)(printable(replySummary(reply)))}  ${paint.dim(took(ms))}`
  const wrong = refused === undefined ? [] : [paint.bad(printable(`  a proxy would refuse this as AGENT_BAD_REPLY: ${refused}`))]
  const hint = reply.kind === 'error' && reply.value.code === 'not_configured' ? ["  give it a configuration first: --config '{}'"] : []
  return [head, ...more, ...wrong, ...replyLines(reply).map((line) => `  ${line}`), ...hint]
}

function verdictPaint (reply: ReplyOneOf, paint: Paint): (text: string) => string {
  if (reply.kind === 'error' || reply.kind === undefined) return paint.bad
  if (reply.kind !== 'decision') return paint.good
  return reply.value.kind === 'allow' ? paint.good : paint.warn
}

function eventText (event: EventOneOf): string {
  switch (event.kind) {
    case 'request_headers': return `${event.value.method} ${event.value.rawPath}${event.value.query === '' ? '' : `?${event.value.query}`}`
    case 'request_body': return `request body, ${event.value.data.length} bytes`
    case 'response_headers': return `response ${event.value.status}`
    case 'response_body': return `response body, ${event.value.data.length} bytes`
    default: return event.kind ?? ''
  }
}
