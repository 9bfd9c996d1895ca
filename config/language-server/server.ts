import { fileURLToPath } from 'node:url'
import type { Connection, InitializeParams, InitializeResult } from 'vscode-languageserver'
import { CodeActionKind, ErrorCodes, ResponseError, TextDocuments, TextDocumentSyncKind } from 'vscode-languageserver'
import { createConnection } from 'vscode-languageserver/node'
import { TextDocument } from 'vscode-languageserver-textdocument'
import { actionsFor } from './actions.ts'
import type { Analysis } from './analysis.ts'
import { analyse } from './analysis.ts'
import { completionsAt } from './completion.ts'
import { diagnosticsOf } from './diagnostics.ts'
import { hoverAt } from './hover.ts'
import { BadName, definitionAt, referencesAt, renameableAt, renameAt } from './names.ts'
import { rangeOf } from './places.ts'
import { symbolsOf } from './symbols.ts'

export interface LanguageServerOptions {
  readonly input: NodeJS.ReadableStream
  /** Nothing else may be written to it. */
  readonly output: NodeJS.WritableStream
  readonly version: string
}

/** Wait after a change before the text is judged: somebody is still typing. A text that takes long to judge waits longer. */
const shortestWaitMs = 150
const longestWaitMs = 2000

/**
 * Serves an editor until it says `exit` or closes the input: the process ends then, with code 0 after a `shutdown` and 1 without one.
 * What goes wrong in one request is the answer to that request.
 */
export function startLanguageServer ({ input, output, version }: LanguageServerOptions): void {
  const connection = createConnection(input, output)
  const documents = new TextDocuments(TextDocument)
  let snippets = false
  connection.onInitialize((params: InitializeParams) => {
    snippets = params.capabilities.textDocument?.completion?.completionItem?.snippetSupport === true
    return { capabilities, serverInfo: { name: 'sentinel', version } }
  })
  const look = analysisOf(documents)
  connection.onCompletion(({ textDocument, position }) =>
    look(textDocument.uri, (analysis, document) => completionsAt(analysis, document, document.offsetAt(position), { snippets })) ?? [])
  connection.onHover(({ textDocument, position }) =>
    look(textDocument.uri, (analysis, document) => hoverAt(analysis, document, document.offsetAt(position))))
  connection.onDefinition(({ textDocument, position }) =>
    look(textDocument.uri, (analysis, document) => definitionAt(analysis, document, document.offsetAt(position))))
  connection.onReferences(({ textDocument, position, context }) =>
    look(textDocument.uri, (analysis, document) => referencesAt(analysis, document, document.offsetAt(position), context.includeDeclaration)) ?? [])
  connection.onDocumentSymbol(({ textDocument }) => look(textDocument.uri, symbolsOf) ?? [])
  connection.onCodeAction(({ textDocument, context }) =>
    look(textDocument.uri, (analysis, document) => actionsFor(analysis, document, context.diagnostics)) ?? [])
  connection.onPrepareRename(({ textDocument, position }) => look(textDocument.uri, (analysis, document) => {
    const span = renameableAt(analysis, document.offsetAt(position))
    return span === undefined ? undefined : rangeOf(document, span)
  }))
  connection.onRenameRequest(({ textDocument, position, newName }) => look(textDocument.uri, (analysis, document) => {
    try {
      return { changes: { [document.uri]: renameAt(analysis, document, document.offsetAt(position), newName) } }
    } catch (error) {
      if (error instanceof BadName) return new ResponseError<void>(ErrorCodes.InvalidParams, error.message)
      throw error
    }
  }))
  publishDiagnostics(connection, documents)
  documents.listen(connection)
  connection.listen()
}

const capabilities: InitializeResult['capabilities'] = {
  textDocumentSync: TextDocumentSyncKind.Incremental,
  completionProvider: { triggerCharacters: ['"', ' '] },
  hoverProvider: true,
  definitionProvider: true,
  referencesProvider: true,
  documentSymbolProvider: true,
  codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix] },
  renameProvider: { prepareProvider: true },
}

type Look = <T>(uri: string, question: (analysis: Analysis, document: TextDocument) => T | undefined) => T | null

/** Each version of a text is looked at once. Nothing is known about a document that is not open. */
function analysisOf (documents: TextDocuments<TextDocument>): Look {
  const known = new WeakMap<TextDocument, { readonly version: number, readonly analysis: Analysis }>()
  return (uri, question) => {
    const document = documents.get(uri)
    if (document === undefined) return null
    let last = known.get(document)
    if (last?.version !== document.version) known.set(document, last = { version: document.version, analysis: analyse(document.getText(), fileOf(uri)) })
    return question(last.analysis, document) ?? null
  }
}

function publishDiagnostics (connection: Connection, documents: TextDocuments<TextDocument>): void {
  const timers = new Map<string, NodeJS.Timeout>()
  let wait = shortestWaitMs
  const judge = (uri: string): void => {
    timers.delete(uri)
    const document = documents.get(uri)
    if (document === undefined) return
    const started = performance.now()
    try {
      void connection.sendDiagnostics({ uri, version: document.version, diagnostics: diagnosticsOf(document, fileOf(uri)) })
    } catch (error) {
      connection.console.error(`${uri} could not be checked: ${error instanceof Error ? error.message : String(error)}`)
    }
    wait = Math.min(longestWaitMs, Math.max(shortestWaitMs, 3 * (performance.now() - started)))
  }
  documents.onDidChangeContent(({ document: { uri } }) => {
    clearTimeout(timers.get(uri))
    timers.set(uri, setTimeout(judge, wait, uri))
  })
  documents.onDidClose(({ document: { uri } }) => {
    clearTimeout(timers.get(uri))
    timers.delete(uri)
    void connection.sendDiagnostics({ uri, diagnostics: [] })
  })
}

/** A name for messages and a folder for relative paths: a text that was never saved has none of its own. */
function fileOf (uri: string): string {
  try {
    return fileURLToPath(uri)
  } catch {
    return 'sentinel.kdl'
  }
}
