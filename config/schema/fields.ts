import type { KdlNode } from '../kdl/nodes.ts'
import { jsonOf, positionIn } from '../kdl/json.ts'
import type { JsonObject } from '../kdl/json.ts'
import type { Position } from '../kdl/position.ts'
import type { DefaultOf, Written } from './default-type.ts'
import type { Field, FieldOptions, NotBuiltField, Place } from './field.ts'
import { unreadable } from './field.ts'
import { noteSpelling, onlyArguments, readDefault, readValue, refuseAnnotation, refuseVariables, single } from './read-value.ts'
import type { ValueType } from './value.ts'

export interface SettingOptions extends FieldOptions {
  /** Old files write a number without a unit: it counts in these milliseconds (1000 = seconds). */
  readonly bareUnitMs?: number
  /** Never show the value in a message. */
  readonly secret?: boolean
}

/** A value with a default, which is written as a user would write it. */
export function setting<T, W extends Written = Written, const D extends Written = Written> (
  type: ValueType<T, W>, byDefault: DefaultOf<W, D>, doc: string, options: SettingOptions = {},
): Field<T> {
  const fallback = readDefault(type, byDefault)
  return {
    row: { ...options, shape: 'value', doc, type, default: writtenDefault(byDefault), defaults: [byDefault] },
    read: (given, place) => readOne(type, given, place, options) ?? fallback,
    absent: { value: fallback },
  }
}

/** A value that has to be given. */
export function required<T> (type: ValueType<T>, doc: string, options: SettingOptions = {}): Field<T> {
  return {
    row: { ...options, shape: 'value', doc, type, required: true },
    read (given, place) {
      if (given.length === 0) missing(type, place)
      return readOne(type, given, place, options) ?? unreadable
    },
  }
}

/** A value that may be left out: `undefined` then. */
export function optional<T> (type: ValueType<T>, doc: string, options: SettingOptions = {}): Field<T | undefined> {
  return {
    row: { ...options, shape: 'value', doc, type },
    read: (given, place) => readOne(type, given, place, options),
    absent: { value: undefined },
  }
}

function readOne<T> (type: ValueType<T>, given: readonly KdlNode[], place: Place, options: SettingOptions): T | undefined {
  const node = single(given, place)
  if (node === undefined) return undefined
  noteSpelling(node, place)
  onlyArguments(node, place)
  const [entry, ...extra] = node.args
  if (entry === undefined) {
    place.report.error('CONFIG_MISSING', `'${place.name}' of ${place.scope} has no value`, node.at, expectation(type))
    return undefined
  }
  for (const more of extra) place.report.error('CONFIG_EXTRA', `'${place.name}' takes one value`, more.at)
  return readValue(type, entry, node.shortOf === undefined ? place : { ...place, name: node.shortOf }, node.name, options)
}

export interface ListOptions extends SettingOptions {
  /** Accept several values in one text, separated by commas. */
  readonly commas?: boolean
  readonly min?: number
}

/** The same setting in a place where leaving it out means what is said elsewhere. */
export function leftToOthers<T> (field: NotBuiltField<T>, doc?: string): NotBuiltField<T | undefined>
export function leftToOthers<T> (field: Field<T>, doc?: string): Field<T | undefined>
export function leftToOthers<T> (field: Field<T>, doc = field.row.doc): Field<T | undefined> {
  const { default: _shown, defaults: _values, ...row } = field.row
  return { ...field, row: { ...row, doc }, read: (given, place) => given.length === 0 ? undefined : field.read(given, place), absent: { value: undefined } }
}

/** Several values, on one line or in several nodes of the name. */
export function list<T, W extends Written = Written, const D extends string | number = string | number> (
  type: ValueType<T, W>, defaults: readonly DefaultOf<W, D>[], doc: string, options: ListOptions = {},
): Field<readonly T[]> {
  const fallback = defaults.map(value => readDefault(type, value))
  return {
    row: {
      ...options, shape: 'list', doc, type,
      ...(defaults.length > 0 ? { default: defaults.map(writtenDefault).join(' '), defaults } : {}),
      ...(options.min === undefined ? {} : { required: true }),
    },
    read (given, place) {
      if (given.length === 0) {
        if (options.min !== undefined && options.min > 0) missing(type, place)
        return fallback
      }
      return given.flatMap(node => readMany(type, node, place, options))
    },
    ...options.min === undefined || options.min === 0 ? { absent: { value: fallback } } : {},
  }
}

function readMany<T> (type: ValueType<T>, node: KdlNode, place: Place, options: ListOptions): T[] {
  noteSpelling(node, place)
  onlyArguments(node, place)
  if (node.args.length === 0) place.report.error('CONFIG_MISSING', `'${place.name}' of ${place.scope} has no value`, node.at, expectation(type))
  const values: T[] = []
  for (const entry of node.args) {
    const parts = options.commas === true && typeof entry.value === 'string' ? entry.value.split(',').map(part => part.trim()) : [entry.value]
    for (const part of parts) {
      const value = readValue(type, part === entry.value ? entry : { ...entry, value: part }, place, node.name, options)
      if (value !== undefined) values.push(value)
    }
  }
  return values
}

