import type { KdlNode } from '../kdl/nodes.ts'
import type { OlderForm } from '../schema/field.ts'
import type { LinkedNode } from './link.ts'
import { unlinkNode } from './link.ts'
import { commentsOfNode } from './syntax.ts'

/** The nodes that an older form stands for; `undefined` when something of it would be lost, so that it has to stay. */
export function fromOlder (node: LinkedNode, form: OlderForm): readonly LinkedNode[] | undefined {
  // A form spreads the nodes it is given: what they carry stays on them.
  const made = adopted(form.into(node).map(bare), node)
  const used = new Set<NonNullable<LinkedNode['syntax']>>()
  const comments = made.flatMap(each => commentsOfNode(unlinkNode(each, used)))
  const same = sameItems(comments, commentsOfNode(unlinkNode(node))) && sameItems(made.flatMap(references), references(node))
  return made.length > 0 && same ? made : undefined
}

/** As a linked node: what nobody wrote has nothing to carry. */
export function bare (node: KdlNode): LinkedNode {
  return node
}

/** Comments around the node go to the first that was made of it, unless one inside has them; so does the empty line above. */
function adopted (made: readonly LinkedNode[], { syntax }: LinkedNode): readonly LinkedNode[] {
  const [first, ...rest] = made
  if (syntax === undefined || first === undefined || first.syntax !== undefined) return made
  const kept = made.some(each => carries(each, syntax))
  const { lead, after, blank } = syntax
  return [{ ...first, syntax: { lead: kept ? [] : lead, after: kept ? [] : after, blank, tag: '', name: '', pieces: [] } }, ...rest]
}

function carries (node: LinkedNode, syntax: LinkedNode['syntax']): boolean {
  return node.syntax === syntax || (node.children?.some(child => carries(child, syntax)) ?? false)
}

/** Values that are filled in when the file is loaded: what they will be nobody knows here. */
function references (node: LinkedNode): string[] {
  return [...node.args, ...node.props].flatMap(({ value }) => typeof value === 'string' && value.includes('${') ? [value] : [])
    .concat(node.children?.flatMap(references) ?? [])
}

function sameItems (some: readonly string[], others: readonly string[]): boolean {
  const sorted = others.toSorted()
  return some.length === others.length && some.toSorted().every((item, index) => item === sorted[index])
}
