import type { KdlValue } from '../kdl/nodes.ts'
import type { WrittenDuration } from './default-type.ts'
import type { Fit, Mismatch, ValueType } from './value.ts'
import { unfit } from './value.ts'

const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const sizeUnits: Readonly<Record<string, number>> = {
  b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, k: 1024, m: 1024 ** 2, g: 1024 ** 3, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3, tib: 1024 ** 4,
}

/** Longest duration in milliseconds: what a timer of Node can hold. A longer one would fire at once. */
export const maxDurationMs = 2_147_483_647

/** Name endings that carry a unit: `timeout-ms`, `max-body-size-bytes`. The value is then a plain number. */
const suffixes: readonly (readonly [string, 'time' | 'size', number])[] = [
  ['-ms', 'time', 1], ['-millis', 'time', 1], ['-secs', 'time', 1000], ['-seconds', 'time', 1000], ['-mins', 'time', 60_000], ['-minutes', 'time', 60_000],
  ['-hours', 'time', 3_600_000], ['-days', 'time', 86_400_000], ['-bytes', 'size', 1], ['-kb', 'size', 1000], ['-mb', 'size', 1_000_000],
]

/** Milliseconds or bytes in one unit of a setting's name, when the name ends in a unit of that quantity. */
export function unitInName (name: string, quantity: 'time' | 'size' | undefined): number | undefined {
  return suffixes.find(([suffix, of]) => of === quantity && name.endsWith(suffix))?.[2]
}

/** Milliseconds of "250ms", "1.5s" or "1h30m". */
export function parseDuration (written: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(written)) return undefined
  let sum = 0
  for (const [, amount = '', unit = ''] of written.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    sum += Number(amount) * (timeUnits[unit] ?? Number.NaN)
  }
  return Number.isFinite(sum) ? Math.round(sum) : undefined
}

/** Bytes of "8KiB", "10MB" (powers of ten) or "512". */
export function parseSize (written: string): number | undefined {
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)\s?([A-Za-z]*)$/.exec(written) ?? []
  if (amount === '') return undefined
  const factor = unit === '' ? 1 : sizeUnits[unit.toLowerCase()]
  return factor === undefined ? undefined : Math.round(Number(amount) * factor)
}

/** A duration as the reference writes it. */
export function durationText (ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = timeUnits[unit] ?? 1
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`
  }
  return `${ms}ms`
}

export function sizeText (bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const size = sizeUnits[unit.toLowerCase()] ?? 1
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`
  }
  return `${bytes}`
}

/** Milliseconds. Bounds are written as the user writes them. */
export function durationWithin (min: string, max?: string): ValueType<number, WrittenDuration> {
  const least = parseDuration(min) ?? 0
  const most = max === undefined ? maxDurationMs : parseDuration(max) ?? maxDurationMs
  const inRange = (value: number): Fit<number> | Mismatch => {
    if (value < least) return { wrong: `it must be at least ${durationText(least)}` }
    return value > most ? { wrong: `it must be at most ${max ?? '24d'}` } : { value }
  }
  return {
    name: 'duration',
    expected: 'a duration',
    ...(max !== undefined ? { range: `${min} to ${max}` } : least > 1 ? { range: `at least ${min}` } : {}),
    example: '"250ms", "30s", "5m"',
    quantity: 'time',
    json: { type: 'string', pattern: '^(\\d+(\\.\\d+)?(ms|[smhd]))+$' },
    fromNumber: inRange,
    parse (raw) {
      const value = typeof raw === 'string' ? parseDuration(raw) : undefined
      if (value !== undefined) return inRange(value)
      return numberWithoutUnit(raw) ? { wrong: 'the unit is missing', hint: `for example "${raw}s" or "${raw}ms"` } : unfit
    },
  }
}

/** Milliseconds, written "250ms", "30s", "1h30m". */
export const duration: ValueType<number, WrittenDuration> = durationWithin('0s')

/** Bytes. A plain number is a number of bytes. */
export function sizeWithin (min: string, max?: string): ValueType<number, number | `${number}${string}`> {
  const least = parseSize(min) ?? 0
  const most = max === undefined ? Number.MAX_SAFE_INTEGER : parseSize(max) ?? Number.MAX_SAFE_INTEGER
  const inRange = (value: number): Fit<number> | Mismatch => {
    if (value < least) return { wrong: `it must be at least ${sizeText(least)}` }
    return value > most ? { wrong: `it must be at most ${max ?? sizeText(most)}` } : { value }
  }
  return {
    name: 'size',
    expected: 'a size',
    ...(max !== undefined ? { range: `${sizeText(least)} to ${max}` } : least > 1 ? { range: `at least ${min}` } : {}),
    example: '"8KiB", "10MiB", 4096',
    quantity: 'size',
    json: { type: ['string', 'integer'], pattern: '^\\d+(\\.\\d+)? ?[A-Za-z]*$', minimum: 0 },
    fromNumber: inRange,
    parse (raw) {
      if (typeof raw === 'number') return Number.isSafeInteger(raw) ? inRange(raw) : unfit
      const value = typeof raw === 'string' ? parseSize(raw) : undefined
      return value === undefined ? unfit : inRange(value)
    },
  }
}

/** Bytes, written "8KiB", "10MB" or as a number. */
export const size: ValueType<number, number | `${number}${string}`> = sizeWithin('0')

function numberWithoutUnit (raw: KdlValue): boolean {
  return typeof raw === 'number' ? Number.isFinite(raw) && raw >= 0 : typeof raw === 'string' && /^\d+(\.\d+)?$/.test(raw)
}