/** A block whose node names are free: `env { NAME "value" }`. */
export function map<T> (type: ValueType<T>, doc: string, options: Pick<SettingOptions, keyof FieldOptions | 'secret'> = {}): Field<Readonly<Record<string, T>>> {
  return {
    row: { ...options, shape: 'map', doc, type },
    read (given, place) {
      const entries = new Map<string, T>()
      const node = single(given, place)
      if (node === undefined) return {}
      noteSpelling(node, place)
      for (const arg of node.args) place.report.error('CONFIG_EXTRA', `'${place.name}' takes a block, no values`, arg.at)
      const props = node.props.map(prop => ({ name: prop.name, at: prop.nameAt, args: [prop], props: [], children: undefined }))
      for (const child of [...props, ...node.children ?? []]) {
        const value = readOne(type, [child], { ...place, name: child.name, scope: `'${place.name}'` }, options.secret === true ? { secret: true } : {})
        if (entries.has(child.name)) place.report.error('CONFIG_REPEATED', `'${child.name}' of '${place.name}' is given twice`, child.at)
        else if (value !== undefined) entries.set(child.name, value)
      }
      // fromEntries makes an ordinary member of "__proto__".
      return Object.fromEntries(entries)
    },
    absent: { value: {} },
  }
}

/** A block of somebody else's settings, handed on as JSON. */
export interface FreeBlock {
  readonly json: JsonObject
  /** The place of what `path` leads to in `json`. */
  positionOf (path: readonly (string | number)[]): Position
}

/** A block with any content, read as JSON: names are keys, values and blocks what is behind them. */
export function json (doc: string, options: FieldOptions = {}): Field<FreeBlock | undefined> {
  return {
    row: { ...options, shape: 'json', doc },
    read (given, place) {
      const node = single(given, place)
      if (node === undefined) return undefined
      noteSpelling(node, place)
      refuseAnnotation(node, place)
      for (const arg of node.args) place.report.error('CONFIG_EXTRA', `'${place.name}' takes a block, no values`, arg.at)
      refuseVariables(node, place)
      const value = jsonOf(node.children ?? [], node.props)
      return { json: value, positionOf: path => positionIn(node, path) }
    },
    absent: { value: undefined },
  }
}

export interface NotBuiltOptions extends FieldOptions {
  /** Make it an error: the file asks for a protection that would silently be missing. */
  readonly refuse?: boolean
  /** Say nothing: the block around it was reported already. */
  readonly quiet?: boolean
}

/** Part of the language, not of this version: any content is accepted and reported as not in effect. */
export function anything (doc: string, options: NotBuiltOptions = {}): NotBuiltField<undefined> {
  const { refuse, quiet, ...rest } = options
  return {
    notBuilt: true,
    row: { ...rest, shape: 'anything', doc, notBuilt: true },
    read (given, place) {
      if (quiet === true) return undefined
      for (const node of given) notInEffect(node, place, refuse === true)
      return undefined
    },
    absent,
  }
}

const absent = { value: undefined }

/** A setting or block that is declared in full, and has no effect in this version: it is checked, and reported as not in effect. */
export function notBuilt<T> (field: Field<T>, options: Pick<NotBuiltOptions, 'refuse' | 'quiet'> = {}): NotBuiltField<T> {
  return {
    notBuilt: true,
    row: { ...field.row, notBuilt: true },
    read (given, place) {
      const read = given.length > 0 ? field.read(given, place) : undefined
      for (const node of options.quiet === true ? [] : given) {
        // Switching off what is off is in effect.
        const isOff = field.row.default === '#false' || field.row.args?.[0] === 'enabled'
        if (!isOff || node.args[0]?.value !== false) notInEffect(node, place, options.refuse === true)
      }
      return read === unreadable ? undefined : read
    },
    absent,
  }
}

/** A setting that takes effect before the fields are read: it is here for the reference, and has no value. */
export function readBefore (field: Field<unknown>): NotBuiltField {
  return { notBuilt: true, row: field.row, read: () => undefined, absent }
}

/** Part of existing files that has nothing to do here, and never will: `why` says what happens anyway. Its value is checked and told of. */
export function inert (type: ValueType<unknown>, doc: string, why: string, options: FieldOptions = {}): NotBuiltField<undefined> {
  return withoutEffect(list(type, [], doc, options), why)
}

/** As `inert`, for a block whose content is free. */
export function inertBlock (doc: string, why: string, options: FieldOptions = {}): NotBuiltField<undefined> {
  return withoutEffect(json(doc, options), why)
}

/** A setting that has no meaning where it stands: it is checked and told of. */
export function withoutEffect (field: Field<unknown>, why: string): NotBuiltField<undefined> {
  return {
    notBuilt: true,
    row: { ...field.row, notBuilt: true, inert: why },
    read (given, place) {
      if (given.length > 0) field.read(given, place)
      for (const node of given) place.report.note('CONFIG_NO_EFFECT', `'${node.name}' of ${place.scope} has no effect: ${why}`, node.at)
      return undefined
    },
    absent,
  }
}

function notInEffect (node: KdlNode, place: Place, refuse: boolean): void {
  // Switched off is in effect: there is nothing to switch on.
  const [arg] = node.args
  if (refuse && node.args.length === 1 && arg?.value === false) return
  if (refuse) place.report.error('CONFIG_NOT_BUILT', `'${node.name}' of ${place.scope} is not built yet`, node.at, 'serving without it would be less safe than this file asks for')
  else place.report.warning('CONFIG_NOT_BUILT', `'${node.name}' of ${place.scope} is accepted, but not in effect yet`, node.at)
}

function missing (type: ValueType<unknown>, place: Place): void {
  if (place.excused === true) return
  place.report.error('CONFIG_MISSING', `${place.scope} needs '${place.name}'`, place.at, expectation(type))
}

function expectation (type: ValueType<unknown>): string {
  return `write ${type.expected}${type.example === undefined ? '' : `, for example ${type.example}`}`
}

function writtenDefault (value: string | number | boolean): string {
  return typeof value === 'boolean' ? `#${value}` : String(value)
}
