import { listed, nearest } from '../kdl/nearest.ts'
import { placeElsewhere } from './elsewhere.ts'
import type { Fields, Place } from './field.ts'
import type { KdlEntry } from '../kdl/nodes.ts'
import { shown } from '../kdl/nodes.ts'
import type { Position, Problem, ProblemCode, Severity } from '../kdl/position.ts'

export { nearest }

/** A name that somebody wrote, of something that is declared elsewhere. */
export interface Reference {
  readonly kinds: readonly string[]
  readonly entry: KdlEntry
  readonly id: string
  /** Who refers, for the message. */
  readonly scope: string
  /** Namespace of whoever refers. */
  readonly names: string
  readonly exports: boolean
  readonly mentions: boolean
}

/** Collects what is wrong, what is named and what is referred to, while a configuration is read. */
export class Report {
  readonly problems: Problem[] = []
  /** How many of the problems are errors. */
  errors = 0
  readonly #whole: Fields | undefined
  readonly #names = new Map<string, Map<string, Position>>()
  /** In the order they were read. */
  readonly references: Reference[] = []
  /** Absolute paths of files that were read beside the configuration itself. */
  readonly files: string[] = []
  readonly #unread = new Set<string>()
  readonly #leftOut: LeftOut[] = []
  #absences: ReadonlyMap<Fields, ReadonlySet<string>> | undefined

  readonly #first: Report | undefined

  /**
   * `whole` is what is read altogether: a setting in the wrong block is told where it belongs. `first` is of the same text, read before: with
   * it, things of namespaces and what refers to them get full names.
   */
  constructor (whole?: Fields, first?: Report) {
    this.#whole = whole
    this.#first = first
  }

  /** The name that a thing has in the value of its block. */
  idOf (names: string, id: string): string {
    return this.#first === undefined ? id : qualified(names, id)
  }

  /** The name that a reference has in the value of its block: the full one of what it means. */
  meantBy (kinds: readonly string[], id: string, names: string, exports: boolean): string {
    return this.#first?.found({ kinds, id, names, exports })?.name ?? id
  }

  add (severity: Severity, code: ProblemCode, message: string, position: Position, more: Pick<Problem, 'hint' | 'related'> = {}): void {
    if (severity === 'error') this.errors++
    this.problems.push({ severity, code, message, position, ...more })
  }

  alsoRead (files: readonly string[]): void {
    this.files.push(...files)
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

  /** Two things of one kind must not share a name in one namespace: the later one is the mistake. */
  define (kind: string, id: string, at: Position, place: Pick<Place, 'names'>): void {
    let names = this.#names.get(kind)
    if (names === undefined) this.#names.set(kind, names = new Map())
    const full = qualified(place.names, id)
    const first = names.get(full)
    if (first === undefined) {
      names.set(full, at)
      return
    }
    this.add('error', 'CONFIG_DUPLICATE_ID', `there are two ${kind}s named '${id}'`, at, { related: { message: 'the first one is', position: first } })
  }

  /** A block's own checks asked whether a setting is given, and it is not. Only noted: hardly anybody asks for it later. */
  leftOut (fields: Fields, at: Position, key: string): void {
    this.#leftOut.push({ fields, at, key })
  }

  /** Whether leaving out this setting of the block at `at` may mean something else than writing its default. */
  readonly absenceCounts = (fields: Fields, at: Position, key: string): boolean => {
    this.#absences ??= absencesOf(this.#leftOut)
    return this.#absences.get(fields)?.has(placeAndKey(at, key)) === true
  }

  /** A name to be looked up when everything is read. The first of the kinds is what a message calls it. */
  refer (
    kinds: readonly string[], entry: KdlEntry, id: string, { scope, names }: Pick<Place, 'scope' | 'names'>,
    { exports, mentions }: Pick<Reference, 'exports' | 'mentions'> = { exports: false, mentions: false },
  ): void {
    this.references.push({ kinds, entry, id, scope, names, exports, mentions })
  }

  /** Where a setting of this name stands in the language, as a hint. */
  placeOf (name: string): string | undefined {
    return this.#whole === undefined ? undefined : placeElsewhere(name, this.#whole)
  }

  /** Something refers to a thing of one of these kinds by a text that could not be read: the reason was reported. */
  unreadable (kinds: readonly string[]): void {
    for (const kind of kinds) this.#unread.add(kind)
  }

  /** Whether something refers to a thing of this kind that does not exist or is not known; known after `resolveReferences`. */
  dangling (kind: string): boolean {
    return this.#unread.has(kind) || this.references.some(reference => reference.kinds.includes(kind) && this.found(reference) === undefined)
  }

  /** Names of one kind that something refers to, with their namespace. `exports`: whether letting others use it is enough. */
  referred (kind: string, exports = true): ReadonlySet<string> {
    return new Set(this.references.flatMap(reference => {
      if (reference.exports && !exports) return []
      const found = reference.mentions ? undefined : this.found(reference)
      return found?.kind === kind ? [found.name] : []
    }))
  }

  /** Names of one kind, with their namespace: "api", "tenant:api", "tenant:service:api". */
  names (kind: string): ReadonlyMap<string, Position> {
    return this.#names.get(kind) ?? new Map()
  }

  /** To be called once, when everything is read. */
  resolveReferences (): void {
    this.#sayTwice()
    for (const reference of this.references) {
      const { kinds, entry, id, scope } = reference
      const found = this.found(reference)
      if (found !== undefined) {
        if (!this.#open(found.kind, found.name, reference)) this.#sayPrivate(found, reference)
        continue
      }
      const known = kinds.flatMap(kind => this.visible(kind, reference))
      const what = kinds[0] ?? ''
      const name = entry.written === undefined ? `'${id}'` : shown(entry)
      this.error('CONFIG_UNKNOWN_REFERENCE', `${scope} references ${what} ${name}, which doesn't exist`, entry.at, referenceHint(id, what, known, entry))
    }
  }

  /** Kinds of which something has a name. */
  kinds (): Iterable<string> {
    return this.#names.keys()
  }

  /** What a name refers to, by its full name. Where it could be of several kinds, it is of the first that has it. */
  found (reference: Name): Found | undefined {
    for (const kind of reference.kinds) {
      const name = this.#named(kind, reference) ?? (reference.exports ? undefined : this.#exported(kind, reference.id))
      if (name !== undefined) return { kind, name }
    }
    return undefined
  }

  #named (kind: string, reference: Name): string | undefined {
    const names = this.names(kind)
    return candidates(reference).find(candidate => names.has(candidate))
  }

  /** A full name is exact and reaches everything, in all existing files; that it reaches into somebody else's should be meant. */
  #sayPrivate ({ kind, name }: Found, { scope, entry }: Reference): void {
    const [namespace = ''] = name.split(':')
    this.warning('CONFIG_CONTRADICTION', `${scope} references ${kind} '${name}', which namespace '${namespace}' does not export`, entry.at,
      name.split(':').length > 2 ? undefined : `write exports { ${kind}s "${name.slice(namespace.length + 1)}" } in that namespace when others may use it`)
  }

