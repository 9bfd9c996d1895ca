import type { JsonValue } from '../kdl/json.ts'
import { nearest } from '../kdl/nearest.ts'
import type { Converter, Direction } from './convert.ts'
import type { ApiBody, ApiContent, ApiField, ApiOperation, ApiParameter, ApiType } from './description.ts'
import type { Path } from './document.ts'
import type { Found, Source, Sources } from './sources.ts'
import { isObject, valueAt } from './sources.ts'

type Members = { readonly [name: string]: JsonValue }

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const

export interface OpenApiWishes {
  /** In place of what the description says about servers. */
  readonly basePath: string | undefined
  readonly responses: boolean
}

/** The operations of an OpenAPI description (3.0 and 3.1), with one row for each base path. Schemas go to the converter. */
export function operationsOf (source: Source, sources: Sources, converter: Converter, wishes: OpenApiWishes): ApiOperation[] {
  return new OpenApi(source, sources, converter, wishes).operations()
}

class OpenApi {
  readonly #source: Source
  readonly #sources: Sources
  readonly #converter: Converter
  readonly #wishes: OpenApiWishes

  constructor (source: Source, sources: Sources, converter: Converter, wishes: OpenApiWishes) {
    this.#source = source
    this.#sources = sources
    this.#converter = converter
    this.#wishes = wishes
  }

