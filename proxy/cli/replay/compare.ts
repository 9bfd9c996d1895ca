import { plainReply, type PlainJson, type PlainObject } from '../../../proto/message-json.ts'
import type { ReplyOneOf } from '../../../proto/codec/index.ts'
import { redactMessage } from '../../observe/redact-message.ts'
import type { AskedCase, Cases } from './cases.ts'

/** What of a decision became another, in the order of weight. */
export type Difference = 'verdict' | 'answer' | 'edits' | 'attributes' | 'body' | 'reason'

export const differences: readonly Difference[] = ['verdict', 'answer', 'edits', 'attributes', 'body', 'reason']

/** A reply cut into what is compared, each as text that is equal when it means the same. */
export type Compared = Readonly<Record<Difference, string>>

/** A reply as the recording would have it: without what was taken out there. Evidence, which has no terms, holds no secrets either. */
export function asRecorded (reply: ReplyOneOf, terms: Cases['terms']): PlainObject {
  const plain = plainReply(reply)
  return terms?.unredacted === true ? plain : redactMessage(plain, { bodies: terms?.bodies === true, whole: true, marks: new Set() })
}

/** `undefined` where no reply came. */
export function compared (reply: PlainObject | undefined, failed: string | undefined): Compared {
  if (reply === undefined) return { ...nothing, verdict: failed === undefined ? 'no reply' : `failed (${failed})` }
  const value = objectOf(reply['value'])
  if (reply['kind'] === 'error') return { ...nothing, verdict: `error ${textOf(value['code'])}`, reason: textOf(value['message']) }
  if (reply['kind'] === 'findings') {
    const verdict = value['detected'] === true ? 'findings' : 'no findings'
    return { ...nothing, verdict, body: stable(value['findings'] ?? []), reason: reasonOf(value['audit']) }
  }
  if (reply['kind'] !== 'decision') return { ...nothing, verdict: `${textOf(reply['kind'])} ${textOf(value['kind'])}`, body: stable(value['value'] ?? null) }
  const { status, location, headers, body, scheme, params } = objectOf(value['value'])
  return {
    verdict: [textOf(value['kind']), textOf(status ?? (value['kind'] === 'block' ? 403 : undefined))].filter((text) => text !== '').join(' '),
    answer: stable({ location, headers, scheme, params }),
    edits: stable({
      request: value['request_headers'], response: value['response_headers'], path: value['rewrite_path'], query: value['rewrite_query'], upstream: value['upstream'],
    }),
    attributes: stable(value['attributes'] ?? {}),
    body: stable({ body, replaced: value['replace_body'] }),
    reason: reasonOf(value['audit']),
  }
}

function reasonOf (audit: PlainJson | undefined): string {
  const { reason, rule_ids: rules } = objectOf(audit)
  return [textOf(reason), ...Array.isArray(rules) ? rules.map(String) : []].filter((text) => text !== '').join(' ')
}

const nothing: Compared = { verdict: '', answer: '', edits: '', attributes: '', body: '', reason: '' }

/** What differs. Of a receipt only what it holds is looked at. */
export function differing (before: Compared, after: Compared, receipt: boolean): Difference[] {
  const known = receipt ? ['verdict', 'reason'] as const : differences
  return known.filter((what) => before[what] !== after[what])
}

export function goesOn (asked: AskedCase): boolean {
  const kind = objectOf(asked.reply?.['value'])['kind']
  const of = asked.reply?.['kind']
  return of === 'chunk' || of === 'findings' || of === 'message' && kind !== 'close' || kind === 'allow' || kind === 'flag' || kind === 'redact'
}

/** JSON with the members of objects in one order. */
function stable (value: unknown): string {
  return JSON.stringify(value, (_name, one: unknown) => typeof one === 'object' && one !== null && !Array.isArray(one)
    ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => a < b ? -1 : 1))
    : one)
}

function objectOf (value: PlainJson | undefined): PlainObject {
  return typeof value === 'object' && value !== null && !isList(value) ? value : {}
}

function textOf (value: PlainJson | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** `Array.isArray` does not know readonly lists. */
function isList (value: PlainJson): value is readonly PlainJson[] {
  return Array.isArray(value)
}
