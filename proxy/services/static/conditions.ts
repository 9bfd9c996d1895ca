import type { HeaderList } from '../../pipeline/headers.ts'
import { httpDateMs } from '../../pipeline/http-date.ts'

/** What tells one state of a file from another. */
export interface Validators {
  /** With its quotes; begins with `W/` while the file is so fresh that it could change unseen. */
  readonly etag: string
  /** Whole seconds, in milliseconds. */
  readonly modifiedMs: number
}

/** What conditions of a request make of it, in the order of RFC 9110 section 13.2.2. */
export function judgeConditions (headers: HeaderList, { etag, modifiedMs }: Validators): 'go on' | 'not modified' | 'failed' {
  const ifMatch = headers.getAll('if-match')
  if (ifMatch.length > 0) {
    if (!names(ifMatch, etag, isSame)) return 'failed'
  } else if (isBefore(headers.get('if-unmodified-since'), modifiedMs)) {
    return 'failed'
  }
  const ifNoneMatch = headers.getAll('if-none-match')
  if (ifNoneMatch.length > 0) return names(ifNoneMatch, etag, isAlike) ? 'not modified' : 'go on'
  const since = httpDateMs(headers.get('if-modified-since'))
  return since !== undefined && modifiedMs <= since ? 'not modified' : 'go on'
}

/** Whether a range may be answered with that range: without `If-Range`, or when it names the state that the file is in (RFC 9110 section 13.1.5). */
export function isRangeOf (ifRange: string | undefined, { etag, modifiedMs }: Validators): boolean {
  if (ifRange === undefined) return true
  if (ifRange.startsWith('"') || ifRange.startsWith('W/')) return isSame(ifRange.trim(), etag)
  return !etag.startsWith('W/') && httpDateMs(ifRange) === modifiedMs
}

function isBefore (date: string | undefined, modifiedMs: number): boolean {
  const ms = httpDateMs(date)
  return ms !== undefined && modifiedMs > ms
}

const etags = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g

/** Whether a list of entity tags (RFC 9110 section 8.8.3), or `*`, names this one. */
function names (values: readonly string[], etag: string, equal: (a: string, b: string) => boolean): boolean {
  return values.some((value) => value.trim() === '*' || (value.match(etags) ?? []).some((tag) => equal(tag, etag)))
}

/** Strong comparison (RFC 9110 section 8.8.3.2). */
function isSame (a: string, b: string): boolean {
  return a === b && !a.startsWith('W/')
}

function isAlike (a: string, b: string): boolean {
  return a.replace(/^W\//, '') === b.replace(/^W\//, '')
}