  operations (): ApiOperation[] {
    const root: Found = { source: this.#source, path: [], value: this.#source.document.root }
    const version = textAt(root, ['openapi'])
    if (!/^3\.[01](?:\.|$)/.test(version)) {
      this.#wrong(root, ['openapi'], 'only OpenAPI 3.0 and 3.1 are understood', valueAt(root.value, ['swagger']) === undefined ? undefined : 'Swagger 2.0 has to be converted')
      return []
    }
    const paths = this.#member(root, 'paths')
    if (paths === undefined) this.#wrong(root, [], "the description has no 'paths'")
    const items = paths === undefined ? [] : this.#members(paths).filter(([name]) => !name.startsWith('x-'))
    const found = items.flatMap(([name, item]) => this.#pathItem(name, item, root))
    const taken = new Set<string>()
    return found.filter(({ method, path }) => {
      const key = `${method} ${path.replaceAll(/\{[^}]*\}/g, '{}')}`
      return !taken.has(key) && taken.add(key)
    })
  }

  #pathItem (template: string, given: Found, root: Found): ApiOperation[] {
    if (!/^\/(?:[^{}]*(?:\{[^{}/]+\})?)*$/.test(template)) this.#wrong(given, [], `${JSON.stringify(template)} is not a path`, 'paths begin with "/", parameters stand in {…}')
    if (template.split('/').some(segment => segment.split('{').length > 2)) this.#wrong(given, [], 'there are two parameters in one segment of this path: that is not supported')
    const item = this.#followed(given)
    if (item === undefined) return []
    return methods.flatMap(method => {
      const operation = this.#member(item, method)
      if (operation === undefined) return []
      const shared = this.#list(item, 'parameters')
      const parameters = this.#parameters([...shared, ...this.#list(operation, 'parameters')], template, operation)
      const bodyGiven = this.#member(operation, 'requestBody')
      const rest = {
        method: method.toUpperCase(), parameters, body: bodyGiven === undefined ? undefined : this.#body(bodyGiven),
        responses: this.#wishes.responses ? this.#responses(operation) : {},
      }
      return this.#bases([operation, item, root]).map(base => ({ path: base + template, ...rest }))
    })
  }

  /** Base paths, without a slash at the end. The nearest word about servers counts. */
  #bases (around: readonly Found[]): string[] {
    if (this.#wishes.basePath !== undefined) return [this.#wishes.basePath.replace(/\/$/, '')]
    const servers = around.map(one => this.#list(one, 'servers')).find(list => list.length > 0) ?? []
    const bases = servers.flatMap(server => {
      const url = this.#member(server, 'url')?.value
      if (typeof url !== 'string') return []
      const filled = url.replaceAll(/\{([^}]*)\}/g, (_all, name: string) => textAt(server, ['variables', name, 'default']))
      try {
        return [new URL(filled, 'http://any/').pathname.replace(/\/$/, '')]
      } catch {
        this.#wrong(server, ['url'], 'this is not a URL')
        return []
      }
    })
    return bases.length === 0 ? [''] : [...new Set(bases)]
  }

  /** Those of an operation take the place of those of its path. */
  #parameters (given: readonly Found[], template: string, operation: Found): ApiParameter[] {
    const byName = new Map<string, ApiParameter>()
    for (const one of given) {
      const found = this.#followed(one)
      const parameter = found === undefined ? undefined : this.#parameter(found)
      if (parameter !== undefined) byName.set(`${parameter.in} ${parameter.name}`, parameter)
    }
    const all = [...byName.values()]
    for (const [, name = ''] of template.matchAll(/\{([^}]*)\}/g)) {
      if (byName.has(`path ${name}`)) continue
      const near = nearest(name, all.filter(one => one.in === 'path').map(one => one.name))
      this.#wrong(operation, [], `the parameter {${name}} of the path is not described`, near === undefined ? undefined : `there is '${near}'`)
    }
    return all
  }

  #parameter (found: Found): ApiParameter | undefined {
    const { name, in: place, required, style: givenStyle, explode } = members(found)
    if (typeof name !== 'string' || (place !== 'path' && place !== 'query' && place !== 'header' && place !== 'cookie')) {
      this.#wrong(found, [], "a parameter needs 'name', and 'in' of path, query, header or cookie")
      return undefined
    }
    // OpenAPI 3.0 section 4.7.12.1: these three are described elsewhere.
    if (place === 'header' && /^(?:accept|content-type|authorization)$/i.test(name)) return undefined
    const content = this.#contents(found, 'request')
    const schema = this.#member(found, 'schema')
    const style = content.length > 0 ? 'json' : givenStyle ?? (place === 'query' || place === 'cookie' ? 'form' : 'simple')
    const fitting: readonly unknown[] = place === 'query' ? ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject', 'json'] : [place === 'cookie' ? 'form' : 'simple', 'json']
    if (!fitting.includes(style)) {
      this.#wrong(found, ['style'], `the style ${JSON.stringify(style)} is not supported for parameters in ${place}`)
      return undefined
    }
    const [first] = content
    return {
      in: place, name: place === 'header' ? name.toLowerCase() : name, required: required === true || place === 'path',
      style: style as ApiParameter['style'], // One of `fitting`.
      explode: typeof explode === 'boolean' ? explode : style === 'form',
      schema: style === 'json' ? first?.schema : schema === undefined ? undefined : this.#converter.name(schema, 'request'),
      ...this.#shape(schema),
    }
  }

  #shape (schema: Found | undefined): Pick<ApiParameter, 'types' | 'items' | 'members'> {
    if (schema === undefined) return { types: [], items: [], members: {} }
    const flat = this.#followed(schema) ?? schema
    const items = this.#member(flat, 'items')
    const properties = this.#member(flat, 'properties')
    const members = properties === undefined ? [] : this.#members(properties)
    return {
      types: this.#converter.typesOf(schema),
      items: items === undefined ? [] : this.#converter.typesOf(items),
      members: Object.fromEntries(members.map(([name, one]): [string, ApiType[]] => [name, this.#converter.typesOf(one)])),
    }
  }

  #body (given: Found): ApiBody | undefined {
    const found = this.#followed(given)
    return found === undefined ? undefined : { required: members(found)['required'] === true, contents: this.#contents(found, 'request') }
  }

  #contents (around: Found, direction: Direction): ApiContent[] {
    const content = this.#member(around, 'content')
    return content === undefined ? [] : this.#members(content).map(([type, media]) => {
      const schema = this.#member(media, 'schema')
      const plain = type.split(';', 1)[0]!.trim().toLowerCase()
      const named = { type: plain, schema: schema === undefined ? undefined : this.#converter.name(schema, direction) }
      return plain === 'application/x-www-form-urlencoded' && schema !== undefined ? { ...named, fields: this.#fields(schema) } : named
    })
  }

  #fields (schema: Found): Record<string, ApiField> {
    const properties = this.#member(this.#followed(schema) ?? schema, 'properties')
    return Object.fromEntries(properties === undefined ? [] : this.#members(properties).map(([name, one]): [string, ApiField] => {
      const { types, items } = this.#shape(one)
      return [name, { types, items }]
    }))
  }

  #responses (operation: Found): Record<string, readonly ApiContent[]> {
    const responses = this.#member(operation, 'responses')
    const rows = responses === undefined ? [] : this.#members(responses).flatMap(([status, given]): [string, ApiContent[]][] => {
      if (status.startsWith('x-')) return []
      if (!/^(?:[1-5](?:\d\d|XX)|default)$/i.test(status)) this.#wrong(given, [], `${JSON.stringify(status)} is not a status`, 'write 200, 2XX or default')
      const found = this.#followed(given)
      return found === undefined ? [] : [[status.toUpperCase().replace('DEFAULT', 'default'), this.#contents(found, 'response')]]
    })
    return Object.fromEntries(rows)
  }

  /** What it refers to, through any number of references. */
  #followed (found: Found): Found | undefined {
    let at: Found | undefined = found
    for (let left = 20; at !== undefined && left > 0; left--) {
      const ref: JsonValue | undefined = isObject(at.value) ? at.value['$ref'] : undefined
      if (typeof ref !== 'string') return isObject(at.value) ? at : this.#wrong(at, [], 'this has to be an object')
      at = this.#sources.follow(at.source, [...at.path, '$ref'], ref)
    }
    return at === undefined ? undefined : this.#wrong(found, [], 'these references lead in a circle')
  }

  #member (found: Found, name: string): Found | undefined {
    const value = members(found)[name]
    return value === undefined ? undefined : { source: found.source, path: [...found.path, name], value }
  }

  #members (found: Found): [string, Found][] {
    if (!isObject(found.value)) this.#wrong(found, [], 'this has to be an object')
    return Object.entries(members(found)).map(([name, value]) => [name, { source: found.source, path: [...found.path, name], value }])
  }

  #list (found: Found, name: string): Found[] {
    const list = this.#member(found, name)
    if (list === undefined) return []
    if (!Array.isArray(list.value)) this.#wrong(list, [], `'${name}' has to be a list`)
    return Array.isArray(list.value) ? list.value.map((value, i) => ({ source: list.source, path: [...list.path, i], value })) : []
  }

  #wrong ({ source, path }: Found, steps: Path, message: string, hint?: string): undefined {
    this.#sources.error(source, [...path, ...steps], message, hint)
    return undefined
  }
}

function members ({ value }: Found): Members {
  return isObject(value) ? value : {}
}

/** A text or a number there; '' without one. */
function textAt ({ value }: Found, path: Path): string {
  const found = valueAt(value, path)
  return typeof found === 'string' || typeof found === 'number' ? String(found) : ''
}
