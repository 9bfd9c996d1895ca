import { pathToFileURL } from 'node:url'
import type { Diagnostic } from 'vscode-languageserver'
import { DiagnosticSeverity, DiagnosticTag } from 'vscode-languageserver'
import type { TextDocument } from 'vscode-languageserver-textdocument'
import type { Position, Problem } from '../kdl/position.ts'
import { checkText } from '../sentinel/index.ts'
import { rangeOf, spanFinder } from './places.ts'
import type { Span } from './word.ts'

/** An editor shows no more than this anyway. */
const mostDiagnostics = 500

/**
 * What is wrong with an open text. The text is judged alone: neither the files it names nor the environment of the editor say anything about
 * the machine that it will run on, so a variable that is not set is no news here.
 */
export function diagnosticsOf (document: TextDocument, file: string): Diagnostic[] {
  const text = document.getText()
  const { problems } = checkText(text, file, { env: {}, textOnly: true })
  const find = spanFinder(text)
  const told = problems.filter(({ code, severity, position }) => position.file === file && !(code === 'CONFIG_ENVIRONMENT' && severity === 'warning'))
  return told.slice(0, mostDiagnostics).map(problem => diagnosticOf(problem, document, file, find))
}

function diagnosticOf (problem: Problem, document: TextDocument, file: string, find: (position: Position) => Span): Diagnostic {
  const { code, message, hint, position, related } = problem
  const tags = code === 'CONFIG_OTHER_SPELLING' ? [DiagnosticTag.Deprecated] : code === 'CONFIG_NO_EFFECT' ? [DiagnosticTag.Unnecessary] : []
  return {
    range: rangeOf(document, find(position)),
    severity: severityOf(problem),
    code,
    source: 'sentinel',
    message: hint === undefined ? message : `${message}\n${hint}`,
    ...tags.length === 0 ? {} : { tags },
    ...related === undefined ? {} : { relatedInformation: [{ message: related.message, location: locationOf(related.position, document, file, find) }] },
  }
}

function severityOf ({ severity, code }: Problem): DiagnosticSeverity {
  if (severity === 'error') return DiagnosticSeverity.Error
  if (severity === 'warning') return DiagnosticSeverity.Warning
  return code === 'CONFIG_OTHER_SPELLING' ? DiagnosticSeverity.Hint : DiagnosticSeverity.Information
}

function locationOf (position: Position, document: TextDocument, file: string, find: (position: Position) => Span) {
  if (position.file === file) return { uri: document.uri, range: rangeOf(document, find(position)) }
  // Of another file only the line is known.
  const at = { line: Math.max(0, position.line - 1), character: Math.max(0, position.column - 1) }
  return { uri: pathToFileURL(position.file).href, range: { start: at, end: at } }
}
