// `api-schema { … }`: requests and answers are held against a description of the API.
import assert from 'node:assert/strict'
import http from 'node:http'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { eventually } from '../support/eventually.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'
import { bytesOf, httpUpstream } from '../support/upstream.ts'

const pets = `openapi: 3.0.3
info: { title: Pets, version: "1" }
servers: [ { url: "https://{host}/v1", variables: { host: { default: api.test } } } ]
paths:
  /pets:
    parameters:
      - { name: X-Tenant, in: header, required: true, schema: { type: string, minLength: 2 } }
    get:
      parameters:
        - { name: limit, in: query, schema: { type: integer, minimum: 1, maximum: 100 } }
        - { name: tags, in: query, schema: { type: array, maxItems: 2, items: { type: string } } }
        - { name: filter, in: query, style: deepObject, explode: true, schema: { type: object, properties: { age: { type: integer } } } }
        - { name: session, in: cookie, schema: { type: string, pattern: "^[a-f0-9]{8}$" } }
      responses:
        "200": { description: ok, content: { application/json: { schema: { type: array, items: { $ref: "#/components/schemas/Pet" } } } } }
    post:
      requestBody: { required: true, content: { application/json: { schema: { $ref: "parts.yaml#/NewPet" } }, application/x-www-form-urlencoded: {} } }
      responses: { "201": { description: ok } }
  /pets/{id}:
    get:
      parameters: [ { name: id, in: path, required: true, schema: { type: integer } } ]
      responses: { "200": { description: ok } }
  /pets/mine: { get: { responses: { "200": { description: ok } } } }
components:
  schemas:
    Pet:
      type: object
      required: [id, name]
      properties:
        id: { type: integer, readOnly: true }
        name: { type: string, minLength: 1, maxLength: 20 }
        nick: { type: string, nullable: true }
        price: { type: number, minimum: 0, exclusiveMinimum: true, multipleOf: 0.01 }
        born: { type: string, format: date }
        parent: { $ref: "#/components/schemas/Pet" }
`
const parts = `NewPet:
  allOf:
    - $ref: "pets.yaml#/components/schemas/Pet"
    - { type: object, properties: { note: { type: string } } }
`

interface Options {
  readonly upstream?: http.RequestListener
  readonly more?: string
  readonly system?: string
}

async function start (t: TestContext, schema: string, { upstream, more = '', system = '' }: Options = {}) {
  const seen: string[] = []
  const app = await httpUpstream(t, upstream ?? ((request, response) => void bytesOf(request).then((body) => {
    seen.push(body.toString())
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}')
  })))
  const kdl = `${system}
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "api" { matches { path-prefix "/" }; upstream "app"; api-schema { ${schema} } } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
observability { metrics { address "127.0.0.1:0" } }
${more}`
  const sentinel = await startSentinel(t, kdl, { files: { 'pets.yaml': pets, 'parts.yaml': parts } })
  const send = (path: string, body?: unknown, headers: Record<string, string> = {}, method = body === undefined ? 'GET' : 'POST') => sentinel.request(path, {
    method, headers: { 'X-Tenant': 'acme', ...body === undefined ? {} : { 'Content-Type': 'application/json' }, ...headers },
    ...body === undefined ? {} : { body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) },
  })
  return { sentinel, seen, send, kdl }
}

interface Problem {
  readonly status: number
  readonly errors?: ReadonlyArray<{ readonly in: string, readonly pointer?: string, readonly name?: string, readonly rule: string, readonly message: string }>
}

const problem = (text: string): Problem => JSON.parse(text) as Problem // The proxy's own form.
const found = (text: string): string[] => (problem(text).errors ?? []).map((one) => `${one.in} ${one.pointer ?? one.name ?? ''} ${one.rule}`)

