import { isNewline } from '../kdl/scan-state.ts'
import type { Cursor } from './cursor.ts'
import { skipNewline, skipSpace, takeComment, takeWord } from './cursor.ts'
import type { Aside, EntryPiece, Piece, SyntaxBlock } from './syntax.ts'

/** A node while its end is not known yet. */
interface OpenNode {
  lead: Aside[]
  blank: boolean
  tag: string
  name: string
  pieces: Piece[]
  after: string[]
}

/** The tree of a text that is valid KDL 2. Takes time in proportion to its length. */
export function readSyntax (text: string): SyntaxBlock {
  const cursor: Cursor = { text, at: text.startsWith('\uFEFF') ? 1 : 0 }
  return readBlock(cursor, true)
}

/** What was seen between two nodes. */
interface Gap {
  /** No line break since the last node, or since the opening brace. */
  sameLine: boolean
  /** Line breaks since the last thing. */
  breaks: number
  /** What stands on lines of its own. */
  lead: Aside[]
  /** Comments on the line that the last node, or the opening brace, is on. */
  tail: string[]
}

function readBlock (cursor: Cursor, whole: boolean): SyntaxBlock {
  const start = cursor.at
  const opening: string[] = []
  const nodes: OpenNode[] = []
  const gap: Gap = { sameLine: !whole, breaks: 0, lead: [], tail: [] }
  let previous: OpenNode | undefined
  /** The line is over: what trailed on it belongs to what stood on it. */
  const endLine = (): void => {
    for (const comment of gap.tail) {
      if (previous === undefined) opening.push(comment)
      else addAfter(previous, comment)
    }
    gap.tail = []
  }
  for (;;) {
    if (skipGap(cursor, gap, endLine)) continue
    const char = cursor.text[cursor.at]
    if (char === undefined || char === '}') break
    const blank = gap.breaks >= 2
    const off = cursor.text.startsWith('/-', cursor.at)
    for (const comment of gap.tail) gap.lead.push({ blank: false, comment })
    gap.tail = []
    if (off) skipOff(cursor, comment => gap.lead.push({ blank: false, comment }))
    previous = readNode(cursor, blank)
    if (off) {
      gap.lead.push({ blank: previous.blank, off: previous })
    } else {
      previous.lead = [...gap.lead, ...previous.lead]
      gap.lead = []
      nodes.push(previous)
    }
    gap.sameLine = true
    gap.breaks = 0
  }
  endLine()
  return { opening, nodes, closing: gap.lead, oneLine: !whole && !isNewline(cursor.text.slice(start, cursor.at)) }
}

/** Takes one thing between nodes, if there is one. */
function skipGap (cursor: Cursor, gap: Gap, endLine: () => void): boolean {
  if (skipSpace(cursor)) return true
  if (skipNewline(cursor)) {
    endLine()
    gap.sameLine = false
    gap.breaks++
    return true
  }
  // A break that nothing continues, or the end of a node.
  if (cursor.text[cursor.at] === '\\' || cursor.text[cursor.at] === ';') {
    cursor.at++
    return true
  }
  const comment = takeComment(cursor)
  if (comment === undefined) return false
  if (gap.sameLine) gap.tail.push(comment)
  else gap.lead.push({ blank: gap.breaks >= 2, comment })
  gap.breaks = 0
  return true
}

function addAfter (node: OpenNode, comment: string): void {
  // Behind a `//` nothing can stand.
  if (node.after.at(-1)?.startsWith('//') === true) node.lead.push({ blank: false, comment })
  else node.after.push(comment)
}

type Take = (comment: string) => void

/** Takes `/-` and all that may stand between it and what it switches off. */
function skipOff (cursor: Cursor, take: Take): void {
  cursor.at += 2
  for (;;) {
    if (skipNewline(cursor)) continue
    skipInNode(cursor, take)
    const comment = takeComment(cursor)
    if (comment !== undefined) take(comment)
    else if (!isNewline(cursor.text[cursor.at])) return
  }
}

