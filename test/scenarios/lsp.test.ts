import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { fromDist } from '../support/paths.ts'
import { patienceMs } from '../support/patience.ts'

interface Message {
  readonly id?: number
  readonly method?: string
  readonly result?: unknown
  readonly error?: { readonly code: number, readonly message: string }
  readonly params?: unknown
}

interface Diagnostics {
  readonly uri: string
  readonly version?: number
  readonly diagnostics: readonly { readonly code: string, readonly message: string, readonly severity: number, readonly range: { readonly start: object } }[]
}

/** A real `sentinel lsp`, spoken to as an editor would. Everything on its standard output must be the protocol. */
function startServer (t: TestContext, args: readonly string[] = []) {
  const child = spawn(process.execPath, [fromDist('proxy', 'main.js'), 'lsp', ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  t.after(() => { child.kill('SIGKILL') })
  const messages: Message[] = []
  let waiting: (() => void)[] = []
  let pending = Buffer.alloc(0)
  let stray = ''
  child.stdout.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    for (;;) {
      const end = pending.indexOf('\r\n\r\n')
      const length = /^Content-Length: (\d+)/.exec(pending.subarray(0, Math.max(0, end)).toString())?.[1]
      if (end < 0 || pending.length < end + 4 + Number(length)) break
      if (length === undefined) {
        stray += pending.toString()
        break
      }
      messages.push(JSON.parse(pending.subarray(end + 4, end + 4 + Number(length)).toString()))
      pending = pending.subarray(end + 4 + Number(length))
    }
    for (const wake of waiting.splice(0)) wake()
  })
  const exited = new Promise<number | null>(resolve => { child.once('exit', resolve) })
  let lastId = 0
  const send = (message: object): void => {
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }))
    child.stdin.write(`Content-Length: ${body.length}\r\n\r\n`)
    child.stdin.write(body)
  }
  const received = async (wanted: (message: Message) => boolean): Promise<Message> => {
    for (const deadline = performance.now() + patienceMs; performance.now() < deadline;) {
      const found = messages.find(wanted)
      if (found !== undefined) return found
      await new Promise<void>(resolve => {
        waiting = [...waiting, resolve]
        setTimeout(resolve, 500)
      })
    }
    throw new Error(`it did not come; what came: ${JSON.stringify(messages)} ${stray}`)
  }
  return {
    child, exited, send,
    stray: () => stray + pending.toString(),
    notify: (method: string, params: object): void => send({ method, params }),
    async request (method: string, params: object | null): Promise<Message> {
      const id = ++lastId
      send({ id, method, ...params === null ? {} : { params } })
      return received(message => message.id === id && message.method === undefined)
    },
    judged: () => messages.flatMap(({ method, params }) => method === 'textDocument/publishDiagnostics' ? [(params as Diagnostics).version] : []),
    /** The problems of one version of the text. */
    async problems (version: number): Promise<Diagnostics> {
      const found = await received(({ method, params }) => method === 'textDocument/publishDiagnostics' && (params as Diagnostics).version === version)
      return found.params as Diagnostics
    },
  }
}

const uri = 'file:///etc/sentinel/sentinel.kdl'
const text = `listeners {
    listener "web" {
        address "127.0.0.1:8080"
    }
}
upstreams {
    upstream "backend" {
        target "127.0.0.1:9000"
    }
}
routes {
    route "api" {
        matches {
            path-prefix "/"
        }
        upstream "backend"
    }
}
`

const editor = { processId: process.pid, rootUri: null, capabilities: { textDocument: { completion: { completionItem: { snippetSupport: true } } } } }

