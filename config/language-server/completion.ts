import type { CompletionItem } from 'vscode-languageserver'
import { CompletionItemKind, InsertTextFormat, MarkupKind } from 'vscode-languageserver'
import type { TextDocument } from 'vscode-languageserver-textdocument'
import type { Field, Fields, Row } from '../schema/index.ts'
import { settingName } from '../schema/index.ts'
import type { Analysis } from './analysis.ts'
import { namespacesAround } from './analysis.ts'
import type { Cursor } from './cursor.ts'
import { cursorAt } from './cursor.ts'
import { describe, shapeOf } from './describe.ts'
import type { Meaning, Scope } from './scope.ts'
import { fieldsOf, meaningOf, meaningOfName, rowOfValue, scopeOf } from './scope.ts'
import { quotes, settingSnippet } from './snippet.ts'
import type { TreeNode } from './tree.ts'
import type { Word } from './word.ts'
import { textOf } from './word.ts'

export interface CompletionOptions {
  /** The editor can fill in the places of a snippet. */
  readonly snippets: boolean
}

/** What may stand at an offset. */
export function completionsAt (analysis: Analysis, document: TextDocument, offset: number, options: CompletionOptions): CompletionItem[] {
  const cursor = cursorAt(analysis.tree, offset)
  if (cursor.at === 'comment') return []
  const scope = scopeOf(cursor.path, analysis.top)
  if (cursor.at === 'name') return names(analysis, document, cursor, scope, options)
  // Right behind a closed string there is no room for anything.
  if (cursor.node === undefined || (cursor.word?.quoted === true && cursor.word.closed && cursor.word.to === offset)) return []
  const meaning = meaningOf(scope, cursor.node)
  const row = cursor.at === 'property' ? rowOfProperty(meaning, cursor) : rowOfValue(meaning, cursor.node, cursor.index)
  return row === undefined || row === 'id' ? [] : values(analysis, document, cursor, row)
}

function rowOfProperty (meaning: Meaning, { node, prop, word }: Cursor): Row | undefined {
  if (prop === undefined || prop.name === word || (meaning.is !== 'setting' && meaning.is !== 'thing')) return undefined
  const found = meaningOfName(fieldsOf(meaning.row, node), textOf(prop.name))
  return found.is === 'setting' ? found.row : undefined
}

function names (analysis: Analysis, document: TextDocument, cursor: Cursor, scope: Scope, options: CompletionOptions): CompletionItem[] {
  const range = { start: document.positionAt(cursor.span.from), end: document.positionAt(cursor.span.to) }
  // Somebody corrects the name of a node that is there: what follows stays.
  const alone = cursor.node === undefined || (cursor.node.args.length === 0 && cursor.node.props.length === 0 && cursor.node.inside === undefined)
  return offered(scope, analysis, cursor).map(({ name, row, later }) => {
    const namesOf = (kinds: readonly string[]): readonly string[] => visible(analysis, cursor, kinds, false)
    const text = alone && options.snippets ? settingSnippet(name, row, innerFields(row), { place: 1, namesOf }) : name
    return {
      label: name,
      kind: row.shape === 'value' || row.shape === 'list' ? CompletionItemKind.Property : row.kind === undefined ? CompletionItemKind.Module : CompletionItemKind.Class,
      detail: `${shapeOf(row)}${row.required === true ? ', has to be given' : row.default === undefined || row.default === '' ? '' : `, ${row.default} without it`}`,
      documentation: { kind: MarkupKind.Markdown, value: describe(name, row) },
      // What has to be given first, what has no effect yet last.
      sortText: `${row.required === true ? 0 : later ? 2 : 1}${name}`,
      insertTextFormat: text === name ? InsertTextFormat.PlainText : InsertTextFormat.Snippet,
      textEdit: { range, newText: text },
    }
  })
}

function innerFields (row: Row): Fields {
  return row.variants === undefined ? row.fields ?? {} : fieldsOf(row, undefined)
}

interface Offer {
  readonly name: string
  readonly row: Row
  /** Accepted, without effect in this version. */
  readonly later: boolean
}

