import { format, parse } from '@bgotink/kdl'

/** Characters that no text of KDL may hold: they cannot be in it already. */
const mark = '\u0000'

/**
 * A text with lines added at the end of a block at its top level, everything else as it was, with all comments. A text without the block gets it at its end.
 * `lines` stand as they do inside of the block. The text must be valid KDL.
 */
export function insertIntoBlock (text: string, block: string, lines: string): string {
  const at = endOfBlock(text, block)
  if (at === undefined) return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${text.trim() === '' ? '' : '\n'}${block} {\n${lines}}\n`
  // A brace that stands on a line of its own keeps its blanks; on a line with something else, what is added begins one of its own.
  const blanks = /\n[^\S\n]*$/.exec(text.slice(0, at))
  const end = blanks === null ? at : blanks.index + 1
  return `${text.slice(0, end)}${blanks === null ? '\n' : ''}${lines}${text.slice(end)}`
}

/** Where the last block of that name ends: right before its brace. */
function endOfBlock (text: string, block: string): number | undefined {
  const document = parse(text)
  const node = document.nodes.findLast((candidate) => candidate.getName() === block && candidate.children !== null)
  if (node?.children === null || node === undefined) return undefined
  // The library writes what it read as it was: a mark in it is found at its place.
  node.children.trailing = `${node.children.trailing ?? ''}${mark}`
  return format(document).indexOf(mark)
}
