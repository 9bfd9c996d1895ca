import RE2 from 're2'
import { points } from '../rules/rule.ts'
import type { PatternRule } from '../rules/rule.ts'
import { decodeFully, isStillEncoded } from './decode.ts'
import type { Target } from './request.ts'
import { transformations } from './transform.ts'
import type { Transformation } from './transform.ts'

/** What one value set off. */
export interface Matches {
  readonly rules: readonly PatternRule[]
  /** Decoding stopped at its bound, so nobody knows what the value says. */
  readonly tooDeep: boolean
}

export interface Matcher {
  /** `enough`: points from which nothing more has to be found, because the verdict is out. */
  match (target: Target, text: string, enough: number): Matches
}

/** A step of the transformations; `chains` has a bit for every chain that goes through it. */
interface Step {
  readonly name: Transformation
  chains: number
  readonly next: Step[]
}

interface View {
  readonly text: string
  readonly chains: number
}

/** Rules from number `first` on, in one RE2 set: the whole table exceeds the memory that RE2 gives a set at high levels. */
interface Part {
  readonly first: number
  readonly set: InstanceType<typeof RE2.Set>
}

/**
 * The rules of one or more targets, compiled: a tree of transformations whose distinct results are each matched once
 * against one RE2 set, whatever the number of rules.
 */
interface Lane {
  readonly rules: readonly PatternRule[]
  /** Whether rule `i` looks at the target at all. */
  readonly wanted: readonly boolean[]
  /** Bit of the chain that rule `i` asks for. */
  readonly chainOf: readonly number[]
  readonly steps: readonly Step[]
  readonly sets: readonly Part[]
  /** One expression per rule, built only if the set runs out of memory on some text. */
  readonly singles: RegExp[]
  /** Results of short header values, which repeat from request to request. */
  readonly memo: Map<string, Matches>
}

const nothing: Matches = { rules: [], tooDeep: false }
const memoEntries = 1024
const memoLength = 512

/** Compiles what is active. Throws when a pattern is not RE2. */
export function compileMatcher (rules: readonly PatternRule[], targets: readonly Target[]): Matcher {
  const lanes = new Map<Target, Lane>()
  let whole: Lane | undefined
  for (const target of targets) {
    const active = rules.filter((rule) => rule.targets.includes(target))
    if (active.length === 0) continue
    // A set costs a tenth of a second to compile and about the same to run whatever its size: most targets share one.
    if (active.length > rules.length / 2) whole ??= compileLane(rules)
    const lane = active.length > rules.length / 2 ? whole! : compileLane(active)
    lanes.set(target, { ...lane, wanted: lane.rules.map((rule) => rule.targets.includes(target)), memo: new Map() })
  }
  return {
    match (target, text, enough) {
      const lane = lanes.get(target)
      if (lane === undefined || text === '') return nothing
      return isRepeated(target, text) ? remembered(lane, text) : matchLane(lane, text, enough)
    }
  }
}

function compileLane (rules: readonly PatternRule[]): Lane {
  const chains: string[] = []
  const root: Step = { name: 'decode', chains: 0, next: [] }
  const chainOf = rules.map((rule) => {
    const key = rule.transformations.join(' ')
    let index = chains.indexOf(key)
    if (index < 0) {
      index = chains.push(key) - 1
      // A bit mask of 31 bits: the table uses about a dozen chains.
      if (index > 30) throw new Error('too many different chains of transformations')
      addChain(root, rule.transformations, 1 << index)
    }
    return 1 << index
  })
  const sets = compileSets(rules.map((rule) => rule.pattern), 0)
  return { rules, wanted: [], chainOf, steps: root.next, sets, singles: [], memo: new Map() }
}

