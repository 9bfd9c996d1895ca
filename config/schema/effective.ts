import type { JsonValue } from '../kdl/json.ts'
import { jsonOf } from '../kdl/json.ts'
import type { KdlEntry, KdlNode } from '../kdl/nodes.ts'
import type { Position } from '../kdl/position.ts'
import { filesFrom } from '../kdl/substitute.ts'
import { splitName } from './blocks.ts'
import type { Content } from './distribute.ts'
import { distribute, nodeOfProp } from './distribute.ts'
import type { EffectiveValue } from './effective-value.ts'
import { defaultValue, effectiveValue, unitMatters, withheldText } from './effective-value.ts'
import type { Field, Fields, OlderForms, Row } from './field.ts'
import { kebab, settingName } from './field.ts'
import { isSensitiveName } from './sensitive.ts'
import { anyText } from './values.ts'
import { chosenWord } from './variants.ts'

interface Common {
  /** Name in the preferred spelling. */
  readonly name: string
  /** Names from the outside to here, those of things among them: `routes.api.upstream`. */
  readonly path: string
  /** Where it is given; `undefined` when it is there by default. */
  readonly at: Position | undefined
  /** False for what is checked and has no effect in this version. */
  readonly inEffect: boolean
  readonly row: Row
}

export interface EffectiveSetting extends Common {
  readonly kind: 'setting'
  readonly values: readonly EffectiveValue[]
  /** Another spelling that a value from outside depends on: its unit is in the name. */
  readonly spelling?: string
  /** A default that other settings of the block may overrule while it is not written. */
  readonly open?: true
}

export interface EffectiveBlock extends Common {
  readonly kind: 'block'
  /** Of a thing with a name: "route". */
  readonly thing?: string
  readonly id?: string
  /** The id is a text with `${…}` that counts. */
  readonly idWritten?: true
  /** Of a block that may stand several times. */
  readonly repeated?: true
  /** Settings declared for such a block, given or not. */
  readonly fields: Fields
  readonly open?: true
  readonly members: readonly Effective[]
}

/** Things of one kind, in their order. */
export interface EffectiveGroup extends Common {
  readonly kind: 'group'
  /** They stand in a block of the group's name. */
  readonly gathered: boolean
  readonly members: readonly EffectiveBlock[]
}

/** Somebody else's settings, as they were written. */
export interface EffectiveFree extends Common {
  readonly kind: 'free'
  /** Secrets among them are withheld. */
  readonly node: KdlNode
  /** With the secrets, to compare. */
  readonly json: JsonValue
}

export type Effective = EffectiveSetting | EffectiveBlock | EffectiveGroup | EffectiveFree

export interface EffectiveOptions {
  /** Absolute folder that relative paths of a file start from. */
  readonly folderOf: (file: string) => string
  readonly older?: OlderForms
  /** The main file, as positions name it. */
  readonly file?: string
  /** Whether leaving out a setting of the block at a place may mean something else than writing its default. */
  readonly absenceCounts?: (fields: Fields, at: Position, key: string) => boolean
}

interface Around extends EffectiveOptions {
  readonly path: string
  readonly at: Position
  readonly inEffect: boolean
  readonly absent: (key: string) => boolean
}

/**
 * What a configuration says when everything is counted: each setting in its preferred spelling, with the place it is given at or as a default.
 * Values from the environment stay the text that names them, secrets are withheld.
 */
export function effective (fields: Fields, nodes: readonly KdlNode[], options: EffectiveOptions): readonly Effective[] {
  const at = { file: options.file ?? nodes[0]?.at.file ?? '', line: 1, column: 1, length: 1 }
  const around = { ...options, path: '', at, inEffect: true, absent: () => false }
  return membersOf(fields, { name: '', at, args: [], props: [], children: nodes }, around, options.older === undefined ? {} : { older: options.older })
}

function membersOf (fields: Fields, content: Content, around: Around, row: Pick<Row, 'args' | 'older'>): Effective[] {
  const given = distribute(fields, row, content)
  const here = { ...around, at: content.at, absent: (key: string) => around.absenceCounts?.(fields, content.at, key) === true }
  return Object.entries(fields).flatMap(([key, field]) => memberOf(key, field, given.get(key) ?? [], here))
}

