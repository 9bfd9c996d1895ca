/** Turns older spellings into the preferred ones. Everything it knows comes from the rows of the language. */
import { namesOf, nodeOfProp } from '../schema/distribute.ts'
import type { Field, Fields, OlderForm, OlderForms, Row, RowVariants } from '../schema/field.ts'
import { kebab, settingName } from '../schema/field.ts'
import type { KdlNode } from '../kdl/nodes.ts'
import type { LinkedEntry, LinkedNode, LinkedProp } from './link.ts'
import { blockOf } from './link.ts'
import { bare, fromOlder } from './older.ts'
import { gatherNamed, standAlone } from './named.ts'
import { spellSetting } from './spelling.ts'

/** What a block may hold. */
export interface Language {
  readonly fields: Fields
  readonly older?: OlderForms
}

interface Found {
  readonly key: string
  readonly field: Field<unknown>
  readonly name: string
}

/** All that stands in a block. */
export function rewriteNodes (nodes: readonly LinkedNode[], language: Language): LinkedNode[] {
  const formed = applyOlder(nodes, language)
  const out: LinkedNode[] = []
  let run: { readonly key: string, readonly name: string, readonly nodes: LinkedNode[] } | undefined
  const endRun = (): void => {
    if (run !== undefined) out.push(gatherNamed(run.name, run.nodes))
    run = undefined
  }
  for (const node of formed) {
    const found = findField(language.fields, node.name)
    if (found !== undefined && isLoose(node, found)) {
      if (run?.key !== found.key) endRun()
      run ??= { key: found.key, name: found.name, nodes: [] }
      run.nodes.push(rewriteNamed(node, found.field.row))
      continue
    }
    endRun()
    if (found === undefined) out.push(node)
    else out.push(...rewriteField(node, found))
  }
  endRun()
  return out
}

function findField (fields: Fields, name: string): Found | undefined {
  const key = namesOf(fields).get(name)
  const field = key === undefined ? undefined : fields[key]
  return key === undefined || field === undefined ? undefined : { key, field, name: settingName(key, field) }
}

/** A named thing that should stand in a block of its kind, and does not. */
function isLoose (node: LinkedNode, { field: { row }, name }: Found): boolean {
  return row.kind === node.name && row.direct !== true && name !== node.name && row.aliases?.includes(node.name) !== true
}

function applyOlder (nodes: readonly LinkedNode[], { fields, older = {} }: Language): readonly LinkedNode[] {
  if (!nodes.some(node => Object.hasOwn(older, node.name))) return nodes
  const out: LinkedNode[] = []
  /** Where the first node of each setting is: what an older form makes of a block goes into it, as when it is read. */
  const firsts = new Map<string, number>()
  const put = (node: LinkedNode, made: boolean): void => {
    const found = findField(fields, node.name)
    const at = found === undefined ? undefined : firsts.get(found.key)
    const first = at === undefined ? undefined : out[at]
    if (made && at !== undefined && first !== undefined && node.children !== undefined && (found?.field.row.shape === 'block' || found?.field.row.shape === 'map')) {
      const merged = merge(first, node)
      if (merged !== undefined) {
        out[at] = merged
        return
      }
    }
    if (found !== undefined && at === undefined) firsts.set(found.key, out.length)
    out.push(node)
  }
  for (const node of nodes) {
    const form = formOf(node, older)
    const made = form === undefined ? undefined : fromOlder(node, form)
    if (made === undefined) put(node, false)
    else made.forEach(each => put(each, true))
  }
  return out
}

function formOf (node: KdlNode, older: OlderForms): OlderForm | undefined {
  const form = Object.hasOwn(older, node.name) ? older[node.name] : undefined
  return form !== undefined && form.when?.(node) !== false ? form : undefined
}

/** The second block's content behind the first one's. Its comments go before what was in it. */
function merge (first: LinkedNode, second: LinkedNode): LinkedNode | undefined {
  const { lead = [], after = [] } = second.syntax ?? {}
  const inner = second.syntax === undefined ? undefined : blockOf(second.syntax)
  const loose = lead.length + after.length + (inner === undefined ? 0 : inner.opening.length + inner.closing.length)
  if (loose > 0 || second.args.length > 0 || second.props.length > 0) return undefined
  return { ...first, children: [...first.children ?? [], ...second.children ?? []] }
}

function rewriteField (node: LinkedNode, found: Found): readonly LinkedNode[] {
  const { row } = found.field
  switch (row.shape) {
    case 'anything': return [node]
    case 'value':
    case 'list':
      if (row.orBlock === undefined || node.children === undefined) return [rewriteSetting(node, found)]
      return rewriteKind(node, { ...found, field: { ...found.field, row: row.orBlock } })
    case 'json': return [{ ...node, name: found.name }]
    case 'map': return [rewriteMap(node, found)]
    case 'block': return [rewriteBlock({ ...node, name: found.name }, row, 0)]
    case 'blocks': return row.kind === undefined ? [rewriteBlocks(node, found)] : rewriteKind(node, found)
  }
}

function rewriteSetting (node: LinkedNode, { field: { row }, name }: Found): LinkedNode {
  const spelled = spellSetting(row, name, { name: node.name, entries: node.args })
  return { ...node, name: spelled.name, args: spelled.entries }
}

function rewriteMap (node: LinkedNode, { field: { row }, name }: Found): LinkedNode {
  const spell = <T extends LinkedEntry>(given: string, entries: readonly T[]): readonly T[] => spellSetting(row, given, { name: given, entries }).entries
  return {
    ...node,
    name,
    props: node.props.flatMap(prop => spell(prop.name, [prop])),
    children: node.children?.map(child => ({ ...child, args: spell(child.name, child.args) })),
  }
}

