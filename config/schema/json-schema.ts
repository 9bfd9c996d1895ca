import type { JsonObject } from '../kdl/json.ts'
import { argumentsKey } from '../kdl/json.ts'
import type { Field, Fields } from './field.ts'
import { settingName } from './field.ts'

/** JSON schema (draft 2020-12) of what `fields` accept, in the JSON form of KDL (config/kdl/json.ts). */
export function toJsonSchema (fields: Fields, about: { readonly title?: string, readonly id?: string } = {}): JsonObject {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...(about.id === undefined ? {} : { $id: about.id }),
    ...(about.title === undefined ? {} : { title: about.title }),
    ...objectSchema(fields),
  }
}

function objectSchema (fields: Fields, id = false): JsonObject {
  const properties: JsonObject = {}
  const needed: string[] = []
  if (id) {
    properties[argumentsKey] = { type: 'string', description: 'Its name.' }
    needed.push(argumentsKey)
  }
  for (const [key, field] of Object.entries(fields)) {
    const name = settingName(key, field)
    properties[name] = described(field)
    for (const alias of [...field.row.aliases ?? [], ...field.row.within ?? []]) {
      properties[alias] = { description: `Another spelling of ${name}.`, deprecated: true }
    }
    if (field.row.required === true && field.row.shape === 'value') needed.push(name)
  }
  return { type: 'object', properties, additionalProperties: false, ...(needed.length > 0 ? { required: needed } : {}) }
}

function described (field: Field<unknown>): JsonObject {
  const { row } = field
  return {
    description: row.notBuilt === true ? `${row.doc} (Not in effect yet.)` : row.doc,
    ...shapeSchema(field),
    ...(row.default === undefined || row.default === '' ? {} : { default: row.default.startsWith('#') ? row.default === '#true' : row.default }),
  }
}

function shapeSchema ({ row }: Field<unknown>): JsonObject {
  const value = row.type?.json ?? {}
  const fields = row.fields ?? {}
  switch (row.shape) {
    case 'value': return value
    case 'list': return { anyOf: [value, { type: 'array', items: value }] }
    case 'map': return { type: 'object', additionalProperties: value }
    case 'json': return { type: 'object' }
    case 'anything': return {}
    case 'block': return orArguments(row.args, fields)
    case 'blocks': return row.kind === undefined ? several(orArguments(row.args, fields)) : namedSchema(row.kind, row)
  }
}

function namedSchema (kind: string, row: Field<unknown>['row']): JsonObject {
  const all = Object.values(row.variants?.of ?? {})
  const common = row.fields ?? {}
  const each = all.map(fields => tagged(objectSchema({ ...common, ...fields }, true), row.variants?.tag ?? 'type'))
  const others = row.variants?.notBuilt.length === 0 ? [] : [{ type: 'object' }]
  const one = all.length === 0 ? objectSchema(common, true) : { anyOf: [...each, ...others] }
  return { type: 'object', properties: { [kind]: several(one) }, additionalProperties: false }
}

function tagged (schema: JsonObject, tag: string): JsonObject {
  // `properties` was made by objectSchema, just before.
  return { ...schema, properties: { [tag]: { type: 'string' }, ...schema.properties as JsonObject } }
}

function several (schema: JsonObject): JsonObject {
  return { anyOf: [schema, { type: 'array', items: schema }] }
}

/** A block whose first settings may be written right after its name also comes as a plain value. */
function orArguments (args: readonly string[] | undefined, fields: Fields): JsonObject {
  const object = objectSchema(fields)
  if (args === undefined) return object
  const [first] = args.map(key => fields[key]?.row.type?.json ?? {})
  return { anyOf: [first ?? {}, { type: 'array' }, { ...object, additionalProperties: true, required: [] }] }
}
