import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'
import { inspectedSite } from '../support/inspected.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { scriptSite, startScript } from '../support/script-agent.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'

const waysToDeclare: Readonly<Record<string, string>> = {
  'exported functions': 'export function onRequest (request) { return block(418, { body: request.method }) }',
  'a default export': 'export default { onRequest (request) { return { decision: "block", status: 418, body: request.method } } }',
  'a default export whose members use one another': 'export default { status: 418, answer (body) { return block(this.status, { body }) }, onRequest (request) { return this.answer(request.method) } }',
  'functions that are only declared': 'function onRequest(request) { return { decision: "block", status: 418, body: request.method }; }',
  'constants': 'const onRequest = (request) => block(418, { body: request.method })',
  'other names on the way out': 'function decide (request) { return block(418, { body: request.method }) }\nexport { decide as onRequest }',
  'globals that are assigned': 'globalThis.onRequest = (request) => block(418, { body: request.method })',
  'the names of other proxies': 'function on_request_headers(request) { return { decision: "deny", status: 418, body: request.method }; }',
  'a promise': 'export async function onRequest (request) { await undefined; return block(418, { body: request.method }) }',
}

test('handlers are found however a script declares them', async (t) => {
  const all = Object.entries(waysToDeclare)
  const upstream = await startRecordingUpstream(t)
  // Not all at once: each is a program and a worker, and a script has so much time until it is ready.
  for (const ways of [all.slice(0, 4), all.slice(4)]) {
    const sentinel = await startSentinel(t, `
listeners { listener "web" { address "127.0.0.1:0" } }
routes { ${ways.map((_, i) => `route "r${i}" { matches { path "/${i}" }; filters "a${i}"; upstream "app" }`).join('\n')} }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
agents { ${ways.map((_, i) => `agent "a${i}" type="js" { script "${i}.js"; timeout "20s"; config { workers 1; timeout "10s" } }`).join('\n')} }`,
    { files: Object.fromEntries(ways.map(([, script], i) => [`${i}.js`, script])) })
    for (const [index, [way]] of ways.entries()) {
      const answer = await sentinel.request(`/${index}`, { method: 'PUT' })
      assert.equal(answer.status, 418, way)
      assert.equal(answer.text, 'PUT', way)
    }
    await sentinel.stop()
  }
  assert.equal(upstream.requests.length, 0)
})

test('every decision, as an object and by its word, is what client and upstream see', async (t) => {
  const { sentinel, upstream } = await startScript(t, `
const decisions = {
  '/nothing': () => undefined,
  '/null': () => null,
  '/allow': () => allow(),
  '/empty': () => ({}),
  '/block': () => block(),
  '/block-object': () => ({ decision: 'block' }),
  '/deny': () => ({ decision: 'deny', status: 429, body: 'slow down', headers: { 'retry-after': 7, 'x-two': ['a', 'b'] } }),
  '/json': () => block(400, { body: { error: 'bad' } }),
  '/bytes': () => block(400, { body: Uint8Array.of(0, 255, 128, 10) }),
  '/redirect': () => redirect('/elsewhere', 308),
  '/redirect-object': () => ({ decision: 'redirect', status: 301, body: 'https://example.com/x y' }),
  '/challenge': () => challenge('Bearer', { realm: 'api' }),
  '/challenge-object': () => ({ decision: 'challenge', challenge_type: 'Basic', challenge_params: { realm: 'old' } }),
  '/review': () => review('T-1'),
  '/flag': () => flag({ audit: { reason: 'odd' } }),
  '/with': () => block(403).with({ body: 'later' }),
}
export const onRequest = (request) => decisions[request.path]()`)
  const expected: Readonly<Record<string, readonly [status: number, text?: string, headers?: Readonly<Record<string, string>>]>> = {
    '/nothing': [200], '/null': [200], '/allow': [200], '/empty': [200], '/flag': [200],
    '/block': [403, ''], '/block-object': [403, ''],
    '/deny': [429, 'slow down', { 'retry-after': '7', 'x-two': 'a, b' }],
    '/json': [400, '{"error":"bad"}', { 'content-type': 'application/json' }],
    '/redirect': [308, '', { location: '/elsewhere' }],
    '/redirect-object': [301, '', { location: 'https://example.com/x%20y' }],
    '/challenge': [401, '', { 'www-authenticate': 'Bearer realm="api"' }],
    '/challenge-object': [401, '', { 'www-authenticate': 'Basic realm="old"' }],
    '/with': [403, 'later'],
  }
  for (const [path, [status, text, headers = {}]] of Object.entries(expected)) {
    const answer = await sentinel.get(path)
    assert.equal(answer.status, status, `${path}: ${answer.text}`)
    if (text !== undefined) assert.equal(answer.text, text, path)
    for (const [name, value] of Object.entries(headers)) assert.equal(String(answer.headers[name]), value, `${path} ${name}`)
  }
  assert.equal(upstream.requests.length, 5)
  const bytes = await sentinel.get('/bytes')
  assert.equal(bytes.status, 400)
  assert.equal(bytes.headers['content-length'], '4')
  const reviewed = await sentinel.get('/review')
  assert.equal(reviewed.status, 403)
})

