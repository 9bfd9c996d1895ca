import type { Position } from '../kdl/position.ts'
import { valueText } from './effective-print.ts'
import type { Effective } from './effective.ts'
import type { Field, Fields } from './field.ts'
import type { PlacedRow } from './find-row.ts'
import { everyRow } from './find-row.ts'

/** Part of the language that is accepted and has no effect in this version. */
export interface Unbuilt {
  readonly kind: 'block' | 'setting' | 'variant' | 'word'
  /** `routes.route.retry-policy`; of a word or variant that of its setting. */
  readonly path: string
  readonly word?: string
  readonly doc: string
}

/**
 * Everything of a language that is not built, from its declarations. A block that is not built stands for all that is in it. What has
 * nothing to do for good (`inert`) is not on the list, and what namespaces hold once more stands on it once.
 */
export function unbuilt (fields: Fields): Unbuilt[] {
  const seen = new Map<Field<unknown>, Set<string | undefined>>()
  return [...everyUnbuilt(fields)].flatMap(({ field, ...one }) => {
    const words = seen.get(field) ?? new Set()
    seen.set(field, words)
    if (words.has(one.word)) return []
    words.add(one.word)
    return [one]
  })
}

function * everyUnbuilt (fields: Fields): Generator<Unbuilt & { readonly field: Field<unknown> }> {
  const closed: string[] = []
  for (const { path: names, field } of everyRow(fields)) {
    const { row } = field
    const path = names.join('.')
    if (closed.some(outer => path.startsWith(outer)) || row.inert !== undefined) continue
    if (row.notBuilt === true) {
      closed.push(`${path}.`)
      yield { kind: row.fields === undefined && row.shape !== 'anything' && row.shape !== 'json' && row.shape !== 'map' ? 'setting' : 'block', path, doc: row.doc, field }
      continue
    }
    for (const word of row.type?.notBuiltWords ?? []) yield { kind: 'word', path, word, doc: row.doc, field }
    for (const word of row.variants?.notBuilt ?? []) {
      const inner = [path, row.kind].join('.')
      closed.push(`${inner}.${word}.`)
      yield { kind: 'variant', path: `${inner}.${row.variants?.tag ?? 'type'}`, word, doc: row.doc, field }
    }
  }
}

/** Every declaration that is in effect, but those in it that are not. */
export function builtRows (fields: Fields): PlacedRow[] {
  const closed = [...everyUnbuilt(fields)].flatMap(({ kind, path, word }) => kind === 'word' ? [] : [kind === 'variant' ? `${path.slice(0, path.lastIndexOf('.'))}.${word ?? ''}` : path])
  return [...everyRow(fields)].filter(({ path, field }) => {
    const name = path.join('.')
    return field.row.inert === undefined && !closed.some(outer => name === outer || name.startsWith(`${outer}.`))
  })
}

/**
 * Where the typed value would have what is not built, in the form of `watchReads`: `routes[].retryPolicy`. Nobody may look there.
 * Under a variant, the settings of the others may have the same name: those are left out.
 */
export function unbuiltKeys (fields: Fields, path = ''): string[] {
  return Object.entries(fields).flatMap(([key, { row }]): string[] => {
    const here = `${path === '' ? '' : `${path}.`}${key}`
    if (row.notBuilt === true) return [here]
    const inner = row.shape === 'blocks' ? `${here}[]` : here
    const common = unbuiltKeys(row.fields ?? {}, inner)
    const built = Object.entries(row.variants?.of ?? {}).filter(([word]) => row.variants?.notBuilt.includes(word) !== true).map(([, own]) => own)
    const alive = new Set(built.flatMap(own => Object.entries(own).filter(([, field]) => field.row.notBuilt !== true).map(([name]) => `${inner}.${name}`)))
    return [...common, ...built.flatMap(own => unbuiltKeys(own, inner)).filter(name => !alive.has(name))]
  })
}

export interface UnbuiltInFile {
  readonly path: string
  readonly doc: string
  readonly at: Position
  /** What happens in its place. */
  readonly instead?: string
}

/** What a configuration gives and this version does not put into effect. A block stands for all that is in it. */
export function unbuiltIn (tree: readonly Effective[]): UnbuiltInFile[] {
  return tree.flatMap((member): UnbuiltInFile[] => {
    if (member.row.inert !== undefined) return []
    const { path, at, row: { doc } } = member
    if (member.inEffect || at === undefined) return member.kind === 'block' || member.kind === 'group' ? unbuiltIn(member.members) : []
    const value = member.kind === 'setting' ? member.values.find(({ notBuilt }) => notBuilt !== undefined) : undefined
    if (value === undefined) return [{ path, doc, at }]
    return [{ path: `${path} ${valueText(value)}`, doc, at: value.at ?? at, ...value.notBuilt === undefined ? {} : { instead: value.notBuilt } }]
  })
}
