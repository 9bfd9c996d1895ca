import type { JsonObject } from '../kdl/json.ts'
import { nearest } from '../kdl/nearest.ts'
import type { Field, Fields } from './field.ts'
import { settingName } from './field.ts'

/** A declaration and where it stands in the language. */
export interface PlacedRow {
  /** Names from the outside, with the kinds of things among them: `routes`, `route`, `matches`. */
  readonly path: readonly string[]
  readonly key: string
  readonly field: Field<unknown>
}

/** Every declaration of a language, each block before what is in it. */
export function * everyRow (fields: Fields, path: readonly string[] = []): Generator<PlacedRow> {
  for (const [key, field] of Object.entries(fields)) {
    const { row } = field
    const name = row.direct === true ? row.kind ?? settingName(key, field) : settingName(key, field)
    const here = [...path, name]
    yield { path: here, key, field }
    const inner = row.kind === undefined || row.direct === true ? here : [...here, row.kind]
    yield * everyRow(row.fields ?? {}, inner)
    for (const [word, own] of Object.entries(row.variants?.of ?? {})) yield * everyRow(own, [...inner, word])
  }
}

export type FoundRow = { readonly found: PlacedRow } | { readonly found?: never, readonly hint: string | undefined }

/** The declaration that a path means: whole ("routes.route.matches"), without the kinds of things, or only its end where that is clear. */
export function findRow (fields: Fields, wanted: string): FoundRow {
  const words = wanted.split(/[.›\s]+/).filter(word => word !== '')
  const rows = [...everyRow(fields)]
  const exact = rows.find(({ path, field }) => path.join('.') === words.join('.') || [...path, field.row.kind].join('.') === words.join('.'))
  if (exact !== undefined) return { found: exact }
  const ending = rows.filter(row => endsWith(row, words))
  const [only] = ending
  // Namespaces hold the same declarations once more.
  if (only !== undefined && ending.every(({ field }) => field === only.field)) return { found: only }
  if (only !== undefined) return { hint: `there are several: ${ending.slice(0, 8).map(({ path }) => path.join('.')).join(', ')}${ending.length > 8 ? ', …' : ''}` }
  const near = nearest(words.join('.'), rows.map(({ path }) => path.join('.'))) ?? nearest(words.at(-1) ?? '', rows.map(({ path }) => path.at(-1) ?? ''))
  return { hint: near === undefined ? undefined : `did you mean '${near}'?` }
}

/** Whether the words are the path's end; kinds and variants in between may be left out, and the last may be another spelling. */
function endsWith ({ path, field: { row } }: PlacedRow, words: readonly string[]): boolean {
  const last = words.at(-1)
  if (last === undefined || (last !== path.at(-1) && last !== row.kind && row.aliases?.includes(last) !== true)) return false
  let at = path.length - 2
  for (const word of words.slice(0, -1).toReversed()) {
    while (at >= 0 && path[at] !== word) at--
    if (at < 0) return false
    at--
  }
  return true
}

/** Everything about a declaration and what is in it, as JSON. */
export function rowJson ({ path, field }: PlacedRow): JsonObject {
  const { row } = field
  const inner = row.kind === undefined || row.direct === true ? path : [...path, row.kind]
  const inside = (fields: Fields, at: readonly string[]): JsonObject[] =>
    Object.entries(fields).map(([key, one]) => rowJson({ path: [...at, settingName(key, one)], key, field: one }))
  const { type } = row
  const variants = Object.entries(row.variants?.of ?? {})
  const optional: Record<string, JsonObject[string] | undefined> = {
    type: type?.name, expected: type?.expected, example: row.example ?? type?.example, default: row.default, required: row.required === true ? true : undefined,
    words: type?.words === undefined ? undefined : [...type.words],
    wordsNotInEffect: type?.notBuiltWords === undefined ? undefined : [...type.notBuiltWords],
    aliases: row.aliases === undefined ? undefined : [...row.aliases], kind: row.kind, since: row.since, secret: row.secret,
    settings: row.fields === undefined ? undefined : inside(row.fields, inner),
    variants: row.variants === undefined ? undefined : Object.fromEntries(variants.map(([word, own]) => [word, inside(own, [...inner, word])])),
  }
  const given = Object.entries(optional).flatMap(([name, value]): [string, JsonObject[string]][] => value === undefined ? [] : [[name, value]])
  return { path: path.join('.'), shape: row.shape, doc: row.doc, inEffect: row.notBuilt !== true, ...Object.fromEntries(given) }
}