test('what is no decision is an error, told with the file, and never a way through', async (t) => {
  const wrong: Readonly<Record<string, readonly [code: string, message: RegExp]>> = {
    'true': ['script_error', /a handler returned a boolean/],
    '"block"': ['script_error', /a handler returned a string/],
    '[]': ['script_error', /a list/],
    '{ decision: "blok" }': ['bad_answer', /there is no decision "blok"/],
    '{ decision: "block", stauts: 403 }': ['bad_answer', /a decision has no 'stauts'/],
    '{ decision: "block", status: "403" }': ['bad_answer', /'status' of a decision is a number/],
    '{ decision: "block", status: 200 }': ['agent_error', /a block needs a status from 400 to 599/],
    '{ decision: "redirect" }': ['bad_answer', /a redirect needs a location/],
    '{ add_response_headers: { "x": "a\\r\\nb" } }': ['agent_error', /no header can carry/],
    '{ audit: { verdict: 1 } }': ['bad_answer', /'audit' has no such 'verdict'/],
    '{ requestHeaders: "x" }': ['bad_answer', /'requestHeaders' of a decision is an object/],
    '{ status: 403, body: "no" }': ['bad_answer', /'status' without a decision/],
    '{ headers: { "x-a": "b" } }': ['bad_answer', /'headers' without a decision/],
    '{ decision: "redact", replaceBody: { a: 1 } }': ['bad_answer', /'replaceBody' of a decision is a text or bytes/],
    '{ body: 1n }': ['script_error', /BigInt/],
    '{ decision: undefined, tags: ["seen"] }': ['script_error', /a decision that is undefined/],
    '(function * () { yield block(403) })()': ['script_error', /returned \[object Generator\] without a 'decision' of its own/],
    '(async function * () { yield block(403) })()': ['script_error', /returned \[object AsyncGenerator\] without/],
    'new Error("denied")': ['script_error', /returned \[object Error\] without/],
    'new Map([["decision", "block"]])': ['script_error', /returned \[object Map\] without/],
    'new (class { get decision () { return "block" } })()': ['script_error', /returned \[object Object\] without/],
    'Object.create({ decision: "block" })': ['script_error', /returned \[object Object\] without/],
    'Object.defineProperty({}, "decision", { value: "block" })': ['script_error', /a decision that is undefined/],
    '{ decision: block }': ['script_error', /'decision' of a decision is a function/],
    '{ decision: Symbol("block") }': ['script_error', /'decision' of a decision is a symbol/],
    'redact({ replaceBody: request.headers.get })': ['script_error', /'replaceBody' of a decision is a function/],
    '{ decision: "redact", body: "clean" }': ['bad_answer', /what 'redact' passes on in place of a body is 'replaceBody'/],
    'allow({ requestHeaders: { "x-a": () => 1 } })': ['script_error', /'requestHeaders: x-a' of a decision is a function/],
    'allow({ requestHeaders: { "x-a": NaN } })': ['script_error', /'requestHeaders: x-a' of a decision is NaN/],
    'block(403, { body: () => "no" })': ['script_error', /'body' of a decision is a function/],
  }
  const cases = Object.keys(wrong)
  const { sentinel, upstream } = await startScript(t, `const answers = [${cases.map((text) => `(request) => (${text})`).join(', ')}]\nexport const onRequest = (request) => answers[Number(request.path.slice(1))](request)`)
  for (const [index, text] of cases.entries()) {
    assert.equal((await sentinel.get(`/${index}`)).status, 503, text)
    const { detail } = await sentinel.accessed(({ path }) => path === `/${index}`)
    const [code, message] = wrong[text]!
    assert.match(String(detail), message, text)
    assert.ok(String(detail).startsWith(`${code}: `), `${text}: ${String(detail)}`)
  }
  assert.equal(upstream.requests.length, 0)
})