function memberOf (key: string, field: Field<unknown>, nodes: readonly KdlNode[], around: Around): Effective[] {
  const { row } = field
  const name = settingName(key, field)
  if (nodes.length === 0 && (row.notBuilt === true || !around.inEffect)) return []
  const common: Common = { name, path: joined(around.path, name), at: nodes[0]?.at, inEffect: around.inEffect && row.notBuilt !== true, row }
  const open = nodes.length === 0 && around.absent(key) ? { open: true as const } : {}
  switch (row.shape) {
    case 'value': return settingOf(common, nodes.slice(0, 1), around, open)
    case 'list': {
      const values = nodes.filter(node => node.args.length > 0)
      return [...settingOf(common, values, around, open), ...freeOf(common, nodes.filter(node => !values.includes(node)), around)]
    }
    case 'map': return mapOf(common, nodes[0], around)
    case 'json': case 'anything': return freeOf(common, nodes, around)
    case 'block': return blockOf(common, nodes[0], around, open)
    case 'blocks': return row.kind === undefined ? repeatedOf(common, nodes, around) : thingsOf(common, row.kind, nodes, around)
  }
}

function settingOf (common: Common, nodes: readonly KdlNode[], around: Around, open: { readonly open?: true }): EffectiveSetting[] {
  const { row } = common
  const { type } = row
  const values = nodes.length === 0
    ? (row.defaults ?? []).map(value => defaultValue(type, value))
    : nodes.flatMap(node => (row.shape === 'list' ? node.args : node.args.slice(0, 1)).flatMap(entry => partsOf(entry, row)).map(entry =>
      effectiveValue(type, entry, { folder: around.folderOf(entry.at.file), as: node.name, bareUnitMs: row.bareUnitMs, secret: row.secret })))
  if (values.length === 0) return []
  const named = nodes.find(node => values.some(value => unitMatters(value, type, node.name)))
  const working = values.every(value => value.notBuilt === undefined)
  return [{ ...common, kind: 'setting', inEffect: common.inEffect && working, values, ...named === undefined ? {} : { spelling: named.name }, ...open }]
}

function partsOf (entry: KdlEntry, row: Row): readonly KdlEntry[] {
  if (row.commas !== true || typeof entry.value !== 'string' || entry.written !== undefined) return [entry]
  return entry.value.split(',').map(part => ({ ...entry, value: part.trim() }))
}

function blockOf (common: Common, node: KdlNode | undefined, around: Around, open: { readonly open?: true }): EffectiveBlock[] {
  const { row, name, path, inEffect } = common
  const fields = row.fields ?? {}
  if (node === undefined && row.required === false) return []
  const content: Content = node ?? { name, at: around.at, args: [], props: [], children: [] }
  return [{ ...common, kind: 'block', fields, members: membersOf(fields, content, { ...around, path, inEffect }, row), ...open }]
}

function repeatedOf (common: Common, nodes: readonly KdlNode[], around: Around): EffectiveBlock[] {
  const { row } = common
  const fields = row.fields ?? {}
  return gathered(nodes, row.within ?? []).map((node, index) => {
    const path = `${common.path}[${index}]`
    const members = membersOf(fields, node, { ...around, path, inEffect: common.inEffect }, row)
    return { ...common, kind: 'block', path, at: node.at, repeated: true, fields, members }
  })
}

function thingsOf (common: Common, kind: string, nodes: readonly KdlNode[], around: Around): EffectiveGroup[] {
  const { row, name } = common
  const direct = row.direct === true
  const members = gathered(nodes, [name, ...row.aliases ?? []].filter(outer => outer !== kind)).flatMap(node => {
    const split = splitName(node) ?? (row.unnamed === undefined ? undefined : { entry: { value: row.unnamed, at: node.at }, rest: node })
    if (split === undefined) return []
    const id = split.entry.written ?? String(split.entry.value)
    const path = joined(direct ? joined(around.path, kind) : common.path, id)
    const chosen = row.variants === undefined ? plainThing(row) : variantOf(row, row.variants, split.rest)
    const inEffect = common.inEffect && chosen.built
    const own = membersOf(chosen.fields, split.rest, { ...around, path, inEffect }, chosen)
    const idWritten = split.entry.written === undefined ? {} : { idWritten: true as const }
    return [{ kind: 'block' as const, name: kind, path, at: node.at, inEffect, row, thing: kind, id, ...idWritten, fields: chosen.fields, members: own }]
  })
  return members.length === 0 ? [] : [{ ...common, kind: 'group', gathered: !direct, members }]
}

