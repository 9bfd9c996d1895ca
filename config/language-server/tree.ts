/**
 * The structure of a text in the middle of being written. The parser of config/kdl says what is valid; this one says what is probably meant
 * when something is not: every text has a tree, and what is wrong in one place does not hide the rest.
 */
import { maxDepth } from '../kdl/scan.ts'
import { isNewline, isSpace } from '../kdl/scan-state.ts'
import { endOfLine } from '../kdl/scan-strings.ts'
import type { Span, Word } from './word.ts'
import { readWord } from './word.ts'

export interface Prop {
  readonly name: Word
  /** Missing when nothing stands after the equals sign yet. */
  value?: Word
  /** Offset after the equals sign. */
  readonly after: number
}

export interface TreeNode {
  readonly name: Word
  readonly args: Word[]
  readonly props: Prop[]
  /** End of the name and the values: where the block begins, or the node ends. */
  head: number
  /** End of everything, with the block. */
  to: number
  /** There is a block: what it holds, and where. */
  children?: TreeNode[]
  inside?: { from: number, to: number }
  /** Commented out with a slash and a dash. */
  readonly off: boolean
}

export interface Tree {
  readonly nodes: readonly TreeNode[]
  readonly comments: readonly Span[]
}

interface Open {
  readonly node: TreeNode
  /** Width of the white space that the line of the block's beginning starts with. */
  readonly indent: number
}

interface Reader {
  readonly text: string
  readonly nodes: TreeNode[]
  readonly comments: Span[]
  readonly open: Open[]
  at: number
  /** Where the line begins that is being read. */
  line: number
  /** Width of the white space that it begins with. */
  indent: number
  /** The node whose values are being read. */
  node: TreeNode | undefined
  /** Indentation decides where the braces do not say which block ends. */
  readonly guess: boolean
  balanced: boolean
  /** A slash and a dash stood before what comes next. */
  off: boolean
  /** Blocks that are open beyond the deepest nesting. */
  tooDeep: number
}

/** Braces that match are believed. Where they do not, blocks end where the indentation says so. */
export function readTree (text: string): Tree {
  const plain = read(text, false)
  return plain.balanced || !/[\n\r][ \t]+[^\s]/.test(text) ? plain : read(text, true)
}

function read (text: string, guess: boolean): Reader {
  const reader: Reader = {
    text, nodes: [], comments: [], open: [], at: 0, line: 0, indent: indentOf(text, 0), node: undefined, guess, balanced: true, off: false, tooDeep: 0,
  }
  while (reader.at < text.length) step(reader)
  endNode(reader)
  if (reader.open.length > 0) reader.balanced = false
  while (reader.open.length > 0) close(reader, text.length)
  return reader
}

function step (reader: Reader): void {
  const { text, at } = reader
  const char = text.charAt(at)
  if (isNewline(char) || char === ';') {
    endNode(reader)
    reader.at++
    if (char !== ';') lineBegins(reader)
  } else if (isSpace(char)) {
    reader.at++
  } else if (text.startsWith('//', at)) {
    comment(reader, endOfLine(text, at))
  } else if (text.startsWith('/*', at)) {
    comment(reader, endOfComment(text, at))
  } else if (text.startsWith('/-', at)) {
    reader.off = true
    reader.at += 2
  } else if (char === '\\') {
    continueLine(reader)
  } else if (char === '{') {
    openBlock(reader)
  } else if (char === '}') {
    closeBlock(reader)
  } else if (char === '(') {
    const end = /^\([^)\n\r]*\)?/.exec(text.slice(at, at + 200))?.[0].length ?? 1
    reader.at += end
  } else if (char === '=' || char === ')') {
    // An equals sign that stands apart from its name: the word before it was the name of a property.
    if (char === '=') propertyOf(reader, reader.node?.args.pop())
    reader.at++
  } else {
    word(reader)
  }
}

function comment (reader: Reader, to: number): void {
  reader.comments.push({ from: reader.at, to })
  reader.at = to
}

function endOfComment (text: string, from: number): number {
  const marks = /\/\*|\*\//g
  marks.lastIndex = from
  let depth = 0
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    depth += mark[0] === '/*' ? 1 : -1
    if (depth === 0) return marks.lastIndex
  }
  return text.length
}