test('what fits passes as it was sent, and what does not is told place by place, without a word of what was sent', async (t) => {
  const { send, seen } = await start(t, 'schema-file "pets.yaml"')
  const text = '{ "name" : "Rex",  "price": 19.99, "nick": null, "parent": {"name":"Old Rex"} }'
  assert.equal((await send('/v1/pets', text)).status, 200)
  assert.equal(seen[0], text)
  const answer = await send('/v1/pets', { name: 'hunter2-hunter2-hunter2', price: 0, born: 'yesterday', parent: { name: '' } })
  assert.equal(answer.status, 400)
  assert.match(String(answer.headers['content-type']), /^application\/problem\+json/)
  assert.deepEqual(found(answer.text).sort(), ['body /born format', 'body /name maxLength', 'body /parent/name minLength', 'body /price exclusiveMinimum'])
  assert.ok(!/hunter2|yesterday/.test(answer.text))
  assert.deepEqual(found((await send('/v1/pets', {})).text), ['body  required'], 'id is required of answers alone: it is readOnly')
  assert.equal(seen.length, 1)
})

test('parameters of path, query, header and cookie are read as their style says', async (t) => {
  const { send } = await start(t, 'schema-file "pets.yaml"')
  const of = async (path: string, headers = {}): Promise<string> => {
    const answer = await send(path, undefined, headers)
    return answer.status === 200 ? 'fine' : found(answer.text).join(', ')
  }
  assert.equal(await of('/v1/pets?limit=10&tags=a&tags=b&filter[age]=3', { Cookie: 'other=1; session=00ff00ff' }), 'fine')
  assert.equal(await of('/v1/pets?limit=1000'), 'query limit maximum')
  assert.equal(await of('/v1/pets?limit=ten'), 'query limit type')
  assert.equal(await of('/v1/pets?limit=1&limit=2'), 'query limit encoding', 'readers differ in which one counts')
  assert.equal(await of('/v1/pets?tags=a&tags=b&tags=c'), 'query tags maxItems')
  assert.equal(await of('/v1/pets?filter[age]=old'), 'query filter type')
  assert.equal(await of('/v1/pets?limit=%ff'), 'query  encoding')
  assert.equal(await of('/v1/pets', { 'X-Tenant': 'a' }), 'header x-tenant minLength')
  assert.equal(await of('/v1/pets', { Cookie: 'session=nonsense' }), 'cookie session pattern')
  assert.equal(await of('/v1/pets/12'), 'fine')
  assert.equal(await of('/v1/pets/twelve'), 'path id type')
  assert.equal(await of('/v1/pets/mine'), 'fine', 'a path without parameters comes first')
})

test('fields of a form are read as their schema says', async (t) => {
  const form = { type: 'object', required: ['age'], properties: { age: { type: 'integer', maximum: 150 }, tags: { type: 'array', maxItems: 2, items: { type: 'string' } }, ok: { type: 'boolean' } } }
  const description = JSON.stringify({ openapi: '3.1.0', info: {}, paths: { '/f': { post: { requestBody: { content: { 'application/x-www-form-urlencoded': { schema: form } } } } } } })
  const { send, seen } = await start(t, `strict-mode #true; schema-content ##"${description}"##`)
  const post = async (body: string): Promise<string> => {
    const answer = await send('/f', body, { 'Content-Type': 'application/x-www-form-urlencoded' })
    return answer.status === 200 ? 'fine' : found(answer.text).join(', ')
  }
  assert.equal(await post('age=30&tags=a&tags=b%20c&ok=true'), 'fine')
  assert.equal(await post('age=300'), 'body /age maximum')
  assert.equal(await post('age=old'), 'body /age type')
  assert.equal(await post('tags=a'), 'body  required')
  assert.equal(await post('age=3&tags=a&tags=b&tags=c'), 'body /tags maxItems')
  assert.equal(await post('age=3&age=4'), 'body  form')
  assert.equal(await post('age=3&more=1'), 'body  additionalProperties')
  assert.equal(await post('age=%ff'), 'body  form')
  assert.deepEqual(seen, ['age=30&tags=a&tags=b%20c&ok=true'])
})

