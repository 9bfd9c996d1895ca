// Between what the protocol says and what the editor's objects are. Positions mean the same in both.
import * as vscode from 'vscode'

export function toPosition ({ line, character }) {
  return new vscode.Position(line, character)
}

export function toRange ({ start, end }) {
  return new vscode.Range(toPosition(start), toPosition(end))
}

export function fromRange ({ start, end }) {
  return { start: { line: start.line, character: start.character }, end: { line: end.line, character: end.character } }
}

export function toLocation ({ uri, range }) {
  return new vscode.Location(vscode.Uri.parse(uri), toRange(range))
}

export function toText (content) {
  const text = typeof content === 'string' ? content : content.value
  return new vscode.MarkdownString(text)
}

/** Severities count from 1 in the protocol and from 0 in the editor; tags are the same. */
export function toDiagnostic ({ range, message, severity = 1, code, source, tags, relatedInformation }) {
  const made = new vscode.Diagnostic(toRange(range), message, severity - 1)
  made.code = code
  made.source = source
  if (tags !== undefined) made.tags = tags
  if (relatedInformation !== undefined) {
    made.relatedInformation = relatedInformation.map((other) => new vscode.DiagnosticRelatedInformation(toLocation(other.location), other.message))
  }
  return made
}

export function fromDiagnostic ({ range, message, severity, code, source }) {
  return { range: fromRange(range), message, severity: severity + 1, code, source }
}

/** Kinds count from 1 in the protocol and from 0 in the editor. */
export function toCompletion ({ label, kind = 1, detail, documentation, sortText, filterText, insertTextFormat, textEdit }) {
  const made = new vscode.CompletionItem(label, kind - 1)
  made.detail = detail
  made.sortText = sortText
  made.filterText = filterText
  if (documentation !== undefined) made.documentation = toText(documentation)
  if (textEdit !== undefined) {
    made.insertText = insertTextFormat === 2 ? new vscode.SnippetString(textEdit.newText) : textEdit.newText
    made.range = toRange(textEdit.range)
  }
  return made
}

export function toSymbol ({ name, detail = '', kind, range, selectionRange, children = [] }) {
  const made = new vscode.DocumentSymbol(name, detail, kind - 1, toRange(range), toRange(selectionRange))
  made.children = children.map(toSymbol)
  return made
}

export function toWorkspaceEdit ({ changes = {} }) {
  const made = new vscode.WorkspaceEdit()
  for (const [uri, edits] of Object.entries(changes)) {
    for (const { range, newText } of edits) made.replace(vscode.Uri.parse(uri), toRange(range), newText)
  }
  return made
}

export function toAction ({ title, edit, isPreferred }) {
  const made = new vscode.CodeAction(title, vscode.CodeActionKind.QuickFix)
  made.isPreferred = isPreferred
  if (edit !== undefined) made.edit = toWorkspaceEdit(edit)
  return made
}
