import type { Range } from 'vscode-languageserver'
import type { TextDocument } from 'vscode-languageserver-textdocument'
import type { Position } from '../kdl/position.ts'
import type { Span } from './word.ts'

export function rangeOf (document: TextDocument, { from, to }: Span): Range {
  return { start: document.positionAt(from), end: document.positionAt(to) }
}

/** Finds the offsets of places that count lines as KDL does and columns in code points. Places outside of the text come to its end. */
export function spanFinder (text: string): (position: Position) => Span {
  const starts = [text.startsWith('\uFEFF') ? 1 : 0]
  for (const { 0: end, index } of text.matchAll(/\r\n|[\n\r\u0085\u000b\u000c\u2028\u2029]/g)) starts.push(index + end.length)
  return ({ line, column, length }) => {
    if (line < 1) return { from: 0, to: 0 }
    const start = starts[line - 1] ?? text.length
    const from = forward(text, start, column - 1)
    return { from, to: forward(text, from, length) }
  }
}

function forward (text: string, from: number, points: number): number {
  let at = from
  for (let left = points; left > 0 && at < text.length; left--) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
  return at
}
