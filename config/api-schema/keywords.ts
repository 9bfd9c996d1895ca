/** What a keyword's value has to be, and what is done with it. */
export type KeywordKind =
  | 'schema' | 'schemas' | 'schema-map' | 'items' | 'dependencies'
  | 'count' | 'number' | 'positive' | 'limit' | 'pattern' | 'names' | 'names-map' | 'flag' | 'any' | 'values' | 'type' | 'format'
  | 'ref' | 'left-out' | 'refused'

/** Every keyword of the drafts from 4 to 2020-12, and those that OpenAPI adds (version 3.0 section 4.7.24). */
export const keywords: Readonly<Record<string, KeywordKind>> = {
  $ref: 'ref',
  type: 'type', enum: 'values', const: 'any', format: 'format',
  multipleOf: 'positive', maximum: 'number', minimum: 'number', exclusiveMaximum: 'limit', exclusiveMinimum: 'limit',
  maxLength: 'count', minLength: 'count', pattern: 'pattern',
  items: 'items', prefixItems: 'schemas', additionalItems: 'schema', contains: 'schema', minContains: 'count', maxContains: 'count',
  maxItems: 'count', minItems: 'count', uniqueItems: 'flag', unevaluatedItems: 'schema',
  properties: 'schema-map', patternProperties: 'schema-map', additionalProperties: 'schema', propertyNames: 'schema', unevaluatedProperties: 'schema',
  maxProperties: 'count', minProperties: 'count', required: 'names', dependentRequired: 'names-map', dependentSchemas: 'schema-map', dependencies: 'dependencies',
  // oxlint-disable-next-line unicorn/no-thenable -- It is a word of JSON Schema, and nobody awaits this table.
  allOf: 'schemas', anyOf: 'schemas', oneOf: 'schemas', not: 'schema', if: 'schema', then: 'schema', else: 'schema',
  // What they say is about documentation, or was read before.
  $schema: 'left-out', $id: 'left-out', id: 'left-out', $comment: 'left-out', $defs: 'left-out', definitions: 'left-out', $anchor: 'left-out', $vocabulary: 'left-out',
  title: 'left-out', description: 'left-out', default: 'left-out', examples: 'left-out', example: 'left-out', deprecated: 'left-out',
  readOnly: 'left-out', writeOnly: 'left-out', nullable: 'left-out', discriminator: 'left-out', xml: 'left-out', externalDocs: 'left-out',
  contentMediaType: 'left-out', contentEncoding: 'left-out', contentSchema: 'left-out',
  $dynamicRef: 'refused', $dynamicAnchor: 'left-out', $recursiveRef: 'refused', $recursiveAnchor: 'left-out',
}

/** Keywords whose schemas are about the very value that the schema around them is about, and say of members what it would say itself. */
export const inPlace = ['allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else', 'dependentSchemas'] as const

export const types: ReadonlySet<string> = new Set(['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'])

/** Those that are checked. OpenAPI's `binary` and `password` say something to people only. */
export const formats: ReadonlySet<string> = new Set([
  'date', 'time', 'date-time', 'iso-time', 'iso-date-time', 'duration', 'uri', 'uri-reference', 'uri-template', 'url', 'email', 'hostname', 'ipv4', 'ipv6',
  'uuid', 'json-pointer', 'json-pointer-uri-fragment', 'relative-json-pointer', 'byte', 'int32', 'int64', 'float', 'double',
])

export const formatsForPeople: ReadonlySet<string> = new Set(['binary', 'password'])
