import { emptyAudit, emptyDecision, emptyRequestHeaders, type Decision } from '../../../proto/codec/index.ts'
import { plainEvent, type PlainObject } from '../../../proto/message-json.ts'
import type { Case } from './cases.ts'
import { asRecorded } from './compare.ts'

/** What a receipt holds of a decision as a case. "masked": its path is not known; "unshown": it is about something that evidence does not hold. */
export function caseOfReceipt (record: PlainObject, at: string): Case | 'masked' | 'unshown' {
  const word = (name: string): string => typeof record[name] === 'string' ? record[name] : ''
  if (word('phase') !== 'request-headers') return 'unshown'
  const path = word('path')
  if (path.includes('*') || path.includes('…')) return 'masked'
  const event = plainEvent({
    kind: 'request_headers',
    value: {
      ...emptyRequestHeaders, requestId: word('event_id'), method: word('method'), scheme: 'https', authority: word('host'), rawPath: path, path, httpVersion: '1.1',
      headers: ['host', word('host')], clientIp: word('client_ip'), route: word('route'), listener: word('listener'),
    },
  })
  const failed = word('fault')
  const reply = asRecorded({ kind: 'decision', value: decisionOf(record, word) }, undefined)
  return {
    at, id: word('event_id'), route: word('route'), line: `${word('method')} ${word('host')}${path}`, response: undefined, receipt: true,
    missing: ['the fields', 'the query', 'the body'],
    agents: [{
      agent: word('agent'), mode: word('mode'),
      asked: [{ event, timeoutMs: 0, ...failed === '' ? { failed: undefined, reply } : { failed, reply: undefined } }],
    }],
  }
}

function decisionOf (record: PlainObject, word: (name: string) => string): Decision {
  const ids = record['rule_ids']
  const ruleIds = Array.isArray(ids) ? ids.map(String) : []
  const base = { ...emptyDecision, audit: { ...emptyAudit, ruleIds, reason: word('reason') } }
  const status = Number(record['status'])
  switch (word('verdict')) {
    case 'block': return { ...base, kind: 'block', value: { status, headers: [], body: Buffer.alloc(0) } }
    case 'redirect': return { ...base, kind: 'redirect', value: { status, location: '' } }
    case 'challenge': return { ...base, kind: 'challenge', value: { scheme: '', params: new Map(), body: Buffer.alloc(0) } }
    case 'review': return { ...base, kind: 'review', value: { ticket: word('ticket') } }
    case 'flag': return { ...base, kind: 'flag', value: {} }
    case 'redact': return { ...base, kind: 'redact', value: {} }
    default: return { ...base, kind: 'allow', value: {} }
  }
}