test('a script sees the request under the names of this SDK and of other proxies, its fields in any case', async (t) => {
  const { sentinel } = await startScript(t, `
export function onRequest (request) {
  const { headers } = request
  return block(418, { body: {
    method: request.method, path: request.path, rawPath: request.rawPath, query: request.query, uri: request.uri, host: request.host === request.authority,
    ip: [request.ip, request.clientIp, request.client_ip], id: request.id === request.correlationId && request.id === request.correlation_id,
    route: request.route, listener: request.listener, hasBody: request.hasBody,
    fields: [headers['user-agent'], headers['User-Agent'], headers.get('USER-AGENT'), 'user-agent' in headers, headers.has('nobody'), headers.nobody === undefined],
    twice: headers['x-two'], all: headers.getAll('x-two'), cookies: headers.cookie, names: Object.keys(headers).includes('x-two'),
    parameters: [request.searchParams.get('a'), request.searchParams.getAll('b'), request.searchParams.has('c'), [...request.searchParams].length],
  } })
}`)
  const answer = await sentinel.get('/a/../b%20c?a=1+2&b=%C3%A9&b=2', { headers: { 'user-agent': 'me', 'x-two': ['1', '2'], 'cookie': ['a=1', 'b=2'] } })
  const { id, ...seen } = JSON.parse(answer.text) as Record<string, unknown>
  assert.equal(id, true)
  assert.deepEqual(seen, {
    method: 'GET', path: '/b%20c', rawPath: '/a/../b%20c', query: 'a=1+2&b=%C3%A9&b=2', uri: '/a/../b%20c?a=1+2&b=%C3%A9&b=2', host: true,
    ip: ['127.0.0.1', '127.0.0.1', '127.0.0.1'], route: 'all', listener: 'web', hasBody: false,
    fields: ['me', 'me', 'me', true, false, true],
    twice: '1, 2', all: ['1', '2'], cookies: 'a=1; b=2', names: true,
    parameters: ['1 2', ['é', '2'], false, 3],
  })
})

test('header fields are set, added and removed in both directions, by decision and by hand', async (t) => {
  const { sentinel, upstream } = await startScript(t, `
export function onRequest (request, { memory }) {
  memory.asked = request.path
  request.headers['x-by-name'] = 'set'
  request.headers.append('x-twice', 'b')
  delete request.headers['x-secret']
  return {
    decision: 'allow', add_request_headers: { 'x-added': 'yes', 'x-number': 5 }, remove_request_headers: ['x-away'], add_response_headers: { 'x-early': '1' },
    rewritePath: '/new', rewriteQuery: 'q=1', attributes: { tenant: 'a' }, tags: ['seen'],
  }
}
export function onResponse (response, request, { memory }) {
  response.headers.set('x-status', String(response.status))
  response.headers['x-memory'] = memory.asked
  response.headers.remove('x-upstream')
  return { responseHeaders: { 'x-late': ['1', '2'] } }
}`)
  const answer = await sentinel.get('/old', { headers: { 'x-secret': '1', 'x-away': '1', 'x-twice': 'a' } })
  assert.equal(answer.status, 200)
  const [received] = upstream.requests
  assert.equal(received!.url, '/new?q=1')
  const { 'x-by-name': byName, 'x-twice': twice, 'x-secret': secret, 'x-added': added, 'x-number': number, 'x-away': away } = received!.headers
  assert.deepEqual({ byName, twice, secret, added, number, away }, { byName: 'set', twice: 'a, b', secret: undefined, added: 'yes', number: '5', away: undefined })
  const { 'x-early': early, 'x-status': status, 'x-memory': memory, 'x-upstream': gone, 'x-late': late } = answer.headers
  assert.deepEqual({ early, status, memory, gone, late }, { early: '1', status: '200', memory: '/old', gone: undefined, late: '1, 2' })
})

