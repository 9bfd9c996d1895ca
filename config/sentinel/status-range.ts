import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'

/** Status codes from `from` to `to`. */
export interface StatusRange {
  readonly from: number
  readonly to: number
}

/** One code, a class ("2xx") or a range ("200-399"). */
export const statusRange: ValueType<StatusRange> = {
  name: 'status',
  expected: 'a status code, a class of them or a range',
  example: '200, "2xx", "200-399"',
  json: { type: ['integer', 'string'] },
  parse (raw) {
    if (typeof raw !== 'number' && typeof raw !== 'string') return unfit
    const written = String(raw).toLowerCase()
    const [, first] = /^([1-5])xx$/.exec(written) ?? []
    if (first !== undefined) return { value: { from: Number(first) * 100, to: Number(first) * 100 + 99 } }
    const [, from, to = from] = /^(\d{3})(?:-(\d{3}))?$/.exec(written) ?? []
    if (from === undefined) return unfit
    const value = { from: Number(from), to: Number(to) }
    if (value.from > value.to) return { wrong: 'it ends before it begins' }
    return value.from < 100 || value.to > 599 ? { wrong: 'codes are from 100 to 599' } : { value }
  },
}