test('an editor opens a configuration, writes in it, asks, and ends the server', async t => {
  const server = startServer(t, ['--stdio'])
  const started = (await server.request('initialize', editor)).result as { capabilities: Record<string, unknown>, serverInfo: { name: string } }
  assert.equal(started.serverInfo.name, 'sentinel')
  for (const provider of ['completionProvider', 'hoverProvider', 'definitionProvider', 'referencesProvider', 'documentSymbolProvider', 'codeActionProvider', 'renameProvider']) {
    assert.ok(started.capabilities[provider], provider)
  }
  server.notify('initialized', {})
  server.notify('textDocument/didOpen', { textDocument: { uri, languageId: 'kdl', version: 1, text } })
  assert.deepEqual((await server.problems(1)).diagnostics, [])

  // Somebody begins a setting: line 4 of the text becomes `prot`.
  const at = { line: 3, character: 0 }
  server.notify('textDocument/didChange', { textDocument: { uri, version: 2 }, contentChanges: [{ range: { start: at, end: at }, text: '        prot\n' }] })
  const wrong = await server.problems(2)
  assert.deepEqual(wrong.diagnostics.map(({ code, severity, range }) => [code, severity, range.start]), [['CONFIG_UNKNOWN_SETTING', 1, { line: 3, character: 8 }]])
  const offered = (await server.request('textDocument/completion', { textDocument: { uri }, position: { line: 3, character: 12 } })).result as { label: string }[]
  assert.ok(offered.some(({ label }) => label === 'protocol'))
  const fixes = (await server.request('textDocument/codeAction', { textDocument: { uri }, range: { start: at, end: at }, context: { diagnostics: wrong.diagnostics } })).result as object[]
  assert.ok(Array.isArray(fixes))

  const inBackend = { textDocument: { uri }, position: { line: 16, character: 20 } }
  const hover = (await server.request('textDocument/hover', inBackend)).result as { contents: { value: string } }
  assert.match(hover.contents.value, /→ upstream `backend`, line 8/)
  const definition = (await server.request('textDocument/definition', inBackend)).result as { uri: string, range: { start: object } }
  assert.deepEqual([definition.uri, definition.range.start], [uri, { line: 7, character: 13 }])
  const places = (await server.request('textDocument/references', { ...inBackend, context: { includeDeclaration: true } })).result as object[]
  assert.equal(places.length, 2)
  const renamed = (await server.request('textDocument/rename', { ...inBackend, newName: 'main' })).result as { changes: Record<string, object[]> }
  assert.equal(renamed.changes[uri]?.length, 2)
  const outline = (await server.request('textDocument/documentSymbol', { textDocument: { uri } })).result as { name: string }[]
  assert.deepEqual(outline.map(({ name }) => name), ['listeners', 'upstreams', 'routes'])

  assert.equal((await server.request('shutdown', null)).result, null)
  server.notify('exit', {})
  assert.equal(await server.exited, 0)
  assert.equal(server.stray(), '')
})

test('only the last of several quick changes is judged', async t => {
  const server = startServer(t)
  await server.request('initialize', editor)
  server.notify('initialized', {})
  // All in one piece: an editor that is interrupted in the middle is not quick.
  server.child.stdin.cork()
  server.notify('textDocument/didOpen', { textDocument: { uri, languageId: 'kdl', version: 1, text: '' } })
  for (let version = 2; version <= 20; version++) server.notify('textDocument/didChange', { textDocument: { uri, version }, contentChanges: [{ text }] })
  server.child.stdin.uncork()
  assert.deepEqual((await server.problems(20)).diagnostics, [])
  assert.deepEqual(server.judged(), [20])
})

test('a question that fails is answered with an error, and the next one as ever', async t => {
  const server = startServer(t)
  await server.request('initialize', editor)
  server.notify('initialized', {})
  server.notify('textDocument/didOpen', { textDocument: { uri, languageId: 'kdl', version: 1, text } })
  assert.ok((await server.request('textDocument/hover', {})).error, 'a hover without a place')
  assert.ok((await server.request('textDocument/completion', { textDocument: { uri }, position: null })).error)
  assert.ok((await server.request('no/such/method', {})).error)
  assert.match((await server.request('textDocument/rename', { textDocument: { uri }, position: { line: 15, character: 20 }, newName: 'a"b' })).error?.message ?? '', /a name is a text/)
  assert.equal((await server.request('textDocument/hover', { textDocument: { uri: 'file:///nowhere.kdl' }, position: { line: 0, character: 0 } })).result, null)
  const outline = (await server.request('textDocument/documentSymbol', { textDocument: { uri } })).result as object[]
  assert.equal(outline.length, 3)
})

test('a server whose editor goes away ends', async t => {
  const server = startServer(t)
  await server.request('initialize', editor)
  server.child.stdin.end()
  assert.equal(await server.exited, 1)
})
