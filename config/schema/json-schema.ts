import type { JsonObject } from '../kdl/json.ts'
import { argumentsKey } from '../kdl/json.ts'
import type { Field, Fields, Row } from './field.ts'
import { settingName } from './field.ts'

/** JSON schema (draft 2020-12) of what `fields` accept, in the JSON form of KDL (config/kdl/json.ts). Each block is defined once, and referred to. */
export function toJsonSchema (fields: Fields, about: { readonly title?: string, readonly id?: string } = {}): JsonObject {
  const definitions = new Definitions()
  const whole = objectSchema(fields, strict, '', definitions)
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...(about.id === undefined ? {} : { $id: about.id }),
    ...(about.title === undefined ? {} : { title: about.title }),
    ...whole,
    ...(definitions.size === 0 ? {} : { $defs: definitions.all() }),
  }
}

/** How a block is given: with a name of its own, beside values after its name (which may stand for what is required), with a word that chose it. */
interface Form {
  readonly id: boolean
  readonly loose: boolean
  readonly tag: string | undefined
}

const strict: Form = { id: false, loose: false, tag: undefined }
const named: Form = { ...strict, id: true }

/** Blocks that were described, by their settings and form. */
class Definitions {
  readonly #byName = new Map<string, JsonObject>()
  readonly #names = new Map<Fields, Map<string, string>>()

  get size (): number {
    return this.#byName.size
  }

  all (): JsonObject {
    return Object.fromEntries(this.#byName)
  }

  /** A reference to the block, described when it is asked for the first time. `path` is a name for it where there is none yet. */
  refer (fields: Fields, form: Form, path: string): JsonObject {
    let forms = this.#names.get(fields)
    if (forms === undefined) this.#names.set(fields, forms = new Map())
    const key = `${form.id} ${form.loose} ${form.tag ?? ''}`
    let name = forms.get(key)
    if (name === undefined) {
      name = this.#free(`${path}${form.loose ? '-after-values' : ''}`)
      forms.set(key, name)
      // Its place is taken before it is described: what is inside comes behind it.
      this.#byName.set(name, {})
      this.#byName.set(name, objectSchema(fields, form, path, this))
    }
    return { $ref: `#/$defs/${name}` }
  }

  #free (wanted: string): string {
    let name = wanted
    for (let more = 2; this.#byName.has(name); more++) name = `${wanted}-${more}`
    return name
  }
}

function objectSchema (fields: Fields, { id, loose, tag }: Form, path: string, definitions: Definitions): JsonObject {
  const properties: JsonObject = tag === undefined ? {} : { [tag]: { type: 'string' } }
  const needed: string[] = []
  if (id) {
    properties[argumentsKey] = { type: 'string', description: 'Its name.' }
    needed.push(argumentsKey)
  }
  for (const [key, field] of Object.entries(fields)) {
    const name = settingName(key, field)
    const inside = path === '' ? name : `${path}.${name}`
    properties[name] = described(field, inside, definitions)
    const { row } = field
    if (row.direct === true && row.kind !== undefined) {
      properties[row.kind] = several(definitions.refer(row.fields ?? {}, named, path === '' ? row.kind : `${path}.${row.kind}`))
    }
    for (const alias of [...row.aliases ?? [], ...row.within ?? []]) properties[alias] = { description: `Another spelling of ${name}.`, deprecated: true }
    if (row.required === true && row.shape === 'value') needed.push(name)
  }
  return { type: 'object', properties, additionalProperties: loose, ...(needed.length > 0 && !loose ? { required: needed } : {}) }
}

function described (field: Field<unknown>, path: string, definitions: Definitions): JsonObject {
  const { row } = field
  return {
    description: row.notBuilt === true ? `${row.doc} (Not in effect yet.)` : row.doc,
    ...shapeSchema(row, path, definitions),
    ...defaultOf(row),
  }
}

function defaultOf (row: Row): JsonObject {
  // Several values are a list, also where one of them has a blank in it.
  if (row.shape === 'list' && row.defaults !== undefined) return { default: [...row.defaults] }
  if (row.default === undefined || row.default === '') return {}
  return { default: row.default.startsWith('#') ? row.default === '#true' : row.default }
}

function shapeSchema (row: Row, path: string, definitions: Definitions): JsonObject {
  const value = row.type?.json ?? {}
  switch (row.shape) {
    case 'value': return value
    case 'list': return { anyOf: [value, { type: 'array', items: value }] }
    case 'map': return { type: 'object', additionalProperties: value }
    case 'json': return { type: 'object' }
    case 'anything': return {}
    case 'block': return orArguments(row, path, definitions)
    case 'blocks': return row.kind === undefined ? several(orArguments(row, path, definitions)) : namedSchema(row.kind, row, path, definitions)
  }
}

function namedSchema (kind: string, row: Row, path: string, definitions: Definitions): JsonObject {
  const { variants, fields: common = {} } = row
  const shared = Object.keys(common).length > 0
  const one = variants === undefined
    ? definitions.refer(common, named, `${path}.${kind}`)
    : { anyOf: Object.entries(variants.of).map(([word, own]) => definitions.refer(shared ? { ...common, ...own } : own, { ...named, tag: variants.tag }, `${path}.${kind}.${word}`)) }
  return { type: 'object', properties: { [kind]: several(one) }, additionalProperties: false }
}

function several (schema: JsonObject): JsonObject {
  return { anyOf: [schema, { type: 'array', items: schema }] }
}

/** A block whose first settings may be written right after its name also comes as a plain value. */
function orArguments ({ args, fields = {} }: Row, path: string, definitions: Definitions): JsonObject {
  if (args === undefined) return definitions.refer(fields, strict, path)
  const [first] = args.map(key => fields[key]?.row.type?.json ?? {})
  return { anyOf: [first ?? {}, { type: 'array' }, definitions.refer(fields, { ...strict, loose: true }, path)] }
}