/** Skips what may stand between the words of a node. */
function skipInNode (cursor: Cursor, take: Take): void {
  for (;;) {
    if (skipSpace(cursor)) continue
    if (cursor.text[cursor.at] === '\\') {
      skipBreak(cursor, take)
      continue
    }
    if (!cursor.text.startsWith('/*', cursor.at)) return
    take(takeComment(cursor) ?? '')
  }
}

/** Skips a `\` with the line break that it takes away. */
function skipBreak (cursor: Cursor, take: Take): void {
  cursor.at++
  while (!skipNewline(cursor) && cursor.at < cursor.text.length) {
    if (skipSpace(cursor)) continue
    const comment = takeComment(cursor)
    if (comment === undefined) return
    take(comment)
  }
}

function readNode (cursor: Cursor, blank: boolean): OpenNode {
  const node: OpenNode = { lead: [], blank, tag: '', name: '', pieces: [], after: [] }
  const above = (comment: string): void => { node.lead.push({ blank: false, comment }) }
  if (cursor.text[cursor.at] === '(') {
    node.tag = takeTag(cursor, above)
    skipInNode(cursor, above)
  }
  node.name = takeWord(cursor)
  while (readPiece(cursor, node.pieces)) continue
  // A break that carries nothing on is none; its comment stands at the end of the line then.
  for (let last = node.pieces.at(-1); last?.kind === 'break'; last = node.pieces.at(-1)) {
    node.pieces.pop()
    if (last.comment !== undefined) addAfter(node, last.comment)
  }
  return node
}

function readPiece (cursor: Cursor, pieces: Piece[]): boolean {
  if (skipSpace(cursor)) return true
  const { text, at } = cursor
  const take = (comment: string): void => { pieces.push(pieceOf(comment)) }
  if (text[at] === '\\') {
    const before = pieces.length
    skipBreak(cursor, take)
    if (pieces.length === before || pieces.at(-1)?.kind !== 'break') pieces.push({ kind: 'break' })
    return true
  }
  if (text.startsWith('/*', at)) {
    take(takeComment(cursor) ?? '')
    return true
  }
  const off = text.startsWith('/-', at)
  if (off) skipOff(cursor, take)
  else if (atEnd(text[at])) return false
  if (text[cursor.at] === '{') {
    while (isEmptyBreak(pieces.at(-1))) pieces.pop()
    cursor.at++
    const block = readBlock(cursor, false)
    cursor.at++
    pieces.push({ kind: off ? 'off-block' : 'block', block })
    return true
  }
  const entry = takeEntry(cursor, take)
  pieces.push(off ? { kind: 'off', entry } : entry)
  return true
}

function isEmptyBreak (piece: Piece | undefined): boolean {
  return piece?.kind === 'break' && piece.comment === undefined
}

/** Whether a node is over where this stands. */
function atEnd (char: string | undefined): boolean {
  return char === undefined || char === ';' || char === '}' || char === '/' || isNewline(char)
}

/** A comment within a node: after a `//` the node has to be carried on to the next line. */
function pieceOf (comment: string): Piece {
  return comment.startsWith('//') ? { kind: 'break', comment } : { kind: 'comment', text: comment }
}

function takeEntry (cursor: Cursor, take: Take): EntryPiece {
  if (cursor.text[cursor.at] === '(') return { kind: 'entry', value: takeValue(cursor, take) }
  const word = takeWord(cursor)
  const end = cursor.at
  const between: string[] = []
  skipInNode(cursor, comment => between.push(comment))
  if (cursor.text[cursor.at] !== '=') {
    cursor.at = end
    return { kind: 'entry', value: word }
  }
  cursor.at++
  between.forEach(take)
  skipInNode(cursor, take)
  return { kind: 'entry', name: word, value: takeValue(cursor, take) }
}

function takeValue (cursor: Cursor, take: Take): string {
  if (cursor.text[cursor.at] !== '(') return takeWord(cursor)
  const tag = takeTag(cursor, take)
  skipInNode(cursor, take)
  return tag + takeWord(cursor)
}

function takeTag (cursor: Cursor, take: Take): string {
  cursor.at++
  skipInNode(cursor, take)
  const name = takeWord(cursor)
  skipInNode(cursor, take)
  cursor.at++
  return `(${name})`
}
