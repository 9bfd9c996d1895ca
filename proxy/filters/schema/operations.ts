import type { ApiOperation } from '../../../config/api-schema/description.ts'

/** A request's operation, and what stands in its path in the place of names. */
export interface Matched {
  readonly operation: ApiOperation
  readonly inPath: ReadonlyMap<string, string>
}

/** What there is for a path: an operation, or the methods that have one. */
export type Finding = Matched | { readonly methods: readonly string[] }

type Segment = string | { readonly name: string, readonly before: string, readonly after: string }

interface Template {
  readonly segments: readonly Segment[]
  readonly operations: ReadonlyMap<string, ApiOperation>
}

/** Finds operations by path and method. Of several templates that fit, the one that says more by itself counts (OpenAPI 3.1 section 4.8.8.2). */
export function findOperations (operations: readonly ApiOperation[]): (method: string, path: string) => Finding | undefined {
  const plain = new Map<string, Template>()
  const byLength = new Map<number, Template[]>()
  for (const [path, own] of grouped(operations)) {
    const segments = path.split('/').map(segmentOf)
    const template = { segments, operations: own }
    if (segments.every((segment) => typeof segment === 'string')) plain.set(path, template)
    else byLength.set(segments.length, [...byLength.get(segments.length) ?? [], template])
  }
  for (const list of byLength.values()) list.sort((a, b) => rank(a) < rank(b) ? -1 : 1)
  return (method, path) => {
    const exact = plain.get(path)
    if (exact !== undefined) return chosen(exact, method, none)
    const given = path.split('/')
    for (const template of byLength.get(given.length) ?? []) {
      const values = valuesIn(template.segments, given)
      if (values !== undefined) return chosen(template, method, values)
    }
    return undefined
  }
}

const none: ReadonlyMap<string, string> = new Map()

function grouped (operations: readonly ApiOperation[]): Map<string, Map<string, ApiOperation>> {
  const paths = new Map<string, Map<string, ApiOperation>>()
  for (const operation of operations) {
    const own = paths.get(operation.path) ?? new Map<string, ApiOperation>()
    paths.set(operation.path, own.set(operation.method, operation))
  }
  return paths
}

function chosen ({ operations }: Template, method: string, inPath: ReadonlyMap<string, string>): Finding {
  const operation = operations.get(method) ?? (method === 'HEAD' ? operations.get('GET') : undefined)
  return operation === undefined ? { methods: [...operations.keys()] } : { operation, inPath }
}

function segmentOf (text: string): Segment {
  const [, before, name, after] = /^([^{]*)\{([^}]*)\}(.*)$/.exec(text) ?? []
  return name === undefined ? text : { name, before: before!, after: after! }
}

/** Segments without a name come first, then those with more text around it. */
function rank ({ segments }: Template): string {
  return segments.map((segment) => typeof segment === 'string' ? '0' : segment.before + segment.after === '' ? '2' : '1').join('')
}

function valuesIn (segments: readonly Segment[], given: readonly string[]): Map<string, string> | undefined {
  const values = new Map<string, string>()
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i]!
    const text = given[i]!
    if (typeof segment === 'string') {
      if (segment !== text) return undefined
      continue
    }
    const { before, after, name } = segment
    if (text.length <= before.length + after.length || !text.startsWith(before) || !text.endsWith(after)) return undefined
    values.set(name, text.slice(before.length, text.length - after.length))
  }
  return values
}
