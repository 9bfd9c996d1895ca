import { nearest } from '../kdl/nearest.ts'
import type { KdlEntry, KdlNode } from '../kdl/nodes.ts'
import { shown } from '../kdl/nodes.ts'
import type { Position } from '../kdl/position.ts'
import type { Field, FieldOptions, Fields, Infer, OlderForms, Place } from './field.ts'
import { placeInside, placeInsideNamed, unreadable } from './field.ts'
import type { Content } from './distribute.ts'
import type { BlockOptions } from './read-block.ts'
import { readBlock, wholeScope } from './read-block.ts'
import { noteSpelling, refuseAnnotation, single } from './read-value.ts'

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
      return readBlock(fields, content, placeInside(place, content.at, scopeOf(place)), options)
    },
    ...options.build === undefined ? absentBlock<T>(fields) : {},
  }
}

/** A block of nothing but constants is one. */
function absentBlock<T> (fields: Fields): { absent?: { readonly value: T } } {
  const inner = Object.entries(fields)
  if (inner.some(([, field]) => field.absent === undefined)) return {}
  // One member for each field that has a value, made by that field: what T says.
  return { absent: { value: Object.fromEntries(inner.flatMap(([key, field]) => 'notBuilt' in field ? [] : [[key, field.absent?.value]])) as T } }
}

/** A block that means something by being there: `undefined` when it is not. */
export function optionalBlock<F extends Fields, T = Infer<F> & Placed> (
  fields: F, doc: string, options: BlockOptions<F, Infer<F> & Placed, T> = {},
): Field<T | undefined> {
  return {
    row: { ...plain(options), shape: 'block', doc, fields, required: false },
    read (given, place) {
      const node = single(given, place)
      if (node === undefined) return undefined
      noteSpelling(node, place)
      const read = readBlock(fields, node, placeInside(place, node.at, scopeOf(place)), options, { at: node.at })
      return read === unreadable ? undefined : read
    },
    absent: { value: undefined },
  }
}

function scopeOf (place: Place): string {
  return place.scope === wholeScope ? `'${place.name}'` : `'${place.name}' of ${place.scope}`
}

export interface BlocksOptions<F extends Fields, V, T> extends BlockOptions<F, V, T> {
  /** Blocks that the nodes may be gathered in. */
  readonly within?: readonly string[]
  readonly min?: number
}

/** A block that may stand any number of times: `target … target …`. */
export function blocks<F extends Fields, T = Infer<F> & Placed> (
  fields: F, doc: string, options: BlocksOptions<F, Infer<F> & Placed, T> = {},
): Field<readonly T[]> {
  return {
    row: { ...plain(options), shape: 'blocks', doc, fields, within: options.within ?? [] },
    read (given, place) {
      const nodes = gathered(given, place, [place.name, ...options.aliases ?? []], options.within ?? [])
        .flatMap(node => oneEach(node, options.args))
      if (nodes.length < (options.min ?? 0) && place.excused !== true) place.report.error('CONFIG_MISSING', `${place.scope} needs '${place.name}'`, place.at)
      return nodes.flatMap(node => {
        noteSpelling(node, place)
        const read = readBlock(fields, node, placeInside(place, node.at, scopeOf(place)), options, { at: node.at })
        return read === unreadable ? [] : [read]
      })
    },
    ...options.min === undefined || options.min === 0 ? { absent: { value: [] } } : {},
  }
}

/** From JSON, several plain values may come in one node. */
function oneEach (node: KdlNode, args: readonly string[] | undefined): readonly KdlNode[] {
  if (args?.length !== 1 || node.args.length < 2 || node.args[0]?.at.file !== '') return [node]
  return node.args.map(arg => ({ ...node, args: [arg] }))
}

export interface NamedOptions<F extends Fields, T> extends BlockOptions<F, Infer<F> & Named, T> {
  readonly min?: number
  /** It stands on its own, `namespace "a" { … }`; a block that gathers several is another spelling. */
  readonly direct?: boolean
  /** What stands inside has names of its own. */
  readonly namespace?: boolean
}

/**
 * Things with a name of their own: `routes { route "api" { … } }` for the field `routes` and the kind `route`.
 * Several such blocks add up. The name is unique among its kind and can be referred to.
 */
