import type { LinkedNode } from './link.ts'
import { blockOf } from './link.ts'
import type { Aside, SyntaxNode } from './syntax.ts'

/** Puts things into the block of their kind. What stands above the first one, apart from it, is about the file and stays outside. */
export function gatherNamed (name: string, nodes: readonly LinkedNode[]): LinkedNode {
  const [first, ...rest] = nodes
  const lead = first?.syntax?.lead ?? []
  const attached = first?.syntax?.blank === true ? lead.length : lead.findLastIndex(aside => aside.blank)
  const split = Math.max(0, attached)
  const inside = first?.syntax === undefined ? [] : [{ ...first, syntax: { ...first.syntax, lead: lead.slice(split) } }]
  const blank = split === lead.length ? first?.syntax?.blank === true : lead[split]?.blank === true
  const around: SyntaxNode = { lead: lead.slice(0, split), blank, tag: '', name, pieces: [], after: [] }
  return {
    name, at: first?.at ?? { file: '', line: 0, column: 0, length: 0 }, args: [], props: [], syntax: around, spelled: name,
    children: first === undefined || inside.length > 0 ? [...inside, ...rest] : [first, ...rest],
  }
}

/** Takes things out of a block that gathers them, where they stand on their own. It stays when more than things and comments is in it. */
export function standAlone (node: LinkedNode, kind: string): readonly LinkedNode[] {
  const { args, props, tag, children = [], syntax } = node
  if (args.length > 0 || props.length > 0 || tag !== undefined || children.some(child => child.name !== kind)) return [node]
  const block = syntax === undefined ? undefined : blockOf(syntax)
  const [first, ...others] = children
  const above: Aside[] = [...syntax?.lead ?? [], ...asides(block?.opening)]
  const below: Aside[] = [...block?.closing ?? [], ...asides(syntax?.after)]
  const inside = syntax?.pieces.some(piece => piece.kind !== 'block') === true
  if (inside || below.length > 0 || (first === undefined && above.length > 0)) return [node]
  if (first === undefined) return []
  const { lead = [], blank = false } = first.syntax ?? {}
  // What stood first in the block had no empty line above it.
  const opened: SyntaxNode = {
    ...first.syntax ?? { tag: '', name: kind, pieces: [], after: [] },
    lead: [...above, ...lead], blank: above.length + lead.length === 0 ? syntax?.blank === true : blank,
  }
  return [{ ...first, syntax: opened, spelled: first.spelled ?? kind }, ...others]
}

function asides (comments: readonly string[] = []): Aside[] {
  return comments.map(comment => ({ blank: false, comment }))
}