  /** Outside of namespaces everything may be named; inside of one, of another what that exports. */
  #open (kind: string, full: string, { names }: Pick<Reference, 'names'>): boolean {
    if (names === '' || !full.includes(':')) return true
    const [own = ''] = names.split(':')
    const [owner = ''] = full.split(':')
    return owner === own || !this.names('namespace').has(owner) || this.#exports(kind).has(full)
  }

  /** Full names of what namespaces export. */
  #exports (kind: string): ReadonlySet<string> {
    return new Set(this.references.flatMap(({ exports, kinds, names, id }) => exports && kinds.includes(kind) ? [qualified(names, id)] : []))
  }

  /** Two namespaces that export one name: those who write it alone should know which one they get. */
  #sayTwice (): void {
    const first = new Map<string, Reference>()
    for (const reference of this.references) {
      if (!reference.exports) continue
      const { kinds: [kind = ''], id, names, entry } = reference
      const other = first.get(`${kind} ${id}`)
      if (other === undefined) first.set(`${kind} ${id}`, reference)
      else if (other.names !== names) {
        this.add('warning', 'CONFIG_DUPLICATE_ID', `namespaces '${other.names}' and '${names}' both export ${kind} '${id}': '${id}' alone means that of '${other.names}'`, entry.at,
          { related: { message: 'the other one is', position: other.entry.at }, hint: `write "${names}:${id}" for this one` })
      }
    }
  }

  /** Full name of what a namespace exports under `id`. */
  #exported (kind: string, id: string): string | undefined {
    const by = this.references.find(reference => reference.exports && reference.id === id && reference.kinds.includes(kind))
    const full = by === undefined ? undefined : qualified(by.names, id)
    return full !== undefined && this.names(kind).has(full) ? full : undefined
  }

  /** Names that would have been found, as the one who refers would write them. */
  visible (kind: string, { names, exports }: Pick<Reference, 'names' | 'exports'>): string[] {
    const own = names === '' ? '' : `${names}:`
    return [...this.names(kind).keys()].flatMap(full => {
      if (exports) return full.startsWith(own) && !full.slice(own.length).includes(':') ? [full.slice(own.length)] : []
      return this.#open(kind, full, { names }) ? [this.#asWritten(kind, full, names)] : []
    })
  }

  /** Without the namespaces that it and the one who writes it have in common, where it is still found then. */
  #asWritten (kind: string, full: string, names: string): string {
    for (const around of outwards(names)) {
      const short = full.slice(around.length + 1)
      if (full.startsWith(`${around}:`) && this.#named(kind, { kinds: [kind], id: short, names, exports: false }) === full) return short
    }
    return full
  }
}

/** What a name means depends on who writes it. */
type Name = Pick<Reference, 'kinds' | 'id' | 'names' | 'exports'>

interface Found {
  readonly kind: string
  readonly name: string
}

interface LeftOut {
  readonly fields: Fields
  readonly at: Position
  readonly key: string
}

function absencesOf (leftOut: readonly LeftOut[]): ReadonlyMap<Fields, ReadonlySet<string>> {
  const found = new Map<Fields, Set<string>>()
  for (const { fields, at, key } of leftOut) {
    const keys = found.get(fields) ?? new Set()
    found.set(fields, keys.add(placeAndKey(at, key)))
  }
  return found
}

function placeAndKey ({ file, line, column }: Position, key: string): string {
  return `${line}:${column}:${key}:${file}`
}

function qualified (names: string, id: string): string {
  return names === '' ? id : `${names}:${id}`
}

/** From the innermost namespace outwards, then as a full name. */
function candidates ({ id, names, exports }: Name): string[] {
  if (exports) return [qualified(names, id)]
  return [...outwards(names).map(around => qualified(around, id)), id]
}

/** "tenant:service", "tenant". */
function outwards (names: string): string[] {
  const found: string[] = []
  for (let around = names; around !== ''; around = around.slice(0, Math.max(0, around.lastIndexOf(':')))) found.push(around)
  return found
}

function referenceHint (id: string, what: string, known: readonly string[], entry: KdlEntry): string {
  if (known.length === 0) return `there is no ${what} in this configuration`
  const near = entry.written === undefined ? nearest(id, known) : undefined
  const meant = near === undefined ? '' : `did you mean '${near}'? `
  return `${meant}there ${known.length === 1 ? 'is' : 'are'}: ${listed(known)}`
}