export function named<F extends Fields, T = Infer<F> & Named> (
  kind: string, fields: F, doc: string, options: NamedOptions<F, T> = {},
): Field<readonly T[]> {
  const { direct } = options
  return {
    row: { ...plain(options), shape: 'blocks', doc, fields, kind, ...direct === true ? { direct } : {}, ...options.namespace === true ? { namespace: true } : {} },
    read (given, place) {
      const found: T[] = []
      for (const { id, at, rest } of namedNodes(given, kind, place, options)) {
        const names = options.namespace !== true ? place.names : place.names === '' ? id : `${place.names}:${id}`
        const read = readBlock(fields, rest, placeInsideNamed(place, at, `${kind} '${id}'`, id, names), options, { id: place.report.idOf(place.names, id), at })
        if (read !== unreadable) found.push(read)
      }
      const empty = given.every(node => node.name !== kind && (node.children === undefined || node.children.length === 0))
      if (empty && (options.min ?? 0) > 0 && place.excused !== true) place.report.error('CONFIG_MISSING', `there is no ${kind}`, place.at, `write ${place.name} { ${kind} "name" { … } }`)
      return found
    },
    ...options.min === undefined || options.min === 0 ? { absent: { value: [] } } : {},
  }
}

interface NamedNode {
  readonly id: string
  readonly at: Position
  readonly rest: Content
}

interface Naming extends FieldOptions {
  readonly direct?: boolean
  readonly namespace?: boolean
}

/** The nodes with their names, each name defined. */
export function namedNodes (given: readonly KdlNode[], kind: string, place: Place, options: Naming): NamedNode[] {
  for (const node of given) {
    const preferred = options.direct === true ? node.name === kind : node.name === place.name
    if (preferred) continue
    const meant = options.direct === true ? kind : node.name === kind ? `${place.name} { ${kind} … }` : place.name
    place.report.note('CONFIG_OTHER_SPELLING', `'${node.name}' is another spelling of '${meant}'`, node.at)
  }
  return gathered(given, place, [kind], [place.name, ...options.aliases ?? []]).flatMap(node => {
    const named = nameOf(node, kind, place)
    if (named === undefined) return []
    if (options.namespace === true && named.id.includes(':')) {
      place.report.error('CONFIG_TYPE', `the name of ${aThing(kind)} must not contain ':', found '${named.id}'`, node.args[0]?.at ?? node.at, `':' stands between the names of a namespace and what is in it`)
    }
    place.report.define(kind, named.id, node.args[0]?.at ?? node.at, place)
    return [{ ...named, at: node.at }]
  })
}

function aThing (kind: string): string {
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`
}

/** Ids are printed in many places: neither control characters nor those that turn the direction of what stands beside them. */
const goodId = /^[^\s\p{Cc}\p{Bidi_Control}\u2028\u2029][^\p{Cc}\p{Bidi_Control}\u2028\u2029]{0,127}$/u

/** The id is the first value; old files also write `id="…"`. */
export function nameOf (node: KdlNode, kind: string, place: Place): { id: string, rest: Content } | undefined {
  const split = splitName(node)
  if (split === undefined) {
    place.report.error('CONFIG_MISSING', `this ${kind} has no name`, node.at, `write ${kind} "name" { … }`)
    return undefined
  }
  const { entry, rest } = split
  const id = entry.value
  if (typeof id !== 'string' || !goodId.test(id) || id.endsWith(' ')) {
    place.report.error('CONFIG_TYPE', `the name of ${aThing(kind)} must be a text of at most 128 characters, none of them a control character, found ${shown(entry)}`, entry.at)
    return undefined
  }
  return { id, rest }
}

/** The value that names a thing, and what the thing holds beside it. */
export function splitName (node: KdlNode): { readonly entry: KdlEntry, readonly rest: Content } | undefined {
  const [first, ...args] = node.args
  if (first !== undefined) return { entry: first, rest: { ...node, args } }
  const prop = node.props.find(candidate => candidate.name === 'id')
  if (prop !== undefined) return { entry: prop, rest: { ...node, props: node.props.filter(candidate => candidate !== prop) } }
  const child = node.children?.find(candidate => candidate.name === 'id' && candidate.args.length === 1)
  const entry = child?.args[0]
  return entry === undefined ? undefined : { entry, rest: { ...node, children: node.children?.filter(candidate => candidate !== child) } }
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

interface Printable extends FieldOptions {
  readonly args?: readonly string[]
  readonly older?: OlderForms
}

/** The printable part of a block's options. */
function plain ({ name, aliases, mistaken, since, example, args, older }: Printable): Printable {
  return {
    ...(name === undefined ? {} : { name }),
    ...(aliases === undefined ? {} : { aliases }),
    ...(mistaken === undefined ? {} : { mistaken }),
    ...(since === undefined ? {} : { since }),
    ...(example === undefined ? {} : { example }),
    ...(args === undefined ? {} : { args }),
    ...(older === undefined ? {} : { older }),
  }
}