/** Repeatable blocks without names, alone or gathered. */
function rewriteBlocks (node: LinkedNode, { field: { row }, name }: Found): LinkedNode {
  if (row.within?.includes(node.name) !== true) return rewriteBlock({ ...node, name }, row, 0)
  const own = [name, ...row.aliases ?? []]
  return { ...node, children: node.children?.map(child => own.includes(child.name) ? rewriteBlock({ ...child, name }, row, 0) : child) }
}

function rewriteKind (node: LinkedNode, { field: { row }, name }: Found): readonly LinkedNode[] {
  const gathers = node.name === name || row.aliases?.includes(node.name) === true
  if (!gathers) return [rewriteNamed(node, row)]
  const children = node.children?.map(child => {
    if (child.name === row.kind) return rewriteNamed(child, row)
    const { variants, shorthands } = row
    return variants !== undefined && shorthands?.includes(child.name) === true ? rewriteVariant(child, row, variants, child.name) : child
  })
  const inside = { ...node, name: row.direct === true ? node.name : name, children }
  return row.direct === true && name !== row.kind ? standAlone(inside, row.kind ?? '') : [inside]
}

function rewriteNamed (node: LinkedNode, row: Row): LinkedNode {
  if (row.variants === undefined) return rewriteBlock(node, row, node.args.length > 0 ? 1 : 0)
  const { tag, also, of } = row.variants
  const word = (raw: unknown): string | undefined => {
    const plain = typeof raw === 'string' ? raw.toLowerCase().replaceAll('_', '-') : ''
    const meant = also[plain] ?? plain
    return Object.hasOwn(of, meant) ? meant : undefined
  }
  const name = kebab(tag)
  const prop = node.props.find(candidate => candidate.name === name)
  const child = prop === undefined ? node.children?.find(candidate => candidate.name === name) : undefined
  const given = prop === undefined ? child?.args[0]?.value : prop.value
  const chosen = given === undefined ? row.variants.implied?.(node) : word(given)
  if (chosen === undefined) return node
  const chooses = (arg: LinkedEntry, index: number): LinkedEntry => index === 0 ? { ...arg, value: chosen } : arg
  const spelled = {
    ...node,
    props: node.props.map(each => each === prop ? { ...each, value: chosen } : each),
    children: node.children?.map(each => each === child ? { ...each, args: each.args.map(chooses) } : each),
  }
  return rewriteVariant(spelled, row, row.variants, chosen)
}

/** The first value is its name where there is one. */
function rewriteVariant (node: LinkedNode, row: Row, variants: RowVariants, word: string): LinkedNode {
  return rewriteBlock(node, variantRow(row, variants, word), node.args.length > 0 ? 1 : 0)
}

const variantRows = new WeakMap<RowVariants, Map<string, Row>>()

/** The row of one variant, made once: names are looked up by the identity of fields. */
function variantRow (row: Row, variants: RowVariants, word: string): Row {
  let rows = variantRows.get(variants)
  if (rows === undefined) variantRows.set(variants, rows = new Map())
  let found = rows.get(word)
  if (found === undefined) rows.set(word, found = { ...row, fields: { ...row.fields, ...variants.of[word] }, older: { ...row.older, ...variants.older[word] } })
  return found
}

/** What a block holds: values after its name (behind `skip` of them), properties, children. */
function rewriteBlock (node: LinkedNode, row: Row, skip: number): LinkedNode {
  const { fields = {}, older = {}, args = [] } = row
  const moved: LinkedNode[] = []
  const props = node.props.flatMap((prop): LinkedProp[] => {
    const given = bare(nodeOfProp(prop))
    const form = formOf(given, older)
    const made = form === undefined ? undefined : fromOlder(given, form)
    if (made === undefined) return [rewriteProp(prop, fields)]
    moved.push(...made)
    return []
  })
  // A property in an older form becomes what it stands for: nodes. When read, they come before the children.
  const children = moved.length === 0 ? node.children : mergedInto(moved, node.children ?? [], fields)
  const values = node.args.map((arg, index) => {
    const key = index < skip ? undefined : args[index - skip]
    const field = key === undefined ? undefined : fields[key]
    if (key === undefined || field?.row.shape !== 'value') return arg
    const name = settingName(key, field)
    return spellSetting(field.row, name, { name, entries: [arg] }).entries[0] ?? arg
  })
  return { ...node, args: values, props, children: children === undefined ? undefined : rewriteNodes(children, { fields, older }) }
}

function mergedInto (moved: readonly LinkedNode[], children: readonly LinkedNode[], fields: Fields): readonly LinkedNode[] {
  const out: LinkedNode[] = []
  for (const node of moved) {
    const at = out.findIndex(each => each.name === node.name)
    const first = out[at]
    const merged = first !== undefined && findField(fields, node.name)?.field.row.shape === 'block' ? merge(first, node) : undefined
    if (merged === undefined) out.push(node)
    else out[at] = merged
  }
  return [...out, ...children]
}

function rewriteProp (prop: LinkedProp, fields: Fields): LinkedProp {
  const found = findField(fields, prop.name)
  if (found === undefined) return prop
  const { shape } = found.field.row
  if (shape !== 'value' && shape !== 'list') return shape === 'block' ? { ...prop, name: found.name } : prop
  const spelled = spellSetting(found.field.row, found.name, { name: prop.name, entries: [prop] })
  return { ...spelled.entries[0] ?? prop, name: spelled.name }
}
