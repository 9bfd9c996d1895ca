import type { JsonValue } from '../kdl/json.ts'
import { nearest } from '../kdl/nearest.ts'
import { compile } from '../schema/regex.ts'
import type { ApiType } from './description.ts'
import type { Path } from './document.ts'
import type { KeywordKind } from './keywords.ts'
import { formats, formatsForPeople, inPlace, keywords, types } from './keywords.ts'
import type { Found, Source, Sources } from './sources.ts'
import { isObject } from './sources.ts'

/** What a schema is for: members that are only read, or only written, are required on one side alone (OpenAPI 3.0 section 4.7.24). */
export type Direction = 'request' | 'response'

type Members = { [name: string]: JsonValue }

/** A schema on its way: where it is from, and what it is about. */
interface Here extends Found {
  readonly direction: Direction
  /** Members that it does not name are refused: it is not a part of another schema of the same value. */
  readonly closed: boolean
}

/**
 * Rewrites schemas of every dialect into draft 2020-12 and reports what is wrong in them. What comes out has nothing in it that the program which
 * compiles it does not know, and refers to nothing but `#/$defs/NAME`.
 */
export class Converter {
  readonly schemas: Record<string, JsonValue> = {}
  readonly #sources: Sources
  readonly #strict: boolean
  readonly #names = new Map<string, string>()
  readonly #places = new Map<string, Found>()
  readonly #queue: (() => void)[] = []

  constructor (sources: Sources, strict: boolean) {
    this.#sources = sources
    this.#strict = strict
  }

  /** The name that a schema has in what comes out. */
  name (found: Found, direction: Direction, closed = this.#strict): string {
    const key = JSON.stringify([found.source.file, found.source.loose ? found.source.document.positionOf([]) : 0, found.path, direction, closed])
    const known = this.#names.get(key)
    if (known !== undefined) return known
    const name = `s${this.#names.size}`
    this.#names.set(key, name)
    this.#places.set(name, found)
    this.#queue.push(() => { this.schemas[name] = this.#schema({ ...found, direction, closed }) })
    return name
  }