test('what an exchange remembers is what the last of its calls left, nothing as well', async (t) => {
  const { sentinel } = await startScript(t, `
export function onRequest (request, { memory }) { memory.token = 'secret' }
export function onRequestBody (body, request, { memory }) { delete memory.token }
export function onResponse (response, request, { memory }) { response.headers['x-memory'] = JSON.stringify(memory) }`)
  assert.equal((await sentinel.request('/', { method: 'POST', body: 'text' })).headers['x-memory'], '{}')
  assert.equal((await sentinel.get('/')).headers['x-memory'], '{"token":"secret"}')
})

test('an object of a class is a decision when it has one of its own', async (t) => {
  const { sentinel } = await startScript(t, 'class Refusal { decision = "block"; status = 418 }\nexport const onRequest = () => new Refusal()')
  assert.equal((await sentinel.get('/')).status, 418)
})

test('bodies in both directions are read, refused and replaced, as text, as JSON and as bytes', async (t) => {
  const { sentinel, upstream } = await startScript(t, `
export function onRequestBody (body, request) {
  if (request.path === '/json' && body.json().admin) return block(422, { body: 'not you' })
  if (request.path === '/bytes') return { replaceBody: body.bytes().reverse() }
  if (request.path === '/text') return redact({ replaceBody: body.text().toUpperCase() + body.length })
}
export function onResponseBody (body, response, request) {
  if (request.path === '/text') return redact({ replaceBody: '<' + body + '>' })
}`)
  const post = (path: string, body: string | Buffer) => sentinel.request(path, { method: 'POST', body })
  assert.equal((await post('/json', '{"admin":true}')).text, 'not you')
  assert.equal((await post('/json', '{"admin":false}')).text, '{"admin":false}')
  assert.equal((await post('/text', 'é!')).text, '<É!3>')
  await post('/bytes', Buffer.from([0, 200, 255]))
  assert.deepEqual([...upstream.requests.at(-1)!.body], [255, 200, 0])
  assert.equal((await post('/json', 'no json')).status, 503)
  const { detail } = await sentinel.accessed(({ status }) => status === 503)
  assert.match(String(detail), /^script_error: .*custom\.js:3:\d+: SyntaxError/)
})

test('a body and an answer that the script has no function for are not asked for', async (t) => {
  const { sentinel } = await startScript(t, 'export const onRequest = () => allow()')
  assert.equal((await sentinel.request('/', { method: 'POST', body: 'text' })).text, 'text')
  const { agents } = await sentinel.accessed(() => true)
  assert.deepEqual(agents!.map(({ phase }) => phase), ['request-headers'])
})

test('messages of a WebSocket pass, are dropped, replaced and end it, as the script says', async (t) => {
  const folder = folderWith(t, { 'chat.js': `
export function onRequest (request, { memory }) { memory.room = request.path }
export function onWebSocketMessage (message, request, { memory }) {
  if (!message.fromClient) return { decision: 'replace', data: '<' + message.text + '>' }
  switch (message.text) {
    case 'drop': return drop()
    case 'room': return replace(memory.room)
    case 'bytes': return replace(Uint8Array.of(255, 0))
    case 'close': return close(4001, 'that is enough')
    case 'block': return block(403)
    case 'throw': throw new Error('no')
    case 'last': message.done()
  }
}` })
  const { open, sentinel } = await inspectedSite(t, `agent "chat" type="js" { script ${JSON.stringify(join(folder, 'chat.js'))}; timeout "20s"; config { timeout "10s" } }`, ['chat'])
  const { client, there, thereGot, clientGot, clientClosed } = await open()
  for (const text of ['hello', 'drop', 'room', 'bytes']) client.send(text)
  client.send(Buffer.from([1, 2]))
  there.send('answer')
  await eventually('the messages arrive', () => thereGot.length === 4 && clientGot.length === 1)
  assert.deepEqual(thereGot, ['hello', '/', 'ff00', '0102'])
  assert.deepEqual(clientGot, ['<answer>'])
  client.send('close')
  assert.equal(await clientClosed, '4001 that is enough')
  for (const [text, how] of [['block', '1008'], ['throw', '1011']] as const) {
    const ends = await open()
    ends.client.send(text)
    assert.match(await ends.clientClosed, new RegExp(`^${how}`), text)
  }
  const { client: free, thereGot: unseen } = await open()
  for (const text of ['last', 'drop', 'close']) free.send(text)
  await eventually('nothing is looked at any longer', () => unseen.length === 3)
  assert.ok(sentinel.agentPids()['chat'])
})

