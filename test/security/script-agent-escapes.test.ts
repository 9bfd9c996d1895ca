// A script of the agent `js` is not to get at anything but the words it was given. Each attempt here is one that got out of some sandbox made
// of node:vm: it looks for an object of another realm, and for `process` behind it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { startScript, workersOf } from '../support/script-agent.ts'

/** What a script does before each attempt, and how it knows that it has got something that is not its own. */
const prelude = `
const seen = []
/** Of another realm is what descends from another Object. */
function isForeign (value) {
  let root = value
  for (let next = value; next !== null; next = Object.getPrototypeOf(next)) root = next
  return root !== value && root !== Object.prototype
}
function look (value) {
  for (let at = value, depth = 0; depth < 5; depth++) {
    if ((typeof at !== 'object' && typeof at !== 'function') || at === null) return
    if (isForeign(at)) seen.push('an object of another realm')
    if (typeof at.pid === 'number' || typeof at.mainModule === 'object') seen.push('process')
    try { at = at.constructor } catch { return }
  }
  if (typeof value.constructor?.constructor !== 'function') return
  try { if (value.constructor.constructor('return typeof process === "undefined" ? undefined : process')()) seen.push('process') } catch {}
}
const attempts = {}
export async function onRequest (request, context) {
  const attempt = attempts[request.path.slice(1)]
  if (attempt === undefined) return block(404)
  seen.length = 0
  let came
  try { came = await attempt(request, context) } catch (error) { look(error); came = 'threw ' + (typeof error?.message === 'string' ? error.message : typeof error) }
  look(came)
  return block(seen.length > 0 ? 500 : 403, { body: { seen, came: String(typeof came === 'string' ? came : typeof came) } })
}
`

