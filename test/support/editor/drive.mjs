// Opens a configuration in the stubbed editor, with the program given on the command line, and prints what the extension made of it.
import { setTimeout as delay } from 'node:timers/promises'
import { activate, deactivate } from '../../../config/editor/extension.mjs'

const stub = globalThis.vscode
const [path, ...args] = process.argv.slice(2)
stub.configuration = { path, arguments: args, files: ['special.kdl'] }

const documentOf = (uri, languageId, text) => ({ uri: stub.Uri.parse(uri), languageId, version: 1, text, getText () { return this.text } })
const text = 'upstreams {\n    upstream "backend" { target "127.0.0.1:1" }\n}\nroutes {\n    route "a" {\n        upstream "backend"\n        enabld #true\n    }\n}\n'
const document = documentOf('file:///tmp/sentinel.kdl', 'sentinel', text)
const special = documentOf('file:///tmp/special.kdl', 'plaintext', 'listenrs {\n}\n')
const other = documentOf('file:///tmp/other.kdl', 'plaintext', 'listenrs {\n}\n')

/** The problems of a document, when they have come. */
async function problemsOf ({ uri }, wanted = () => true) {
  for (let wait = 0; wait < 200; wait++) {
    const found = stub.published.get(String(uri))
    if (found !== undefined && wanted(found)) return found
    if (stub.errors.length > 0) return []
    await delay(50)
  }
  throw new Error('no problems came')
}

stub.workspace.textDocuments = [document, special, other]
await activate({ subscriptions: [] })
const at = { line: 5, character: 20 }
const { providers } = stub
const problems = await problemsOf(document)
const unknown = problems.find(({ code }) => code === 'CONFIG_UNKNOWN_SETTING')
const report = {
  problems: problems.map(({ code, severity, range }) => [code, severity, range.start.line]),
  special: (await problemsOf(special)).map(({ code }) => code),
  other: stub.published.has(String(other.uri)),
  completion: (await providers.completion.provideCompletionItems(document, { line: 6, character: 8 })).find(({ label }) => label === 'enabled') ?? null,
  hover: (await providers.hover.provideHover(document, at))?.contents.value ?? null,
  definition: (await providers.definition.provideDefinition(document, at))?.range.start.line ?? null,
  references: (await providers.references.provideReferences(document, at, { includeDeclaration: true })).length,
  symbols: (await providers.symbols.provideDocumentSymbols(document)).map(({ name }) => name),
  actions: unknown === undefined ? [] : (await providers.actions.provideCodeActions(document, unknown.range, { diagnostics: [unknown] })).map(({ title }) => title),
  rename: stub.errors.length > 0 ? [] : (await providers.rename.provideRenameEdits(document, at, 'main')).edits.map((edit) => edit.text),
  errors: stub.errors
}
if (stub.errors.length === 0) {
  document.text = text.replace('enabld', 'enabled')
  document.version = 2
  stub.listeners.change({ document })
  report.fixed = (await problemsOf(document, (found) => found.every(({ code }) => code !== 'CONFIG_UNKNOWN_SETTING'))).every(({ code }) => code !== 'CONFIG_UNKNOWN_SETTING')
}
await deactivate()
process.stdout.write(JSON.stringify(report))
