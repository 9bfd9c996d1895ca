import { listed, nearest } from '../kdl/nearest.ts'
import type { KdlNode } from '../kdl/nodes.ts'
import type { Position } from '../kdl/position.ts'
import type { FieldOptions, Fields, Place } from './field.ts'
import { kebab, settingName, unreadable } from './field.ts'
import { refuseAnnotation } from './read-value.ts'
import type { Report } from './report.ts'

/** Scope of the top level. */
export const wholeScope = 'the configuration'

/** What a block's own check or build sees beside the values. */
export interface Here<F extends Fields> {
  /** The block's name in the file; where it was left out, the block around it. */
  readonly at: Position
  /** "listener 'web'", for messages. */
  readonly scope: string
  readonly report: Report
  /** No error was found inside: a check that would only repeat one may be left out otherwise. */
  readonly clean: boolean
  /** Place of a setting's value as given, or of the block when it was left out. */
  where (name: keyof F & string): Position
  given (name: keyof F & string): boolean
}

export interface BlockOptions<F extends Fields, V, T> extends FieldOptions {
  /** Settings that the values after the name stand for: `target "a:80"` for `target { address "a:80" }`. */
  readonly args?: readonly (keyof F & string)[]
  /** Cross-field checks, and another shape for the value when the declaration's is not convenient. Must not repeat a type check. */
  readonly build?: (value: V, here: Here<F>) => T
}

/** What a block consists of; made up where it was left out. */
export type Content = Pick<KdlNode, 'name' | 'at' | 'args' | 'props' | 'children' | 'tag'>

interface ReadBlockOptions<F extends Fields, V, T> extends BlockOptions<F, V, T> {
  /** Members beside the declared ones. */
  readonly extra?: object
}

/** Reads everything a block holds: values after its name, properties and children. What nobody declared is a problem. */
export function readBlock<F extends Fields, V, T> (
  fields: F, content: Content, place: Place, options: ReadBlockOptions<F, V, T> = {},
): T | typeof unreadable {
  refuseAnnotation({ ...content, children: content.children }, { ...place, name: content.name })
  const given = new Map<string, KdlNode[]>()
  const give = (key: string, node: KdlNode): void => {
    const nodes = given.get(key)
    if (nodes === undefined) given.set(key, [node])
    else nodes.push(node)
  }
  positional(content, options.args ?? [], fields, give, place)
  const names = namesOf(fields)
  const meant = new Set<string | undefined>()
  for (const prop of content.props) {
    const key = names.get(prop.name)
    const node: KdlNode = { name: prop.name, at: prop.nameAt, args: [prop], props: [], children: undefined }
    if (key === undefined) meant.add(unknown(node, fields, place))
    else give(key, node)
  }
  for (const child of content.children ?? []) {
    const key = names.get(child.name)
    if (key === undefined) meant.add(unknown(child, fields, place))
    else give(key, child)
  }
  const before = place.report.errors
  const value: Record<string, unknown> = { ...options.extra }
  let whole = true
  for (const [key, field] of Object.entries(fields)) {
    const read = field.read(given.get(key) ?? [], { ...place, name: settingName(key, field), excused: meant.has(key) })
    if (read === unreadable) whole = false
    else if (field.row.notBuilt !== true) value[key] = read
  }
  if (!whole) return unreadable
  // `value` has one member for each field, made by that field: this is what V says, which no type checker can follow through a loop.
  const typed = value as V
  if (options.build === undefined) return typed as unknown as T
  return options.build(typed, hereOf(given, content, place, place.report.errors === before && meant.size === 0))
}

type Give = (key: string, node: KdlNode) => void

/** Makes settings of the values right after the name. */
function positional (content: Content, args: readonly string[], fields: Fields, give: Give, place: Place): void {
  content.args.forEach((entry, index) => {
    const key = args[index]
    if (key !== undefined) {
      const name = fields[key]?.row.name ?? kebab(key)
      give(key, { name, at: entry.at, args: [entry], props: [], children: undefined, shortOf: content.name })
    } else if (args.length === 0) {
      place.report.error('CONFIG_EXTRA', `${place.scope} takes no value here`, entry.at, 'settings go into its block')
    } else {
      place.report.error('CONFIG_EXTRA', `${place.scope} takes ${args.length === 1 ? 'one value' : `${args.length} values`}`, entry.at)
    }
  })
}

function hereOf<F extends Fields> (given: ReadonlyMap<string, KdlNode[]>, content: Content, place: Place, clean: boolean): Here<F> {
  return {
    at: content.at,
    scope: place.scope,
    report: place.report,
    clean,
    given: name => given.has(name),
    where (name) {
      const node = given.get(name)?.[0]
      return node === undefined ? content.at : node.args[0]?.at ?? node.at
    },
  }
}

const nameCache = new WeakMap<Fields, ReadonlyMap<string, string>>()

/** Every name that leads to a field, in any spelling. */
export function namesOf (fields: Fields): ReadonlyMap<string, string> {
  let names = nameCache.get(fields)
  if (names !== undefined) return names
  const found = new Map<string, string>()
  for (const [key, { row }] of Object.entries(fields)) {
    for (const name of [row.name ?? kebab(key), ...row.aliases ?? [], ...row.within ?? []]) {
      if (found.has(name)) throw new Error(`'${name}' is declared twice: by ${found.get(name)} and by ${key}`)
      found.set(name, key)
    }
  }
  nameCache.set(fields, names = found)
  return names
}

/** Reports it, and gives the member it was probably meant for. */
function unknown (node: KdlNode, fields: Fields, place: Place): string | undefined {
  const names = namesOf(fields)
  const wrapper = Object.entries(fields).find(([, { row }]) => row.kind === node.name)?.[0]
  const nameOfKey = (key: string): string => fields[key]?.row.name ?? kebab(key)
  const near = nearest(node.name, names.keys())
  const key = near === undefined ? undefined : names.get(near)
  // A near alias is answered with the spelling that the reference shows.
  const elsewhere = key === undefined ? place.report.placeOf(node.name) : undefined
  const hint = wrapper !== undefined
    ? `write it inside ${kebab(wrapper)} { … }`
    : key !== undefined ? `did you mean '${nameOfKey(key)}'?` : elsewhere ?? `known here: ${listed(Object.keys(fields).map(nameOfKey), 16)}`
  place.report.error('CONFIG_UNKNOWN_SETTING', `unknown setting '${node.name}' in ${place.scope}`, node.at, hint)
  return wrapper ?? key
}
