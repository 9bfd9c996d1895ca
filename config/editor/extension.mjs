// Starts `sentinel lsp` and shows what it says. Everything about the language is known there, nothing here.
import { spawn } from 'node:child_process'
import * as vscode from 'vscode'
import { fromDiagnostic, fromRange, toAction, toCompletion, toDiagnostic, toLocation, toRange, toSymbol, toText, toWorkspaceEdit } from './convert.mjs'
import { createPeer } from './json-rpc.mjs'

const language = 'sentinel'
/** A server that keeps ending is left alone: the reason does not go away by itself. */
const mostStarts = 5

let server
let starts = 0
let diagnostics
let log

export async function activate (context) {
  diagnostics = vscode.languages.createDiagnosticCollection(language)
  log = vscode.window.createOutputChannel('Sentinel')
  context.subscriptions.push(
    diagnostics, log,
    vscode.workspace.onDidOpenTextDocument(opened),
    vscode.workspace.onDidChangeTextDocument(changed),
    vscode.workspace.onDidCloseTextDocument(closed),
    vscode.workspace.onDidChangeConfiguration((event) => { if (event.affectsConfiguration('sentinel')) void restart() }),
    vscode.commands.registerCommand('sentinel.restart', restart),
    ...providers())
  for (const document of vscode.workspace.textDocuments) await opened(document)
}

export async function deactivate () {
  await stop()
}

async function restart () {
  starts = 0
  await stop()
  for (const document of vscode.workspace.textDocuments) await opened(document)
}

function settings () {
  return vscode.workspace.getConfiguration('sentinel')
}

/** The running server; starts it for the first configuration that is opened. */
function running () {
  if (server === undefined && starts < mostStarts) server = start()
  return server
}

function start () {
  starts++
  const path = settings().get('path', 'sentinel')
  const child = spawn(path, settings().get('arguments', ['lsp']), { stdio: ['pipe', 'pipe', 'pipe'] })
  const made = { child, documents: new Map(), ready: undefined, peer: undefined }
  child.stderr.on('data', (text) => log.append(String(text)))
  child.once('error', (error) => {
    if (server === made) server = undefined
    starts = mostStarts
    void vscode.window.showErrorMessage(`Sentinel: ${path} cannot be started (${error.code ?? error.message}). Say where it is in the setting sentinel.path.`)
  })
  made.peer = createPeer(child.stdout, child.stdin, {
    notified (method, params) {
      if (method === 'textDocument/publishDiagnostics') diagnostics.set(vscode.Uri.parse(params.uri), params.diagnostics.map(toDiagnostic))
    },
    broken (why) {
      diagnostics.clear()
      if (server !== made) return
      server = undefined
      log.appendLine(why)
      for (const document of vscode.workspace.textDocuments) void opened(document)
    }
  })
  made.ready = made.peer.request('initialize', {
    processId: process.pid, rootUri: null, capabilities: { textDocument: { completion: { completionItem: { snippetSupport: true } } } }
  }).then(() => made.peer.notify('initialized', {}))
  made.ready.catch((error) => log.appendLine(error.message))
  return made
}

async function stop () {
  const old = server
  server = undefined
  if (old === undefined) return
  const timer = setTimeout(() => old.child.kill(), 2000).unref()
  try {
    await old.peer.request('shutdown')
    old.peer.notify('exit')
  } catch {
    // It is gone already.
  }
  old.peer.end()
  old.child.once('exit', () => clearTimeout(timer))
}

/** Whether a document is ours; one that the settings name becomes it. */
async function ours (document) {
  if (document.languageId === language) return true
  if (document.uri.scheme !== 'file') return false
  const wanted = settings().get('files', []).some((pattern) => vscode.languages.match({ pattern }, document) > 0)
  // The editor closes it and opens it again, in its new language.
  if (wanted) await vscode.languages.setTextDocumentLanguage(document, language)
  return false
}

async function opened (document) {
  if (!await ours(document)) return
  const current = running()
  if (current === undefined || current.documents.has(document.uri.toString())) return
  current.documents.set(document.uri.toString(), document.version)
  current.ready.then(() => current.peer.notify('textDocument/didOpen', {
    textDocument: { uri: document.uri.toString(), languageId: 'kdl', version: document.version, text: document.getText() }
  }), () => {})
}

function changed ({ document }) {
  const uri = document.uri.toString()
  if (server === undefined || !server.documents.has(uri)) return
  // The whole text: it is never out of step, and a configuration is small.
  const { version } = document
  const text = document.getText()
  const { peer, ready } = server
  ready.then(() => peer.notify('textDocument/didChange', { textDocument: { uri, version }, contentChanges: [{ text }] }), () => {})
}

function closed (document) {
  const uri = document.uri.toString()
  if (server?.documents.delete(uri) !== true) return
  server.peer.notify('textDocument/didClose', { textDocument: { uri } })
  diagnostics.delete(document.uri)
}

/** Asks the server about a place. What it cannot answer is no answer: the editor goes on. */
async function ask (method, document, position, more = {}) {
  const current = server
  if (current === undefined) return null
  try {
    await current.ready
    const place = position === undefined ? {} : { position: { line: position.line, character: position.character } }
    return await current.peer.request(method, { textDocument: { uri: document.uri.toString() }, ...place, ...more })
  } catch (error) {
    log.appendLine(`${method}: ${error.message}`)
    return null
  }
}

function providers () {
  const { languages } = vscode
  const all = (items, convert) => (items ?? []).map(convert)
  return [
    languages.registerCompletionItemProvider(language, {
      provideCompletionItems: async (document, position) => all(await ask('textDocument/completion', document, position), toCompletion)
    }, '"', ' '),
    languages.registerHoverProvider(language, {
      async provideHover (document, position) {
        const found = await ask('textDocument/hover', document, position)
        return found === null ? undefined : new vscode.Hover(toText(found.contents), found.range === undefined ? undefined : toRange(found.range))
      }
    }),
    languages.registerDefinitionProvider(language, {
      async provideDefinition (document, position) {
        const found = await ask('textDocument/definition', document, position)
        return found === null ? undefined : toLocation(found)
      }
    }),
    languages.registerReferenceProvider(language, {
      provideReferences: async (document, position, context) => all(await ask('textDocument/references', document, position, { context }), toLocation)
    }),
    languages.registerDocumentSymbolProvider(language, {
      provideDocumentSymbols: async (document) => all(await ask('textDocument/documentSymbol', document), toSymbol)
    }),
    languages.registerCodeActionsProvider(language, {
      async provideCodeActions (document, range, context) {
        const more = { range: fromRange(range), context: { diagnostics: context.diagnostics.map(fromDiagnostic) } }
        return all(await ask('textDocument/codeAction', document, undefined, more), toAction)
      }
    }),
    languages.registerRenameProvider(language, {
      async prepareRename (document, position) {
        const range = await ask('textDocument/prepareRename', document, position)
        if (range === null) throw new Error('Nothing here has a name.')
        return toRange(range)
      },
      async provideRenameEdits (document, position, newName) {
        const edit = await ask('textDocument/rename', document, position, { newName })
        if (edit === null) throw new Error('This name cannot be given.')
        return toWorkspaceEdit(edit)
      }
    })
  ]
}