  /** Converts what was named, and what that refers to. */
  finish (): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next()
    for (const name of Object.keys(this.schemas)) {
      const place = this.#places.get(name)
      if (place !== undefined && this.#meetsItself(name)) {
        this.#sources.error(place.source, place.path, 'this schema refers to itself without looking into the value: checking it would never end')
      }
    }
  }

  #schema (here: Here): JsonValue {
    const { value, source, path } = here
    if (typeof value === 'boolean') return value
    if (!isObject(value)) {
      this.#sources.error(source, path, 'a schema is an object, true or false')
      return false
    }
    const old = source.dialect === 'openapi-3.0' || source.dialect === 'draft-4' || source.dialect === 'draft-7'
    // Until draft 7 nothing counts beside a reference.
    const members: Members = old && typeof value['$ref'] === 'string' ? { $ref: value['$ref'] } : value
    const out: Members = {}
    for (const [keyword, given] of Object.entries(members)) this.#keyword(here, keyword, given, out)
    this.#require(here, members, out)
    if (here.closed && this.#namesMembers(here, new Set())) close(out)
    return source.dialect === 'openapi-3.0' && members['nullable'] === true ? withNull(out) : out
  }

  #keyword (here: Here, keyword: string, given: JsonValue, out: Members): void {
    if (keyword.startsWith('x-')) return
    const kind = Object.hasOwn(keywords, keyword) ? keywords[keyword] : undefined
    if (kind === undefined) {
      const near = nearest(keyword, Object.keys(keywords))
      return this.#wrong(here, [keyword], `there is no keyword '${keyword}' in schemas`, near === undefined ? 'words of your own begin with "x-"' : `did you mean '${near}'?`)
    }
    if (kind === 'left-out') return
    if (kind === 'refused') return this.#wrong(here, [keyword], `'${keyword}' is not supported`, 'write $ref')
    const list = here.source.loose && listed.has(kind) && !Array.isArray(given) ? [given] : given
    const wrong = misfit(kind, list, here.source.dialect)
    if (wrong !== undefined) return this.#wrong(here, [keyword], `'${keyword}' has to be ${wrong}`)
    this.#take(here, keyword, kind, list, out)
  }

  /** `given` is what `misfit` let through for this kind. */
  #take (here: Here, keyword: string, kind: KeywordKind, given: JsonValue, out: Members): void {
    switch (kind) {
      case 'schema': {
        if (keyword === 'additionalItems') return this.#additionalItems(here, given, out)
        out[keyword] = this.#inner(here, [keyword], given, isInPlace(keyword))
        return
      }
      case 'schemas': {
        out[keyword] = (given as JsonValue[]).map((one, i) => this.#inner(here, [keyword, i], one, isInPlace(keyword)))
        return
      }
      case 'schema-map': {
        if (keyword === 'patternProperties') for (const name of Object.keys(given as Members)) this.#pattern(here, [keyword, name], name)
        out[keyword] = this.#innerOfEach(here, keyword, given as Members, isInPlace(keyword))
        return
      }
      case 'items': return this.#items(here, given, out)
      case 'dependencies': return this.#dependencies(here, given as Members, out)
      case 'limit': return this.#limit(here, keyword, given, out)
      case 'pattern': {
        if (this.#pattern(here, [keyword], given as string)) out[keyword] = given
        return
      }
      case 'format': return this.#format(here, given as string, out)
      case 'ref': return this.#ref(here, given as string, out)
      // Read together with the members that it is about.
      case 'names': return
      default: out[keyword] = given
    }
  }

  #inner (here: Here, steps: Path, value: JsonValue, sameValue: boolean): JsonValue {
    return this.#schema({ ...here, path: [...here.path, ...steps], value, closed: !sameValue && this.#strict })
  }

  #innerOfEach (here: Here, keyword: string, map: Members, sameValue: boolean): JsonValue {
    return Object.fromEntries(Object.entries(map).map(([name, one]) => [name, this.#inner(here, [keyword, name], one, sameValue)]))
  }

  #items (here: Here, given: JsonValue, out: Members): void {
    if (!Array.isArray(given)) out['items'] = this.#inner(here, ['items'], given, false)
    else if (given.length > 0) out['prefixItems'] = given.map((one, i) => this.#inner(here, ['items', i], one, false))
  }

  #additionalItems (here: Here, given: JsonValue, out: Members): void {
    // It says nothing where `items` is one schema for all.
    if (isObject(here.value) && Array.isArray(here.value['items'])) out['items'] = this.#inner(here, ['additionalItems'], given, false)
  }

  #dependencies (here: Here, given: Members, out: Members): void {
    const names = Object.entries(given).filter(([, one]) => Array.isArray(one))
    const schemas = Object.entries(given).filter(([, one]) => !Array.isArray(one))
    if (names.length > 0) out['dependentRequired'] = Object.fromEntries(names)
    if (schemas.length > 0) out['dependentSchemas'] = Object.fromEntries(schemas.map(([name, one]) => [name, this.#inner(here, ['dependencies', name], one, true)]))
  }

  /** Draft 4 and OpenAPI 3.0 say `exclusiveMaximum: true` beside `maximum`. */
  #limit (here: Here, keyword: string, given: JsonValue, out: Members): void {
    if (typeof given === 'number') out[keyword] = given
    if (given !== true || !isObject(here.value)) return
    const limit = here.value[keyword === 'exclusiveMaximum' ? 'maximum' : 'minimum']
    if (typeof limit === 'number') out[keyword] = limit
    else this.#wrong(here, [keyword], `'${keyword}' says nothing without '${keyword === 'exclusiveMaximum' ? 'maximum' : 'minimum'}'`)
  }

  #pattern (here: Here, steps: Path, source: string): boolean {
    try {
      compile(source)
      return true
    } catch (error) {
      const around = /\(\?<?[=!]|\\[1-9]/.test(source) ? 'look-around and back-references do not exist in RE2: they would let a client make the proxy think for hours' : undefined
      this.#wrong(here, steps, `the expression does not compile: ${error instanceof Error ? error.message : String(error)}`, around)
      return false
    }
  }

  #format (here: Here, format: string, out: Members): void {
    if (formats.has(format)) out['format'] = format === 'url' ? 'uri' : format
    else if (!formatsForPeople.has(format)) this.#sources.warning(here.source, [...here.path, 'format'], `the format '${format}' is not known and not checked`)
  }

  #ref (here: Here, ref: string, out: Members): void {
    const found = this.#sources.follow(here.source, [...here.path, '$ref'], ref)
    out['$ref'] = found === undefined ? '#/$defs/none' : `#/$defs/${this.name(found, here.direction, here.closed && isAlone(here.value))}`
  }

  /** `required`, without what only the other side has. */
  #require (here: Here, members: Members, out: Members): void {
    const given = members['required']
    const names = here.source.loose && typeof given === 'string' ? [given] : given
    if (names === undefined || misfit('names', names, here.source.dialect) !== undefined) return
    const properties = members['properties']
    const otherSide = here.direction === 'request' ? 'readOnly' : 'writeOnly'
    out['required'] = [...new Set(names as string[])].filter(name => (
      !isObject(properties) || !Object.hasOwn(properties, name) || !this.#says(here, properties[name], otherSide)
    ))
  }

  #says (here: Here, value: JsonValue | undefined, word: string): boolean {
    if (!isObject(value)) return false
    if (value[word] === true) return true
    const ref = value['$ref']
    const found = typeof ref === 'string' ? this.#sources.follow(here.source, here.path, ref) : undefined
    return found !== undefined && isObject(found.value) && found.value[word] === true
  }

  /** Whether a schema says which members there are, so that there can be others. */
  #namesMembers ({ source, value }: Found, seen: Set<JsonValue>): boolean {
    if (!isObject(value) || seen.has(value)) return false
    seen.add(value)
    if (isObject(value['properties']) || isObject(value['patternProperties'])) return true
    if (inPlace.some(keyword => schemasIn(keyword, value[keyword]).some(one => this.#namesMembers({ source, path: [], value: one }, seen)))) return true
    const ref = value['$ref']
    // Alone, what it leads to says so itself.
    if (typeof ref !== 'string' || isAlone(value)) return false
    const found = this.#sources.follow(source, [], ref)
    return found !== undefined && this.#namesMembers(found, seen)
  }

  #wrong ({ source, path }: Here, steps: Path, message: string, hint?: string): void {
    this.#sources.error(source, [...path, ...steps], message, hint)
  }

  #meetsItself (start: string): boolean {
    const seen = new Set<string>()
    const queue = namedInPlace(this.schemas[start])
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      if (name === start) return true
      if (seen.has(name)) continue
      seen.add(name)
      queue.push(...namedInPlace(this.schemas[name]))
    }
    return false
  }

  /** What a text that this schema describes may stand for. */
  typesOf ({ source, path, value }: Found, seen = new Set<JsonValue>()): ApiType[] {
    if (!isObject(value) || seen.has(value)) return []
    seen.add(value)
    const ref = value['$ref']
    const found = typeof ref === 'string' ? this.#sources.follow(source, path, ref) : undefined
    const { type, nullable } = value
    const own = (Array.isArray(type) ? type : type === undefined ? [] : [type]).filter(one => typeof one === 'string' && types.has(one))
    const parts = ['allOf', 'anyOf', 'oneOf'].flatMap(keyword => Array.isArray(value[keyword]) ? value[keyword] : [])
    const all = [...own, ...nullable === true && own.length > 0 ? ['null'] : [], ...[found, ...parts.map(part => ({ source, path, value: part }))]
      .flatMap(part => part === undefined ? [] : this.typesOf(part, seen))]
    return [...new Set(all)] as ApiType[] // Only words of `types` are kept.
  }
}

