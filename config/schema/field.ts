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
  /** Whose names are defined here: '' for everybody's, "tenant" or "tenant:service" inside of a namespace. */
  readonly names: string
  /** Folder that relative paths of a file start from. */
  readonly folderOf: (file: string) => string
  /** Judge the text alone: no file or folder that it names is looked at. */
  readonly textOnly: boolean
  readonly report: Report
  /** Something that was probably meant for this setting was reported already: that it is missing is no news. */
  readonly excused?: boolean
}

export interface RowVariants {
  readonly tag: string
  readonly of: Readonly<Record<string, Fields>>
  readonly notBuilt: readonly string[]
  /** Other words for a variant, in lower case with "-". */
  readonly also: Readonly<Record<string, string>>
  readonly older: Readonly<Record<string, OlderForms>>
}

/** Everything about a setting that can be printed. */
export interface Row extends FieldOptions {
  readonly shape: 'value' | 'list' | 'block' | 'blocks' | 'map' | 'json' | 'anything'
  readonly doc: string
  readonly type?: ValueType<unknown>
  /** As the user would write it. */
  readonly default?: string
  /** A number without a unit counts in these milliseconds. */
  readonly bareUnitMs?: number
  /** Several values may stand in one text, separated by commas. */
  readonly commas?: boolean
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
  /** It stands on its own, without a block that gathers: `namespace "a" { … }`. */
  readonly direct?: boolean
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
  readonly row: Row
  /** `given` are all nodes of that name, none when it was left out. */
  read (given: readonly KdlNode[], place: Place): T | typeof unreadable
}

/** A field without effect in this version. It has no value: nothing can read it by mistake. */
export interface NotBuiltField extends Field<undefined> {
  readonly notBuilt: true
}

export type Fields = Readonly<Record<string, Field<unknown>>>

/** The typed value of a block, from its declaration. Settings that are not built are left out. */
export type Infer<F extends Fields> = {
  readonly [K in keyof F as F[K] extends NotBuiltField ? never : K]: F[K] extends Field<infer T> ? T : never
}

/** `maxBodySize` → `max-body-size`. */
export function kebab (name: string): string {
  return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

/** The name that the reference shows. */
export function settingName (key: string, field: Field<unknown>): string {
  return field.row.name ?? kebab(key)
}
