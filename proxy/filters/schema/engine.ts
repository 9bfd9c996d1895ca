import { _, Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import names from 'ajv/dist/compile/names.js'
import { fullFormats } from 'ajv-formats/dist/formats.js'
import type { JsonValue } from '../../../config/kdl/json.ts'
import { compile } from '../../../config/schema/regex.ts'
import type { ApiDescription } from '../../../config/api-schema/description.ts'

/** What does not fit, and where: never what it is. */
export interface Violation {
  readonly in: 'body' | 'path' | 'query' | 'header' | 'cookie'
  /** JSON pointer (RFC 6901) into the body, or the name of the parameter. */
  readonly at: string
  /** Keyword of the schema. */
  readonly rule: string
  readonly message: string
}

export interface Engine {
  /** An empty list: it fits. `name` is of a schema, `bytes` how long the text of the value is. */
  violations (name: string, value: JsonValue, bytes: number): readonly Violation[]
}

/** Schemas entered for one value. They may ask about the same part of it again and again, in ways that double with each level; whoever needs more is refused. */
const stepsForAll = 50_000
const stepsForByte = 4
const maxViolations = 20
/** Longest text that a format is looked for in, but for base64. */
const maxFormatLength = 8192

/** Ends a check that was going on for too long, or that has found enough. */
class Enough extends Error {
  readonly errors: readonly ErrorObject[]

  constructor (errors: readonly ErrorObject[]) {
    super('enough')
    this.errors = errors
  }
}

const tooMuch: Violation = { in: 'body', at: '', rule: 'steps', message: 'is too complicated to be checked' }

/** Compiles schemas when they are first needed. */
export function createEngine ({ schemas }: Pick<ApiDescription, 'schemas'>): Engine {
  // One says whether a value fits, and stops at the first thing that does not; the other says what does not, of a value that is refused anyhow.
  const judge = compiler(schemas, false)
  const lister = compiler(schemas, true)
  return {
    violations (name, value, bytes) {
      const steps = stepsForAll + stepsForByte * bytes
      try {
        if (judge(name, steps)(value)) return []
      } catch (error) {
        if (error instanceof Enough) return [tooMuch]
        throw error
      }
      return listed(lister(name, steps), value)
    },
  }
}

function listed (validate: ValidateFunction, value: JsonValue): readonly Violation[] {
  let errors: readonly ErrorObject[]
  try {
    validate(value)
    errors = validate.errors ?? []
  } catch (error) {
    if (!(error instanceof Enough)) throw error
    errors = error.errors
  }
  const seen = new Map<string, Violation>()
  for (const { instancePath, keyword, message = 'does not fit' } of errors) {
    if (seen.size === maxViolations) break
    const at = instancePath.slice(0, 200)
    seen.set(`${at} ${keyword}`, { in: 'body', at, rule: keyword, message })
  }
  return seen.size === 0 ? [tooMuch] : [...seen.values()]
}

function compiler (schemas: ApiDescription['schemas'], all: boolean): (name: string, steps: number) => ValidateFunction {
  const left = { steps: 0 }
  const ajv = new Ajv2020({
    // What the schemas hold was checked when the configuration was; a keyword that is not known here would still be an error.
    strictSchema: true, strictTypes: false, strictTuples: false, strictRequired: false, allowUnionTypes: true, validateSchema: false,
    allErrors: all, messages: all, ownProperties: true, unicodeRegExp: true, multipleOfPrecision: 8, addUsedSchema: false, inlineRefs: false,
    code: { regExp: Object.assign(linear, { code: 'linear' }) },
    formats: boundedFormats, logger: false,
  })
  ajv.addKeyword({
    keyword: 'step', schemaType: 'boolean',
    code ({ gen }) {
      const step = gen.scopeValue('func', { ref: (errors: ErrorObject[] | null) => {
        if (--left.steps < 0 || (all && errors !== null && errors.length > maxViolations * 4)) throw new Enough(errors ?? [])
      } })
      gen.code(_`${step}(${names.default.vErrors})`)
    },
  })
  // The package's own compares everything with everything.
  ajv.removeKeyword('uniqueItems')
  ajv.addKeyword({ keyword: 'uniqueItems', type: 'array', schemaType: 'boolean', validate: isUnique, error: { message: 'must NOT have duplicate items' } })
  ajv.addSchema({ $id: 'api', $defs: withSteps(schemas) })
  const compiled = new Map<string, ValidateFunction>()
  return (name, steps) => {
    left.steps = steps
    let validate = compiled.get(name)
    if (validate === undefined) compiled.set(name, validate = ajv.compile({ $ref: `api#/$defs/${name}` }))
    return validate
  }
}

/** Whatever can go on for long, a recursion or a list, passes a named schema or an element: each counts. */
function withSteps (schemas: ApiDescription['schemas']): Record<string, JsonValue> {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, counted(schema)]))
}

function counted (schema: JsonValue): JsonValue {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return schema
  const out: { [keyword: string]: JsonValue } = { step: true, ...schema }
  for (const keyword of ['items', 'contains', 'additionalProperties', 'unevaluatedItems', 'unevaluatedProperties', 'propertyNames', 'not', 'if', 'then', 'else']) {
    if (keyword in out) out[keyword] = counted(out[keyword]!)
  }
  for (const keyword of ['allOf', 'anyOf', 'oneOf', 'prefixItems']) {
    const list = out[keyword]
    if (Array.isArray(list)) out[keyword] = list.map(counted)
  }
  for (const keyword of ['properties', 'patternProperties', 'dependentSchemas']) {
    const map = out[keyword]
    if (typeof map === 'object' && map !== null) out[keyword] = Object.fromEntries(Object.entries(map).map(([name, one]) => [name, counted(one)]))
  }
  return out
}

/** Expressions that take time in proportion to the text, whatever they are. */
function linear (source: string): { test (text: string): boolean, toString (): string } {
  const pattern = compile(source)
  return { test: (text) => pattern.test(text), toString: () => `/${source}/u` }
}

function isUnique (wanted: boolean, value: readonly JsonValue[]): boolean {
  if (!wanted) return true
  const seen = new Set<string>()
  return value.every((item) => {
    const size = seen.size
    return seen.add(canonical(item)).size > size
  })
}

/** The same text for equal values (JSON Schema core, section 4.2.2). */
function canonical (value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  return `{${Object.keys(value).toSorted().map((name) => `${JSON.stringify(name)}:${canonical(value[name]!)}`).join(',')}}`
}

type Formats = NonNullable<ConstructorParameters<typeof Ajv2020>[0]>['formats']

/** Some of the package's expressions take time in proportion to the square of the text: no text that a format describes is long. */
const boundedFormats: NonNullable<Formats> = Object.fromEntries(Object.entries(fullFormats).map(([name, format]) => [name, bounded(name, format)]))

function bounded (name: string, format: unknown): NonNullable<Formats>[string] {
  const plain = format as { readonly type?: string, readonly validate?: unknown } | RegExp | ((text: string) => boolean) | boolean // What the package declares.
  if (typeof plain === 'boolean' || name === 'byte') return plain as never
  const test = plain instanceof RegExp ? (text: string) => plain.test(text) : typeof plain === 'function' ? plain : plain.validate
  if (typeof plain === 'object' && !(plain instanceof RegExp) && plain.type === 'number') return plain as never
  const check = test as (text: string) => boolean
  return (text: string) => text.length <= maxFormatLength && check(text)
}
