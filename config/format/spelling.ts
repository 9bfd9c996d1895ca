import type { Row } from '../schema/field.ts'
import { durationText, sizeText, unitInName } from '../schema/quantities.ts'
import type { ValueType } from '../schema/value.ts'
import { isMismatch } from '../schema/value.ts'
import type { LinkedEntry } from './link.ts'

export interface Spelled<T extends LinkedEntry> {
  readonly name: string
  readonly entries: readonly T[]
}

/** A setting in its preferred spelling: its name, units in the values instead of the name, words as the reference shows them. */
export function spellSetting<T extends LinkedEntry> (row: Row, preferred: string, given: Spelled<T>): Spelled<T> {
  const { type } = row
  if (type === undefined) return { ...given, name: preferred }
  const unit = unitInName(given.name, type.quantity)
  const wanted = unitInName(preferred, type.quantity)
  if (wanted !== undefined) return unit === wanted ? { ...given, name: preferred } : given
  if (unit !== undefined) {
    const entries = given.entries.map(entry => withUnit(type, entry, unit))
    return entries.some(entry => entry === undefined) ? given : { name: preferred, entries: entries.filter(entry => entry !== undefined) }
  }
  const { bareUnitMs } = row
  const entries = given.entries.map(entry => (bareUnitMs === undefined ? undefined : withUnit(type, entry, bareUnitMs)) ?? spellWord(row, entry))
  return { name: preferred, entries }
}

/** The amount with its unit; `undefined` where the value is no plain number, and so not ours to change. */
function withUnit<T extends LinkedEntry> (type: ValueType<unknown>, entry: T, factor: number): T | undefined {
  const { value, tag } = entry
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || !Number.isSafeInteger(value * factor) || tag !== undefined) return undefined
  const amount = value * factor
  const text = type.quantity === 'time' ? durationText(amount) : sizeText(amount)
  // Bytes need no unit.
  return { ...entry, value: /^\d+$/.test(text) ? amount : text }
}

function spellWord<T extends LinkedEntry> (row: Row, entry: T): T {
  const { type } = row
  if (type?.canonical === undefined || typeof entry.value !== 'string' || entry.value.includes('${') || entry.tag !== undefined) return entry
  const one = (raw: string): string => preferredWord(type, raw) ?? raw
  const value = row.commas === true ? entry.value.replace(/[^,]+/g, part => part.replace(part.trim(), () => one(part.trim()))) : one(entry.value)
  return value === entry.value ? entry : { ...entry, value }
}

/** Only where both words mean the same to whoever reads them. */
function preferredWord (type: ValueType<unknown>, raw: string): string | undefined {
  const word = type.canonical?.(raw)
  if (word === undefined || word === raw) return undefined
  const context = { folder: '/', lenient: false, secret: false, textOnly: true }
  const before = type.parse(raw, context)
  const after = type.parse(word, context)
  if (isMismatch(before) || isMismatch(after)) return undefined
  return Object.is(before.value, after.value) ? word : undefined
}
