/** A text as it was written, piece by piece, with all comments: what the formatter lays out anew. */

/** A value or property right after a node's name, as written. */
export interface EntryPiece {
  readonly kind: 'entry'
  /** Name of a property. */
  readonly name?: string
  /** The value with its annotation. */
  readonly value: string
}

export type Piece =
  | EntryPiece
  /** A block comment between values. */
  | { readonly kind: 'comment', readonly text: string }
  /** `/-` before a value or property. */
  | { readonly kind: 'off', readonly entry: EntryPiece }
  /** `/-` before a block. */
  | { readonly kind: 'off-block', readonly block: SyntaxBlock }
  /** The block itself: it need not be last. */
  | { readonly kind: 'block', readonly block: SyntaxBlock }
  /** The node goes on in the next line. */
  | { readonly kind: 'break', readonly comment?: string }

/** Something without effect on a line of its own: a comment, or a node behind `/-`. */
export interface Aside {
  readonly blank: boolean
  readonly comment?: string
  readonly off?: SyntaxNode
}

export interface SyntaxNode {
  /** What stands above it and belongs to it. */
  readonly lead: readonly Aside[]
  /** An empty line stands right before it. */
  readonly blank: boolean
  readonly tag: string
  readonly name: string
  readonly pieces: readonly Piece[]
  /** Comments behind it on its last line. Only the last one can be a `//`. */
  readonly after: readonly string[]
}

export interface SyntaxBlock {
  /** Comments behind the brace. */
  readonly opening: readonly string[]
  readonly nodes: readonly SyntaxNode[]
  /** What stands behind the last node. */
  readonly closing: readonly Aside[]
  /** It was written on one line. */
  readonly oneLine: boolean
}

/** All comments, and what is behind `/-` as one text each. Two trees with the same content have the same list, apart from its order. */
export function commentsOf (block: SyntaxBlock): string[] {
  return [...block.opening, ...block.nodes.flatMap(commentsOfNode), ...block.closing.flatMap(commentsOfAside)]
}

export function commentsOfNode (node: SyntaxNode): string[] {
  return [...node.lead.flatMap(commentsOfAside), ...node.pieces.flatMap(commentsOfPiece), ...node.after]
}

function commentsOfAside ({ comment, off }: Aside): string[] {
  return [...comment === undefined ? [] : [comment], ...off === undefined ? [] : [`/-${wordsOf(off)}`, ...commentsOfNode(off)]]
}

function commentsOfPiece (piece: Piece): string[] {
  switch (piece.kind) {
    case 'comment': return [piece.text]
    case 'break': return piece.comment === undefined ? [] : [piece.comment]
    case 'off': return [`/-${wordOf(piece.entry)}`]
    case 'off-block': return [`/-{${piece.block.nodes.map(wordsOf).join(' ')}}`, ...commentsOf(piece.block)]
    case 'block': return commentsOf(piece.block)
    case 'entry': return []
  }
}

/** The node without comments and layout. */
function wordsOf ({ tag, name, pieces }: SyntaxNode): string {
  const words = pieces.flatMap(piece => {
    if (piece.kind === 'entry') return [wordOf(piece)]
    return piece.kind === 'block' ? [`{${piece.block.nodes.map(wordsOf).join(' ')}}`] : []
  })
  return [tag + name, ...words].join(' ')
}

function wordOf ({ name, value }: EntryPiece): string {
  return name === undefined ? value : `${name}=${value}`
}
