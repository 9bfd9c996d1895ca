import { listed, nearest } from '../kdl/nearest.ts'
import { placeElsewhere } from './elsewhere.ts'
import type { Fields } from './field.ts'
import type { KdlEntry } from '../kdl/nodes.ts'
import { shown } from '../kdl/nodes.ts'
import type { Position, Problem, ProblemCode, Severity } from '../kdl/position.ts'

interface Reference {
  readonly kinds: readonly string[]
  readonly entry: KdlEntry
  readonly id: string
  readonly scope: string
}

/** Collects what is wrong, what is named and what is referred to, while a configuration is read. */
export class Report {
  readonly problems: Problem[] = []
  /** How many of the problems are errors. */
  errors = 0
  readonly #whole: Fields | undefined
  readonly #names = new Map<string, Map<string, Position>>()
  readonly #references: Reference[] = []

  /** `whole` is what is read altogether: a setting in the wrong block is told where it belongs. */
  constructor (whole?: Fields) {
    this.#whole = whole
  }

  add (severity: Severity, code: ProblemCode, message: string, position: Position, more: Pick<Problem, 'hint' | 'related'> = {}): void {
    if (severity === 'error') this.errors++
    this.problems.push({ severity, code, message, position, ...more })
  }

  error (code: ProblemCode, message: string, position: Position, hint?: string): void {
    this.add('error', code, message, position, hint === undefined ? {} : { hint })
  }

  warning (code: ProblemCode, message: string, position: Position, hint?: string): void {
    this.add('warning', code, message, position, hint === undefined ? {} : { hint })
  }

  note (code: ProblemCode, message: string, position: Position, hint?: string): void {
    this.add('note', code, message, position, hint === undefined ? {} : { hint })
  }

  /** Two things of one kind must not share a name: the later one is the mistake. */
  define (kind: string, id: string, at: Position): void {
    let names = this.#names.get(kind)
    if (names === undefined) this.#names.set(kind, names = new Map())
    const first = names.get(id)
    if (first === undefined) {
      names.set(id, at)
      return
    }
    this.add('error', 'CONFIG_DUPLICATE_ID', `there are two ${kind}s named '${id}'`, at, { related: { message: 'the first one is', position: first } })
  }

  /** A name to be looked up when everything is read. The first of the kinds is what a message calls it. */
  refer (kinds: readonly string[], entry: KdlEntry, id: string, scope: string): void {
    this.#references.push({ kinds, entry, id, scope })
  }

  /** Where a setting of this name stands in the language, as a hint. */
  placeOf (name: string): string | undefined {
    return this.#whole === undefined ? undefined : placeElsewhere(name, this.#whole)
  }

  /** Whether something refers to a thing of this kind that does not exist; known after `resolveReferences`. */
  dangling (kind: string): boolean {
    return this.#references.some(({ kinds, id }) => kinds.includes(kind) && !kinds.some(each => this.names(each).has(id)))
  }

  /** Ids of one kind that something refers to. */
  referred (kind: string): ReadonlySet<string> {
    // Where a name could be of several kinds, it is of the first that has it.
    return new Set(this.#references.filter(({ kinds, id }) => kinds.find(each => this.names(each).has(id)) === kind).map(({ id }) => id))
  }

  names (kind: string): ReadonlyMap<string, Position> {
    return this.#names.get(kind) ?? new Map()
  }

  /** To be called once, when everything is read. */
  resolveReferences (): void {
    for (const { kinds, entry, id, scope } of this.#references) {
      if (kinds.some(kind => this.names(kind).has(id))) continue
      const known = kinds.flatMap(kind => [...this.names(kind).keys()])
      const what = kinds[0] ?? ''
      const name = entry.written === undefined ? `'${id}'` : shown(entry)
      this.error('CONFIG_UNKNOWN_REFERENCE', `${scope} references ${what} ${name}, which doesn't exist`, entry.at, referenceHint(id, what, known, entry))
    }
  }
}

function referenceHint (id: string, what: string, known: readonly string[], entry: KdlEntry): string {
  if (known.length === 0) return `there is no ${what} in this configuration`
  const near = entry.written === undefined ? nearest(id, known) : undefined
  const meant = near === undefined ? '' : `did you mean '${near}'? `
  return `${meant}there ${known.length === 1 ? 'is' : 'are'}: ${listed(known)}`
}