const listed: ReadonlySet<KeywordKind> = new Set<KeywordKind>(['schemas', 'names', 'values'])

function isInPlace (keyword: string): boolean {
  return (inPlace as readonly string[]).includes(keyword)
}

/** What the value of a keyword should have been; `undefined` when it is that. */
function misfit (kind: KeywordKind, value: JsonValue, dialect: Source['dialect']): string | undefined {
  const isNames = (one: JsonValue | undefined): boolean => Array.isArray(one) && one.every(name => typeof name === 'string')
  const older = dialect === 'openapi-3.0' || dialect === 'draft-4'
  switch (kind) {
    case 'schemas': case 'values': return Array.isArray(value) && value.length > 0 ? undefined : 'a list with something in it'
    case 'schema-map': case 'dependencies': return isObject(value) ? undefined : 'an object'
    case 'items': return Array.isArray(value) && dialect === '2020-12' ? 'a schema; lists are prefixItems' : undefined
    case 'count': return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? undefined : 'a whole number of at least 0'
    case 'number': return typeof value === 'number' && Number.isFinite(value) ? undefined : 'a number'
    case 'positive': return typeof value === 'number' && value > 0 ? undefined : 'a number above 0'
    case 'limit': return typeof value === (older ? 'boolean' : 'number') ? undefined : older ? 'true or false' : 'a number'
    case 'names': return isNames(value) ? undefined : 'a list of names'
    case 'names-map': return isObject(value) && Object.values(value).every(isNames) ? undefined : 'an object of lists of names'
    case 'flag': return typeof value === 'boolean' ? undefined : 'true or false'
    case 'pattern': case 'format': case 'ref': return typeof value === 'string' ? undefined : 'a text'
    case 'type': return (Array.isArray(value) && value.length > 0 ? value : [value]).every(one => typeof one === 'string' && types.has(one))
      ? undefined : `one of ${[...types].join(', ')}`
    default: return undefined
  }
}

/** Where several schemas say which members there are, only all of them together know which there are not. */
function close (out: Members): void {
  if ('additionalProperties' in out || 'unevaluatedProperties' in out) return
  out[out['$ref'] !== undefined || inPlace.some(keyword => keyword in out) ? 'unevaluatedProperties' : 'additionalProperties'] = false
}

/** Whether a schema says nothing beside its reference. */
function isAlone (value: JsonValue): boolean {
  return isObject(value) && Object.keys(value).every(name => name === '$ref' || keywords[name] === 'left-out' || name.startsWith('x-'))
}

function schemasIn (keyword: typeof inPlace[number], value: JsonValue | undefined): JsonValue[] {
  if (Array.isArray(value)) return value
  if (keyword === 'dependentSchemas') return isObject(value) ? Object.values(value) : []
  return value === undefined ? [] : [value]
}

function withNull (out: Members): JsonValue {
  const { type, enum: values } = out
  if (typeof type === 'string' && values === undefined) return { ...out, type: [type, 'null'] }
  return { anyOf: [{ type: 'null' }, out] }
}

/** Names of schemas that have to be known before anything of the value is looked into. */
function namedInPlace (schema: JsonValue | undefined): string[] {
  if (!isObject(schema)) return []
  const ref = schema['$ref']
  return [
    ...typeof ref === 'string' ? [ref.slice('#/$defs/'.length)] : [],
    ...inPlace.flatMap(keyword => schemasIn(keyword, schema[keyword]).flatMap(namedInPlace)),
  ]
}
