import type { HeaderList } from '../pipeline/headers.ts'
import { fieldMembers } from './directives.ts'
import { httpDateMs } from '../pipeline/http-date.ts'
import type { Stored } from './stored.ts'

/** Whether a client has this answer already (RFC 9110 section 13.1.2 and 13.1.3): then it gets 304. */
export function isKnown (request: HeaderList, stored: Stored): boolean {
  if (stored.status !== 200) return false
  if (request.has('if-none-match')) {
    const tags = fieldMembers(request, 'if-none-match')
    return tags.includes('*') || stored.etag !== undefined && tags.some((tag) => weak(tag) === weak(stored.etag!))
  }
  const since = httpDateMs(request.get('if-modified-since'))
  if (since === undefined) return false
  const modified = httpDateMs(stored.lastModified)
  return modified !== undefined && modified <= since
}

function weak (tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag
}

export interface Range { readonly start: number, readonly end: number }

/** The part that is asked for, of a body of `length` bytes; `undefined`: all of it is to be given; `none`: there is no such part (416). */
export function rangeOf (request: HeaderList, stored: Stored): Range | 'none' | undefined {
  const lines = request.getAll('range')
  if (lines.length !== 1 || stored.status !== 200) return undefined
  // Several parts in one answer cost more than the whole: it may be given instead (RFC 9110 section 14.2).
  const asked = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(lines[0]!)
  if (asked === null || !isStillThat(request, stored)) return undefined
  const { length } = stored
  const [, first = '', last = ''] = asked
  if (first === '' && last === '') return undefined
  if (first === '') return Number(last) === 0 || length === 0 ? 'none' : { start: Math.max(0, length - Number(last)), end: length }
  if (last !== '' && Number(last) < Number(first)) return undefined
  if (Number(first) >= length) return 'none'
  return { start: Number(first), end: last === '' ? length : Math.min(length, Number(last) + 1) }
}

/** RFC 9110 section 13.1.5: only a strong validator says that the parts fit together. */
function isStillThat (request: HeaderList, { etag, lastModified, fields }: Stored): boolean {
  const condition = request.get('if-range')
  if (condition === undefined) return true
  if (condition.startsWith('"')) return condition === etag
  if (lastModified === undefined || condition !== lastModified) return false
  const date = fields.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'date')
  // A date is strong when nothing could change twice within its second (section 8.8.2.2).
  return date !== -1 && (httpDateMs(fields[date + 1]) ?? 0) - (httpDateMs(lastModified) ?? Infinity) >= 1000
}

/** Of a 304, whether it is about this answer (RFC 9111 section 4.3.4). */
export function isAbout (fresh: HeaderList, stored: Stored): boolean {
  const etag = fresh.get('etag')
  if (etag !== undefined) return stored.etag !== undefined && (etag.startsWith('W/') ? weak(etag) === weak(stored.etag) : etag === stored.etag)
  const modified = fresh.get('last-modified')
  return modified === undefined || modified === stored.lastModified
}