const attempts: Readonly<Record<string, string>> = {
  'constructor-of-this': 'return globalThis.constructor.constructor("return process")()',
  'function-from-text': 'return new (function () {}).constructor("return process")()',
  'async-function-from-text': 'return await (async () => {}).constructor("return process")()',
  'generator-from-text': 'return (function * () {}).constructor("return process")().next()',
  'async-generator-prototype': 'const f = async function * () {}; look(f); look(Object.getPrototypeOf(f)); look(f.prototype); look(f()); return Object.getPrototypeOf(Object.getPrototypeOf(f.prototype))',
  'eval': 'return eval("process")',
  'indirect-eval': 'return (0, eval)("this.process")',
  'every-global': 'for (const name of Reflect.ownKeys(globalThis)) { const value = globalThis[name]; look(value); look(value?.prototype); if (typeof value === "object" && value !== null) for (const inner of Reflect.ownKeys(value)) { try { look(value[inner]) } catch {} } }',
  'names-of-node': 'for (const name of ["process", "require", "module", "global", "Buffer", "setImmediate", "queueMicrotask", "URL", "structuredClone", "navigator", "WebAssembly", "SharedArrayBuffer", "Atomics", "EventTarget", "performance"]) { if (typeof globalThis[name] !== "undefined") seen.push(name) }',
  'every-argument': 'const walk = (value, depth) => { look(value); if (typeof value !== "object" || value === null || depth > 4) return; for (const name of Reflect.ownKeys(value)) { try { walk(value[name], depth + 1) } catch (error) { look(error) } } }; for (const value of args) walk(value, 0)',
  'words-as-functions': 'for (const word of [readFile, fetch, setTimeout, clearTimeout, allow, block, redirect, challenge, console.log, atob, btoa]) { look(word); look(word.prototype) }',
  'promise-of-a-word': 'const asked = readFile("/etc/passwd"); look(asked); try { await asked } catch (error) { look(error); return error.message }',
  'promise-then-replaced': 'const then = Promise.prototype.then; Promise.prototype.then = function (...all) { look(this); all.forEach(look); return then.apply(this, all) }; try { await fetch("http://127.0.0.1:1/").catch(look); await import("node:fs").catch(look) } finally { Promise.prototype.then = then }',
  'species-of-promises': 'class Mine extends Promise { constructor (run) { super((yes, no) => { look(yes); look(no); run(yes, no) }) } }; const asked = fetch("http://127.0.0.1:1/"); asked.constructor = { [Symbol.species]: Mine }; await asked.then(look, look)',
  'species-of-arrays': 'const list = [1]; list.constructor = { [Symbol.species]: function (n) { look(this); look(new.target); return [] } }; look(list.map((x) => x)); return request.headers.getAll("host").map((x) => x)',
  'import-dynamically': 'const asked = import("node:child_process"); look(asked); try { look(await asked); seen.push("a module") } catch (error) { look(error); return error.message }',
  'import-meta': 'look(import.meta); if (Reflect.ownKeys(import.meta).length > 0) seen.push("import.meta"); return Object.getPrototypeOf(import.meta)',
  'stack-frames': 'let frames; Error.prepareStackTrace = (_, all) => { frames = all; return all }; try { null.x } catch (error) { look(error.stack) } look(frames); look(new Error("x").stack); for (const frame of frames ?? []) { look(frame); look(frame.getThis?.()); look(frame.getFunction?.()) }',
  'stack-frames-of-another-error': 'try { globalThis.Error = { prepareStackTrace: (_, all) => { seen.push("frames"); look(all); return all } } } catch {} try { Object.defineProperty(globalThis, "Error", { value: { prepareStackTrace: () => { seen.push("frames") } } }) } catch {} try { null.x } catch (error) { look(error.stack) }',
  'frames-captured': 'const holder = {}; Error.captureStackTrace(holder); look(holder.stack); return typeof holder.stack',
  'callers': 'const caller = Function.prototype.__lookupGetter__?.("caller"); function sloppy () { return new Function("return arguments.callee.caller")() } look(sloppy())',
  'callee': 'const f = function () { return arguments }; try { look(f().callee) } catch (error) { look(error) } look(attempts.callee.caller)',
  'stack-overflow-in-a-word': 'const deep = () => { try { deep() } catch (error) { look(error); try { console.log("x") } catch (inner) { look(inner) } try { setTimeout(() => {}, 1) } catch (inner) { look(inner) } try { readFile("/x").catch(look) } catch (inner) { look(inner) } throw error } }; try { deep() } catch (error) { look(error) }',
  'proxy-as-argument': 'const trap = new Proxy({}, { get (target, name, receiver) { look(receiver); return name === Symbol.toPrimitive ? () => { throw new Proxy({}, { get: (_, inner) => { look(inner); return look } }) } : trap } }); for (const word of [() => console.log(trap), () => readFile(trap), () => fetch(trap), () => setTimeout(trap), () => block(403, trap)]) { try { look(await word()) } catch (error) { look(error) } }',
  'to-json': 'const spy = { toJSON (name) { look(this); look(name); return {} } }; console.log(spy); await fetch("http://127.0.0.1:1/", spy).catch(look)',
  'json-replaced': 'const { stringify, parse } = JSON; JSON.stringify = function (...all) { all.forEach(look); look(this); look(stringify.caller); return stringify(...all) }; JSON.parse = function (...all) { all.forEach(look); return parse(...all) }; try { console.log("x"); await fetch("http://127.0.0.1:1/").catch(look) } finally { JSON.stringify = stringify; JSON.parse = parse }',
  'map-replaced': 'const { get, set } = Map.prototype; Map.prototype.set = function (key, value) { look(key); look(value); look(value?.resolve); return set.call(this, key, value) }; Map.prototype.get = function (key) { const value = get.call(this, key); look(value); return value }; try { setTimeout(() => {}, 1); await fetch("http://127.0.0.1:1/").catch(look); await new Promise((go) => setTimeout(go, 5)) } finally { Map.prototype.get = get; Map.prototype.set = set }',
  'object-prototype': 'Object.prototype.polluted = "yes"; Object.defineProperty(Object.prototype, "signal", { get () { look(this); return undefined }, configurable: true }); try { await fetch("http://127.0.0.1:1/").catch(look) } finally { delete Object.prototype.polluted; delete Object.prototype.signal }',
  'weak-refs': 'look(new WeakRef({}).deref())',
  'stack-of-an-error-whose-name-is-none': 'for (const name of [Symbol("x"), { toString () { throw new Error("y") } }, new Proxy({}, {})]) { const error = Object.defineProperty(new Error("x"), "name", { value: name }); try { look(error.stack) } catch (inner) { look(inner) } }',
  'stack-frames-that-are-shown': 'const { toString, call } = { toString: Error.prototype.toString, call: Function.prototype.call }; Object.prototype[Symbol.toPrimitive] = function () { look(this); return "" }; Function.prototype.call = function (...all) { all.forEach(look); return Reflect.apply(this, all[0], all.slice(1)) }; try { look(new Error("x").stack) } finally { delete Object.prototype[Symbol.toPrimitive]; Function.prototype.call = call; Error.prototype.toString = toString }',
  'lookup-getters': 'const up = Object.prototype.__lookupGetter__.call(Object.prototype, "__proto__"); for (let at = globalThis; at; at = up.call(at)) look(at)',
  'symbols-of-the-global': 'for (const symbol of Object.getOwnPropertySymbols(globalThis)) look(globalThis[symbol]); look(globalThis[Symbol.for("nodejs.util.inspect.custom")])',
  'inspected': 'const spy = { [Symbol.for("nodejs.util.inspect.custom")] (...all) { all.forEach(look); seen.push("inspected by the host"); return "" } }; console.log(spy); throw spy',
  'thrown-proxy': 'throw new Proxy({}, { get (_, name) { if (typeof name === "string" && !["then", "message", "name", "stack", "constructor", "pid", "mainModule", "toString", "toJSON"].includes(name)) seen.push("the host read " + name); return undefined }, getPrototypeOf () { return null } })',
  'thenable': 'return { then (yes, no) { look(yes); look(no); yes({ decision: "block" }) } }',
  'date-and-intl': 'look(new Date()); look(Intl.DateTimeFormat()); look(new Intl.Collator())',
  'regexp-statics': 'look(RegExp.input); look(RegExp.$_); return String(RegExp.lastMatch).slice(0, 10)',
}