test('TypeScript is run as it is, and errors name the line and column of the file', async (t) => {
  const { sentinel } = await startScript(t, `import type { Whatever } from 'nowhere'
interface Asked {
  readonly path: string
}

const statuses: Readonly<Record<string, number>> = { '/teapot': 418 }

export function onRequest (request: Asked): unknown {
  const status = statuses[request.path] as number | undefined
  if (status === undefined) return (undefined as unknown as Whatever).name
  return block<number>(status)
}
`.replace('block<number>(status)', 'block(status)'), { ending: 'ts' })
  assert.equal((await sentinel.get('/teapot')).status, 418)
  assert.equal((await sentinel.get('/else')).status, 503)
  const { detail } = await sentinel.accessed(({ status }) => status === 503)
  assert.match(String(detail), /^script_error: .*\/custom\.ts:10:71: TypeError: Cannot read properties of undefined \(reading 'name'\)$/)
})

test('settings of the script come as `config`, what a worker keeps as `state` and in its own variables', async (t) => {
  const { sentinel } = await startScript(t, `
let calls = 0
export function onRequest (request, context) {
  context.state.calls = (context.state.calls ?? 0) + 1
  return block(418, { body: { calls: ++calls, same: context.state.calls, config, own: context.config.limit } })
}`, { config: 'workers 1; settings { limit 5; names "a" "b" }' })
  await sentinel.get('/')
  assert.deepEqual(JSON.parse((await sentinel.get('/')).text), { calls: 2, same: 2, config: { limit: 5, names: ['a', 'b'] }, own: 5 })
})

test('workers share a store, which outlives a version of the script', async (t) => {
  const script = (name: string): string => `
export async function onRequest (request) {
  if (request.path === '/wrong') return await store.set('', 5)
  const count = await store.increment('seen', { by: 2, ttlMs: 600000 })
  await store.set('name', '${name}' + ((await store.get('name')) ?? ''))
  const gone = [await store.delete('nobody'), await store.get('nobody') === undefined]
  return block(418, { body: { count, name: await store.get('name'), gone } })
}`
  const { sentinel } = await startScript(t, script('a'), { config: 'workers 4; timeout "10s"' })
  const counts = await Promise.all(Array.from({ length: 8 }, async () => (JSON.parse((await sentinel.get('/')).text) as { count: number }).count))
  assert.deepEqual(counts.toSorted((a, b) => a - b), [2, 4, 6, 8, 10, 12, 14, 16])
  assert.deepEqual((JSON.parse((await sentinel.get('/')).text) as { gone: boolean[] }).gone, [false, true])
  assert.equal((await sentinel.get('/wrong')).status, 503)
  assert.match(String((await sentinel.accessed(({ status }) => status === 503))['detail']), /a key of the store/)
  writeFileSync(join(sentinel.folder, 'custom.js'), script('b'))
  await eventually('the new version answers', async () => (JSON.parse((await sentinel.get('/')).text) as { name: string }).name.startsWith('b'))
  assert.ok((JSON.parse((await sentinel.get('/')).text) as { count: number }).count > 18)
})

