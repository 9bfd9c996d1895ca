/**
 * Places of everything in a document, found by walking over it beside its text: the library keeps every piece as it was written, in order.
 * Its own way of remembering places costs more than all of its parsing. Where the walk does not fit the text, it gives up, and the caller asks
 * the library for places after all.
 */
import type { Document, Entry, Node } from '@bgotink/kdl'
import type { KdlEntry, KdlNode, KdlProp } from './nodes.ts'
import type { Position } from './position.ts'

interface Walk {
  readonly text: string
  readonly file: string
  /** Offsets at which lines begin. */
  readonly lines: readonly number[]
  /** Some characters take two units: columns have to be counted. */
  readonly wide: boolean
  offset: number
  /** Index of the line that `offset` was last found on. */
  line: number
  /** Blocks that are open, and that were open at most. */
  depth: number
  deepest: number
}

export interface Located {
  readonly nodes: KdlNode[]
  /** Levels of nesting. */
  readonly depth: number
}

/** Most nodes have no values or no properties: they share this. */
const none: readonly never[] = []

/** Plain nodes with their places; `undefined` when the document has something that this walk does not know. */
export function locatedNodes (document: Document, text: string, file: string): Located | undefined {
  const walk: Walk = { text, file, lines: lineStarts(text), wide: /[\uD800-\uDFFF]/.test(text), offset: 0, line: 0, depth: 0, deepest: 0 }
  const nodes = nodesOf(document, walk)
  return nodes === undefined || walk.offset !== text.length ? undefined : { nodes, depth: walk.deepest }
}

function nodesOf (document: Document, walk: Walk): KdlNode[] | undefined {
  const nodes: KdlNode[] = []
  for (const node of document.nodes) {
    const plain = nodeOf(node, walk)
    if (plain === undefined) return undefined
    nodes.push(plain)
  }
  walk.offset += document.trailing?.length ?? 0
  return nodes
}

function nodeOf (node: Node, walk: Walk): KdlNode | undefined {
  const { representation } = node.name
  if (node.tag !== null || node.leading === undefined) return undefined
  walk.offset += node.leading.length + (node.betweenTagAndName?.length ?? 0)
  const at = take(representation ?? node.name.getName(), walk)
  if (at === undefined) return undefined
  let args: KdlEntry[] | undefined
  let props: KdlProp[] | undefined
  for (const entry of node.entries) {
    const plain = entryOf(entry, walk)
    if (plain === undefined) return undefined
    if ('name' in plain) (props ??= []).push(plain)
    else (args ??= []).push(plain)
  }
  let children: KdlNode[] | undefined
  if (node.children !== null) {
    walk.offset += (node.beforeChildren?.length ?? 0) + 1
    walk.deepest = Math.max(walk.deepest, ++walk.depth)
    children = nodesOf(node.children, walk)
    if (children === undefined) return undefined
    walk.depth--
    walk.offset += 1
  }
  walk.offset += node.trailing?.length ?? 0
  return { name: node.name.getName(), at, args: args ?? none, props: props ?? none, children }
}

function entryOf (entry: Entry, walk: Walk): KdlEntry | KdlProp | undefined {
  const { value, name } = entry
  if (value.tag !== null || value.representation === undefined) return undefined
  walk.offset += entry.leading?.length ?? 0
  const nameAt = name === null ? undefined : take(name.representation ?? name.getName(), walk)
  if (name !== null) walk.offset += entry.equals?.length ?? 1
  const at = take(value.representation, walk)
  walk.offset += entry.trailing?.length ?? 0
  if (at === undefined) return undefined
  const plain = { value: value.getValue(), at }
  if (name === null) return plain
  return nameAt === undefined ? undefined : { ...plain, name: name.getName(), nameAt }
}

/** The place of a piece that begins here; steps over it. */
function take (piece: string, walk: Walk): Position | undefined {
  const { text, offset, lines, file } = walk
  if (!text.startsWith(piece, offset)) return undefined
  while (offset >= (lines[walk.line + 1] ?? Infinity)) walk.line++
  const start = lines[walk.line] ?? 0
  const end = offset + piece.length
  walk.offset = end
  const oneLine = end <= (lines[walk.line + 1] ?? Infinity)
  const column = walk.wide ? points(text, start, offset) + 1 : offset - start + 1
  const length = !oneLine ? 1 : walk.wide ? points(text, offset, end) : piece.length
  return { file, line: walk.line + 1, column, length: Math.max(1, length) }
}

/** Code points between two offsets. */
function points (text: string, from: number, to: number): number {
  let count = 0
  for (let at = from; at < to; at++) {
    const unit = text.charCodeAt(at)
    if (unit >= 0xD800 && unit < 0xDC00) at++
    count++
  }
  return count
}

const otherLineEnd = /[\r\u0085\u000b\u000c\u2028\u2029]/
const lineEnd = /\r\n|[\n\r\u0085\u000b\u000c\u2028\u2029]/g

function lineStarts (text: string): number[] {
  const starts = [text.startsWith('\uFEFF') ? 1 : 0]
  if (!otherLineEnd.test(text)) {
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
    return starts
  }
  for (const { index, 0: end } of text.matchAll(lineEnd)) starts.push(index + end.length)
  return starts
}
