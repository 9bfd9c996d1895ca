// Schemas of every dialect are rewritten into one. What comes out is held against what the package makes of each dialect itself.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import draft4 from 'ajv-draft-04'
import { readApi } from '../../../config/api-schema/index.ts'
import type { JsonValue } from '../../../config/schema/index.ts'
import { createEngine } from '../../../proxy/filters/schema/engine.ts'

const at = { file: 'here', line: 1, column: 1, length: 1 }
type Schema = { readonly [keyword: string]: JsonValue }

function judge (schema: Schema, strict = false): (value: JsonValue) => boolean {
  const { description, problems } = readApi({
    whole: { text: JSON.stringify(schema), at }, request: undefined, response: undefined, strict, checksResponses: false, basePath: undefined,
  })
  assert.deepEqual(problems.filter(({ severity }) => severity === 'error'), [], JSON.stringify(schema))
  const engine = createEngine(description)
  return (value) => engine.violations(description.request!, value, 10_000).length === 0
}

const values: readonly JsonValue[] = [
  null, true, false, 0, 1, 4, 5, 6, -1, 1.5, '', 'a', 'ab', 'abc', '2026-11-28', [], [1], [1, 'a'], [1, 'a', true], ['a', 1], [1, 1], [{ a: 1 }, { a: 1 }],
  {}, { a: 1 }, { a: 1, b: 2 }, { a: 'x', b: 2, c: null }, { a: { a: { a: 1 } } }, { b: 1, c: 1 }, { x1: 1, y: 's' }, { a: null },
]