test('lines of console are in the log of the proxy, with level and script, and not more than it bears', async (t) => {
  const { sentinel } = await startScript(t, `
console.info('loaded')
export function onRequest (request) {
  if (request.path === '/flood') for (let i = 0; i < 5000; i++) console.log('line', i)
  else { console.warn('careful', { path: request.path }, 5); console.error(new TypeError('told')); console.log('x'.repeat(100000)); console.log(odd) }
}
const odd = { big: 1n, twice: [[], []], error: new RangeError('in it') }
odd.self = odd`, { config: 'workers 1' })
  await sentinel.logged(({ msg, agent }) => agent === 'custom' && msg === 'loaded')
  await sentinel.get('/a')
  const warned = await sentinel.logged(({ msg }) => msg === 'careful {"path":"/a"} 5')
  assert.equal(warned.level, 40)
  assert.match(String(warned['script']), /custom\.js$/)
  const told = await sentinel.logged(({ msg }) => msg?.startsWith('TypeError: told') === true)
  assert.equal(told.level, 50)
  await sentinel.logged(({ msg }) => msg?.startsWith('{"big":"1n","twice":[[],[]],"error":"RangeError: in it\\n') === true && msg.endsWith('"self":"[circular]"}'))
  const long = await sentinel.logged(({ msg }) => msg?.startsWith('xxx') === true)
  assert.ok(long.msg!.length <= 4000)
  const began = performance.now()
  assert.equal((await sentinel.get('/flood')).status, 200)
  await sentinel.logged(({ msg }) => msg?.includes('lines in a second: the rest is not written') === true)
  // The call may have begun in one second and ended in another.
  assert.ok(sentinel.log.filter(({ msg }) => msg?.startsWith('line ') === true).length <= 100 * (2 + (performance.now() - began) / 1000))
})

test('what a script rejects while it is loaded counts against its lines', async (t) => {
  const { sentinel } = await startScript(t, `for (let i = 0; i < 5000; i++) Promise.reject(new Error('rejected ' + i))\nexport const onRequest = () => block(418)`, { config: 'workers 1; timeout "10s"' })
  await sentinel.logged(({ msg }) => msg?.includes('lines in a second: the rest is not written') === true)
  assert.equal((await sentinel.get('/')).status, 418)
  await sentinel.logged(({ msg }) => /^outside of a call: .*custom\.js:1:47: Error: rejected 0$/.test(msg!))
  const { length } = sentinel.log.filter(({ msg }) => msg?.includes('rejected ') === true)
  assert.ok(length > 0 && length <= 200, String(length))
})

