import type { KdlNode } from '../kdl/nodes.ts'
import type { Field } from '../schema/field.ts'
import type { SettingOptions } from '../schema/fields.ts'
import { optional, setting } from '../schema/fields.ts'
import { bool } from '../schema/values.ts'

/** A switch that may stand without a value, and is on then. Off when it is left out. */
export function flag (doc: string, options: SettingOptions = {}): Field<boolean> {
  const field = setting(bool, false, doc, options)
  return { ...field, read: (given, place) => field.read(given.map(switchedOn), place) }
}

/** As `flag`, `undefined` when it is left out. */
export function optionalFlag (doc: string, options: SettingOptions = {}): Field<boolean | undefined> {
  const field = optional(bool, doc, options)
  return { ...field, read: (given, place) => field.read(given.map(switchedOn), place) }
}

function switchedOn (node: KdlNode): KdlNode {
  const bare = node.args.length === 0 && node.props.length === 0 && node.children === undefined
  return bare ? { ...node, args: [{ value: true, at: node.at }] } : node
}
