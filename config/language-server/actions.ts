import type { CodeAction, Diagnostic, TextEdit } from 'vscode-languageserver'
import { CodeActionKind } from 'vscode-languageserver'
import type { TextDocument } from 'vscode-languageserver-textdocument'
import { durationText, sizeText, unitInName } from '../schema/quantities.ts'
import type { Analysis } from './analysis.ts'
import { cursorAt } from './cursor.ts'
import { rangeOf } from './places.ts'
import { meaningOf, meaningOfName, scopeOf } from './scope.ts'
import type { Word } from './word.ts'
import { textOf } from './word.ts'

/** What would put these problems right. */
export function actionsFor (analysis: Analysis, document: TextDocument, problems: readonly Diagnostic[]): CodeAction[] {
  return problems.filter(({ source }) => source === 'sentinel').flatMap(problem => {
    const fix = problem.code === 'CONFIG_OTHER_SPELLING' ? spelling(analysis, document, problem) : meant(analysis, document, problem)
    if (fix === undefined) return []
    return [{ title: fix.title, kind: CodeActionKind.QuickFix, diagnostics: [problem], isPreferred: true, edit: { changes: { [document.uri]: fix.edits } } }]
  })
}

interface Fix {
  readonly title: string
  readonly edits: TextEdit[]
}

/** Another name for the same setting. Another shape is the formatter's business. */
function spelling (analysis: Analysis, document: TextDocument, { range }: Diagnostic): Fix | undefined {
  const { path, node, prop, at, word } = cursorAt(analysis.tree, document.offsetAt(range.start))
  if (node === undefined || word === undefined) return undefined
  const scope = scopeOf(path, analysis.top)
  const own = meaningOf(scope, node)
  const inner = at === 'property' && 'row' in own && own.row !== undefined ? meaningOfName(own.row.fields ?? {}, textOf(word)) : undefined
  const meaning = at === 'name' ? own : inner
  const name = at === 'name' ? node.name : prop?.name
  if (meaning === undefined || name === undefined || (meaning.is !== 'setting' && meaning.is !== 'gatherer')) return undefined
  const written = textOf(name)
  if (meaning.name === written || meaning.row.aliases?.includes(written) !== true) return undefined
  const edits = [{ range: rangeOf(document, name), newText: meaning.name }]
  const { type } = meaning.row
  const unit = unitInName(written, type?.quantity)
  if (unit !== undefined) {
    const value = at === 'name' ? node.args[0] : prop?.value
    if (typeof value?.value !== 'number' || (at === 'name' && node.args.length !== 1)) return undefined
    const amount = value.value * unit
    edits.push({ range: rangeOf(document, value), newText: `"${type?.quantity === 'size' ? sizeText(amount) : durationText(amount)}"` })
  }
  return { title: `Write '${meaning.name}'`, edits }
}

/** What the hint of a message says should be written there. */
function meant (analysis: Analysis, document: TextDocument, { message, range, code }: Diagnostic): Fix | undefined {
  const text = typeof message === 'string' ? message : message.value
  const hint = text.slice(text.indexOf('\n') + 1)
  const offset = document.offsetAt(range.start)
  const { word } = cursorAt(analysis.tree, offset)
  const near = /\bdid you mean (['"])([^'"]+)\1\?/.exec(hint)?.[2]
  if (near !== undefined && word !== undefined) return replace(document, word, near)
  if (code === 'CONFIG_TYPE' && hint === 'numbers have no quotes' && word?.quoted === true) {
    const number = textOf(word)
    return { title: `Write ${number}`, edits: [{ range: rangeOf(document, word), newText: number }] }
  }
  const instead = /(?:^write|needs quotes:) (#\w+|"(?:[^"\\]|\\.)*")$/.exec(hint)?.[1]
  if (instead === undefined || (code !== 'CONFIG_TYPE' && code !== 'CONFIG_SYNTAX')) return undefined
  const place = code === 'CONFIG_TYPE' && word !== undefined ? rangeOf(document, word) : range
  return { title: `Write ${instead}`, edits: [{ range: place, newText: instead }] }
}

/** Puts a name into the quotes that are there. A value without any gets them where the language wants them. */
function replace (document: TextDocument, word: Word, text: string): Fix {
  const bare = !word.quoted && !/^[A-Za-z_][A-Za-z0-9_-]*$/.test(text)
  return { title: `Write '${text}'`, edits: [{ range: rangeOf(document, word.inner), newText: bare ? JSON.stringify(text) : text }] }
}
