import type { JsonObject, JsonValue } from '../kdl/json.ts'
import type { Position } from '../kdl/position.ts'
import { valueText } from './effective-print.ts'
import { givenValue, withheldText } from './effective-value.ts'
import type { Effective, EffectiveBlock, EffectiveSetting } from './effective.ts'
import { isSensitiveName } from './sensitive.ts'

/** What one configuration has otherwise than another. */
export interface Change {
  readonly kind: 'added' | 'removed' | 'changed' | 'moved'
  readonly path: string
  /** Names from the outside to here: `routes`, `route "api"`, `upstream`. */
  readonly scope: readonly string[]
  /** As KDL; of a block nothing. */
  readonly old?: string
  readonly new?: string
  /** Where it is written; `undefined` for a default. */
  readonly oldAt?: Position
  readonly newAt?: Position
  /** Of something moved: what it comes after now, and came after before; `undefined` for the first. */
  readonly after?: string
  readonly before?: string
  readonly inEffect: boolean
  /** One side leaves it out, and something beside it may have said the same. */
  readonly open?: true
}

/** Kinds of things whose order counts. Others are found by their names alone. */
const orderedKinds = new Set(['route', 'agent'])

/** Compares what two configurations mean: spelling, comments, order of settings, and defaults that are written out make no difference. */
export function compareEffective (old: readonly Effective[], next: readonly Effective[]): Change[] {
  return compareMembers(keyed(old), keyed(next), [])
}

type Keyed = ReadonlyMap<string, Effective>

function compareMembers (old: Keyed, next: Keyed, scope: readonly string[]): Change[] {
  const changes: Change[] = []
  for (const [key, before] of old) {
    const after = next.get(key)
    changes.push(...after === undefined ? gone(before, scope) : compareOne(before, after, scope))
  }
  for (const [key, member] of next) if (!old.has(key)) changes.push(...come(member, scope))
  return [...changes, ...moves(old, next, scope)]
}

function compareOne (before: Effective, after: Effective, scope: readonly string[]): Change[] {
  if (before.kind === 'setting' && after.kind === 'setting') return compareSettings(before, after, scope)
  if (before.kind === 'free' && after.kind === 'free') return compareFree(before.json, after.json, changed(before, after, scope), after.row.secret === true)
  if ((before.kind === 'block' || before.kind === 'group') && (after.kind === 'block' || after.kind === 'group')) {
    return compareMembers(keyed(before.members), keyed(after.members), [...scope, label(after)])
  }
  return [...gone(before, scope), ...come(after, scope)]
}

/** Down to the members that differ; a list is one member. */
function compareFree (old: JsonValue | undefined, now: JsonValue | undefined, here: Change, secret: boolean): Change[] {
  if (isObject(old) && isObject(now)) {
    const names = new Set([...Object.keys(old), ...Object.keys(now)])
    return [...names].flatMap(name => compareFree(Object.hasOwn(old, name) ? old[name] : undefined, Object.hasOwn(now, name) ? now[name] : undefined,
      { ...here, path: `${here.path}.${name}`, scope: [...here.scope, name] }, secret || isSensitiveName(name)))
  }
  if (JSON.stringify(old) === JSON.stringify(now)) return []
  const texts = [old, now].map(value => value === undefined ? undefined : JSON.stringify(secret ? withheldText : value, withoutSecrets))
  const { oldAt, newAt, ...rest } = here
  if (texts[0] === undefined) return [{ ...rest, kind: 'added', ...newAt === undefined ? {} : { newAt }, new: texts[1] ?? '' }]
  if (texts[1] === undefined) return [{ ...rest, kind: 'removed', ...oldAt === undefined ? {} : { oldAt }, old: texts[0] }]
  return [{ ...here, old: texts[0], new: texts[1] }]
}

/** For `JSON.stringify`: what stands under the name of a secret is not shown. */
function withoutSecrets (name: string, value: unknown): unknown {
  return isSensitiveName(name) ? withheldText : value
}

