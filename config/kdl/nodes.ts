import type { Position } from './position.ts'

export type KdlValue = string | number | boolean | null

export interface KdlEntry {
  readonly value: KdlValue
  readonly at: Position
  /** Type annotation, as in `(u8)5`. */
  readonly tag?: string
  /** What stood in the file where some of the value came from the environment or another file: shown instead of the value. */
  readonly written?: string
  /** Facts about requests that it names, such as `client.ip`; each stands in the value between `variableMarks`. */
  readonly variables?: readonly string[]
  /** A problem of it was reported already: nobody should look at the value. */
  readonly unusable?: true
}

/** Begin and end of a variable inside a value: characters that no setting may have. */
export const variableMarks = ['\u0001', '\u0002'] as const

export interface KdlProp extends KdlEntry {
  readonly name: string
  /** Position of the name; `at` is the value's. */
  readonly nameAt: Position
}

/** A node with everything it says and where. Properties are kept in order and with repetitions. */
export interface KdlNode {
  readonly name: string
  readonly tag?: string
  /** Position of the name. */
  readonly at: Position
  readonly args: readonly KdlEntry[]
  readonly props: readonly KdlProp[]
  /** `undefined` when there is no block at all. */
  readonly children: readonly KdlNode[] | undefined
  /** Made from a value right after the name of this node, in the place of a setting in its block. */
  readonly shortOf?: string
}

/** A value as a message may show it: long ones cut, environment values as they were written. */
export function shown (entry: Pick<KdlEntry, 'value' | 'written'>): string {
  if (entry.written !== undefined) return `the value of "${entry.written}"`
  if (typeof entry.value === 'string') return JSON.stringify(entry.value.length > 60 ? `${entry.value.slice(0, 57)}...` : entry.value)
  if (entry.value === null) return '#null'
  if (typeof entry.value === 'boolean') return entry.value ? '#true' : '#false'
  return String(entry.value)
}
