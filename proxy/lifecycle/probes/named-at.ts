import { everyMember, valueText, type Effective, type EffectiveSetting } from '../../../config/schema/index.ts'
import type { Position } from '../../../config/sentinel/index.ts'

/** Finds the text of settings by places: what is shown of a configuration is what stands in it, never what the environment made of it. */
export interface NamedAt {
  /** The first value of one of these settings, in the block at a place or right there. */
  text (at: Position, names: readonly string[]): string | undefined
  setting (at: Position, names: readonly string[]): EffectiveSetting | undefined
}

export function namedAt (tree: readonly Effective[]): NamedAt {
  const byPlace = new Map<string, Effective[]>()
  const add = (at: Position, member: Effective): void => {
    const found = byPlace.get(key(at))
    if (found === undefined) byPlace.set(key(at), [member])
    else found.push(member)
  }
  for (const member of everyMember(tree)) {
    if (member.at !== undefined) add(member.at, member)
    const [value] = member.kind === 'setting' ? member.values : []
    if (value?.at !== undefined) add(value.at, member)
  }
  const setting = (at: Position, names: readonly string[]): EffectiveSetting | undefined => {
    for (const member of everyMember(byPlace.get(key(at)) ?? [])) {
      if (member.kind === 'setting' && names.includes(member.name) && member.at !== undefined) return member
    }
    return undefined
  }
  return {
    setting,
    text (at, names) {
      const [value] = setting(at, names)?.values ?? []
      return value === undefined ? undefined : valueText(value)
    },
  }
}

function key ({ file, line, column }: Position): string {
  return `${line}:${column}:${file}`
}
