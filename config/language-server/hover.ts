import type { Hover } from 'vscode-languageserver'
import { MarkupKind } from 'vscode-languageserver'
import type { TextDocument } from 'vscode-languageserver-textdocument'
import type { Analysis, Mention } from './analysis.ts'
import { definitions, thingAt } from './analysis.ts'
import { cursorAt } from './cursor.ts'
import { describe, describeMeaning } from './describe.ts'
import { rangeOf } from './places.ts'
import { fieldsOf, meaningOf, meaningOfName, rowOfValue, scopeOf } from './scope.ts'
import { textOf } from './word.ts'

/** What the table says about the word at an offset; about a name also what it stands for. */
export function hoverAt (analysis: Analysis, document: TextDocument, offset: number): Hover | undefined {
  const cursor = cursorAt(analysis.tree, offset)
  if (cursor.word === undefined || cursor.node === undefined) return undefined
  const thing = cursor.at === 'name' ? undefined : thingAt(analysis.names(), offset)
  const parts = [thing === undefined ? undefined : describeThing(thing, analysis, document), describeWord(analysis, offset)]
  const value = parts.filter(part => part !== undefined).join('\n\n---\n\n')
  return value === '' ? undefined : { contents: { kind: MarkupKind.Markdown, value }, range: rangeOf(document, cursor.word) }
}

function describeThing (thing: Mention & { readonly defined: boolean }, analysis: Analysis, document: TextDocument): string {
  const { kind, name } = thing
  if (thing.defined) return `${kind} \`${name}\``
  const at = definitions(analysis.names()).find(candidate => candidate.kind === kind && candidate.name === name)
  const line = at === undefined ? '' : `, line ${document.positionAt(at.span.from).line + 1}`
  return `→ ${kind} \`${name}\`${line}`
}

function describeWord (analysis: Analysis, offset: number): string | undefined {
  const { path, at, node, index, prop } = cursorAt(analysis.tree, offset)
  if (node === undefined) return undefined
  const scope = scopeOf(path, analysis.top)
  const meaning = meaningOf(scope, node)
  const name = textOf(node.name)
  if (at === 'name') {
    const known = describeMeaning(meaning)
    const spelling = 'name' in meaning && meaning.is !== 'older' && meaning.name !== name ? `\`${name}\` is another spelling.\n\n` : ''
    return known === undefined ? undefined : spelling + known
  }
  if (at === 'property' && prop !== undefined && (meaning.is === 'setting' || meaning.is === 'thing')) {
    return describeMeaning(meaningOfName(fieldsOf(meaning.row, node), textOf(prop.name)))
  }
  const row = rowOfValue(meaning, node, index)
  if (row === 'id') return describeMeaning(meaning)
  if (row === undefined) return undefined
  const key = meaning.is === 'setting' && meaning.row !== row ? meaning.row.args?.[index] : undefined
  return describe(key ?? name, row)
}
