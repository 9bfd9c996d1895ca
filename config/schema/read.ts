import { dirname } from 'node:path'
import type { KdlEntry, KdlNode } from '../kdl/nodes.ts'
import type { JsonValue } from '../kdl/json.ts'
import { argumentsKey } from '../kdl/json.ts'
import type { Position } from '../kdl/position.ts'
import { readBlock, wholeScope } from './blocks.ts'
import type { Fields, Infer } from './field.ts'
import { Report } from './report.ts'

/** Reads a whole document. Problems go to `report`; the value counts only when there is no error among them. References are the caller's to resolve. */
export function readFields<F extends Fields> (fields: F, nodes: readonly KdlNode[], report: Report, file: string): Infer<F> {
  const at: Position = { file, line: 1, column: 1, length: 1 }
  return readBlock<F, Infer<F>, Infer<F>>(fields, { name: '', at, args: [], props: [], children: nodes }, { name: '', at, scope: wholeScope, folder: dirname(file), report })
}

export interface PathProblem {
  /** Names as in the JSON; elements of arrays by their index. Empty for the whole. */
  readonly path: string[]
  readonly message: string
  readonly hint?: string
}

/**
 * The same fields from JSON: what an agent gets from its `config { … }` block. One engine reads both, so that both say the same.
 * A plain value is taken where a list is wanted. Paths stay as they are: an agent has no folder of its own.
 */
export function readJson<F extends Fields> (fields: F, value: JsonValue): { value: Infer<F>, problems?: never } | { value?: never, problems: PathProblem[] } {
  const paths = new Map<Position, string[]>()
  const placed = (path: string[]): Position => {
    const at: Position = { file: '', line: 0, column: 0, length: 0 }
    paths.set(at, path)
    return at
  }
  const at = placed([])
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return { problems: [{ path: [], message: 'the configuration must be an object' }] }
  const report = new Report()
  const children = nodesOfMembers(value, [], placed)
  const read = readBlock<F, Infer<F>, Infer<F>>(fields, { name: '', at, args: [], props: [], children }, { name: '', at, scope: wholeScope, folder: '.', report })
  const problems = report.problems.filter(problem => problem.severity === 'error')
    .map(({ message, hint, position }) => ({ path: paths.get(position) ?? [], message, ...(hint === undefined ? {} : { hint }) }))
  return problems.length > 0 ? { problems } : { value: read }
}

type Placed = (path: string[]) => Position

function nodesOfMembers (members: { [name: string]: JsonValue }, path: string[], placed: Placed): KdlNode[] {
  return Object.entries(members).flatMap(([name, value]) => nodesOf(name, value, [...path, name], placed))
}

function nodesOf (name: string, value: JsonValue, path: string[], placed: Placed): KdlNode[] {
  const at = placed(path)
  if (!Array.isArray(value)) {
    if (value === null || typeof value !== 'object') return [{ name, at, args: [entryOf(value, at)], props: [], children: undefined }]
    const { [argumentsKey]: args, ...members } = value
    return [{ name, at, args: args === undefined ? [] : entriesOf(args, [...path, argumentsKey], placed), props: [], children: nodesOfMembers(members, path, placed) }]
  }
  if (value.every(element => element === null || typeof element !== 'object')) return [{ name, at, args: entriesOf(value, path, placed), props: [], children: undefined }]
  return value.flatMap((element, index) => nodesOf(name, element, [...path, String(index)], placed))
}

function entriesOf (value: JsonValue, path: string[], placed: Placed): KdlEntry[] {
  if (Array.isArray(value)) return value.map((element, index) => entryOf(element, placed([...path, String(index)])))
  return [entryOf(value, placed(path))]
}

/** Texts may come from the environment, where numbers and booleans have quotes: `written` makes the types take them. */
function entryOf (value: JsonValue, at: Position): KdlEntry {
  if (value !== null && typeof value === 'object') return { value: JSON.stringify(value), at }
  return { value, at }
}
