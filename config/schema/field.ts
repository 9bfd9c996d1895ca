import type { KdlNode } from '../kdl/nodes.ts'
import type { Position } from '../kdl/position.ts'
import type { Report } from './report.ts'
import type { ValueType } from './value.ts'

/** Another way to write a setting's name that existing files use. One with a unit in it (`timeout-ms`) takes a plain number. */
export type Alias = string

export interface FieldOptions {
  /** Name in the file, where it is not the member's name in kebab case: `target` for `targets`. */
  readonly name?: string
  readonly aliases?: readonly Alias[]
  /** Names that are mistaken for it: refused, and this one is suggested. */
  readonly mistaken?: readonly string[]
  /** Version that brought the setting; the first one unless given. */
  readonly since?: string
  /** Of a block: what somebody would write, as it stands in the block around it. The reference shows it, a test loads it. */
  readonly example?: string
}

/** Another shape that files give a setting: `service-type "static" { … }` for `static-files { … }`. Names alone are aliases. */
export interface OlderForm {
  readonly doc: string
  /** Whether this node has the older shape; every node of the name unless given. */
  readonly when?: (node: KdlNode) => boolean
  /** The same in the preferred form, made from the nodes of the given one (spread them: they know their places and comments). */
  readonly into: (node: KdlNode) => readonly KdlNode[]
}

export type OlderForms = Readonly<Record<string, OlderForm>>

/** Where something is read: for messages and paths. */
export interface Place {
  /** Name of the setting as the reference writes it. */
  readonly name: string
  /** The block around it. */
  readonly at: Position
  /** What the block is called in a message: "listener 'web'", "the file". */
  readonly scope: string
  /** Name of the nearest thing around that has one: "web" inside of listener "web". */
  readonly id: string
  /** Whose names are defined here: '' for everybody's, "tenant" or "tenant:service" inside of a namespace. */
  readonly names: string
  /** Folder that relative paths of a file start from. */
  readonly folderOf: (file: string) => string
  /** Judge the text alone: no file or folder that it names is looked at. */
  readonly textOnly: boolean
  readonly report: Report
  /** Something that was probably meant for this setting was reported already: that it is missing is no news. */
  readonly excused: boolean
}

/** Place of a setting of a block. Written out: of all that reading does this is done most often, and copying by spreading costs more. */
export function placeOf (name: string, { at, scope, id, names, folderOf, textOnly, report }: Place, excused: boolean): Place {
  return { name, at, scope, id, names, folderOf, textOnly, report, excused }
}

/** Place of what stands inside of a block. */
export function placeInside ({ name, id, names, folderOf, textOnly, report, excused }: Place, at: Position, scope: string): Place {
  return { name, at, scope, id, names, folderOf, textOnly, report, excused }
}

/** Place of what stands inside of a thing with a name. */
export function placeInsideNamed ({ name, folderOf, textOnly, report, excused }: Place, at: Position, scope: string, id: string, names: string): Place {
  return { name, at, scope, id, names, folderOf, textOnly, report, excused }
}

export interface RowVariants {
  readonly tag: string
  readonly of: Readonly<Record<string, Fields>>
  readonly notBuilt: readonly string[]
  /** The word that is meant where none is given. */
  readonly implied?: (node: Pick<KdlNode, 'props' | 'children'>) => string | undefined
  /** Other words for a variant, in lower case with "-". */
  readonly also: Readonly<Record<string, string>>
  readonly older: Readonly<Record<string, OlderForms>>
  /** What each variant is for, and what somebody would write. */
  readonly docs: Readonly<Record<string, string>>
  readonly examples: Readonly<Record<string, string>>
}

/** Everything about a setting that can be printed. */
export interface Row extends FieldOptions {
  readonly shape: 'value' | 'list' | 'block' | 'blocks' | 'map' | 'json' | 'anything'
  readonly doc: string
  readonly type?: ValueType<unknown>
  /** As the user would write it. */
  readonly default?: string
  /** The same as values; a list has several. */
  readonly defaults?: readonly (string | number | boolean)[]
  /** Several values may stand in one text, separated by commas. */
  readonly commas?: boolean
  /** A number without a unit counts in these milliseconds. */
  readonly bareUnitMs?: number
  /** The value is never shown. */
  readonly secret?: boolean
  /** Accepted for the sake of existing files, and without effect for good: why. */
  readonly inert?: string
  readonly required?: boolean
  /** Accepted, without effect in this version. */
  readonly notBuilt?: boolean
  readonly fields?: Fields
  /** Names of settings that the values right after the name stand for, in order. */
  readonly args?: readonly string[]
  /** Other shapes of what stands inside, by the name they are written with. */
  readonly older?: OlderForms
  /** Blocks that hold nodes of this name: `routes` for `route`. */
  readonly within?: readonly string[]
  /** A block with a name of its own as its first value. */
  readonly kind?: string
  /** Of a list: a node with a block instead of values is read like this. */
  readonly orBlock?: Row
  /** Of things with variants: those that may be written as a node of that name, which needs none of its own: `parallel { … }` is a filter of that type. */
  readonly shorthands?: readonly string[]
  /** It stands on its own, without a block that gathers: `namespace "a" { … }`. */
  readonly direct?: boolean
  /** What stands inside has names of its own. */
  readonly namespace?: boolean
  /** The name of a thing that is given none, where it needs none. */
  readonly unnamed?: string
  /** A block whose settings depend on a word in it: the settings of each word, beside `fields`. */
  readonly variants?: RowVariants
}

/**
 * What `read` gives for something that must have a value and has none, after an error was reported. A block with such a member gives it in its
 * turn instead of being built, lists leave it out: so checks and builds see only whole values. It never leaves the engine.
 */
export const unreadable: unique symbol = Symbol('unreadable')

/** One declared setting or block: knows how to read the nodes that carry its name. */
export interface Field<T> {
  /** Everything that is said about it, as data. */
  readonly row: Row
  /** `given` are all nodes of that name, none when it was left out. */
  read (given: readonly KdlNode[], place: Place): T | typeof unreadable
  /** What it is when it is left out, where that is always the same and nothing to report: spares `read`, as most settings of most blocks are. */
  readonly absent?: { readonly value: T }
}

/** A field without effect in this version, or that had it before. The block's value leaves it out: nothing can read it by mistake. Only the block's check sees it. */
export interface NotBuiltField<T = unknown> extends Field<T | undefined> {
  readonly notBuilt: true
}

/** What was read for a field that has no effect; `undefined` where it was left out. */
export type Unbuilt<F> = F extends NotBuiltField<infer T> ? T | undefined : never

/** Declared settings by their names in the code: `maxAge` is written `max-age`. */
export type Fields = Readonly<Record<string, Field<unknown>>>

/** The typed value of a block, from its declaration. Settings that are not built are left out. */
export type Infer<F extends Fields> = {
  readonly [K in keyof F as F[K] extends NotBuiltField ? never : K]: F[K] extends Field<infer T> ? T : never
}

const kebabs = new Map<string, string>()

/** `maxBodySize` → `max-body-size`. To be asked of names in declarations, which are few: answers are kept. */
export function kebab (name: string): string {
  let made = kebabs.get(name)
  if (made === undefined) kebabs.set(name, made = name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`))
  return made
}

/** The name that the reference shows. */
export function settingName (key: string, field: Field<unknown>): string {
  return field.row.name ?? kebab(key)
}
