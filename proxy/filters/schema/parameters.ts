import type { ApiField, ApiParameter, ApiType } from '../../../config/api-schema/description.ts'
import type { JsonValue } from '../../../config/kdl/json.ts'
import type { Exchange } from '../../pipeline/exchange.ts'
import type { Engine, Violation } from './engine.ts'
import { refusalOf } from './json.ts'

type Pairs = ReadonlyArray<readonly [name: string, value: string]>

const maxPairs = 1000

/** Whoever wrote something that cannot be read has no value. */
const unreadable = Symbol('unreadable')

/** Checks what a request says outside of its body. `strict`: a query has no other parameters. */
export function parameterViolations (
  x: Exchange, parameters: readonly ApiParameter[], inPath: ReadonlyMap<string, string>, engine: Engine, strict: boolean,
): Violation[] {
  const query = parameters.some((one) => one.in === 'query') || strict ? queryOf(x.request.query) : []
  if (query === undefined) return [wrong('query', '', 'encoding', 'cannot be read')]
  const cookies = parameters.some((one) => one.in === 'cookie') ? cookiesOf(x) : []
  const found = parameters.flatMap((parameter): Violation[] => {
    const { name, schema, required } = parameter
    const value = valueOf(parameter, { x, inPath, query, cookies })
    if (value === undefined) return required ? [wrong(parameter.in, name, 'required', 'must be there')] : []
    if (value === unreadable) return [wrong(parameter.in, name, 'encoding', 'cannot be read')]
    if (schema === undefined) return []
    return engine.violations(schema, value, 1000).map((violation) => ({ ...violation, in: parameter.in, at: name }))
  })
  return strict ? [...found, ...undescribed(query, parameters)] : found
}

function undescribed (query: Pairs, parameters: readonly ApiParameter[]): Violation[] {
  const known = parameters.filter((one) => one.in === 'query')
  const isKnown = (name: string): boolean => known.some((one) => {
    if (one.name === name || `${one.name}[]` === name) return true
    if (one.style === 'deepObject') return name.startsWith(`${one.name}[`)
    return one.style === 'form' && one.explode && Object.hasOwn(one.members, name)
  })
  // Its name is the client's: there may be anything in it.
  return query.some(([name]) => !isKnown(name)) ? [wrong('query', '', 'unknown', 'has a parameter that is not described')] : []
}

function wrong (place: Violation['in'], at: string, rule: string, message: string): Violation {
  return { in: place, at, rule, message }
}

interface Given {
  readonly x: Exchange
  readonly inPath: ReadonlyMap<string, string>
  readonly query: Pairs
  readonly cookies: Pairs
}

type Read = JsonValue | undefined | typeof unreadable

function valueOf (parameter: ApiParameter, { x, inPath, query, cookies }: Given): Read {
  const { name, style } = parameter
  switch (parameter.in) {
    case 'path': {
      const raw = inPath.get(name)
      const text = raw === undefined ? undefined : decoded(raw, false)
      return text === undefined ? unreadable : shaped(parameter, [text], ',')
    }
    case 'header': {
      const lines = x.request.headers.getAll(name)
      return lines.length === 0 ? undefined : shaped(parameter, [lines.join(',')], ',')
    }
    case 'cookie': return fromPairs(parameter, cookies)
    case 'query': return style === 'deepObject' ? deepObject(parameter, query) : fromPairs(parameter, query)
  }
}

function fromPairs (parameter: ApiParameter, pairs: Pairs): Read {
  const { name, style, explode, types, members } = parameter
  if (style === 'form' && explode && types.includes('object') && !types.includes('string')) {
    const own = pairs.filter(([key]) => Object.hasOwn(members, key))
    return own.length === 0 ? undefined : objectOf(own, parameter)
  }
  const texts = pairs.filter(([key]) => key === name || (types.includes('array') && key === `${name}[]`)).map(([, value]) => value)
  if (texts.length === 0) return undefined
  if (types.includes('array') && explode) return texts.map((text) => scalar(text, parameter.items))
  // Given twice, readers differ in which one counts.
  if (texts.length > 1) return unreadable
  return shaped(parameter, texts, style === 'spaceDelimited' ? ' ' : style === 'pipeDelimited' ? '|' : ',')
}

