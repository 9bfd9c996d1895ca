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
  if (places.length === 0) return undefined
  const blocks = listed(places.map(place => `'${place}'`), 3)
  return found === name ? `it belongs in ${blocks}` : `did you mean '${found}' of ${blocks}?`
}

function indexOf (whole: Fields): ReadonlyMap<string, readonly string[]> {
  const index = new Map<string, string[]>()
  const walk = (fields: Fields, path: readonly string[]): void => {
    for (const [key, field] of Object.entries(fields)) {
      const { row } = field
      // What stands inside of a namespace is what stands outside of one.
      if (row.kind === 'namespace') continue
      const name = settingName(key, field)
      for (const spelling of [name, ...row.aliases ?? []]) {
        if (path.length === 0 || row.notBuilt === true) continue
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
