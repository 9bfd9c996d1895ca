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
    ...objectSchema(fields, new Map(), false, new Map(Object.entries(fields).flatMap(([key, field]) => referable(key, field)))),
  }
}

/** Blocks of the whole that stand in namespaces too: schema once, references to it from there. By their settings, with the place. */
type Places = ReadonlyMap<Fields, string>

function referable (key: string, field: Field<unknown>): [Fields, string][] {
  return field.row.fields === undefined || field.row.direct === true ? [] : [[field.row.fields, `#/properties/${settingName(key, field)}`]]
}

/** `places` are the blocks that are referred to, `inner` those that anything inside refers to. */
function objectSchema (fields: Fields, places: Places, id = false, inner: Places = places): JsonObject {
  const properties: JsonObject = {}
  const needed: string[] = []
  if (id) {
    properties[argumentsKey] = { type: 'string', description: 'Its name.' }
    needed.push(argumentsKey)
  }
  for (const [key, field] of Object.entries(fields)) {
    const name = settingName(key, field)
    const place = field.row.fields === undefined || field.row.direct === true ? undefined : places.get(field.row.fields)
    properties[name] = place === undefined ? described(field, inner) : { $ref: place }
    if (field.row.direct === true && field.row.kind !== undefined) properties[field.row.kind] = several(objectSchema(field.row.fields ?? {}, inner, true))
    for (const alias of [...field.row.aliases ?? [], ...field.row.within ?? []]) {
      properties[alias] = { description: `Another spelling of ${name}.`, deprecated: true }
    }
    if (field.row.required === true && field.row.shape === 'value') needed.push(name)
  }
  return { type: 'object', properties, additionalProperties: false, ...(needed.length > 0 ? { required: needed } : {}) }
}

function described (field: Field<unknown>, places: Places): JsonObject {
  const { row } = field
  return {
    description: row.notBuilt === true ? `${row.doc} (Not in effect yet.)` : row.doc,
    ...shapeSchema(field, places),
    ...(row.default === undefined || row.default === '' ? {} : { default: row.default.startsWith('#') ? row.default === '#true' : row.default }),
  }
}

function shapeSchema ({ row }: Field<unknown>, places: Places): JsonObject {
  const value = row.type?.json ?? {}
  const fields = row.fields ?? {}
  switch (row.shape) {
    case 'value': return value
    case 'list': return { anyOf: [value, { type: 'array', items: value }] }
    case 'map': return { type: 'object', additionalProperties: value }
    case 'json': return { type: 'object' }
    case 'anything': return {}
    case 'block': return orArguments(row.args, fields, places)
    case 'blocks': return row.kind === undefined ? several(orArguments(row.args, fields, places)) : namedSchema(row.kind, row, places)
  }
}

function namedSchema (kind: string, row: Field<unknown>['row'], places: Places): JsonObject {
  const all = Object.values(row.variants?.of ?? {})
  const common = row.fields ?? {}
  const each = all.map(fields => tagged(objectSchema({ ...common, ...fields }, places, true), row.variants?.tag ?? 'type'))
  const others = row.variants?.notBuilt.length === 0 ? [] : [{ type: 'object' }]
  const one = all.length === 0 ? objectSchema(common, places, true) : { anyOf: [...each, ...others] }
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
function orArguments (args: readonly string[] | undefined, fields: Fields, places: Places): JsonObject {
  const object = objectSchema(fields, places)
  if (args === undefined) return object
  const [first] = args.map(key => fields[key]?.row.type?.json ?? {})
  return { anyOf: [first ?? {}, { type: 'array' }, { ...object, additionalProperties: true, required: [] }] }
}
