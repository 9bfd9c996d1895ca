import { createContext, Script, SourceTextModule } from 'node:vm'
import { frame, frameReader, fromRunner, maxAnswerChars, maxFrameBytes, maxLineChars, splitBody, toRunner, withBody } from '../frames.ts'
import { posted, type Post } from '../realm/asking.ts'
import { realmText, type Realm, type realm as makeRealm } from '../realm/realm.ts'
import { placed, type Thrown } from '../thrown.ts'

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
const send = (kind: number, payload: string | Buffer): void => { stdout.write(frame(kind, payload)) }
const tooLongToTell = JSON.stringify({ message: 'something was thrown that is too long to be told' })
const notToBeTold = JSON.stringify({ message: 'something was thrown that cannot be told' })
const waitsForEver = JSON.stringify({ message: 'its first run awaits something that never comes' })
const failWith = (text: string): void => send(fromRunner.failed, text.length > maxLineChars ? tooLongToTell : text)

let realm: Realm | undefined
/** Path of the script. */
let file = ''
/** Writes a line of the script's to the log. */
let line: (text: string) => void = () => {}
/** What a call under way has come to, and why it failed. */
let calling = false
let result: Buffer | undefined
let failure: string | undefined
let timers: NodeJS.Timeout[] = []

const nothing = Buffer.alloc(0)
const tooLongALine = JSON.stringify({ level: 'warn', text: 'a line too long to be written' })

/** What was neither caught nor awaited belongs to the call under way; without one it is told to the log. */
function stray (thrown: unknown): void {
  const text = realm === undefined ? JSON.stringify({ message: 'an error before the script ran' }) : described(thrown, realm)
  if (calling) settled(undefined, text)
  else if (result !== undefined) failure ??= text
  else line(JSON.stringify({ level: 'error', text: `outside of a call: ${readable(text)}` }))
}

/** As errors of calls read. The text may be anything: see below. */
function readable (text: string): string {
  try {
    return placed(file, JSON.parse(text) as Thrown)
  } catch {
    return text
  }
}

/**
 * A script may have put anything in place of what the realm writes JSON with. A text is taken and nothing else: code of the host that got an object of
 * the script's would hand out its own.
 */
function described (thrown: unknown, { describe }: Realm): string {
  try {
    const text: unknown = describe(thrown)
    return typeof text === 'string' ? text : notToBeTold
  } catch {
    return notToBeTold
  }
}

function settled (outcome: Buffer | undefined, failed: string | undefined): void {
  if (!calling) return
  calling = false
  result = outcome ?? nothing
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

/** A script may have changed whatever should have kept its answers short. */
function answered (text: string, content: unknown, form: unknown): void {
  // One of hundreds of megabytes is not even written out: that would cost the worker.
  const bytes = typeof content === 'string' && content.length <= mostContent ? Buffer.from(content, form === 'latin1' ? 'latin1' : 'utf8') : nothing
  const tooLong = text.length > maxAnswerChars ? `a decision without its body is longer than ${maxAnswerChars / 1024} KiB`
    : bytes.length > mostContent || (typeof content === 'string' && content.length > mostContent) ? `a body is longer than ${mostContent / 1024 / 1024} MiB` : undefined
  if (tooLong === undefined) settled(withBody(text, bytes), undefined)
  else settled(undefined, JSON.stringify({ message: `RangeError: ${tooLong}` }))
}

/** Room for the decision beside it, each of its characters three bytes at the most. */
const mostContent = maxFrameBytes - 4 * 1024 * 1024

function post (): Post {
  return (kind, text, content, form) => {
    if (typeof text !== 'string') return
    switch (kind) {
      case posted.done: return answered(text, content, form)
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
    if (lines <= linesPerSecond) send(fromRunner.log, text.length > maxLineChars ? tooLongALine : text)
    else if (lines === linesPerSecond + 1) send(fromRunner.log, JSON.stringify({ level: 'warn', text: `more than ${linesPerSecond} lines in a second: the rest is not written` }))
  }
}

async function start (boot: Boot): Promise<void> {
  const { words, linesPerSecond } = boot
  file = boot.file
  line = limited(linesPerSecond)
  const context = createContext(Object.create(null) as object, { codeGeneration: { strings: false, wasm: false } })
  // The text is this program's own, and so is its value.
  const enter = new Script(realmText, { filename: 'sentinel:realm' }).runInContext(context) as typeof makeRealm
  const inside = enter(post(), file, words, posted)
  realm = inside
  // What `import()` gives: an error of the script's own realm.
  const refused = new SourceTextModule('throw new TypeError("import() is refused: a script stands alone")', { context, identifier: 'sentinel:import' })
  await refused.link(noModules)
  await refused.evaluate().catch(() => {})
  let module: SourceTextModule
  try {
    module = new SourceTextModule(boot.source + ending, { context, identifier: file, importModuleDynamically: async () => refused })
  } catch (error) {
    // Nothing of the script has run: the error is the engine's own. Of a text too deep for it there is no place to tell.
    if ((error as Error).name !== 'SyntaxError') return failWith(described(error, inside))
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
  // Nothing that could be waited for is there before the first call: what has not come by then never does.
  const waits = setImmediate(() => failWith(waitsForEver))
  try {
    await module.evaluate()
    clearImmediate(waits)
    const hooks: unknown = inside.register(module.namespace)
    // Behind the microtasks: a script that never gets through with them never gets to a call.
    if (typeof hooks === 'string') setImmediate(() => send(fromRunner.ready, hooks))
    else failWith(notToBeTold)
  } catch (error) {
    clearImmediate(waits)
    failWith(described(error, inside))
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
    case toRunner.settle: {
      const { text, body } = splitBody(payload)
      if (calling) realm!.settle(text, body.toString('utf8'))
    }
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
