import type { Category, PatternRule, Rule, Severity } from '../rules/rule.ts'
import { points } from '../rules/rule.ts'
import type { Matcher } from './match.ts'
import { compileMatcher } from './match.ts'
import type { Collector, Target } from './request.ts'
import { targets } from './request.ts'

/** What the engine is built from. */
export interface EngineOptions {
  readonly rules: readonly Rule[]
  readonly paranoia: number
  /** Ids of rules that are off. */
  readonly disabled: readonly string[]
  /** Score from which an exchange is refused. */
  readonly threshold: number
  /** Characters inspected in one exchange. */
  readonly maxCharacters: number
  /** Values inspected in one exchange. */
  readonly maxValues: number
}

/** Compiled rules. Immutable; a new configuration makes a new one. */
export interface Engine {
  readonly options: EngineOptions
  readonly matcher: Matcher
  /** Active rules without a pattern, by id. */
  readonly checks: ReadonlyMap<string, Rule>
}

export function createEngine (options: EngineOptions): Engine {
  const active = options.rules.filter((rule) => rule.paranoia <= options.paranoia && !options.disabled.includes(rule.id))
  const patterns = active.filter((rule): rule is PatternRule => 'pattern' in rule)
  const checks = new Map(active.filter((rule) => 'check' in rule).map((rule) => [rule.id, rule]))
  return { options, matcher: compileMatcher(patterns, targets), checks }
}

/** A rule that matched, with the first place where it did. */
export interface Hit {
  readonly rule: Rule
  readonly target: Target | 'request'
  /** Client input, for the audit trail: cut to 64 characters, control characters replaced. Never the value. */
  readonly name: string
}

export interface Verdict {
  readonly score: number
  readonly blocked: boolean
  readonly hits: readonly Hit[]
  /** Category with the most points. */
  readonly category: Category | undefined
  readonly severity: Severity | undefined
}

const none: ReadonlySet<string> = new Set()

/** The score of one exchange: header and body phase add to the same one. */
export class Inspection implements Collector {
  readonly #engine: Engine
  /** Ids of rules that are off for this exchange. */
  readonly #off: ReadonlySet<string>
  readonly #hits = new Map<string, Hit>()
  #score = 0
  #values = 0
  #characters = 0

  constructor (engine: Engine, off: ReadonlySet<string> = none) {
    this.#engine = engine
    this.#off = off
  }

  value (target: Target, name: string, text: string): boolean {
    const { options, matcher } = this.#engine
    if (++this.#values > options.maxValues) {
      this.anomaly('limit-values')
      return false
    }
    this.#characters += text.length
    if (this.#characters > options.maxCharacters) {
      this.anomaly('limit-bytes')
      return false
    }
    // A score never falls: once it is reached, more evidence costs time and changes nothing.
    if (this.#score >= options.threshold) return false
    const { rules, tooDeep } = matcher.match(target, text, this.#off.size === 0 ? options.threshold : Infinity)
    for (const rule of rules) this.#add(rule, target, name)
    if (tooDeep) this.anomaly('encoding-too-deep')
    return true
  }

  anomaly (check: string): void {
    const rule = this.#engine.checks.get(check)
    if (rule !== undefined) this.#add(rule, 'request', '')
  }

  verdict (): Verdict {
    const hits = [...this.#hits.values()]
    const byCategory = new Map<Category, number>()
    let severity: Severity | undefined
    for (const { rule } of hits) {
      byCategory.set(rule.category, (byCategory.get(rule.category) ?? 0) + points[rule.severity])
      if (severity === undefined || points[rule.severity] > points[severity]) severity = rule.severity
    }
    const category = [...byCategory].reduce<[Category, number] | undefined>((best, entry) =>
      best === undefined || entry[1] > best[1] ? entry : best, undefined)?.[0]
    return { score: this.#score, blocked: this.#score >= this.#engine.options.threshold, hits, category, severity }
  }

  /** A rule counts once per exchange, however often it matches: long texts are not worse than short ones. */
  #add (rule: Rule, target: Target | 'request', name: string): void {
    if (this.#hits.has(rule.id) || this.#off.has(rule.id)) return
    this.#score += points[rule.severity]
    this.#hits.set(rule.id, { rule, target, name: name.slice(0, 64).replace(/[^\x20-\x7e]/g, '?') })
  }
}