test('a body of a type that is not described is refused: it would pass unchecked', async (t) => {
  const { send, seen } = await start(t, 'schema-file "pets.yaml"')
  for (const type of ['text/plain', 'application/xml', 'application/json, text/plain', 'application/json; charset=utf-16']) {
    assert.equal((await send('/v1/pets', { name: '' }, { 'Content-Type': type })).status, 415, type)
  }
  assert.equal((await send('/v1/pets', 'name=x', { 'Content-Type': 'application/x-www-form-urlencoded' })).status, 200)
  assert.deepEqual(seen, ['name=x'])
  const without = await send('/v1/pets', '', {}, 'POST')
  assert.deepEqual(found(without.text), ['body  required'])
})

test('strict: other paths, methods, members, query parameters are refused; otherwise they pass', async (t) => {
  const tolerant = await start(t, 'schema-file "pets.yaml"')
  const strict = await start(t, 'schema-file "pets.yaml"; strict-mode #true; status-code 422')
  const statuses = async (send: typeof strict.send): Promise<number[]> => [
    (await send('/v2/pets')).status, (await send('/v1/pets', undefined, {}, 'DELETE')).status, (await send('/v1/pets?q=1')).status,
    (await send('/v1/pets', { name: 'Rex', colour: 'red' })).status, (await send('/v1/pets', { name: 'Rex', parent: { name: 'x', colour: 'red' } })).status,
    (await send('/v1/pets', { name: 'Rex', note: 'of the other part' })).status,
  ]
  assert.deepEqual(await statuses(tolerant.send), [200, 200, 200, 200, 200, 200])
  assert.deepEqual(await statuses(strict.send), [404, 405, 422, 422, 422, 200])
  assert.equal((await strict.send('/v1/pets', undefined, {}, 'DELETE')).headers['allow'], 'GET, POST')
  assert.deepEqual(found((await strict.send('/v1/pets', { name: 'Rex', secret_member: 1 })).text), ['body  unevaluatedProperties'])
})

test('answers that do not fit become 502, or are only noted', async (t) => {
  const upstream: http.RequestListener = (request, response) => {
    const answers: Record<string, string> = { '/v1/pets?limit=1': '[{"id":1,"name":"Rex"}]', '/v1/pets?limit=2': '[{"name":"Rex"}]', '/v1/pets?limit=3': 'oops' }
    const text = answers[request.url!] ?? `[${'{"id":1,"name":"Rex"},'.repeat(60_000)}{"id":1,"name":"Rex"}]`
    const packed = /gzip/.test(String(request.headers['accept-encoding']))
    response.writeHead(200, { 'Content-Type': 'application/json', 'X-Coding': request.headers['accept-encoding'] ?? 'none', ...packed ? { 'Content-Encoding': 'gzip' } : {} })
    response.end(packed ? gzipSync(text) : text)
  }
  const reject = await start(t, 'schema-file "pets.yaml"; validate-responses #true', { upstream })
  assert.equal((await reject.send('/v1/pets?limit=1')).text, '[{"id":1,"name":"Rex"}]')
  assert.equal((await reject.send('/v1/pets?limit=1', undefined, { 'Accept-Encoding': 'zstd, gzip' })).headers['x-coding'], 'gzip')
  for (const limit of [2, 3, 4]) {
    const answer = await reject.send(`/v1/pets?limit=${limit}`, undefined, { 'Accept-Encoding': limit === 2 ? 'gzip' : 'identity' })
    assert.equal(answer.status, 502, String(limit))
    assert.ok(!/Rex|oops|name/.test(answer.text))
  }
  const noted = await start(t, 'schema-file "pets.yaml"; validate-responses #true; on-invalid-response "log-only"', { upstream })
  assert.equal((await noted.send('/v1/pets?limit=2')).text, '[{"name":"Rex"}]')
  assert.ok((await noted.send('/v1/pets?limit=4')).text.length > 1024 * 1024, 'a long one passes whole')
  await eventually('it is counted', async () => /sentinel_schema_checks_total\{route="api",side="response",result="logged"\} 2/.test(await noted.sentinel.metrics()))
})

