import type { Prop, Tree, TreeNode } from './tree.ts'
import type { Span, Word } from './word.ts'

/** Where somebody is writing. */
export interface Cursor {
  /** Blocks around it, from the outermost inwards. */
  readonly path: readonly TreeNode[]
  /** What is expected or stands there: the name of a node, a value after the name, the value of a property; or nothing that one could help with. */
  readonly at: 'name' | 'value' | 'property' | 'comment'
  /** The node that the name or the value belongs to; missing where a new one would begin. */
  readonly node?: TreeNode
  /** Which of the values it is. */
  readonly index: number
  readonly prop?: Prop
  /** The word under the cursor, if it stands in or right behind one. */
  readonly word?: Word
  /** What a completion replaces. */
  readonly span: Span
}

export function cursorAt (tree: Tree, offset: number): Cursor {
  const path: TreeNode[] = []
  const nowhere = { from: offset, to: offset }
  // The end of a comment on one line still belongs to it; behind a closed one there is room again.
  const comment = tree.comments.some(({ from, to }) => from < offset && offset <= to)
  let nodes = tree.nodes
  for (let inner = around(nodes, offset); inner !== undefined; inner = around(nodes, offset)) {
    path.push(inner)
    nodes = inner.children ?? []
  }
  if (comment) return { path, at: 'comment', index: 0, span: nowhere }
  const node = lastBefore(nodes, offset)
  if (node === undefined || offset > node.head) return { path, at: 'name', index: 0, span: nowhere }
  if (offset <= node.name.to) return { path, at: 'name', node, index: 0, word: node.name, span: node.name }
  return { path, ...amongValues(node, offset, nowhere) }
}

function amongValues (node: TreeNode, offset: number, nowhere: Span): Omit<Cursor, 'path'> {
  for (const prop of node.props) {
    if (holds(prop.name, offset)) return { at: 'property', node, index: 0, prop, word: prop.name, span: prop.name }
    if (prop.value !== undefined && holds(prop.value, offset)) return { at: 'property', node, index: 0, prop, word: prop.value, span: prop.value }
    if (prop.value === undefined && offset >= prop.after) return { at: 'property', node, index: 0, prop, span: nowhere }
  }
  const index = node.args.findIndex(word => holds(word, offset))
  const word = node.args[index]
  if (word !== undefined) return { at: 'value', node, index, word, span: word }
  return { at: 'value', node, index: node.args.filter(({ to }) => to < offset).length, span: nowhere }
}

function holds (word: Word, offset: number): boolean {
  return word.from <= offset && offset <= word.to
}

function around (nodes: readonly TreeNode[], offset: number): TreeNode | undefined {
  return nodes.find(({ inside }) => inside !== undefined && inside.from <= offset && offset <= inside.to)
}

function lastBefore (nodes: readonly TreeNode[], offset: number): TreeNode | undefined {
  return nodes.findLast(node => node.name.from <= offset)
}
