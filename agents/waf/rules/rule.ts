import type { Target } from '../engine/request.ts'
import type { Transformation } from '../engine/transform.ts'

export type Severity = 'critical' | 'error' | 'warning' | 'notice'

export const categories = [
  'sqli', 'xss', 'traversal', 'command', 'inclusion', 'template', 'jndi', 'xxe', 'ssrf', 'ldap', 'nosql', 'code', 'protocol', 'scanner', 'upload', 'custom'
] as const

export type Category = typeof categories[number]

interface RuleBase {
  /** Stable; what operators write in `rules-disabled` and read in evidence. */
  readonly id: string
  readonly description: string
  readonly category: Category
  readonly severity: Severity
  /** Active from this paranoia level up. */
  readonly paranoia: 1 | 2 | 3 | 4
}

/** Looks for `pattern` in the targets, after each step of the transformations. */
export interface PatternRule extends RuleBase {
  readonly targets: readonly Target[]
  readonly transformations: readonly Transformation[]
  /** RE2 syntax, matched without regard to case. */
  readonly pattern: string
}

/** Raised by a collector that met something about the form of a request: see `Collector.anomaly`. */
export interface CheckRule extends RuleBase {
  readonly check: true
}

export type Rule = PatternRule | CheckRule

/** Points that one matched rule adds to the score of the exchange. */
export const points: Readonly<Record<Severity, number>> = { critical: 5, error: 4, warning: 3, notice: 2 }

/** Everything a client fills with text. */
export const input: readonly Target[] = ['path', 'args', 'args-names', 'headers', 'user-agent', 'cookies', 'cookies-names', 'files', 'body']

export const text: readonly Transformation[] = ['decode', 'removeNulls', 'compressWhitespace']
export const sql: readonly Transformation[] = ['decode', 'removeNulls', 'sqlComments', 'compressWhitespace']
export const sqlJoined: readonly Transformation[] = ['decode', 'removeNulls', 'joinComments', 'compressWhitespace']
export const scheme: readonly Transformation[] = ['decode', 'removeNulls', 'removeWhitespace']
export const css: readonly Transformation[] = ['decode', 'removeNulls', 'cssDecode', 'compressWhitespace']
export const path: readonly Transformation[] = ['decode', 'removeNulls', 'normalisePath']
export const command: readonly Transformation[] = ['decode', 'removeNulls', 'commandLine']

type Row = readonly [id: string, severity: Severity, paranoia: 1 | 2 | 3 | 4, description: string, pattern: string]

/** Rules that share category, targets and transformations, from short rows. */
export function rows (
  shared: { category: Category, targets?: readonly Target[], transformations: readonly Transformation[] }, list: readonly Row[]
): PatternRule[] {
  const { category, targets = input, transformations } = shared
  return list.map(([id, severity, paranoia, description, pattern]) =>
    ({ id, category, targets, transformations, severity, paranoia, description, pattern }))
}
