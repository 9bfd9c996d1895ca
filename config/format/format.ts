import type { KdlEntry, KdlNode } from '../kdl/nodes.ts'
import { parseKdl } from '../kdl/parse.ts'
import type { Problem } from '../kdl/position.ts'
import { link, unlink } from './link.ts'
import { printSyntax } from './print.ts'
import { readSyntax } from './read.ts'
import type { Language } from './rewrite.ts'
import { rewriteNodes } from './rewrite.ts'
import type { SyntaxBlock } from './syntax.ts'
import { commentsOf } from './syntax.ts'

export type Formatted =
  | { readonly text: string, readonly problems?: never }
  /** The text is not valid KDL. */
  | { readonly text?: never, readonly problems: readonly Problem[] }

/**
 * The text in the one layout there is, and in the preferred spellings of `language`; without one the spellings stay. No comment is ever lost:
 * should the result not be the same file in every respect that counts, an error is thrown.
 */
export function formatText (text: string, file: string, language?: Language): Formatted {
  const plain = text.replaceAll('\r\n', '\n')
  const { nodes, problems } = parseKdl(plain, file)
  if (problems.length > 0) return { problems }
  const read = readSyntax(plain)
  const tree = language === undefined ? read : unlink(rewriteNodes(link(nodes, read), language), read)
  const printed = printSyntax(tree)
  if (isSound(printed, file, read, tree === read ? nodes : undefined)) return { text: printed }
  const kept = printSyntax(read)
  if (tree !== read && isSound(kept, file, read, nodes)) return { text: kept }
  throw new Error('something of it would be lost; this is a bug of the formatter')
}

/** A second look at what was made: it can be read, every comment is in it, and it says the same where its spelling was to stay. */
function isSound (printed: string, file: string, read: SyntaxBlock, same: readonly KdlNode[] | undefined): boolean {
  const { nodes, problems } = parseKdl(printed, file)
  if (problems.length > 0 || (same !== undefined && !sameNodes(nodes, same))) return false
  const before = commentsOf(read).toSorted()
  const after = commentsOf(readSyntax(printed)).toSorted()
  return before.length === after.length && before.every((comment, index) => comment === after[index])
}

function sameNodes (some: readonly KdlNode[], others: readonly KdlNode[]): boolean {
  return some.length === others.length && some.every((node, index) => {
    const other = others[index]
    return other !== undefined && node.name === other.name && node.tag === other.tag &&
      sameEntries(node.args, other.args) && sameEntries(node.props, other.props) &&
      (node.children === undefined) === (other.children === undefined) && sameNodes(node.children ?? [], other.children ?? [])
  })
}

function sameEntries (some: readonly (KdlEntry & { readonly name?: string })[], others: readonly (KdlEntry & { readonly name?: string })[]): boolean {
  return some.length === others.length &&
    some.every((entry, index) => Object.is(entry.value, others[index]?.value) && entry.tag === others[index]?.tag && entry.name === others[index]?.name)
}
