import { listed, nearest } from '../kdl/nearest.ts'
import type { KdlEntry, KdlNode } from '../kdl/nodes.ts'
import type { Position } from '../kdl/position.ts'
import type { Content, Strays } from './distribute.ts'
import { distribute, Given, namesOf } from './distribute.ts'
import type { Field, FieldOptions, Fields, OlderForm, OlderForms, Place, Unbuilt } from './field.ts'
import { placeOf, settingName, unreadable } from './field.ts'
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
  /** Judge the text alone: no file that it names is looked at. */
  readonly textOnly: boolean
  readonly names: string
  readonly report: Report
  /** No error was found inside: a check that would only repeat one may be left out otherwise. */
  readonly clean: boolean
  /** Place of a setting's value as given, or of the block when it was left out. */
  where (name: keyof F & string): Position
  given (name: keyof F & string): boolean
  /** What was read for a setting that has no effect yet: a contradiction is one all the same. */
  unbuilt<K extends keyof F & string> (name: K): Unbuilt<F[K]>
  /** The nodes as given: for what a setting without a value says. */
  nodes (name: keyof F & string): readonly KdlNode[]
}

export interface BlockOptions<F extends Fields, V, T> extends FieldOptions {
  /** Settings that the values after the name stand for: `target "a:80"` for `target { address "a:80" }`. */
  readonly args?: readonly (keyof F & string)[]
  /** Cross-field checks, and another shape for the value when the declaration's is not convenient. Must not repeat a type check. */
  readonly build?: (value: V, here: Here<F>) => T
  /** Other shapes of what stands inside. */
  readonly older?: OlderForms
}

/**
 * Reads everything a block holds: values after its name, properties and children. What nobody declared is a problem.
 * `extra`: members beside the declared ones.
 */
export function readBlock<F extends Fields, V, T> (
  fields: F, content: Content, place: Place, options: BlockOptions<F, V, T> = {}, extra?: object,
): T | typeof unreadable {
  if (content.tag !== undefined) refuseAnnotation({ ...content, children: content.children }, placeOf(content.name, place, false))
  const strays = new StraysOfBlock(fields, place, options.args ?? [])
  const given = isLeftOut(content) ? nothingGiven : distribute(fields, options, content, strays)
  const before = place.report.errors
  const { constants, others, byKey } = shapeOf(fields)
  const value: Record<string, unknown> = { ...constants }
  if (extra !== undefined) Object.assign(value, extra)
  let unbuilt: Record<string, unknown> | undefined
  let whole = true
  const take = ({ key, field, name, hasValue }: Shaped, nodes: readonly KdlNode[]): void => {
    const read = field.read(nodes, placeOf(name, place, strays.meant?.has(key) === true))
    if (read === unreadable) whole = false
    else if (hasValue) value[key] = read
    else (unbuilt ??= {})[key] = read
  }
  given.forEach((nodes, key) => take(byKey.get(key)!, nodes)) // It was given to a field of this key.
  for (const field of others) if (!given.has(field.key)) take(field, [])
  if (!whole) return unreadable
  // `value` has one member for each field, made by that field: this is what V says, which no type checker can follow through a loop.
  const typed = value as V
  if (options.build === undefined) return typed as unknown as T
  return options.build(typed, new BlockHere(fields, given, content, place, place.report.errors === before && strays.meant === undefined, unbuilt))
}

/** What belongs to no field, on its way to the report. A class, as `BlockHere`: both are made for every block of every file. */
class StraysOfBlock implements Strays {
  /** Settings that something unknown was probably meant for. */
  meant: Set<string | undefined> | undefined
  readonly #fields: Fields
  readonly #place: Place
  readonly #args: readonly string[]

  constructor (fields: Fields, place: Place, args: readonly string[]) {
    this.#fields = fields
    this.#place = place
    this.#args = args
  }