const plain: readonly Schema[] = [
  { type: 'integer', minimum: 1, maximum: 5 }, { type: ['string', 'null'], minLength: 1, pattern: '^a' }, { enum: [1, 'a', null, { a: 1 }] },
  { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'], additionalProperties: false }, { not: { type: 'object' } },
  { type: 'object', patternProperties: { '^x': { type: 'number' } }, additionalProperties: { type: 'string' } }, { type: 'array', uniqueItems: true, items: {} },
  { anyOf: [{ type: 'string' }, { type: 'object', minProperties: 2 }] }, { oneOf: [{ type: 'number' }, { minimum: 5 }] }, { allOf: [{ type: 'number' }, { multipleOf: 0.5 }] },
  { type: 'array', minItems: 1, maxItems: 2 }, { definitions: { n: { type: 'object', properties: { a: { $ref: '#/definitions/n' } } } }, $ref: '#/definitions/n' },
]

const older: readonly Schema[] = [
  { type: 'array', items: [{ type: 'integer' }, { type: 'string' }], additionalItems: false }, { type: 'array', items: [{ type: 'integer' }], additionalItems: { type: 'string' } },
  { dependencies: { a: ['b'] } }, { dependencies: { b: { required: ['c'] } } }, { properties: { a: { $ref: '#/definitions/s', minLength: 5 } }, definitions: { s: { type: 'integer' } } },
]

const dialects = [
  { name: 'draft 4', id: 'http://json-schema.org/draft-04/schema#', ajv: () => new draft4.default({ strict: false }), more: [...older, { type: 'number', maximum: 5, exclusiveMaximum: true }] },
  { name: 'draft 7', id: 'http://json-schema.org/draft-07/schema#', ajv: () => new Ajv({ strict: false }), more: [
    ...older, { exclusiveMaximum: 5 }, { const: { a: 1 } }, { contains: { type: 'string' } }, { propertyNames: { maxLength: 1 } },
    // oxlint-disable-next-line unicorn/no-thenable -- It is a word of JSON Schema.
    { if: { type: 'integer' }, then: { minimum: 4 }, else: { type: 'object' } },
  ] },
  { name: '2019-09', id: 'https://json-schema.org/draft/2019-09/schema', ajv: () => new Ajv2019({ strict: false }), more: [
    { type: 'array', items: [{ type: 'integer' }], additionalItems: false }, { dependentRequired: { a: ['b'] } }, { dependentSchemas: { b: { required: ['c'] } } },
    { type: 'array', contains: { type: 'integer' }, maxContains: 1 }, { allOf: [{ properties: { a: true } }], properties: { b: true }, unevaluatedProperties: false },
    { properties: { a: { $ref: '#/$defs/s', minimum: 5 } }, $defs: { s: { type: 'integer' } } },
  ] },
  { name: '2020-12', id: 'https://json-schema.org/draft/2020-12/schema', ajv: () => new Ajv2020({ strict: false }), more: [
    { type: 'array', prefixItems: [{ type: 'integer' }], items: { type: 'string' } }, { anyOf: [{ required: ['a'] }, { required: ['b'] }], unevaluatedProperties: { type: 'integer' } },
  ] },
]

for (const { name, id, ajv, more } of dialects) {
  test(`${name} means what it says`, () => {
    for (const schema of [...plain, ...more]) {
      const own = judge({ $schema: id, ...schema })
      const reference = ajv().compile(schema)
      for (const value of values) assert.equal(own(value), reference(value), `${JSON.stringify(schema)} of ${JSON.stringify(value)}`)
    }
  })
}

test('strict: members that no part of a schema names are refused, and those that some part names are not', () => {
  const definitions = { base: { properties: { a: {} } }, free: { type: 'object' } }
  const cases: ReadonlyArray<readonly [Schema, JsonValue, boolean]> = [
    [{ properties: { a: {} } }, { a: 1 }, true], [{ properties: { a: {} } }, { b: 1 }, false], [{ type: 'object' }, { b: 1 }, true],
    [{ properties: { a: {} }, additionalProperties: true }, { b: 1 }, true], [{ allOf: [{ $ref: '#/definitions/base' }, { properties: { b: {} } }] }, { a: 1, b: 1 }, true],
    [{ allOf: [{ $ref: '#/definitions/base' }, { properties: { b: {} } }] }, { c: 1 }, false], [{ $ref: '#/definitions/base' }, { b: 1 }, false],
    [{ oneOf: [{ properties: { a: {} }, required: ['a'] }, { properties: { b: {} }, required: ['b'] }] }, { a: 1, b: 1 }, false],
    [{ properties: { a: { properties: { b: {} } } } }, { a: { c: 1 } }, false], [{ items: { properties: { a: {} } } }, [{ b: 1 }], false],
    [{ properties: { a: { $ref: '#/definitions/free' } } }, { a: { anything: 1 } }, true],
    [{ $schema: 'https://json-schema.org/draft/2020-12/schema', $ref: '#/definitions/base', properties: { b: {} } }, { a: 1, b: 1 }, true],
    [{ $schema: 'https://json-schema.org/draft/2020-12/schema', $ref: '#/definitions/base', properties: { b: {} } }, { c: 1 }, false],
  ]
  for (const [schema, value, fits] of cases) assert.equal(judge({ ...schema, definitions }, true)(value), fits, `${JSON.stringify(schema)} of ${JSON.stringify(value)}`)
})

test('null in OpenAPI 3.0, and members of one side', () => {
  const schemas = {
    A: { type: 'object', required: ['id', 'secret'], properties: { id: { type: 'string', readOnly: true }, secret: { $ref: '#/components/schemas/S' }, n: { nullable: true, allOf: [{ type: 'integer' }] } } },
    S: { type: 'string', writeOnly: true, nullable: true },
  }
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/A' } } }
  const text = JSON.stringify({ openapi: '3.0.0', info: {}, components: { schemas }, paths: { '/': { post: { requestBody: { content }, responses: { 200: { content } } } } } })
  const { description, problems } = readApi({ whole: { text, at }, request: undefined, response: undefined, strict: false, checksResponses: true, basePath: undefined })
  assert.deepEqual(problems, [])
  const [operation] = description.operations!
  const engine = createEngine(description)
  const request = (value: JsonValue) => engine.violations(operation!.body!.contents[0]!.schema!, value, 100).length === 0
  const response = (value: JsonValue) => engine.violations(operation!.responses['200']![0]!.schema!, value, 100).length === 0
  assert.deepEqual([request({ secret: 'x' }), request({ secret: null, n: null }), request({ id: 'x' }), request({ secret: 's', n: 'x' })], [true, true, false, false])
  assert.deepEqual([response({ id: 'x' }), response({ secret: 'x' })], [true, false])
})