interface Chosen extends Pick<Row, 'args' | 'older'> {
  readonly fields: Fields
  readonly built: boolean
}

function plainThing (row: Row): Chosen {
  return { fields: row.fields ?? {}, built: true, ...row.args === undefined ? {} : { args: row.args }, ...row.older === undefined ? {} : { older: row.older } }
}

function variantOf (row: Row, variants: NonNullable<Row['variants']>, content: Content): Chosen {
  const word = chosenWord(content, variants)?.word ?? ''
  const older = Object.hasOwn(variants.older, word) ? variants.older[word] : undefined
  const own = Object.hasOwn(variants.of, word) ? variants.of[word] : undefined
  const tag: Field<unknown> = {
    row: { shape: 'value', name: kebab(variants.tag), doc: 'Which kind it is.', type: { ...anyText, parse: () => ({ value: word }) } },
    read: () => word,
  }
  return { fields: { [variants.tag]: tag, ...row.fields, ...own }, built: !variants.notBuilt.includes(word), ...older === undefined ? {} : { older } }
}

function mapOf (common: Common, node: KdlNode | undefined, around: Around): EffectiveBlock[] {
  if (node === undefined) return []
  const { doc, type, secret } = common.row
  const row: Row = { shape: 'value', doc, ...type === undefined ? {} : { type } }
  const rowOf = (name: string): Row => secret === true || isSensitiveName(name) ? { ...row, secret: true } : row
  const members = [...node.props.map(nodeOfProp), ...node.children ?? []].flatMap(child =>
    settingOf({ ...common, row: rowOf(child.name), name: child.name, path: joined(common.path, child.name), at: child.at }, [child], around, {}))
  return [{ ...common, kind: 'block', fields: {}, members }]
}

function freeOf (common: Common, nodes: readonly KdlNode[], around: Around): EffectiveFree[] {
  return nodes.map(given => {
    const written = asWritten(given, around)
    const node = common.row.secret === true ? withheldNode(written) : withoutSecrets(written)
    return { ...common, kind: 'free', at: node.at, node, json: jsonOf([written])[node.name] ?? null }
  })
}

/** The same node without anything from outside: `value` is what `written` says. */
function asWritten (node: KdlNode, around: Around): KdlNode {
  return mapEntries(node, entry => {
    if (entry.written === undefined) return entry
    const written = filesFrom(around.folderOf(entry.at.file), entry.written)
    return { ...entry, value: written, written }
  })
}

/** Nobody declared the settings of a free block: their names say which of them are secrets. */
function withoutSecrets (node: KdlNode): KdlNode {
  if (isSensitiveName(node.name)) return withheldNode(node)
  return {
    ...node,
    props: node.props.map(entry => isSensitiveName(entry.name) ? withheldEntry(entry) : entry),
    children: node.children?.map(withoutSecrets),
  }
}

function withheldNode (node: KdlNode): KdlNode {
  return mapEntries(node, withheldEntry)
}

/** What names something outside may be shown. */
function withheldEntry<T extends KdlEntry> (entry: T): T {
  return entry.written === undefined ? { ...entry, value: withheldText } : entry
}

function mapEntries (node: KdlNode, change: <T extends KdlEntry>(entry: T) => T): KdlNode {
  return { ...node, args: node.args.map(change), props: node.props.map(change), children: node.children?.map(child => mapEntries(child, change)) }
}

/** The nodes themselves, and those inside of blocks that gather them. */
function gathered (nodes: readonly KdlNode[], within: readonly string[]): KdlNode[] {
  return nodes.flatMap(node => within.includes(node.name) ? node.children ?? [] : [node])
}

function joined (path: string, name: string): string {
  const shown = /^[\p{L}\p{N}_*-][\p{L}\p{N}_*:/-]*$/u.test(name) ? name : JSON.stringify(name)
  return path === '' ? shown : `${path}.${shown}`
}

/** Every block, setting and free block of a tree, from the outside to the inside. */
export function * everyMember (tree: readonly Effective[]): Generator<Effective> {
  for (const member of tree) {
    yield member
    if (member.kind === 'block' || member.kind === 'group') yield * everyMember(member.members)
  }
}