  unknown (node: KdlNode): void {
    (this.meant ??= new Set()).add(unknown(node, this.#fields, this.#place))
  }

  extra (entry: KdlEntry): void {
    tooMany(entry, this.#args, this.#place)
  }

  older (node: KdlNode, form: OlderForm): void {
    const { report, scope } = this.#place
    report.note('CONFIG_OTHER_SPELLING', `'${node.name}' of ${scope} is written in an older form`, node.at, form.doc)
  }
}

const nothingGiven = new Given()

function isLeftOut ({ args, props, children }: Content): boolean {
  return args.length === 0 && props.length === 0 && (children === undefined || children.length === 0)
}

interface Shaped {
  readonly key: string
  readonly field: Field<unknown>
  readonly name: string
  readonly hasValue: boolean
}

interface Shape {
  /** A block in which nothing is given, but for `others`: copying it costs less than filling in dozens of members. */
  readonly constants: Readonly<Record<string, unknown>>
  /** Those that have to be read even when they are left out. */
  readonly others: readonly Shaped[]
  readonly byKey: ReadonlyMap<string, Shaped>
}

const shapes = new WeakMap<Fields, Shape>()

function shapeOf (fields: Fields): Shape {
  let shape = shapes.get(fields)
  if (shape !== undefined) return shape
  // A name that is declared twice is found before anybody writes it.
  namesOf(fields)
  const all = Object.entries(fields).map(([key, field]): Shaped => ({ key, field, name: settingName(key, field), hasValue: !('notBuilt' in field) }))
  const constants = Object.fromEntries(all.filter(({ hasValue }) => hasValue).map(({ key, field }) => [key, field.absent?.value]))
  shape = { constants, others: all.filter(({ field }) => field.absent === undefined), byKey: new Map(all.map(one => [one.key, one])) }
  shapes.set(fields, shape)
  return shape
}

function tooMany (entry: KdlEntry, args: readonly string[], place: Place): void {
  if (args.length === 0) place.report.error('CONFIG_EXTRA', `${place.scope} takes no value here`, entry.at, 'settings go into its block')
  else place.report.error('CONFIG_EXTRA', `${place.scope} takes ${args.length === 1 ? 'one value' : `${args.length} values`}`, entry.at)
}

class BlockHere<F extends Fields> implements Here<F> {
  readonly at: Position
  readonly scope: string
  readonly textOnly: boolean
  readonly names: string
  readonly report: Report
  readonly clean: boolean
  readonly #fields: F
  readonly #given: Given
  readonly #unbuilt: Readonly<Record<string, unknown>> | undefined

  constructor (
    fields: F, given: Given, { at }: Content, { scope, textOnly, names, report }: Place, clean: boolean,
    unbuilt: Readonly<Record<string, unknown>> | undefined,
  ) {
    this.at = at
    this.scope = scope
    this.textOnly = textOnly
    this.names = names
    this.report = report
    this.clean = clean
    this.#fields = fields
    this.#given = given
    this.#unbuilt = unbuilt
  }

  given (name: keyof F & string): boolean {
    if (this.#given.has(name)) return true
    this.report.leftOut(this.#fields, this.at, name)
    return false
  }

  nodes (name: keyof F & string): readonly KdlNode[] {
    return this.given(name) ? this.#given.get(name) ?? [] : []
  }

  where (name: keyof F & string): Position {
    const node = this.#given.get(name)?.[0]
    return node === undefined ? this.at : node.args[0]?.at ?? node.at
  }

  unbuilt<K extends keyof F & string> (name: K): Unbuilt<F[K]> {
    // It was read by the field of this name.
    return this.#unbuilt?.[name] as Unbuilt<F[K]>
  }
}

/** Reports it, and gives the member it was probably meant for. */
function unknown (node: KdlNode, fields: Fields, place: Place): string | undefined {
  const names = namesOf(fields)
  const mistaken = Object.entries(fields).find(([, { row }]) => row.mistaken?.includes(node.name))
  if (mistaken !== undefined) {
    place.report.error('CONFIG_UNKNOWN_SETTING', `unknown setting '${node.name}' in ${place.scope}`, node.at, `write '${settingName(...mistaken)}'`)
    return mistaken[0]
  }
  const nameOfKey = (key: string): string => {
    const field = fields[key]
    return field === undefined ? key : settingName(key, field)
  }
  const near = nearest(node.name, names.keys())
  const key = near === undefined ? undefined : names.get(near)
  // A near alias is answered with the spelling that the reference shows.
  const elsewhere = key === undefined ? place.report.placeOf(node.name) : undefined
  const hint = key !== undefined ? `did you mean '${nameOfKey(key)}'?` : elsewhere ?? `known here: ${listed(Object.keys(fields).map(nameOfKey), 16)}`
  place.report.error('CONFIG_UNKNOWN_SETTING', `unknown setting '${node.name}' in ${place.scope}`, node.at, hint)
  return key
}
