import type { Entry, Identifier, Node, Value } from '@bgotink/kdl'
import { getLocation } from '@bgotink/kdl'
import type { KdlEntry, KdlNode, KdlProp } from './nodes.ts'
import type { Position } from './position.ts'

/** Gives the nodes of the library's document as plain data. */
export function plainNodes (nodes: readonly Node[], file: string): KdlNode[] {
  return nodes.map(node => plainNode(node, file))
}

function plainNode (node: Node, file: string): KdlNode {
  const args: KdlEntry[] = []
  const props: KdlProp[] = []
  for (const entry of node.entries) {
    const plain = plainEntry(entry, file)
    if (entry.name === null) args.push(plain)
    else props.push({ ...plain, name: entry.name.getName(), nameAt: positionOf(entry.name, file) })
  }
  const tag = node.tag?.getName()
  return {
    name: node.name.getName(),
    at: positionOf(node.name, file),
    args,
    props,
    children: node.children === null ? undefined : plainNodes(node.children.nodes, file),
    ...(tag === undefined ? {} : { tag }),
  }
}

function plainEntry (entry: Entry, file: string): KdlEntry {
  const value = entry.value
  const tag = value.tag?.getName()
  // An argument that is a number has a location of its own only as an entry.
  const at = getLocation(value) === undefined ? positionOf(entry, file) : positionOf(value, file)
  return { value: value.getValue(), at, ...(tag === undefined ? {} : { tag }) }
}

function positionOf (element: Entry | Identifier | Value, file: string): Position {
  const location = getLocation(element)
  if (location === undefined) return { file, line: 1, column: 1, length: 1 }
  const { start, end } = location
  const length = end.line === start.line ? end.column - start.column : 1
  return { file, line: start.line, column: start.column, length: Math.max(1, length) }
}
