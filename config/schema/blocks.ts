import { listed, nearest } from '../kdl/nearest.ts'
import type { KdlEntry, KdlNode } from '../kdl/nodes.ts'
import { shown } from '../kdl/nodes.ts'
import type { Position } from '../kdl/position.ts'
import type { Field, FieldOptions, Fields, Infer, Place } from './field.ts'
import { kebab, settingName } from './field.ts'
import { noteSpelling, refuseAnnotation, single } from './read-value.ts'
import type { Report } from './report.ts'

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

export interface Placed { readonly at: Position }
export interface Named extends Placed { readonly id: string }

/** A block that may stand once. Left out, it consists of its defaults. */
export function block<F extends Fields, T = Infer<F>> (fields: F, doc: string, options: BlockOptions<F, Infer<F>, T> = {}): Field<T> {
  return {
    row: { ...plain(options), shape: 'block', doc, fields },
    read (given, place) {
      const node = single(given, place)
      if (node !== undefined) noteSpelling(node, place)
      const content: Content = node ?? { name: place.name, at: place.at, args: [], props: [], children: [] }
      return readBlock(fields, content, { ...place, at: content.at, scope: scopeOf(place) }, options)
    },
  }
}

/** A block that means something by being there: `undefined` when it is not. */
export function optionalBlock<F extends Fields, T = Infer<F> & Placed> (fields: F, doc: string, options: BlockOptions<F, Infer<F> & Placed, T> = {}): Field<T | undefined> {
  return {
    row: { ...plain(options), shape: 'block', doc, fields, required: false },
    read (given, place) {
      const node = single(given, place)
      if (node === undefined) return undefined
      noteSpelling(node, place)
      return readBlock(fields, node, { ...place, at: node.at, scope: scopeOf(place) }, { ...options, extra: { at: node.at } })
    },
  }
}

function scopeOf (place: Place): string {
  return place.scope === wholeScope ? `'${place.name}'` : `'${place.name}' of ${place.scope}`
}

/** Scope of the top level. */
export const wholeScope = 'the configuration'

export interface BlocksOptions<F extends Fields, V, T> extends BlockOptions<F, V, T> {
  /** Blocks that the nodes may be gathered in. */
  readonly within?: readonly string[]
  readonly min?: number
}

/** A block that may stand any number of times: `target … target …`. */
export function blocks<F extends Fields, T = Infer<F> & Placed> (fields: F, doc: string, options: BlocksOptions<F, Infer<F> & Placed, T> = {}): Field<readonly T[]> {
  return {
    row: { ...plain(options), shape: 'blocks', doc, fields, within: options.within ?? [] },
    read (given, place) {
      const nodes = gathered(given, place, [place.name, ...options.aliases ?? []], options.within ?? []).flatMap(node => oneEach(node, options.args))
      if (nodes.length < (options.min ?? 0) && place.excused !== true) place.report.error('CONFIG_MISSING', `${place.scope} needs '${place.name}'`, place.at)
      return nodes.map(node => {
        noteSpelling(node, place)
        return readBlock(fields, node, { ...place, at: node.at, scope: scopeOf(place) }, { ...options, extra: { at: node.at } })
      })
    },
  }
}

/** From JSON, several plain values may come in one node. */
function oneEach (node: KdlNode, args: readonly string[] | undefined): readonly KdlNode[] {
  if (args?.length !== 1 || node.args.length < 2 || node.args[0]?.at.file !== '') return [node]
  return node.args.map(arg => ({ ...node, args: [arg] }))
}

export interface NamedOptions<F extends Fields, T> extends BlockOptions<F, Infer<F> & Named, T> {
  readonly min?: number
}

/**
 * Things with a name of their own: `routes { route "api" { … } }` for the field `routes` and the kind `route`.
 * Several such blocks add up. The name is unique among its kind and can be referred to.
 */
export function named<F extends Fields, T = Infer<F> & Named> (kind: string, fields: F, doc: string, options: NamedOptions<F, T> = {}): Field<readonly T[]> {
  return {
    row: { ...plain(options), shape: 'blocks', doc, fields, kind },
    read (given, place) {
      for (const node of given) noteSpelling(node, place)
      const found: T[] = []
      for (const node of gathered(given, place, [kind], [place.name, ...options.aliases ?? []])) {
        const named = nameOf(node, kind, place)
        if (named === undefined) continue
        const { id, rest } = named
        place.report.define(kind, id, node.args[0]?.at ?? node.at)
        found.push(readBlock(fields, rest, { ...place, at: node.at, scope: `${kind} '${id}'` }, { ...options, extra: { id, at: node.at } }))
      }
      const empty = given.every(node => node.children === undefined || node.children.length === 0)
      if (empty && (options.min ?? 0) > 0 && place.excused !== true) place.report.error('CONFIG_MISSING', `there is no ${kind}`, place.at, `write ${place.name} { ${kind} "name" { … } }`)
      return found
    },
  }
}