/** As few sets as the memory of RE2 allows. */
function compileSets (patterns: readonly string[], first: number): Part[] {
  try {
    return [{ first, set: new RE2.Set([...patterns], 'is') }]
  } catch (error) {
    if (patterns.length < 2) throw error
    const half = Math.ceil(patterns.length / 2)
    return [...compileSets(patterns.slice(0, half), first), ...compileSets(patterns.slice(half), first + half)]
  }
}

function addChain (root: Step, names: readonly Transformation[], bit: number): void {
  let at = root
  for (const name of names) {
    let step = at.next.find((candidate) => candidate.name === name)
    if (step === undefined) at.next.push(step = { name, chains: 0, next: [] })
    step.chains |= bit
    at = step
  }
}

const repeatedTargets: ReadonlySet<Target> = new Set(['headers', 'user-agent', 'args-names', 'cookies-names'])

/** User agents, accept lists, names of fields and the like; values and cookies are never remembered. */
function isRepeated (target: Target, text: string): boolean {
  return text.length <= memoLength && repeatedTargets.has(target)
}

function remembered (lane: Lane, text: string): Matches {
  const known = lane.memo.get(text)
  if (known !== undefined) return known
  const found = matchLane(lane, text, Infinity)
  // Starting over is cheaper than keeping an order, and a client that fills it only loses its own time.
  if (lane.memo.size >= memoEntries) lane.memo.clear()
  lane.memo.set(text, found)
  return found
}

function matchLane (lane: Lane, text: string, enough: number): Matches {
  const views: View[] = [{ text, chains: -1 }]
  const tooDeep = collectViews(lane.steps, text, views)
  let found: Set<PatternRule> | undefined
  let sum = 0
  for (const view of views) {
    if (sum >= enough) break
    for (const index of matchSet(lane, view.text)) {
      if (!lane.wanted[index]! || (lane.chainOf[index]! & view.chains) === 0) continue
      const rule = lane.rules[index]!
      found ??= new Set()
      if (!found.has(rule)) sum += points[rule.severity]
      found.add(rule)
    }
  }
  return found === undefined && !tooDeep ? nothing : { rules: [...found ?? []], tooDeep }
}

/** Adds the text after every step that changed it. Returns whether decoding hit its bound. */
function collectViews (steps: readonly Step[], text: string, views: View[]): boolean {
  let tooDeep = false
  for (const step of steps) {
    let next: string
    if (step.name === 'decode') {
      // Every round is looked at: an application may stop after any of them.
      next = decodeFully(text, (decoded) => addView(views, decoded, step.chains))
      tooDeep ||= isStillEncoded(text, next)
    } else {
      next = transformations[step.name](text)
      if (next !== text) addView(views, next, step.chains)
    }
    tooDeep = collectViews(step.next, next, views) || tooDeep
  }
  return tooDeep
}

function addView (views: View[], text: string, chains: number): void {
  const same = views.findIndex((view) => view.text === text)
  if (same < 0) views.push({ text, chains })
  else views[same] = { text, chains: views[same]!.chains | chains }
}

/** Reused for short texts: handing RE2 bytes costs a quarter of handing it a string. Nobody keeps the result. */
const scratchLength = 4096
const scratch = Buffer.alloc(scratchLength * 3)

function utf8 (text: string): Buffer {
  return scratch.subarray(0, scratch.write(text, 'utf8'))
}

/** Indices of the patterns that match. A set that runs out of memory must not mean that nothing matched. */
function matchSet (lane: Lane, text: string): readonly number[] {
  try {
    const input = text.length <= scratchLength ? utf8(text) : text
    const { sets } = lane
    return sets.length === 1 ? sets[0]!.set.match(input) : sets.flatMap(({ first, set }) => set.match(input).map((index) => first + index))
  } catch {
    if (lane.singles.length === 0) lane.singles.push(...lane.rules.map((rule) => new RE2(rule.pattern, 'is')))
    const found: number[] = []
    lane.singles.forEach((single, index) => {
      single.lastIndex = 0
      if (single.test(text)) found.push(index)
    })
    return found
  }
}
