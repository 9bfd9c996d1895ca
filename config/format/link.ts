import type { KdlEntry, KdlNode, KdlProp, KdlValue } from '../kdl/nodes.ts'
import type { EntryPiece, Piece, SyntaxBlock, SyntaxNode } from './syntax.ts'

/**
 * Nodes as the readers of the language know them, each with what was written. Whoever makes new ones by spreading old ones carries that along,
 * without knowing of it.
 */
export interface LinkedNode extends KdlNode {
  readonly args: readonly LinkedEntry[]
  readonly props: readonly LinkedProp[]
  readonly children: readonly LinkedNode[] | undefined
  readonly syntax?: SyntaxNode
  /** The name that `syntax` spells. */
  readonly spelled?: string
}

export interface LinkedEntry extends KdlEntry {
  readonly piece?: EntryPiece
  /** The value that `piece` spells. */
  readonly meant?: KdlValue
}

export interface LinkedProp extends LinkedEntry, Pick<KdlProp, 'name' | 'nameAt'> {
  readonly spelled?: string
}

const noPieces: readonly Piece[] = []
const bareSyntax: SyntaxNode = { lead: [], blank: false, tag: '', name: '', pieces: [], after: [] }

/** Puts together what the parser understood and what was written: both come from the same text. */
export function link (nodes: readonly KdlNode[], block: SyntaxBlock): LinkedNode[] {
  return nodes.map((node, index) => {
    const syntax = block.nodes[index] ?? bareSyntax
    const entries = syntax.pieces.filter(piece => piece.kind === 'entry')
    const props = entries.filter(piece => piece.name !== undefined)
    const args = entries.filter(piece => piece.name === undefined)
    const inner = blockOf(syntax)
    return {
      ...node,
      args: node.args.map((arg, at) => linked(arg, args[at])),
      props: node.props.map((prop, at) => ({ ...linked(prop, props[at]), spelled: prop.name })),
      children: node.children === undefined || inner === undefined ? undefined : link(node.children, inner),
      syntax,
      spelled: node.name,
    }
  })
}

function linked<T extends KdlEntry> (entry: T, piece: EntryPiece | undefined): T & LinkedEntry {
  return piece === undefined ? entry : { ...entry, piece, meant: entry.value }
}

export function blockOf (syntax: SyntaxNode): SyntaxBlock | undefined {
  return syntax.pieces.find(piece => piece.kind === 'block')?.block
}

/** The way back. What nodes share because one was made of the other is written once, at the first of them. */
export function unlink (nodes: readonly LinkedNode[], block: SyntaxBlock): SyntaxBlock {
  const used = new Set<SyntaxNode>()
  return { ...block, nodes: nodes.map(node => unlinkNode(node, used)) }
}

export function unlinkNode (node: LinkedNode, used: Set<SyntaxNode> = new Set()): SyntaxNode {
  const { syntax } = node
  const again = syntax === undefined || used.has(syntax)
  if (syntax !== undefined) used.add(syntax)
  const own = again ? bareSyntax : syntax
  const inner = again ? undefined : blockOf(syntax)
  const block: Piece[] = node.children === undefined ? [] : [{
    kind: 'block',
    block: unlinkBlock(node.children, inner ?? { opening: [], nodes: [], closing: [], oneLine: false }, used),
  }]
  const tag = again && node.tag !== undefined ? `(${textOf(node.tag)})` : own.tag
  const name = syntax === undefined || node.spelled !== node.name ? nameText(node.name) : syntax.name
  return { ...own, tag, name, pieces: piecesOf(node, own.pieces, block) }
}

function unlinkBlock (children: readonly LinkedNode[], block: SyntaxBlock, used: Set<SyntaxNode>): SyntaxBlock {
  return { ...block, nodes: children.map(child => unlinkNode(child, used)) }
}

/** Values stay where they stood, new ones come behind them; the order of the values is never another than the node's. */
function piecesOf (node: LinkedNode, written: readonly Piece[], block: readonly Piece[]): readonly Piece[] {
  const entries = new Map<Piece | LinkedEntry, EntryPiece>()
  for (const arg of node.args) entries.set(arg.piece ?? arg, argPiece(arg))
  for (const prop of node.props) entries.set(prop.piece ?? prop, propPiece(prop))
  const wanted = node.args.map(argPiece)
  const kept = written.flatMap((piece): readonly Piece[] => {
    if (piece.kind === 'block') return noPieces
    if (piece.kind !== 'entry') return [piece]
    const entry = entries.get(piece)
    entries.delete(piece)
    return entry === undefined ? noPieces : [entry]
  })
  const tail = kept.findIndex(piece => piece.kind === 'off-block')
  const blocks = tail < 0 ? block : placedBlock(kept.slice(tail), written, block)
  const placed = [...tail < 0 ? kept : kept.slice(0, tail), ...entries.values(), ...blocks]
  const values = placed.filter(piece => piece.kind === 'entry' && piece.name === undefined)
  const inOrder = values.length === wanted.length && values.every((piece, index) => piece.kind === 'entry' && piece.value === wanted[index]?.value)
  if (inOrder) return placed
  return [...wanted, ...node.props.map(propPiece), ...kept.filter(piece => piece.kind !== 'entry'), ...block]
}

/** Blocks that are switched off stand before or behind the real one. */
function placedBlock (offBlocks: readonly Piece[], written: readonly Piece[], block: readonly Piece[]): readonly Piece[] {
  const at = written.findIndex(piece => piece.kind === 'block')
  const before = at < 0 ? offBlocks.length : offBlocks.filter(piece => written.indexOf(piece) < at).length
  return [...offBlocks.slice(0, before), ...block, ...offBlocks.slice(before)]
}

function argPiece (entry: LinkedEntry): EntryPiece {
  return { kind: 'entry', value: valueText(entry) }
}

function propPiece (prop: LinkedProp): EntryPiece {
  const name = prop.piece?.name !== undefined && prop.spelled === prop.name ? prop.piece.name : nameText(prop.name)
  return { kind: 'entry', name, value: valueText(prop) }
}

function valueText ({ value, tag, piece, meant }: LinkedEntry): string {
  if (piece !== undefined && Object.is(value, meant)) return piece.value
  const wasBare = piece !== undefined && /^[a-z]/i.test(piece.value)
  return `${tag === undefined ? '' : `(${textOf(tag)})`}${typeof value === 'string' && wasBare ? nameText(value) : textOf(value)}`
}

/** A name goes without quotes where it can. */
function nameText (name: string): string {
  return /^[a-z][\w-]*$/i.test(name) && !/^(?:true|false|null|inf|nan)$/.test(name) ? name : textOf(name)
}

function textOf (value: KdlValue): string {
  if (value === null || typeof value === 'boolean') return `#${value}`
  if (typeof value === 'number') return Number.isNaN(value) ? '#nan' : Number.isFinite(value) ? String(value) : value > 0 ? '#inf' : '#-inf'
  return JSON.stringify(value).replace(/[\u007f\u0085\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, escaped)
    .replace(/\\(\\|u([0-9a-f]{4}))/g, (whole, _, code: string | undefined) => code === undefined ? whole : `\\u{${code}}`)
}

function escaped (char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}
