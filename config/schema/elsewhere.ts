import { listed, nearest } from '../kdl/nearest.ts'
import type { Fields } from './field.ts'
import { settingName } from './field.ts'

const indexes = new WeakMap<Fields, ReadonlyMap<string, readonly string[]>>()

/** Where else a setting of this name stands, or of one that is very near to it: as a hint. */
export function placeElsewhere (name: string, whole: Fields): string | undefined {
  let index = indexes.get(whole)
  if (index === undefined) indexes.set(whole, index = indexOf(whole))
  const found = index.has(name) ? name : name.length < 5 ? undefined : nearest(name, index.keys())
  const places = found === undefined ? [] : index.get(found) ?? []
  // A name that stands everywhere says nothing about where it was meant to stand.
  if (places.length === 0 || places.length > 5) return undefined
  if (places.length === 1 && places[0] === '') return found === name ? 'it stands at the top level' : `did you mean '${found}' at the top level?`
  const blocks = listed(places.map(place => place === '' ? 'the top level' : `'${place}'`), 3)
  return found === name ? `it belongs in ${blocks}` : `did you mean '${found}' of ${blocks}?`
}

function indexOf (whole: Fields): ReadonlyMap<string, readonly string[]> {
  const index = new Map<string, string[]>()
  const walk = (fields: Fields, path: readonly string[]): void => {
    for (const [key, field] of Object.entries(fields)) {
      const { row } = field
      // What has no effect yet is no good advice, and its inside shares short names with everything. What stands inside of a namespace stands outside as well.
      if (row.notBuilt === true || row.kind === 'namespace') continue
      const name = settingName(key, field)
      for (const spelling of [name, ...row.aliases ?? []]) {
        index.set(spelling, [...index.get(spelling) ?? [], path.join(' › ')])
      }
      const inner = [...path, name, ...row.kind === undefined ? [] : [row.kind]]
      const variants = Object.entries(row.variants?.of ?? {}).filter(([word]) => row.variants?.notBuilt.includes(word) === false)
      for (const inside of [row.fields ?? {}, ...variants.map(([, of]) => of)]) walk(inside, inner)
    }
  }
  walk(whole, [])
  return index
}