/** Names in their preferred spelling, without those that may stand once and do already. */
function offered (scope: Scope, analysis: Analysis, cursor: Cursor): Offer[] {
  if (scope.is === 'free') return []
  if (scope.is === 'gatherer') {
    const { meaning } = scope
    return meaning.is === 'setting' || meaning.is === 'thing' ? [{ name: scope.holds, row: meaning.row, later: meaning.row.notBuilt === true }] : []
  }
  const taken = given(scope.fields, scope.args, analysis, cursor)
  return Object.entries(scope.fields).flatMap(([key, field]) => {
    const { row } = field
    if (row.inert !== undefined || (taken.has(key) && !repeatable(field))) return []
    const name = row.kind !== undefined && row.direct === true ? row.kind : settingName(key, field)
    return [{ name, row, later: row.notBuilt === true }]
  })
}

function repeatable ({ row }: Field<unknown>): boolean {
  return row.shape === 'list' || row.shape === 'blocks' || row.shape === 'anything'
}

/** Members of the block around the cursor that are given, in whatever spelling. */
function given (fields: Fields, args: readonly string[], analysis: Analysis, { path, node: own }: Cursor): ReadonlySet<string> {
  const around = path.at(-1)
  const found = new Set<string>()
  const take = (name: Word): void => {
    const meaning = meaningOfName(fields, textOf(name))
    if ('key' in meaning) found.add(meaning.key)
  }
  for (const node of around?.children ?? analysis.tree.nodes) if (node !== own && !node.off) take(node.name)
  for (const { name } of around?.props ?? []) take(name)
  const values = around === undefined ? 0 : around.args.length - (isThing(around, path, analysis) ? 1 : 0)
  for (const key of args.slice(0, Math.max(0, values))) found.add(key)
  return found
}

function isThing (node: TreeNode, path: readonly TreeNode[], analysis: Analysis): boolean {
  return meaningOf(scopeOf(path.slice(0, -1), analysis.top), node).is === 'thing'
}

function values (analysis: Analysis, document: TextDocument, cursor: Cursor, row: Row): CompletionItem[] {
  const { type } = row
  if (type === undefined) return []
  const written = new Set(cursor.node?.args.filter(word => word !== cursor.word).map(textOf))
  const item = (text: string, kind: CompletionItemKind, detail: string, inQuotes: boolean): CompletionItem => ({
    label: text,
    kind,
    detail,
    documentation: { kind: MarkupKind.Markdown, value: row.doc },
    ...edited(document, cursor, text, inQuotes),
    sortText: `${detail === 'not in effect yet' ? 1 : 0}${text}`,
  })
  if (type.json['type'] === 'boolean') {
    return cursor.word?.quoted === true ? [] : ['#true', '#false'].map(word => item(word, CompletionItemKind.Keyword, word === row.default ? 'as without it' : '', false))
  }
  if (type.refersTo !== undefined) {
    return visible(analysis, cursor, type.refersTo, type.exports === true).filter(name => !written.has(name))
      .map(name => item(name, CompletionItemKind.Reference, type.refersTo?.join(' or ') ?? '', true))
  }
  const found = (type.words ?? []).map(word => item(word, CompletionItemKind.EnumMember, word === row.default ? 'as without it' : '', true))
  const later = (type.notBuiltWords ?? []).map(word => item(word, CompletionItemKind.EnumMember, 'not in effect yet', true))
  const number = cursor.word?.quoted === true && !quotes(type, row.default)
  const byDefault = found.length > 0 || row.default === undefined || row.default === '' || row.shape !== 'value' || number
    ? []
    : [item(row.default, CompletionItemKind.Value, 'as without it', quotes(type, row.default))]
  return [...found, ...later, ...byDefault].filter(({ label }) => row.shape !== 'list' || !written.has(label))
}

/** Puts a value into the quotes that are there, or brings its own. */
function edited (document: TextDocument, { word, span }: Cursor, text: string, inQuotes: boolean): Pick<CompletionItem, 'textEdit' | 'filterText'> {
  const quoted = word?.quoted === true
  const { from, to } = quoted ? word.inner : span
  const newText = quoted ? text + (word.closed ? '' : '"') : inQuotes ? JSON.stringify(text) : text
  return { textEdit: { range: { start: document.positionAt(from), end: document.positionAt(to) }, newText }, filterText: text }
}

/** Names of these kinds, as they are written at the cursor. */
function visible (analysis: Analysis, cursor: Cursor, kinds: readonly string[], exports: boolean): string[] {
  const names = namespacesAround(cursor.path, analysis.top)
  return [...new Set(kinds.flatMap(kind => analysis.names().visible(kind, { names, exports })))]
}