const script = `${prelude}\n${Object.entries(attempts).map(([name, body]) => `attempts[${JSON.stringify(name)}] = async function (request, context) { const args = [request, context]; ${body} }`).join('\n')}`

test('a script gets at nothing that is not its own', async (t) => {
  const { sentinel } = await startScript(t, script, { config: 'timeout "10s"; allow { net "127.0.0.1:1" }' })
  const [pid] = [sentinel.agentPids()['custom']]
  for (const name of Object.keys(attempts)) {
    await t.test(name, async () => {
      const answer = await sentinel.get(`/${name}`)
        const detail = answer.status === 503 ? (await sentinel.accessed(({ path }) => path === `/${name}`))['detail'] : undefined
      assert.equal(answer.status, 403, `${name}: ${answer.status} ${String(detail ?? answer.text)}`)
    })
  }
  assert.equal(sentinel.agentPids()['custom'], pid, 'the agent has gone through it all')
})

test('compiling WebAssembly or text is refused, and shared memory is not there to wait on', async (t) => {
  const { sentinel } = await startScript(t, `
export function onRequest () {
  const found = []
  for (const name of ['WebAssembly', 'SharedArrayBuffer', 'Atomics']) if (name in globalThis) found.push(name)
  try { new Function('return 1')(); found.push('Function') } catch (error) { if (!(error instanceof EvalError)) found.push('another error') }
  try { eval('1'); found.push('eval') } catch (error) { if (!(error instanceof EvalError)) found.push('another error') }
  return block(found.length > 0 ? 500 : 403, { body: found.join(' ') })
}`)
  const answer = await sentinel.get('/')
  assert.equal(answer.status, 403, answer.text)
})