test('log-only tells the access log and the metrics, and lets requests pass', async (t) => {
  const { send, seen, sentinel } = await start(t, 'schema-file "pets.yaml"; on-invalid-request "log-only"')
  assert.equal((await send('/v1/pets', { name: 'secret-name-that-is-too-long' })).status, 200)
  assert.equal(seen.length, 1)
  await eventually('it is counted', async () => /sentinel_schema_checks_total\{route="api",side="request",result="logged"\} 1/.test(await sentinel.metrics()))
  const line = JSON.stringify(await sentinel.accessed(({ path }) => path === '/v1/pets'))
  assert.match(line, /body\/name maxLength/)
  assert.ok(!line.includes('secret-name'))
})

test('schemas written as KDL: a list of one value, answers, and no member beside', async (t) => {
  const { send } = await start(t, `
    request-schema { type "object"; required "name"; properties { name { type "string"; enum "a" }; tags { type "array"; items { type "integer" } } } }
    response-schema { type "object"; required "done" }
    strict-mode #true; validate-responses #true`, { upstream: (request, response) => void bytesOf(request).then((body) => {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(body.includes('[1]') ? '{"done":true}' : '{}')
  }) })
  assert.equal((await send('/', { name: 'a', tags: [1] })).status, 200)
  assert.equal((await send('/', { name: 'a' })).status, 502)
  assert.deepEqual(found((await send('/', { name: 'b' })).text), ['body /name enum'])
  assert.deepEqual(found((await send('/', { name: 'a', more: 1 })).text), ['body  additionalProperties'])
  assert.deepEqual(found((await send('/', [])).text), ['body  type'])
})

test('a description in another dialect, in place, and with another base path', async (t) => {
  const openapi31 = JSON.stringify({ openapi: '3.1.0', info: {}, paths: { '/n': { post: { requestBody: { content: { 'application/json': { schema: { type: ['integer', 'null'], exclusiveMaximum: 5 } } } } } } } })
  const modern = await start(t, `base-path "/api"; schema-content #"${openapi31}"#`)
  assert.equal((await modern.send('/api/n', 'null')).status, 200)
  assert.equal((await modern.send('/api/n', '5')).status, 400)
  const draft4 = JSON.stringify({ $schema: 'http://json-schema.org/draft-04/schema#', id: 'x', type: 'array', items: [{ type: 'integer', maximum: 5, exclusiveMaximum: true }], additionalItems: false })
  const old = await start(t, `schema-content #"${draft4}"#`)
  assert.equal((await old.send('/', '[4]')).status, 200)
  for (const body of ['[5]', '[4,4]']) assert.equal((await old.send('/', body)).status, 400)
})

test('mistakes in a description are told at their line, and a reload with one changes nothing', async (t) => {
  const { sentinel, send, kdl } = await start(t, 'schema-file "pets.yaml"', { system: 'system { worker-threads 2 }' })
  const broken = pets.replace('minLength: 1,', 'minLenght: 1,').replace('parent: { $ref: "#/components/schemas/Pet" }', 'parent: { $ref: "#/components/schemas/Pat" }').replace('^[a-f0-9]{8}$', '(?=a)b')
  writeFileSync(join(sentinel.folder, 'pets.yaml'), broken)
  const checked = await runSentinel(['check', '-c', sentinel.file])
  assert.notEqual(checked.code, 0)
  const text = checked.stdout + checked.stderr
  assert.match(text, /pets\.yaml:31:\d+: CONFIG_SCHEMA.*no keyword 'minLenght'/)
  assert.match(text, /did you mean 'minLength'/)
  assert.match(text, /pets\.yaml:13:\d+: CONFIG_SCHEMA.*does not compile/)
  assert.match(text, /leads nowhere/)
  assert.equal((await sentinel.reload(kdl)).event, 'reload-failed')
  assert.deepEqual(found((await send('/v1/pets', { name: '' })).text), ['body /name minLength'])
  writeFileSync(join(sentinel.folder, 'pets.yaml'), pets.replace('minLength: 1,', 'minLength: 3,'))
  assert.equal((await sentinel.reload(kdl)).event, 'reloaded')
  assert.deepEqual(found((await send('/v1/pets', { name: 'ab' })).text), ['body /name minLength'])
})
