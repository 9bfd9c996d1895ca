import type { Aside, EntryPiece, Piece, SyntaxBlock, SyntaxNode } from './syntax.ts'

/** Widest line that a block may stay on. */
const width = 100
const step = '    '

/** The text of a file in the one layout there is. */
export function printSyntax (block: SyntaxBlock): string {
  const lines: string[] = []
  printLines(block, '', lines)
  return lines.length === 0 ? '' : lines.join('\n') + '\n'
}

/** Appends what a block holds. An element of `lines` may hold line breaks of its own: those of texts and comments. */
function printLines (block: SyntaxBlock, indent: string, lines: string[]): void {
  const first = lines.length
  const separate = (blank: boolean): void => {
    if (blank && lines.length > first) lines.push('')
  }
  const printAside = ({ blank, comment, off }: Aside): void => {
    if (comment !== undefined) {
      separate(blank)
      lines.push(indent + comment)
    }
    if (off === undefined) return
    off.lead.forEach(printAside)
    separate(blank)
    printNode(off, indent, '/-', lines)
  }
  for (const node of block.nodes) {
    node.lead.forEach(printAside)
    separate(node.blank)
    printNode(node, indent, '', lines)
  }
  block.closing.forEach(printAside)
}

function printNode (node: SyntaxNode, indent: string, mark: string, lines: string[]): void {
  let line = indent + mark + node.tag + node.name
  for (const piece of node.pieces) {
    if (piece.kind === 'block' || piece.kind === 'off-block') {
      line = printBlock(piece.block, line + (piece.kind === 'block' ? ' ' : ' /-'), indent, lines)
    } else if (piece.kind === 'break') {
      lines.push(`${line} \\${piece.comment === undefined ? '' : ` ${piece.comment}`}`)
      line = indent + step.slice(1)
    } else {
      line += ' ' + printPiece(piece)
    }
  }
  lines.push([line, ...node.after].join(' '))
}

/** Appends a block to an open line, and gives the line that is open afterwards. */
function printBlock (block: SyntaxBlock, line: string, indent: string, lines: string[]): string {
  const { opening, nodes, closing } = block
  if (nodes.length + opening.length + closing.length === 0) return line + '{}'
  const room = width - Array.from(line.slice(line.lastIndexOf('\n') + 1)).length
  const flat = block.oneLine ? flatBlock(block, room) : undefined
  if (flat !== undefined) return line + flat
  lines.push([line + '{', ...opening].join(' '))
  printLines(block, indent + step, lines)
  return indent + '}'
}

/** The block on one line; `undefined` when it is too long for that or holds a comment. */
function flatBlock (block: SyntaxBlock, room: number): string | undefined {
  if (block.opening.length > 0 || block.closing.length > 0) return undefined
  if (block.nodes.length === 0) return '{}'
  let text = '{ '
  for (const [index, node] of block.nodes.entries()) {
    if (index > 0) text += '; '
    const flat = flatNode(node, room - text.length)
    if (flat === undefined) return undefined
    text += flat
    if (text.length + 2 > room) return undefined
  }
  return text + ' }'
}

function flatNode (node: SyntaxNode, room: number): string | undefined {
  if (node.lead.length > 0 || node.after.length > 0) return undefined
  let text = node.tag + node.name
  for (const piece of node.pieces) {
    if (text.length > room) return undefined
    const flat = piece.kind === 'block' ? flatBlock(piece.block, room - text.length) : piece.kind === 'entry' ? printEntry(piece) : undefined
    if (flat === undefined || flat.includes('\n')) return undefined
    text += ' ' + flat
  }
  return text
}

function printPiece (piece: Exclude<Piece, { kind: 'block' | 'off-block' | 'break' }>): string {
  if (piece.kind === 'comment') return piece.text
  return piece.kind === 'off' ? `/-${printEntry(piece.entry)}` : printEntry(piece)
}

function printEntry ({ name, value }: EntryPiece): string {
  return name === undefined ? value : `${name}=${value}`
}