test('at the very end of the stack the engine gives out errors of its own realm, and they lead nowhere', async (t) => {
  const { sentinel } = await startScript(t, `
let told
export async function onRequest (request) {
  if (request.path === '/told') return told
  // With its places made beforehand: nothing is called to put something in one.
  const caught = new Array(200000).fill(undefined)
  let at = 0
  const deeper = () => {
    try { null.x } catch (error) { try { String(error.stack) } catch (inner) { caught[at++] = inner } }
    try { caught[at++] = import('node:fs') } catch (inner) { caught[at++] = inner }
    deeper()
  }
  try { deeper() } catch {}
  for (const one of caught) if (typeof one?.then === 'function') one.then(() => {}, () => {})
  const rootOf = (value) => { let root = value; for (let next = value; next !== null; next = Object.getPrototypeOf(next)) root = next; return root }
  const foreign = caught.filter((value) => typeof value === 'object' && value !== null && rootOf(value) !== Object.prototype)
  const came = new Set()
  const attempt = (name, run) => { try { run(); came.add(name) } catch {} }
  for (const one of foreign.slice(0, 20)) {
    const { constructor } = one
    attempt('code from text', () => constructor.constructor('return process')())
    attempt('code of async functions', () => rootOf(one).constructor.getPrototypeOf(async () => {}).constructor('return process')())
    const root = rootOf(one)
    for (const place of [constructor, Object.getPrototypeOf(one), Object.getPrototypeOf(constructor), root, root.constructor, constructor.constructor.prototype]) {
      attempt('a change of a built-in', () => { place.added = 1 })
      attempt('frames', () => { place.prepareStackTrace = () => {} })
      attempt('another prototype', () => { Object.setPrototypeOf(place, {}) })
      attempt('a replaced function', () => { place.toString = () => '' })
    }
  }
  told = block(came.size > 0 ? 500 : 403, { body: { foreign: foreign.length, came: [...came] } })
}`, { config: 'workers 1; timeout "15s"' })
  // Promises that got lost on the way may cost this call.
  await sentinel.get('/')
  const answer = await sentinel.get('/told')
  assert.equal(answer.status, 403, answer.text)
})

test('what stands in place of a text is not touched by the host', async (t) => {
  const { sentinel } = await startScript(t, `
const touched = []
const { stringify } = JSON
const watched = (value) => new Proxy(value, { get (target, name) { touched.push(String(name)); const found = target[name]; return typeof found === 'function' ? found.bind(target) : found } })
const kinds = {
  '/bytes': () => Object.assign(new Uint8Array(8), { copy: (...all) => { touched.push('copy') } }),
  '/object': () => watched({ length: 1 }),
  '/inspected': () => ({ length: 0, constructor: undefined, [Symbol.for('nodejs.util.inspect.custom')]: () => { touched.push('inspected'); return '' } }),
  '/symbol': () => Symbol('x'),
  '/throws': () => { throw new Error('y') },
}
export function onRequest (request) {
  if (request.path === '/touched') return block(403, { body: touched.join(' ') })
  const made = kinds[request.path]
  JSON.stringify = () => { JSON.stringify = stringify; return made() }
  Promise.reject(new Error('x'))
  return new Promise(() => {})
}`, { config: 'workers 1; timeout "10s"' })
  for (const path of ['/bytes', '/object', '/inspected', '/symbol', '/throws']) {
    assert.equal((await sentinel.get(path)).status, 503, path)
    const { detail } = await sentinel.accessed((record) => record.path === path)
    assert.match(String(detail), /^script_error: .*something was thrown that cannot be (told|shown)/, path)
  }
  assert.equal((await sentinel.get('/touched')).text, '')
})

test('nothing of a script runs between its calls', async (t) => {
  const { sentinel } = await startScript(t, 'export const onRequest = () => block(typeof FinalizationRegistry === "undefined" ? 403 : 500)')
  assert.equal((await sentinel.get('/')).status, 403)
})