function continueLine (reader: Reader): void {
  const rest = /^\\[^\S\n\r]*(?:\/\/[^\n\r]*)?(?:\r\n|[\n\r]|$)/.exec(reader.text.slice(reader.at, reader.at + 500))
  reader.at += rest?.[0].length ?? 1
}

function lineBegins (reader: Reader): void {
  reader.line = reader.at
  reader.indent = indentOf(reader.text, reader.at)
}

/** Nothing but white space stood before on this line. */
function leads (reader: Reader): boolean {
  return reader.at === reader.line + reader.indent
}

function word (reader: Reader): void {
  const found = readWord(reader.text, reader.at)
  const off = reader.off
  reader.off = false
  if (reader.node === undefined) {
    if (reader.guess) leaveOpenBlocks(reader)
    const node: TreeNode = { name: found, args: [], props: [], head: found.to, to: found.to, off }
    siblings(reader).push(node)
    reader.node = node
    reader.at = found.to
    return
  }
  reader.at = found.to
  const last = reader.node.props.at(-1)
  if (last !== undefined && last.value === undefined && onlySpace(reader.text, last.after, found.from)) last.value = found
  else if (off) reader.comments.push(found)
  else reader.node.args.push(found)
}

function propertyOf (reader: Reader, name: Word | undefined): void {
  if (name !== undefined) reader.node?.props.push({ name, after: reader.at + 1 })
}

function onlySpace (text: string, from: number, to: number): boolean {
  return text.slice(from, to).trim() === ''
}

function siblings (reader: Reader): TreeNode[] {
  return reader.open.at(-1)?.node.children ?? reader.nodes
}

/** Ends the values of the node here. */
function endNode (reader: Reader): void {
  if (reader.node === undefined) return
  reader.node.head = reader.at
  reader.node.to = Math.max(reader.node.to, lastOf(reader.node))
  reader.node = undefined
  reader.off = false
}

function lastOf (node: TreeNode): number {
  return Math.max(node.name.to, node.args.at(-1)?.to ?? 0, ...node.props.map(prop => prop.value?.to ?? prop.after))
}

function openBlock (reader: Reader): void {
  const { indent } = reader
  // A block without a name, or one that is commented out, is nobody's.
  const node = reader.node === undefined || reader.off ? nobody(reader) : reader.node
  endNode(reader)
  reader.at++
  if (reader.open.length >= maxDepth) {
    reader.tooDeep++
    return
  }
  node.children = []
  node.inside = { from: reader.at, to: reader.text.length }
  reader.open.push({ node, indent })
}

function nobody (reader: Reader): TreeNode {
  const here = { from: reader.at, to: reader.at }
  const name: Word = { ...here, inner: here, value: '', quoted: false, closed: true }
  const node: TreeNode = { name, args: [], props: [], head: reader.at, to: reader.at, off: true }
  siblings(reader).push(node)
  return node
}

function closeBlock (reader: Reader): void {
  endNode(reader)
  const { open } = reader
  if (reader.tooDeep > 0) {
    reader.tooDeep--
    reader.at++
    return
  }
  if (open.length === 0) {
    reader.balanced = false
    reader.at++
    return
  }
  const { indent } = reader
  if (reader.guess && leads(reader) && (open.at(-1)?.indent ?? 0) > indent && open.some(block => block.indent === indent)) {
    while ((open.at(-1)?.indent ?? 0) > indent) close(reader, reader.line, 1)
  }
  reader.at++
  close(reader, reader.at, 1)
}

/** A node that stands as far left as the block it would be in does not belong into it: that block was left open. */
function leaveOpenBlocks (reader: Reader): void {
  if (!leads(reader)) return
  while (reader.open.length > 0 && (reader.open.at(-1)?.indent ?? 0) >= reader.indent) close(reader, reader.line, 1)
}

/** `behind` is what stands between the end of the inside and of the whole: the brace, or the end of a line. */
function close (reader: Reader, to: number, behind = 0): void {
  const block = reader.open.pop()
  if (block === undefined) return
  block.node.to = to
  if (block.node.inside !== undefined) block.node.inside.to = Math.max(block.node.inside.from, to - behind)
}

function indentOf (text: string, line: number): number {
  let width = 0
  while (text[line + width] === ' ' || text[line + width] === '\t') width++
  return width
}
