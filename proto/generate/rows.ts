import type { Field, Message } from './schema.ts'

/** `bytes` that are text of an HTTP message: handed around as latin1, one char code per byte, which is what they came as. */
const latin1 = new Set([
  'HeaderEdit.name', 'HeaderEdit.value', 'RequestHeaders.raw_path', 'RequestHeaders.query',
  'Decision.rewrite_path', 'Decision.rewrite_query',
])

/** Message that has a shape of its own: never an object, only `FieldLines`. */
export const flattened = 'Header'

const zeros: Readonly<Record<string, string>> = {
  string: "''", latin1: "''", bytes: 'noBytes', bool: 'false', uint32: '0', uint64: '0', double: '0',
}

const tsTypes: Readonly<Record<string, string>> = {
  string: 'string', latin1: 'string', bytes: 'Buffer', bool: 'boolean', uint32: 'number', uint64: 'number', double: 'number',
}

/** Variables of the printed functions. */
const locals = new Set(['r', 'w', 'm', 'i', 'until', 'tag', 'last', 'mark'])

/** A field with everything the printer decided about it. */
export interface Row extends Field {
  /** Property in TypeScript. */
  readonly key: string
  /** Member of the oneof. */
  readonly choice: boolean
  readonly kind: 'scalar' | 'message' | 'enum' | 'lines' | 'entries'
  /** Name of the method of Reader and Writer. */
  readonly method: string
  readonly tag: number
}

export function rowOf (m: Message, f: Field, choice: boolean): Row {
  const kind = f.map ? 'entries' : f.type === flattened && f.repeated ? 'lines' : f.of
  const method = f.of === 'enum' ? 'uint32' : latin1.has(`${m.name}.${f.name}`) ? 'latin1' : f.type
  if (kind === 'scalar' && !(method in zeros)) throw new Error(`${m.name}.${f.name}: no reader for ${f.type}`)
  const wire = wireType(kind, method)
  const key = f.name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  const taken = locals.has(key) || m.choices.length > 0 && (key === 'kind' || key === 'value')
  if (taken) throw new Error(`${m.name}.${f.name}: the codec uses this name itself`)
  const packed = f.repeated && wire === 0
  return {
    ...f,
    choice,
    kind,
    method,
    key,
    tag: f.id << 3 | (packed ? 2 : wire),
  }
}

/** Numbers that a repeated field may hold packed. Writers pack them, readers take both. */
export function packable (row: Row): boolean {
  return row.kind === 'enum' || row.method === 'uint32'
}

export function typeOf (row: Row): string {
  if (row.kind === 'entries') return 'Entries'
  if (row.kind === 'lines') return 'FieldLines'
  const one = row.kind === 'scalar' ? tsTypes[row.method] ?? '' : row.type
  if (row.repeated) return `readonly ${one}[]`
  return row.optional || row.kind === 'message' && !row.choice ? `${one} | undefined` : one
}

export function zeroOf (row: Row): string {
  if (row.kind === 'entries') return 'noEntries'
  if (row.kind === 'lines' || row.repeated) return '[]'
  if (row.kind === 'message' || row.optional) return 'undefined'
  return row.kind === 'enum' ? `'${row.zeroWord}'` : zeros[row.method] ?? ''
}

export function lowerFirst (text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

function wireType (kind: Row['kind'], method: string): 0 | 1 | 2 {
  if (kind !== 'scalar' && kind !== 'enum') return 2
  if (method === 'string' || method === 'latin1' || method === 'bytes') return 2
  return method === 'double' ? 1 : 0
}