/** The id is the first value; old files also write `id="…"`. */
export function nameOf (node: KdlNode, kind: string, place: Place): { id: string, rest: Content } | undefined {
  const [first, ...args] = node.args
  const prop = node.props.find(candidate => candidate.name === 'id')
  const child = node.children?.find(candidate => candidate.name === 'id' && candidate.args.length === 1)
  const entry: KdlEntry | undefined = first ?? prop ?? child?.args[0]
  if (entry === undefined) {
    place.report.error('CONFIG_MISSING', `this ${kind} has no name`, node.at, `write ${kind} "name" { … }`)
    return undefined
  }
  const id = entry.value
  if (typeof id !== 'string' || !/^[^\s\p{Cc}][^\p{Cc}]{0,127}$/u.test(id) || id.endsWith(' ')) {
    place.report.error('CONFIG_TYPE', `the name of a ${kind} must be a text of at most 128 characters, found ${shown(entry)}`, entry.at)
    return undefined
  }
  if (first !== undefined) return { id, rest: { ...node, args } }
  const props = node.props.filter(candidate => candidate !== prop)
  return { id, rest: { ...node, props, children: prop === undefined ? node.children?.filter(candidate => candidate !== child) : node.children } }
}

/** The nodes themselves, and those inside of the blocks that gather them. */
export function gathered (given: readonly KdlNode[], place: Place, own: readonly string[], within: readonly string[]): KdlNode[] {
  return given.flatMap(node => {
    if (!within.includes(node.name)) return [node]
    refuseAnnotation(node, place)
    const [kind = node.name] = own
    for (const extra of [...node.args, ...node.props]) {
      place.report.error('CONFIG_EXTRA', `'${node.name}' takes a block of '${kind}', no values`, extra.at)
    }
    return (node.children ?? []).filter(child => {
      if (own.includes(child.name)) return true
      const near = nearest(child.name, own)
      place.report.error('CONFIG_UNKNOWN_SETTING', `'${node.name}' holds only '${kind}', found '${child.name}'`, child.at,
        near === undefined ? `write ${kind} "${child.name}" { … }` : `did you mean '${near}'?`)
      return false
    })
  })
}

export type Content = Pick<KdlNode, 'name' | 'at' | 'args' | 'props' | 'children' | 'tag'>

interface ReadBlockOptions<F extends Fields, V, T> extends BlockOptions<F, V, T> {
  /** Members beside the declared ones. */
  readonly extra?: object
}

/** Reads everything a block holds: values after its name, properties and children. What nobody declared is a problem. */
export function readBlock<F extends Fields, V, T> (fields: F, content: Content, place: Place, options: ReadBlockOptions<F, V, T> = {}): T {
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
  for (const [key, field] of Object.entries(fields)) {
    const read = field.read(given.get(key) ?? [], { ...place, name: settingName(key, field), excused: meant.has(key) })
    if (field.row.notBuilt !== true) value[key] = read
  }
  // `value` has one member for each field, made by that field: this is what V says, which no type checker can follow through a loop.
  const typed = value as V
  if (options.build === undefined) return typed as unknown as T
  return options.build(typed, hereOf(given, content, place, place.report.errors === before && meant.size === 0))
}

function positional (content: Content, args: readonly string[], fields: Fields, give: (key: string, node: KdlNode) => void, place: Place): void {
  content.args.forEach((entry, index) => {
    const key = args[index]
    if (key !== undefined) give(key, { name: fields[key]?.row.name ?? kebab(key), at: entry.at, args: [entry], props: [], children: undefined, shortOf: content.name })
    else if (args.length === 0) place.report.error('CONFIG_EXTRA', `${place.scope} takes no value here`, entry.at, 'settings go into its block')
    else place.report.error('CONFIG_EXTRA', `${place.scope} takes ${args.length === 1 ? 'one value' : `${args.length} values`}`, entry.at)
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

/** The printable part of a block's options. */
function plain (options: FieldOptions & { readonly args?: readonly string[] }): FieldOptions & { readonly args?: readonly string[] } {
  const { name, aliases, since, args } = options
  return {
    ...(name === undefined ? {} : { name }),
    ...(aliases === undefined ? {} : { aliases }),
    ...(since === undefined ? {} : { since }),
    ...(args === undefined ? {} : { args: args.map(kebab) }),
  }
}
