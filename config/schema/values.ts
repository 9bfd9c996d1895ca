import type { Stats } from 'node:fs'
import { accessSync, constants, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { listed, nearest } from '../kdl/nearest.ts'
import type { KdlValue } from '../kdl/nodes.ts'
import type { WrittenNumber, WrittenText } from './default-type.ts'
import type { Fit, Mismatch, ValueContext, ValueType } from './value.ts'
import { unfit } from './value.ts'

/** Any text but the empty one. */
export const text: ValueType<string, WrittenText> = {
  name: 'text',
  expected: 'a text',
  json: { type: 'string', minLength: 1 },
  parse: raw => typeof raw !== 'string' ? unfit : raw === '' ? { wrong: 'it is empty' } : { value: raw },
}

/** Any text, the empty one too. */
export const anyText: ValueType<string, string> = {
  name: 'text',
  expected: 'a text',
  json: { type: 'string' },
  parse: raw => typeof raw === 'string' ? { value: raw } : unfit,
}

/** A text of a form that an expression describes; `what` goes after "must be". The expression is ours, never an operator's. */
export function textLike (what: string, form: RegExp, example: string): ValueType<string, string> {
  return {
    name: 'text',
    expected: what,
    example,
    json: { type: 'string', pattern: form.source },
    parse: raw => typeof raw === 'string' && form.test(raw) ? { value: raw } : unfit,
  }
}

/** `#true` or `#false`. */
export const bool: ValueType<boolean, boolean> = {
  name: 'boolean',
  expected: '#true or #false',
  json: { type: 'boolean' },
  parse (raw, { lenient }) {
    if (typeof raw === 'boolean') return { value: raw }
    const word = typeof raw === 'string' ? raw.toLowerCase() : undefined
    if (lenient && (word === 'true' || word === 'false')) return { value: word === 'true' }
    if (word === 'true' || word === 'yes' || word === 'on') return { wrong: '', hint: 'write #true' }
    if (word === 'false' || word === 'no' || word === 'off') return { wrong: '', hint: 'write #false' }
    return unfit
  },
}

/** A whole number within these bounds, both allowed. */
export function integer<const Min extends number, const Max extends number> (min: Min, max: Max): ValueType<number, WrittenNumber<Min, Max>> {
  const range = max >= Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  const bound = max >= Number.MAX_SAFE_INTEGER ? {} : { maximum: max }
  return {
    name: 'integer',
    expected: `a whole number ${range}`,
    range: max >= Number.MAX_SAFE_INTEGER ? `at least ${min}` : `${min} to ${max}`,
    json: { type: 'integer', minimum: min, ...bound },
    parse: (raw, context) => fits(numberOf(raw, context), value => Number.isSafeInteger(value) && value >= min && value <= max, raw),
  }
}

/** A number within these bounds, both allowed. */
export function numberBetween<const Min extends number, const Max extends number> (min: Min, max: Max): ValueType<number, WrittenNumber<Min, Max>> {
  return {
    name: 'number',
    expected: `a number from ${min} to ${max}`,
    range: `${min} to ${max}`,
    json: { type: 'number', minimum: min, maximum: max },
    parse: (raw, context) => fits(numberOf(raw, context), value => value >= min && value <= max, raw),
  }
}

/** A number, fractions allowed. */
export const number: ValueType<number, number> = {
  name: 'number',
  expected: 'a number',
  json: { type: 'number' },
  parse: (raw, context) => fits(numberOf(raw, context), Number.isFinite, raw),
}

function numberOf (raw: KdlValue, { lenient }: ValueContext): number | undefined {
  if (typeof raw === 'number') return raw
  return lenient && typeof raw === 'string' && /^-?\d+(\.\d+)?$/.test(raw) ? Number(raw) : undefined
}

function fits (value: number | undefined, good: (value: number) => boolean, raw: KdlValue): Fit<number> | Mismatch {
  if (value !== undefined) return good(value) ? { value } : unfit
  return typeof raw === 'string' && /^-?\d+(\.\d+)?$/.test(raw) ? { wrong: '', hint: 'numbers have no quotes' } : unfit
}

export interface WordOptions<W extends string> {
  /** Other words for the same thing. Case, "-" and "_" never matter and need no entry. */
  readonly also?: Readonly<Partial<Record<W, readonly string[]>>>
  /** Words of the language that have no effect yet, and the word that acts in their place; `null` = as if not given. */
  readonly notBuilt?: Readonly<Record<string, W | null>>
  /** Words of the language that cannot be had, with the reason. */
  readonly refused?: Readonly<Record<string, string>>
}

/** One of some words. The first form is for the plain case, the second for words with other spellings or words that are not built. */
export function oneOf<const W extends string> (...words: readonly W[]): ValueType<W, W> {
  return wordType(words, {})
}

export function words<const W extends string> (list: readonly W[], options: WordOptions<W>): ValueType<W, W> {
  return wordType(list, options)
}

function wordType<W extends string> (list: readonly W[], options: WordOptions<W>): ValueType<W, W> {
  const accepted = new Map<string, W>()
  for (const word of list) {
    accepted.set(plainWord(word), word)
    for (const other of options.also?.[word] ?? []) accepted.set(plainWord(other), word)
  }
  const later = new Map(Object.entries(options.notBuilt ?? {}).map(([word, acts]) => [plainWord(word), acts]))
  const refused = new Map(Object.entries(options.refused ?? {}).map(([word, why]) => [plainWord(word), why]))
  const notBuiltWords = Object.keys(options.notBuilt ?? {})
  const others = [...notBuiltWords, ...Object.keys(options.refused ?? {})]
  return {
    name: 'word',
    expected: `one of ${listed(list, 20)}`,
    words: list,
    ...(notBuiltWords.length > 0 ? { notBuiltWords } : {}),
    ...(options.refused === undefined ? {} : { refusedWords: options.refused }),
    json: { enum: [...list, ...notBuiltWords] },
    canonical: raw => accepted.get(plainWord(raw)) ?? others.find(word => plainWord(word) === plainWord(raw)),
    parse (raw) {
      if (typeof raw !== 'string') return unfit
      const plain = plainWord(raw)
      const word = accepted.get(plain)
      if (word !== undefined) return { value: word }
      const acts = later.get(plain)
      // A setting takes its default for "no value", a list leaves it out.
      if (acts === null) return { value: undefined as unknown as W, notBuilt: 'it is left out' }
      if (acts !== undefined) return { value: acts, notBuilt: `'${acts}' is used instead` }
      const why = refused.get(plain)
      if (why !== undefined) return { wrong: why, code: 'CONFIG_NOT_BUILT' }
      const near = nearest(raw, [...list, ...accepted.keys(), ...others])
      return near === undefined ? unfit : { wrong: '', hint: `did you mean "${accepted.get(near) ?? near}"?` }
    },
  }
}

function plainWord (word: string): string {
  return word.toLowerCase().replaceAll('_', '-')
}

/** The name of something that is declared elsewhere in the file. Looked up when everything is read, so that order is free. */
export function ref (...kinds: readonly [string, ...string[]]): ValueType<string> {
  const kind = kinds.join(' or ')
  return {
    name: `name of ${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`,
    expected: `the name of ${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`,
    refersTo: kinds,
    json: { type: 'string' },
    parse: raw => typeof raw === 'string' && raw !== '' ? { value: raw } : unfit,
  }
}

/** As `ref`, of something that is not used by being named. */
export function mention (kind: string): ValueType<string> {
  return { ...ref(kind), mentions: true }
}

/** As `ref`, for what a namespace lets others use: it must be its own. */
export function exported (kind: string): ValueType<string> {
  return { ...ref(kind), exports: true }
}

/** A path of a file or folder that need not exist. Relative ones start at the folder of the configuration file. */
export const path: ValueType<string, WrittenText> = {
  name: 'path',
  expected: 'a path',
  json: { type: 'string', minLength: 1 },
  parse: (raw, context) => pathOf(raw, context),
}

/** A path, or one of some words that stand for something else ("stdout"). */
export function pathOr (...list: readonly string[]): ValueType<string, WrittenText> {
  return {
    ...path,
    expected: `a path or one of ${list.join(', ')}`,
    words: list,
    parse: (raw, context) => typeof raw === 'string' && list.includes(raw) ? { value: raw } : pathOf(raw, context),
  }
}

/** A file that this process can read. */
export const existingFile: ValueType<string, WrittenText> = {
  ...path,
  expected: 'the path of a file',
  parse (raw, context) {
    const result = pathOf(raw, context)
    return 'wrong' in result || !looksOutside(context) ? result : readable(result, facts => facts.isFile(), 'it is not a file')
  },
}

export const existingFolder: ValueType<string, WrittenText> = {
  ...path,
  expected: 'the path of a folder',
  parse (raw, context) {
    const result = pathOf(raw, context)
    return 'wrong' in result || !looksOutside(context) ? result : readable(result, facts => facts.isDirectory(), 'it is not a folder')
  },
}

function looksOutside ({ isDefault, textOnly }: ValueContext): boolean {
  return isDefault !== true && textOnly !== true
}

function pathOf (raw: KdlValue, { folder, isDefault }: ValueContext): Fit<string> | Mismatch {
  if (typeof raw !== 'string' || raw === '') return unfit
  if (raw.includes('\0')) return { wrong: 'it contains a NUL character' }
  return { value: isDefault === true ? raw : resolve(folder, raw) }
}

function readable (found: Fit<string>, good: (facts: Stats) => boolean, otherwise: string): Fit<string> | Mismatch {
  try {
    if (!good(statSync(found.value))) return { wrong: otherwise, code: 'CONFIG_FILE' }
    accessSync(found.value, constants.R_OK)
    return found
  } catch (error) {
    // `code` is there on errors of the file system.
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'EACCES' ? 'this user may not read it' : code === 'ENOENT' || code === 'ENOTDIR' ? 'there is no such file' : `it cannot be read (${code ?? 'unknown reason'})`
    return { wrong: why, code: 'CONFIG_FILE' }
  }
}
