import { dirname, resolve } from 'node:path'
import type { KdlEntry, KdlNode } from '../kdl/nodes.ts'
import type { JsonValue } from '../kdl/json.ts'
import { argumentsKey } from '../kdl/json.ts'
import type { Position } from '../kdl/position.ts'
import { readBlock, wholeScope } from './read-block.ts'
import type { Fields, Infer, OlderForms } from './field.ts'
import { unreadable } from './field.ts'
import { Report } from './report.ts'

/**
 * Reads a whole document. Problems go to `report`: the value counts only when there is no error among them, and may be missing otherwise.
 * References are the caller's to resolve.
 */
export function readFields<F extends Fields> (
  fields: F, nodes: readonly KdlNode[], report: Report, file: string, options: { readonly textOnly?: boolean, readonly older?: OlderForms } = {},
): Infer<F> | undefined {
  const at: Position = { file, line: 1, column: 1, length: 1 }
  const content = { name: '', at, args: [], props: [], children: nodes }
  const place = { name: '', at, scope: wholeScope, id: '', names: '', folderOf: folders(), textOnly: options.textOnly === true, report, excused: false }
  const read = readBlock<F, Infer<F>, Infer<F>>(fields, content, place, options.older === undefined ? {} : { older: options.older })
  return read === unreadable ? undefined : read
}

/** Absolute folders of files, each worked out once. */
function folders (): (file: string) => string {
  const known = new Map<string, string>()
  return file => {
    let folder = known.get(file)
    if (folder === undefined) known.set(file, folder = dirname(resolve(file)))
    return folder
  }
}

export type FromJson<F extends Fields> =
  | { readonly value: Infer<F>, readonly problems?: never }
  | { readonly value?: never, readonly problems: PathProblem[] }

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
export function readJson<F extends Fields> (fields: F, value: JsonValue): FromJson<F> {
  const paths = new Map<Position, string[]>()
  const placed = (path: string[]): Position => {
    const at: Position = { file: '', line: 0, column: 0, length: 0 }
    paths.set(at, path)
    return at
  }
  const at = placed([])
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return { problems: [{ path: [], message: 'the configuration must be an object' }] }
  const report = new Report()
  const content = { name: '', at, args: [], props: [], children: nodesOfMembers(value, [], placed) }
  const place = { name: '', at, scope: wholeScope, id: '', names: '', folderOf: () => '.', textOnly: false, report, excused: false }
  const read = readBlock<F, Infer<F>, Infer<F>>(fields, content, place)
  const problems = report.problems.filter(problem => problem.severity === 'error')
    .map(({ message, hint, position }) => ({ path: paths.get(position) ?? [], message, ...(hint === undefined ? {} : { hint }) }))
  return problems.length > 0 || read === unreadable ? { problems } : { value: read }
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
    const entries = args === undefined ? [] : entriesOf(args, [...path, argumentsKey], placed)
    return [{ name, at, args: entries, props: [], children: nodesOfMembers(members, path, placed) }]
  }
  const plain = value.every(element => element === null || typeof element !== 'object')
  if (plain) return [{ name, at, args: entriesOf(value, path, placed), props: [], children: undefined }]
  return value.flatMap((element, index) => nodesOf(name, element, [...path, String(index)], placed))
}

function entriesOf (value: JsonValue, path: string[], placed: Placed): KdlEntry[] {
  if (Array.isArray(value)) return value.map((element, index) => entryOf(element, placed([...path, String(index)])))
  return [entryOf(value, placed(path))]
}

/** What is nested deeper than a value can be stays readable in the message about it. */
function entryOf (value: JsonValue, at: Position): KdlEntry {
  if (value !== null && typeof value === 'object') return { value: JSON.stringify(value), at }
  return { value, at }
}
