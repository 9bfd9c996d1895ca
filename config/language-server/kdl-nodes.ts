import type { KdlEntry, KdlNode } from '../kdl/nodes.ts'
import type { Position } from '../kdl/position.ts'
import type { TreeNode } from './tree.ts'
import type { Span, Word } from './word.ts'
import { textOf } from './word.ts'

/** The tree as the engine reads it. Places are offsets here: `column` is where a word begins, `length` how long it is, the line is always 1. */
export function kdlNodes (nodes: readonly TreeNode[], file: string): KdlNode[] {
  return nodes.filter(node => !node.off).map(node => kdlNode(node, file))
}

export function kdlNode (node: TreeNode, file: string): KdlNode {
  const entry = (word: Word): KdlEntry => ({ value: word.value, at: placeOf(word, file) })
  return {
    name: textOf(node.name),
    at: placeOf(node.name, file),
    args: node.args.map(entry),
    props: node.props.flatMap(({ name, value }) => value === undefined ? [] : [{ ...entry(value), name: textOf(name), nameAt: placeOf(name, file) }]),
    children: node.children === undefined ? undefined : kdlNodes(node.children, file),
  }
}

function placeOf ({ from, to }: Span, file: string): Position {
  return { file, line: 1, column: from, length: to - from }
}

export function spanOf ({ column, length }: Position): Span {
  return { from: column, to: column + length }
}