function isObject (value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function compareSettings (before: EffectiveSetting, after: EffectiveSetting, scope: readonly string[]): Change[] {
  const old = textOf(before)
  const now = textOf(after)
  if (before.open !== after.open) return [{ ...changed(before, after, scope), old, new: now, open: true }]
  if (comparable(before) === comparable(after)) return []
  const reordered = before.values.length > 1 && before.values.map(valueText).toSorted().join('\0') === after.values.map(valueText).toSorted().join('\0')
  return [{ ...changed(before, after, scope), ...reordered ? { kind: 'moved' as const } : {}, old, new: now }]
}

/** As `textOf`, with what a withheld value really is: never shown, only compared. */
function comparable ({ values }: EffectiveSetting): string {
  return values.map(value => value.hidden === 'withheld' ? `= ${JSON.stringify(givenValue(value))}` : valueText(value)).join(' ')
}

function textOf (setting: EffectiveSetting): string {
  return setting.values.map(valueText).join(' ')
}

function changed (before: Effective, after: Effective, scope: readonly string[]): Change {
  return { kind: 'changed', path: after.path, scope: [...scope, label(after)], ...places(before, after), inEffect: before.inEffect || after.inEffect }
}

function gone (member: Effective, scope: readonly string[]): Change[] {
  // A block of defaults that is left out is no loss; of a group its things are.
  if (member.kind === 'group') return member.members.flatMap(one => gone(one, [...scope, label(member)]))
  return [{ kind: 'removed', path: member.path, scope: [...scope, label(member)], ...places(member, undefined), ...oneText(member, 'old'), inEffect: member.inEffect }]
}

function come (member: Effective, scope: readonly string[]): Change[] {
  if (member.kind === 'group') return member.members.flatMap(one => come(one, [...scope, label(member)]))
  return [{ kind: 'added', path: member.path, scope: [...scope, label(member)], ...places(undefined, member), ...oneText(member, 'new'), inEffect: member.inEffect }]
}

function oneText (member: Effective, side: 'old' | 'new'): Pick<Change, 'old' | 'new'> {
  return member.kind === 'setting' ? { [side]: textOf(member) } : {}
}

function places (before: Effective | undefined, after: Effective | undefined): Pick<Change, 'oldAt' | 'newAt'> {
  return { ...before?.at === undefined ? {} : { oldAt: before.at }, ...after?.at === undefined ? {} : { newAt: after.at } }
}

/** What it is called among its neighbours. */
function label (member: Effective): string {
  if (member.kind === 'block' && member.id !== undefined) return `${member.name} ${JSON.stringify(member.id)}`
  if (member.kind !== 'block' || member.repeated !== true) return member.name
  const first = firstArg(member)
  return first === undefined ? member.name : `${member.name} ${first}`
}

function firstArg (block: EffectiveBlock): string | undefined {
  const [first] = (block.row.args ?? []).map(key => block.fields[key]?.row)
  const member = first === undefined ? undefined : block.members.find(one => one.row === first)
  return member?.kind === 'setting' ? textOf(member) : undefined
}

/** Members by what makes them the same in both: a name, an id, the first value of a block that stands several times, else its number. */
function keyed (members: readonly Effective[]): Keyed {
  const found = new Map<string, Effective>()
  const seen = new Map<string, number>()
  for (const member of members) {
    const name = label(member)
    const count = seen.get(name) ?? 0
    seen.set(name, count + 1)
    found.set(count === 0 ? name : `${name} #${count + 1}`, member)
  }
  return found
}

/** Things that stand elsewhere among those that both have: as few as explain the new order. */
function moves (old: Keyed, next: Keyed, scope: readonly string[]): Change[] {
  const counts = (member: Effective): boolean => member.kind === 'block' && (member.repeated === true || orderedKinds.has(member.thing ?? ''))
  const before = [...old].filter(([key, member]) => next.has(key) && counts(member)).map(([key]) => key)
  const after = [...next].filter(([key, member]) => old.has(key) && counts(member)).map(([key]) => key)
  if (before.length < 2 || before.every((key, index) => after[index] === key)) return []
  const ranks = new Map(before.map((key, index) => [key, index]))
  const kept = longestRise(after.map(key => ranks.get(key) ?? 0))
  return after.flatMap((key, index): Change[] => {
    const was = old.get(key)
    const is = next.get(key)
    if (kept.has(index) || was === undefined || is === undefined) return []
    const rank = ranks.get(key) ?? 0
    const neighbours = { ...index === 0 ? {} : { after: after[index - 1] ?? '' }, ...rank === 0 ? {} : { before: before[rank - 1] ?? '' } }
    return [{ kind: 'moved', path: is.path, scope: [...scope, label(is)], ...places(was, is), ...neighbours, inEffect: is.inEffect }]
  })
}

/** Indexes of one longest rising subsequence, by patience sorting. */
function longestRise (values: readonly number[]): Set<number> {
  const tails: number[] = []
  const previous: number[] = []
  values.forEach((value, index) => {
    let low = 0
    let high = tails.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((values[tails[middle] ?? 0] ?? 0) < value) low = middle + 1
      else high = middle
    }
    previous[index] = low === 0 ? -1 : tails[low - 1] ?? -1
    tails[low] = index
  })
  const kept = new Set<number>()
  for (let at = tails.at(-1) ?? -1; at >= 0; at = previous[at] ?? -1) kept.add(at)
  return kept
}
