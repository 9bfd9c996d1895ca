import { createContext, Script, SourceTextModule } from 'node:vm'
import { frame, frameReader, fromRunner, splitBody, toRunner } from '../frames.ts'
import { posted, type Post } from '../realm/asking.ts'
import { realmText, type Realm, type realm as makeRealm } from '../realm/realm.ts'

// A process of its own for one script. Nothing of this realm may become known to the script: texts and numbers cross, what it throws is
// looked at on its own side, and what is thrown here never gets there.

/** What a runner is started with, as JSON. */
export interface Boot {
  /** Path of the script: what errors name. */
  readonly file: string
  /** JavaScript. */
  readonly source: string
  /** JSON: `config` and `env` of the script. */
  readonly words: string
  readonly linesPerSecond: number
}

/** Looks at names the module does not export: scripts for other proxies declare their handlers and leave it at that. */
const declared = [
  'onRequest', 'onRequestBody', 'onResponse', 'onResponseBody', 'onWebSocketMessage',
  'on_request_headers', 'on_request_body', 'on_response_headers', 'on_response_body', 'on_websocket_frame',
]
const ending = `\nexport const $declared = { ${declared.map((name) => `${name}: typeof ${name} === 'undefined' ? undefined : ${name}`).join(', ')} }`

const us = process
const { stdin, stdout } = us
const send = (kind: number, payload: string): void => { stdout.write(frame(kind, payload)) }
const failWith = (text: string): void => send(fromRunner.failed, text)

let realm: Realm | undefined
/** What a call under way has come to, and why it failed. */
let calling = false
let result: string | undefined
let failure: string | undefined
let timers: NodeJS.Timeout[] = []

/** What was neither caught nor awaited belongs to the call under way; without one it is told to the log. */
function stray (thrown: unknown): void {
  const text = realm === undefined ? JSON.stringify({ message: 'an error before the script ran' }) : realm.describe(thrown)
  if (calling) settled(undefined, text)
  else if (result !== undefined) failure ??= text
  else send(fromRunner.log, JSON.stringify({ level: 'error', text: `outside of a call: ${text}` }))
}

function settled (outcome: string | undefined, failed: string | undefined): void {
  if (!calling) return
  calling = false
  result = outcome ?? ''
  failure = failed
  // Rejections that nobody handles are known when the microtasks are through.
  setImmediate(() => {
    realm!.end()
    for (const timer of timers) clearTimeout(timer)
    timers = []
    if (failure === undefined) send(fromRunner.done, result!)
    else failWith(failure)
    result = undefined
  })
}

function post (boot: Boot): Post {
  const line = limited(boot.linesPerSecond)
  return (kind, text) => {
    if (typeof text !== 'string') return
    switch (kind) {
      case posted.done: return settled(text, undefined)
      case posted.failed: return settled(undefined, text)
      case posted.log: return line(text)
      case posted.ask: return calling ? send(fromRunner.ask, text) : undefined
      case posted.timer: return runTimer(text)
    }
  }
}

function runTimer (text: string): void {
  const [id = 0, ms = 0] = text.split(' ').map(Number)
  if (calling) timers.push(setTimeout(() => realm!.fire(id), ms))
}

/** Lines of the log up to so many in a second, and how many more there were. */
function limited (linesPerSecond: number): (text: string) => void {
  let second = 0
  let lines = 0
  return (text) => {
    const now = Math.floor(performance.now() / 1000)
    if (now !== second) {
      if (lines > linesPerSecond) send(fromRunner.log, JSON.stringify({ level: 'warn', text: `${lines - linesPerSecond} lines more were not written` }))
      second = now
      lines = 0
    }
    lines++
    if (lines <= linesPerSecond) send(fromRunner.log, text)
    else if (lines === linesPerSecond + 1) send(fromRunner.log, JSON.stringify({ level: 'warn', text: `more than ${linesPerSecond} lines in a second: the rest is not written` }))
  }
}

async function start (boot: Boot): Promise<void> {
  const { file, words } = boot
  const context = createContext(Object.create(null) as object, { codeGeneration: { strings: false, wasm: false } })
  // The text is this program's own, and so is its value.
  const enter = new Script(realmText, { filename: 'sentinel:realm' }).runInContext(context) as typeof makeRealm
  const inside = enter(post(boot), file, words, posted)
  // What `import()` gives: an error of the script's own realm.
  const refused = new SourceTextModule('throw new TypeError("import() is refused: a script stands alone")', { context, identifier: 'sentinel:import' })
  await refused.link(noModules)
  await refused.evaluate().catch(() => {})
  let module: SourceTextModule
  try {
    module = new SourceTextModule(boot.source + ending, { context, identifier: file, importModuleDynamically: async () => refused })
  } catch (error) {
    // Where it is wrong Node tells nobody but the standard error of a process that ends by it.
    us.removeListener('uncaughtException', stray)
    setImmediate(() => { throw error })
    return
  }
  let wanted: string | undefined
  try {
    await module.link((specifier) => {
      wanted = specifier
      throw new Error('refused')
    })
  } catch {
    return failWith(JSON.stringify({ message: `it imports ${JSON.stringify(wanted)}: a script stands alone, no module is within its reach` }))
  }
  try {
    await module.evaluate()
    const hooks = inside.register(module.namespace)
    realm = inside
    send(fromRunner.ready, hooks)
  } catch (error) {
    failWith(inside.describe(error))
  }
}

function noModules (): never {
  throw new Error('no module is linked here')
}

const take = frameReader((kind, payload) => {
  switch (kind) {
    case toRunner.boot: {
      void start(JSON.parse(payload.toString()) as Boot)
      return
    }
    case toRunner.call: {
      const { text, body } = splitBody(payload)
      calling = true
      realm!.dispatch(text, body.length === 0 ? '' : body.toString('utf8'), body.length === 0 ? '' : body.toString('latin1'))
      return
    }
    case toRunner.settle: if (calling) realm!.settle(payload.toString())
  }
})

us.on('unhandledRejection', stray)
us.on('uncaughtException', stray)
stdin.on('data', take)
// The agent holds the other end.
stdin.on('end', () => us.exit(0))
stdin.on('error', () => us.exit(0))
// What a script that got out would look for first.
for (const name of ['process', 'fetch', 'WebSocket', 'navigator']) Reflect.deleteProperty(globalThis, name)
