import type { DocumentSymbol } from 'vscode-languageserver'
import { SymbolKind } from 'vscode-languageserver'
import type { TextDocument } from 'vscode-languageserver-textdocument'
import type { Analysis } from './analysis.ts'
import { rangeOf } from './places.ts'
import type { Meaning, Scope } from './scope.ts'
import { meaningOf, scopeIn } from './scope.ts'
import type { TreeNode } from './tree.ts'
import { textOf } from './word.ts'

/** More than that nobody reads, and editors become slow. */
const mostSymbols = 20_000

/** The outline: blocks, what has a name, settings with their values. */
export function symbolsOf (analysis: Analysis, document: TextDocument): DocumentSymbol[] {
  let left = mostSymbols
  const walk = (nodes: readonly TreeNode[], scope: Scope): DocumentSymbol[] => nodes.filter(node => !node.off && textOf(node.name) !== '').flatMap(node => {
    if (left-- <= 0) return []
    const meaning = meaningOf(scope, node)
    const children = walk(node.children ?? [], scopeIn(meaning, node))
    const end = Math.max(node.to, node.name.to)
    return [{
      ...titleOf(node, meaning),
      range: rangeOf(document, { from: node.name.from, to: end }),
      selectionRange: rangeOf(document, meaning.is === 'thing' && node.args[0] !== undefined ? node.args[0] : node.name),
      children,
    }]
  })
  return walk(analysis.tree.nodes, analysis.top)
}

function titleOf (node: TreeNode, meaning: Meaning): Pick<DocumentSymbol, 'name' | 'detail' | 'kind'> {
  const name = textOf(node.name)
  const [id] = node.args
  if (meaning.is === 'thing' && id !== undefined && textOf(id) !== '') return { name: textOf(id), detail: meaning.kind, kind: SymbolKind.Class }
  const secret = meaning.is === 'setting' && meaning.row.secret === true
  const detail = secret ? '' : node.args.slice(0, 8).map(textOf).join(' ').slice(0, 80)
  return { name, detail, kind: node.inside === undefined ? SymbolKind.Property : SymbolKind.Namespace }
}
