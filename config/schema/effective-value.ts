import { isAbsolute } from 'node:path'
import type { KdlEntry, KdlValue } from '../kdl/nodes.ts'
import type { Position } from '../kdl/position.ts'
import { filesFrom } from '../kdl/substitute.ts'
import { durationText, sizeText, unitInName } from './quantities.ts'
import { parseWithUnit } from './read-value.ts'
import type { ValueContext, ValueType } from './value.ts'
import { isMismatch } from './value.ts'
import { path } from './values.ts'

/** A value in the preferred spelling. It can be shown to anybody: nothing from outside of the text is in it. */
export interface EffectiveValue {
  /** What a file would say; of a written one the text with its `${…}`, of a withheld one only that it is withheld. */
  readonly value: KdlValue
  readonly hidden?: 'written' | 'withheld'
  /** A word without effect yet: what happens instead. */
  readonly notBuilt?: string
  /** `undefined` for a default. */
  readonly at: Position | undefined
}

export interface SpellingOptions {
  readonly folder: string
  /** Name the value was given under: it may carry a unit. */
  readonly as?: string
  readonly bareUnitMs?: number | undefined
  readonly secret?: boolean | undefined
}

export const withheldText = '(withheld)'

const given = new WeakMap<EffectiveValue, KdlEntry>()

/** What was given, the outside included: for those who open what it names. It must never be shown. */
export function givenValue (value: EffectiveValue): KdlValue {
  return given.get(value)?.value ?? value.value
}

export function effectiveValue (type: ValueType<unknown> | undefined, entry: KdlEntry, options: SpellingOptions): EffectiveValue {
  const shown = shownValue(type, entry, options)
  given.set(shown, entry)
  return shown
}

function shownValue (type: ValueType<unknown> | undefined, entry: KdlEntry, options: SpellingOptions): EffectiveValue {
  const { at } = entry
  if (entry.written !== undefined) return { value: writtenFrom(options.folder, entry.value, entry.written, type), hidden: 'written', at }
  if (options.secret === true) return { value: withheldText, hidden: 'withheld', at }
  return { ...preferred(type, entry, options), at }
}

export function defaultValue (type: ValueType<unknown> | undefined, value: string | number | boolean): EffectiveValue {
  const entry: KdlEntry = { value, at: { file: '', line: 0, column: 0, length: 0 } }
  // A default is not at home in any folder: a path among them stays as it is.
  const asItIs = typeof value === 'string' && type?.quantity === undefined && spelledByWords(type, value) === undefined
  return { value: asItIs ? value : preferred(type, entry, { folder: '/' }).value, at: undefined }
}

/** A text with `${…}` as it has to stand in any other folder. Whether a path is relative is only known of what it came to. */
function writtenFrom (folder: string, value: KdlValue, written: string, type: ValueType<unknown> | undefined): string {
  const text = filesFrom(folder, written)
  const isRelative = type?.name === path.name && typeof value === 'string' && value !== '' && !isAbsolute(value) && type.words?.includes(value) !== true
  return isRelative ? `${folder.replaceAll('${', () => '$${')}/${text}` : text
}

function preferred (type: ValueType<unknown> | undefined, entry: KdlEntry, options: SpellingOptions): Pick<EffectiveValue, 'value' | 'notBuilt'> {
  const raw = entry.value
  if (type === undefined) return { value: raw }
  const context: ValueContext = { folder: options.folder, lenient: false, secret: false, textOnly: true }
  const result = parseWithUnit(type, entry, context, options.as ?? '', options.bareUnitMs === undefined ? {} : { bareUnitMs: options.bareUnitMs })
  if (isMismatch(result)) return { value: raw }
  if (result.notBuilt !== undefined) return { value: spelledByWords(type, raw) ?? raw, notBuilt: result.notBuilt }
  const value = spelling(type, raw, result.value)
  // A spelling that reads as something else is none.
  return { value: value === raw || sameMeaning(type, value, result.value, context) ? value : raw }
}

function spelling (type: ValueType<unknown>, raw: KdlValue, value: unknown): KdlValue {
  if (type.quantity === 'time' && typeof value === 'number') return durationText(value)
  if (type.quantity === 'size' && typeof value === 'number') return /^\d+$/.test(sizeText(value)) ? value : sizeText(value)
  if (typeof value === 'string' || typeof value === 'boolean') return value
  const word = spelledByWords(type, value)
  if (word !== undefined) return word
  if (typeof value === 'object' && value !== null) return objectSpelling(raw, value)
  return raw
}

/** Words may stand for other values ("high" for 100): the first that does is the preferred one. */
function spelledByWords (type: ValueType<unknown> | undefined, value: unknown): string | undefined {
  const plain = (word: string): string => word.toLowerCase().replaceAll('_', '-')
  if (typeof value === 'string') return [...type?.words ?? [], ...type?.notBuiltWords ?? []].find(word => plain(word) === plain(value))
  return type?.words?.find(word => {
    const result = type.parse(word, { folder: '/', lenient: false, secret: false, textOnly: true })
    return !isMismatch(result) && result.value === value
  })
}

function objectSpelling (raw: KdlValue, value: object): KdlValue {
  if ('host' in value && 'port' in value && typeof value.host === 'string') return `${value.host.includes(':') ? `[${value.host}]` : value.host}:${String(value.port)}`
  if ('bytes' in value && 'prefix' in value && Array.isArray(value.bytes) && value.bytes.length === 4) {
    return `${value.bytes.join('.')}${value.prefix === 32 ? '' : `/${String(value.prefix)}`}`
  }
  return raw
}

function sameMeaning (type: ValueType<unknown>, value: KdlValue, wanted: unknown, context: ValueContext): boolean {
  const result = type.parse(value, context)
  return !isMismatch(result) && meaning(result.value) === meaning(wanted)
}

function meaning (value: unknown): string {
  // `text` is how something was written, not what it means.
  return JSON.stringify(value, (key, member: unknown) => key === 'text' ? undefined : member) ?? ''
}

/** Whether a name carries a unit that a value which nobody may look at depends on. */
export function unitMatters (value: EffectiveValue, type: ValueType<unknown> | undefined, name: string): boolean {
  return value.hidden !== undefined && unitInName(name, type?.quantity) !== undefined
}
