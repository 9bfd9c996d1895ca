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
}

/** Where something is read: for messages and paths. */
export interface Place {
  /** Name of the setting as the reference writes it. */
  readonly name: string
  /** The block around it. */
  readonly at: Position
  /** What the block is called in a message: "listener 'web'", "the file". */
  readonly scope: string
  readonly folder: string
  readonly report: Report
  /** Something that was probably meant for this setting was reported already: that it is missing is no news. */
  readonly excused?: boolean
}

/** Everything about a setting that can be printed. */
export interface Row extends FieldOptions {
  readonly shape: 'value' | 'list' | 'block' | 'blocks' | 'map' | 'json' | 'anything'
  readonly doc: string
  readonly type?: ValueType<unknown>
  /** As the user would write it. */
  readonly default?: string
  readonly required?: boolean
  /** Accepted, without effect in this version. */
  readonly notBuilt?: boolean
  readonly fields?: Fields
  /** Names of settings that the values right after the name stand for, in order. */
  readonly args?: readonly string[]
  /** Blocks that hold nodes of this name: `routes` for `route`. */
  readonly within?: readonly string[]
  /** A block with a name of its own as its first value. */
  readonly kind?: string
  /** A block whose settings depend on a word in it: the settings of each word, beside `fields`. */
  readonly variants?: { readonly tag: string, readonly of: Readonly<Record<string, Fields>>, readonly notBuilt: readonly string[] }
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
