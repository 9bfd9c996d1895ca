// The part of VS Code that the extension uses, for a process without VS Code. Loaded before the extension with `node --import`.
import { register } from 'node:module'

const plain = (...names) => class { constructor (...values) { names.forEach((name, index) => { this[name] = values[index] }) } }
const listeners = {}
const on = (name) => (listener) => {
  listeners[name] = listener
  return { dispose () {} }
}
const provide = (name) => (language, provider) => {
  stub.providers[name] = provider
  return { dispose () {} }
}

/** What the extension did, and what a test makes happen to it. */
const stub = {
  providers: {}, errors: [], listeners, configuration: {}, published: new Map(),
  Position: plain('line', 'character'), Range: plain('start', 'end'), Location: plain('uri', 'range'), MarkdownString: plain('value'),
  SnippetString: plain('value'), Diagnostic: plain('range', 'message', 'severity'), DiagnosticRelatedInformation: plain('location', 'message'),
  CompletionItem: plain('label', 'kind'), DocumentSymbol: plain('name', 'detail', 'kind', 'range', 'selectionRange'),
  CodeAction: plain('title', 'kind'), CodeActionKind: { QuickFix: 'quickfix' }, Hover: plain('contents', 'range'),
  WorkspaceEdit: class {
    edits = []
    replace (uri, range, text) { this.edits.push({ uri: String(uri), range, text }) }
  },
  Uri: { parse: (text) => ({ scheme: text.split(':')[0], toString: () => text }) },
  commands: { registerCommand: () => ({ dispose () {} }) },
  window: {
    createOutputChannel: () => ({ append () {}, appendLine () {}, dispose () {} }),
    showErrorMessage: (message) => { stub.errors.push(message) }
  },
  workspace: {
    textDocuments: [],
    getConfiguration: () => ({ get: (name, otherwise) => stub.configuration[name] ?? otherwise }),
    onDidOpenTextDocument: on('open'), onDidChangeTextDocument: on('change'), onDidCloseTextDocument: on('close'), onDidChangeConfiguration: on('configuration')
  },
  languages: {
    createDiagnosticCollection: () => ({
      set (uri, list) { stub.published.set(String(uri), list) },
      delete (uri) { stub.published.delete(String(uri)) },
      clear () { stub.published.clear() },
      dispose () {}
    }),
    registerCompletionItemProvider: provide('completion'), registerHoverProvider: provide('hover'), registerDefinitionProvider: provide('definition'),
    registerReferenceProvider: provide('references'), registerDocumentSymbolProvider: provide('symbols'),
    registerCodeActionsProvider: provide('actions'), registerRenameProvider: provide('rename'),
    match: ({ pattern }, document) => document.uri.toString().endsWith(pattern) ? 10 : 0,
    setTextDocumentLanguage: async (document, language) => {
      document.languageId = language
      await listeners.open(document)
    }
  }
}
globalThis.vscode = stub

const given = Object.keys(stub).filter((name) => /^[A-Z]|^(?:commands|window|workspace|languages)$/.test(name))
const source = `export const { ${given.join(', ')} } = globalThis.vscode`
register(`data:text/javascript,${encodeURIComponent(`
  export async function resolve (specifier, context, next) {
    return specifier === 'vscode' ? { url: ${JSON.stringify(`data:text/javascript,${encodeURIComponent(source)}`)}, shortCircuit: true } : next(specifier, context)
  }
`)}`)