test('a script that cannot be run refuses the start, with the place in it and the place in the configuration', async (t) => {
  const cases: Readonly<Record<string, readonly [script: string, ending: 'js' | 'ts', message: RegExp]>> = {
    'a syntax error': ['export function onRequest () {\n  return (\n}', 'js', /0\.js:3:1: SyntaxError: Unexpected token '}'/],
    'a mistake in types': ['const a: = 1', 'ts', /1\.ts:1:10: /],
    'more than types': ['enum A { x }\nexport function onRequest () {}', 'ts', /2\.ts:1:1: TypeScript enum is not supported/],
    'an error in its first lines': ['\nnull.x\nexport function onRequest () {}', 'js', /3\.js:2:6: TypeError/],
    'an import': ['import fs from "node:fs"\nexport function onRequest () {}', 'js', /imports "node:fs": a script stands alone/],
    'no handler': ['export function onReqest () {}', 'js', /has none of the functions onRequest/],
    'a handler that is none': ['export const onRequest = 5', 'js', /onRequest is no function/],
    'nothing': ['', 'js', /has none of the functions/],
    'a file for all calls': ['const list = await readFile("/etc/hosts")\nexport function onRequest () {}', 'js', /8\.js:1:20: Error: store, readFile and fetch are for functions that are called/],
    'a timer for all calls': ['export function onRequest () {}\nsetTimeout(() => {}, 5)', 'js', /9\.js:2:1: Error: setTimeout is for functions that are called/],
    'a mistake behind a mark of the byte order': ['\uFEFFconst a = (;', 'js', /10\.js:1:12: SyntaxError/],
    'a mistake in one long line': [`const list = [${'"abcdefgh",'.repeat(5000)}];const b = (;${'f();'.repeat(5000)}`, 'js', /11\.js:1: SyntaxError: Unexpected token ';'/],
    'a text that is nested too deep': [`const a = ${'('.repeat(200_000)}1${')'.repeat(200_000)}`, 'js', /12\.js: RangeError: Maximum call stack size exceeded/],
    'an answer that is none': ['JSON.stringify = () => new Uint8Array(8)\nexport function onRequest () {}', 'js', /13\.js: something was thrown that cannot be told/],
    'a comment without end': ['export function onRequest () {}\n/* not\nsaved', 'js', /14\.js:2: SyntaxError: Invalid or unexpected token/],
    'types that are nested too deep': [`const a: number = ${'('.repeat(200_000)}1${')'.repeat(200_000)}`, 'ts', /15\.ts: Maximum call stack size exceeded/],
    'a mistake in types behind tabs and wide characters': ['const a = 1\n\t\tconst b = /* 日本 😀 */ 2; enum A { x }', 'ts', /16\.ts:2:28: TypeScript enum/],
  }
  const numbered = Object.entries(cases).map(([name, one], i) => [i, name, one] as const)
  // Not all at once: each is a program and a worker, and a script has so much time until it is ready.
  for (let from = 0; from < numbered.length; from += 3) {
    const some = numbered.slice(from, from + 3)
    const sentinel = await startSentinel(t, `
listeners { listener "web" { address "127.0.0.1:0" } }
routes { ${some.map(([i]) => `route "r${i}" { matches { path "/${i}" }; filters "a${i}"; upstream "app" }`).join('\n')} }
upstreams { upstream "app" { target "127.0.0.1:1" } }
agents {
${some.map(([i, , [, ending]]) => `  agent "a${i}" type="js" { script "${i}.${ending}"; config { workers 1 } }`).join('\n')}
}`, { files: Object.fromEntries(some.map(([i, , [script, ending]]) => [`${i}.${ending}`, script])) })
    for (const [index, name, [,, message]] of some) {
      const refused = await sentinel.logged(({ msg, agent }) => agent === `a${index}` && msg?.includes('refuses its configuration') === true)
      assert.match(refused.msg!, message, name)
      assert.match(refused.msg!, new RegExp(`sentinel\\.kdl:\\d+:3[34]: agent 'a${index}' refuses its configuration \\(script\\)`), name)
      assert.equal((await sentinel.get(`/${index}`)).status, 503, 'it fails closed')
    }
    await sentinel.stop()
  }
})

test('the setting is checked with the file: what it names, and whose it is', async (t) => {
  const folder = folderWith(t, { 'custom.js': 'export function onRequest () {}', 'custom.py': '' })
  const check = async (agent: string): Promise<string> => {
    writeFileSync(join(folder, 'sentinel.kdl'), scriptSite(1).replace(/agent "custom"[^]*?\} \}\n/, `${agent} }\n`))
    return (await runSentinel(['check', '-c', join(folder, 'sentinel.kdl')])).stdout
  }
  assert.doesNotMatch(await check('agent "custom" type="js" { script "custom.js" }'), /CONFIG_/)
  assert.match(await check('agent "custom" type="js" { script "none.js" }'), /sentinel\.kdl:5:\d+: CONFIG_FILE: .*there is no such file/)
  assert.match(await check('agent "custom" type="js" { script "custom.py" }'), /a script ends in \.js, \.mjs, \.ts or \.mts/)
  assert.match(await check('agent "custom" type="waf" { script "custom.js" }'), /sentinel\.kdl:5:\d+: CONFIG_CONTRADICTION: .*only one of type 'js' runs a script/)
  assert.match(await check('agent "custom" type="js" { }'), /CONFIG_MISSING: .*needs 'script'/)
  assert.match(await check('agent "custom" type="js" { script "custom.js"; command "node" "x.mjs" }'), /has a command and a script/)
  assert.match(await check('agent "custom" type="js" { script "custom.js"; managed #false; unix-socket "/tmp/x.sock" }'), /has a script, but 'managed'/)
})
