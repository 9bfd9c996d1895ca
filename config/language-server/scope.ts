/** What the declared language says about the places of a tree: which settings a block takes, and what a node in it is. */
import type { Field, Fields, OlderForm, OlderForms, Row } from '../schema/index.ts'
import { kebab, namesOf, required, settingName, words } from '../schema/index.ts'
import type { TreeNode } from './tree.ts'
import { kdlNode } from './kdl-nodes.ts'
import { textOf } from './word.ts'

/** What may stand in a block. */
export type Scope =
  | { readonly is: 'settings', readonly fields: Fields, readonly older: OlderForms, readonly args: readonly string[] }
  /** A block that only holds blocks of one name: `routes { route … }`. */
  | { readonly is: 'gatherer', readonly holds: string, readonly meaning: Meaning }
  /** Names are free: the settings of an agent, an environment. */
  | { readonly is: 'free', readonly row: Row | undefined }

/** What a node is. `name` is its preferred spelling, `key` the member of the block around it. */
export type Meaning =
  | { readonly is: 'setting', readonly key: string, readonly name: string, readonly row: Row }
  | { readonly is: 'gatherer', readonly key: string, readonly name: string, readonly row: Row, readonly holds: string }
  /** It has a name of its own: its first value. */
  | { readonly is: 'thing', readonly key: string, readonly name: string, readonly row: Row, readonly kind: string }
  | { readonly is: 'older', readonly name: string, readonly form: OlderForm }
  | { readonly is: 'free', readonly row: Row | undefined }
  | { readonly is: 'unknown' }

export function topScope (fields: Fields): Scope {
  return { is: 'settings', fields, older: {}, args: [] }
}

export function meaningOf (scope: Scope, node: TreeNode): Meaning {
  if (scope.is === 'free') return { is: 'free', row: scope.row }
  const name = textOf(node.name)
  if (scope.is === 'gatherer') {
    const { meaning } = scope
    const known = name === scope.holds || (meaning.is === 'setting' && meaning.row.aliases?.includes(name) === true)
    return known ? meaning : { is: 'unknown' }
  }
  const form = Object.hasOwn(scope.older, name) ? scope.older[name] : undefined
  if (form !== undefined && form.when?.(kdlNode(node, '')) !== false) return { is: 'older', name, form }
  return meaningOfName(scope.fields, name)
}

/** What a name leads to among these settings, in any spelling. */
export function meaningOfName (fields: Fields, name: string): Meaning {
  const key = namesOf(fields).get(name)
  const field = key === undefined ? undefined : fields[key]
  return key === undefined || field === undefined ? { is: 'unknown' } : meaningOfField(key, field, name)
}

function meaningOfField (key: string, field: Field<unknown>, name: string): Meaning {
  const { row } = field
  const preferred = settingName(key, field)
  if (row.kind !== undefined) {
    if (name === row.kind) return { is: 'thing', key, name: row.kind, row, kind: row.kind }
    return { is: 'gatherer', key, name: preferred, row, holds: row.kind }
  }
  if (row.within?.includes(name) === true) return { is: 'gatherer', key, name, row, holds: preferred }
  return { is: 'setting', key, name: preferred, row }
}

/** What may stand in the block of a node. */
export function scopeIn (meaning: Meaning, node: TreeNode): Scope {
  switch (meaning.is) {
    case 'thing': return { is: 'settings', fields: fieldsOf(meaning.row, node), older: olderOf(meaning.row, node), args: meaning.row.args ?? [] }
    case 'gatherer': {
      const { key, row, holds } = meaning
      const held: Meaning = row.kind === undefined ? { is: 'setting', key, name: holds, row } : { is: 'thing', key, name: row.kind, row, kind: row.kind }
      return { is: 'gatherer', holds, meaning: held }
    }
    case 'setting': {
      const { row } = meaning
      if (row.fields !== undefined) return { is: 'settings', fields: row.fields, older: row.older ?? {}, args: row.args ?? [] }
      return { is: 'free', row }
    }
    case 'free': return { is: 'free', row: meaning.row }
    case 'older': case 'unknown': return { is: 'free', row: undefined }
  }
}

/** What stands in the innermost of these blocks. */
export function scopeOf (path: readonly TreeNode[], top: Scope): Scope {
  return path.reduce((scope, node) => scopeIn(meaningOf(scope, node), node), top)
}

const tagged = new WeakMap<Row, Map<string, Fields>>()

/** The settings of a thing: those of its type, too, where they depend on it. */
export function fieldsOf (row: Row, node: TreeNode | undefined): Fields {
  const { variants } = row
  if (variants === undefined) return row.fields ?? {}
  const word = variantOf(row, node) ?? ''
  let known = tagged.get(row)
  if (known === undefined) tagged.set(row, known = new Map())
  let fields = known.get(word)
  if (fields === undefined) {
    const tag = required(words(Object.keys(variants.of), {}), 'Which kind it is: its other settings depend on this.')
    const own = Object.hasOwn(variants.of, word) ? variants.of[word] : {}
    known.set(word, fields = { [variants.tag]: tag, ...row.fields, ...own })
  }
  return fields
}

function olderOf (row: Row, node: TreeNode): OlderForms {
  const own = row.variants?.older[variantOf(row, node) ?? '']
  return { ...row.older, ...own }
}

/** The word that chooses the settings, in the spelling of the table; `undefined` while there is none. */
function variantOf (row: Row, node: TreeNode | undefined): string | undefined {
  const { variants } = row
  if (variants === undefined || node === undefined) return undefined
  const tag = kebab(variants.tag)
  const prop = node.props.find(({ name }) => textOf(name) === tag)
  const word = prop?.value ?? node.children?.find(child => !child.off && textOf(child.name) === tag)?.args[0]
  if (word === undefined) return undefined
  const plain = textOf(word).toLowerCase().replaceAll('_', '-')
  const meant = variants.also[plain] ?? plain
  return Object.hasOwn(variants.of, meant) ? meant : undefined
}

/** The declaration that value number `index` of a node is read by; `'id'` where it is the node's own name. */
export function rowOfValue (meaning: Meaning, node: TreeNode, index: number): Row | 'id' | undefined {
  if (meaning.is === 'free') return meaning.row?.shape === 'map' && index === 0 ? meaning.row : undefined
  if (meaning.is !== 'setting' && meaning.is !== 'thing') return undefined
  if (meaning.is === 'thing' && index === 0) return 'id'
  const { row } = meaning
  if (row.shape === 'list') return row
  if (row.shape === 'value') return index === 0 ? row : undefined
  const key = row.args?.[meaning.is === 'thing' ? index - 1 : index]
  return key === undefined ? undefined : fieldsOf(row, node)[key]?.row
}