function deepObject (parameter: ApiParameter, query: Pairs): Read {
  const start = `${parameter.name}[`
  const own = query.filter(([key]) => key.startsWith(start) && key.endsWith(']')).map(([key, value]) => [key.slice(start.length, -1), value] as const)
  return own.length === 0 ? undefined : objectOf(own, parameter)
}

/** One text, as its style spells lists and objects (RFC 6570, as far as OpenAPI takes it over). */
function shaped (parameter: ApiParameter, [text = '']: readonly string[], separator: string): Read {
  const { style, types, items, explode } = parameter
  if (style === 'json') return refusalOf(text) === undefined ? JSON.parse(text) as JsonValue : unreadable
  if (types.includes('array') && !types.includes('string')) return text === '' ? [] : text.split(separator).map((one) => scalar(one.trim(), items))
  if (!types.includes('object') || types.includes('string')) return scalar(text, types)
  const parts = text.split(separator)
  if (explode) return objectOf(parts.map((part) => [part.split('=', 1)[0]!, part.slice(part.indexOf('=') + 1)] as const), parameter)
  return parts.length % 2 === 1 ? unreadable : objectOf(parts.flatMap((part, i) => i % 2 === 0 ? [[part, parts[i + 1]!] as const] : []), parameter)
}

function objectOf (pairs: Pairs, { members }: ApiParameter): Read {
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) return unreadable
  return Object.fromEntries(pairs.map(([name, value]) => [name, scalar(value, Object.hasOwn(members, name) ? members[name]! : [])]))
}

/** What a text stands for among the types that it may have; a text where it is none of them, which its schema will refuse. */
function scalar (text: string, types: readonly ApiType[]): JsonValue {
  if ((types.includes('integer') || types.includes('number')) && /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/.test(text)) return Number(text)
  if (types.includes('boolean') && (text === 'true' || text === 'false')) return text === 'true'
  if (types.includes('null') && (text === '' || text === 'null') && !types.includes('string')) return null
  return text
}

/** What a form says (WHATWG URL section 5), as an object; `undefined` when it cannot be read in one way only. */
export function formOf (text: string, fields: Readonly<Record<string, ApiField>>): JsonValue | undefined {
  const pairs = queryOf(text)
  if (pairs === undefined) return undefined
  const byName = new Map<string, string[]>()
  for (const [name, value] of pairs) {
    const values = byName.get(name)
    if (values === undefined) byName.set(name, [value])
    else values.push(value)
  }
  const members: Array<readonly [string, JsonValue]> = []
  for (const [name, values] of byName) {
    const { types, items } = Object.hasOwn(fields, name) ? fields[name]! : { types: [], items: [] }
    if (types.includes('array')) members.push([name, values.map((value) => scalar(value, items))])
    else if (values.length > 1) return undefined
    else members.push([name, scalar(values[0]!, types)])
  }
  return Object.fromEntries(members)
}

function queryOf (query: string): Pairs | undefined {
  if (query === '') return []
  const parts = query.split('&')
  if (parts.length > maxPairs) return undefined
  const pairs: Array<readonly [string, string]> = []
  for (const part of parts) {
    const equals = part.indexOf('=')
    const name = decoded(equals < 0 ? part : part.slice(0, equals), true)
    const value = decoded(equals < 0 ? '' : part.slice(equals + 1), true)
    if (name === undefined || value === undefined) return undefined
    if (part !== '') pairs.push([name, value])
  }
  return pairs
}

function decoded (text: string, plusIsSpace: boolean): string | undefined {
  try {
    return decodeURIComponent(plusIsSpace ? text.replaceAll('+', ' ') : text)
  } catch {
    return undefined
  }
}

function cookiesOf (x: Exchange): Pairs {
  return x.request.headers.getAll('cookie').join('; ').split(';').flatMap((part) => {
    const equals = part.indexOf('=')
    return equals < 0 ? [] : [[part.slice(0, equals).trim(), part.slice(equals + 1).trim().replace(/^"(.*)"$/, '$1')] as const]
  })
}