test('what a handler throws is not touched by the host: a proxy, an object with traps, nothing at all', async (t) => {
  const { sentinel } = await startScript(t, `
globalThis.traps = []
const trap = () => new Proxy(function () {}, Object.fromEntries(Object.getOwnPropertyNames(Reflect).map((name) => [name, (...all) => { traps.push([name, typeof all[1] === 'symbol' ? all[1].toString() : all[1]]); return Reflect[name](...all) }])))
export function onRequest (request) {
  switch (request.path) {
    case '/proxy': throw trap()
    case '/rejected-proxy': return Promise.reject(trap())
    case '/getter': throw { get message () { throw trap() }, get stack () { throw trap() } }
    case '/null': throw null
    case '/symbol': throw Symbol('x')
    case '/returned': return trap()
    case '/traps': return block(403, { body: JSON.stringify(traps) })
  }
}`, { config: 'workers 1' })
  for (const path of ['/proxy', '/rejected-proxy', '/getter', '/null', '/symbol', '/returned']) {
    assert.equal((await sentinel.get(path)).status, 503, path)
    const { detail } = await sentinel.accessed((record) => record.path === path)
    assert.match(String(detail), /^script_error: /, path)
  }
  const [...traps] = JSON.parse((await sentinel.get('/traps')).text) as [string, string][]
  // The script's own side looks for these, to say what was thrown.
  const expected = new Set(['name', 'message', 'stack', 'then', 'constructor', 'toJSON', 'toString', 'valueOf', 'Symbol(Symbol.toPrimitive)'])
  assert.deepEqual(traps.filter(([trap, name]) => !(trap === 'get' && expected.has(name)) && trap !== 'getPrototypeOf'), [])
})

test('behind the realm stands a process without environment, files, programs and threads, whose memory the kernel limits', { skip: process.platform !== 'linux' }, async (t) => {
  const { sentinel } = await startScript(t, 'export const onRequest = () => block(403)', { env: { SECRET: 'hidden' } })
  const [worker] = workersOf(sentinel.agentPids()['custom']!)
  const about = (name: string): string => readFileSync(`/proc/${worker}/${name}`, 'utf8')
  const variables = about('environ').split('\0').map((line) => line.split('=')[0]!)
  assert.deepEqual(variables.filter((name) => !['', 'PWD', 'TZ'].includes(name)), [], 'the shell that sets the limits says where it is, dates need a time zone')
  assert.match(about('limits'), /Max data size\s+\d+/)
  assert.match(about('limits'), /Max core file size\s+0/)
  const [program = '', ...args] = about('cmdline').split('\0').filter((arg) => arg !== '')
  // The same flags with another program: what one that got out of the realm would meet.
  const attempts = `
const tried = {
  read: () => require('fs').readFileSync('/etc/passwd'),
  write: () => require('fs').writeFileSync('/tmp/sentinel-escaped', ''),
  program: () => require('child_process').execFileSync('/bin/true'),
  thread: () => new (require('worker_threads').Worker)('0', { eval: true }),
  text: () => new Function('return 1')(),
  builtIn: () => { 'use strict'; Promise.prototype.then = 1 },
}
console.log(JSON.stringify(Object.entries(tried).map(([name, attempt]) => { try { attempt(); return name + ': done' } catch (error) { return name + ': ' + (error.code ?? error.name) } })))`
  const { stdout, stderr } = spawnSync(program, [...args.slice(0, -1), '-e', attempts], { encoding: 'utf8', env: {} })
  assert.deepEqual(JSON.parse(stdout || stderr), [
    'read: ERR_ACCESS_DENIED', 'write: ERR_ACCESS_DENIED', 'program: ERR_ACCESS_DENIED', 'thread: ERR_ACCESS_DENIED', 'text: EvalError', 'builtIn: TypeError',
  ])
})
