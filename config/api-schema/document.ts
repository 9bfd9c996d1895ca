import { parseDocument, isMap, isSeq, isScalar, LineCounter, type Document, type Node, type Pair } from 'yaml'
import type { JsonValue } from '../kdl/json.ts'
import type { Position } from '../kdl/position.ts'

export type Path = readonly (string | number)[]

/** A text as JSON has it, and where everything in it stands. */
export interface ApiDocument {
  readonly root: JsonValue
  /** Of what `path` leads to; the nearest thing around it when the path goes on further. */
  positionOf (path: Path): Position
}

export interface Unreadable {
  readonly why: string
  readonly at: Position
}

/** References to one anchor, multiplied: what a few lines of YAML may unfold into. */
const maxAliasCount = 100
const maxDepth = 200

/** Reads YAML, of which JSON is a part. `at`: where the text begins when it is part of another file. */
export function readDocument (text: string, file: string, at?: Position): ApiDocument | Unreadable {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: true, uniqueKeys: true, logLevel: 'silent', prettyErrors: false })
  const place = (offset: number, length: number): Position => {
    if (at !== undefined) return at
    const { line, col } = lines.linePos(offset)
    return { file, line, column: col, length }
  }
  const [error] = document.errors
  if (error !== undefined) return { why: error.message.split('\n', 1)[0] ?? '', at: place(error.pos[0], Math.max(1, error.pos[1] - error.pos[0])) }
  try {
    const root = document.toJS({ maxAliasCount }) as JsonValue | undefined // YAML's core schema has no other values.
    if (root === undefined || isTooDeep(root, maxDepth)) return { why: root === undefined ? 'it is empty' : 'it is nested too deeply', at: place(0, 1) }
    return { root, positionOf: path => positionIn(document, path, place) }
  } catch (thrown) {
    return { why: thrown instanceof Error ? thrown.message : String(thrown), at: place(0, 1) }
  }
}

function isTooDeep (value: JsonValue, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return left === 0 || Object.values(value).some(member => isTooDeep(member, left - 1))
}

function positionIn (document: Document, path: Path, place: (offset: number, length: number) => Position): Position {
  let node: unknown = document.contents
  let found = rangeOf(node) ?? [0, 1]
  for (const step of path) {
    if (isMap(node)) {
      const pair: Pair<unknown, unknown> | undefined = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      if (pair === undefined) break
      found = rangeOf(pair.key) ?? found
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
      found = rangeOf(node) ?? found
    } else {
      break
    }
  }
  return place(found[0], Math.min(Math.max(1, found[1] - found[0]), 80))
}

function rangeOf (node: unknown): readonly [number, number] | undefined {
  const range = (node as Node | null | undefined)?.range
  return range === undefined || range === null ? undefined : [range[0], range[1]]
}
