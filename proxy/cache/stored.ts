import type { Body } from '../pipeline/body.ts'

/** What clients ask for, as purges name it. */
export interface Address {
  /** In small letters, with the port where it was named. */
  readonly host: string
  /** Normalised, as the client asked for it; without the query. */
  readonly path: string
  readonly query: string
}

/** How long an answer may be given. Durations in milliseconds, `Infinity` among them. */
export interface Freshness {
  /** When it arrived (Unix time). */
  readonly arrivedMs: number
  /** How old it was then (RFC 9111 section 4.2.3). */
  readonly ageMs: number
  readonly freshMs: number
  /** It is asked for anew before each use. */
  readonly noCache: boolean
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  /** Also a client that takes outdated answers gets none. */
  readonly neverStale: boolean
}

/** A field of requests that selects the answer, and what it said in the request that this one was given for (RFC 9111 section 4.1). */
export type Selection = ReadonlyArray<readonly [name: string, value: string]>

/** An answer without its body. */
export interface Stored {
  /** All that is known before there is an answer: who is asked for what (`baseKey`). */
  readonly base: string
  readonly address: Address
  readonly selection: Selection
  readonly tags: readonly string[]
  readonly status: number
  /** Field lines, without those of a connection and of the framing. */
  readonly fields: readonly string[]
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  readonly freshness: Freshness
  /** Bytes of the body. */
  readonly length: number
}

/** An answer that is there to be given. */
export interface Kept {
  readonly stored: Stored
  readonly from: 'memory' | 'disk'
  /** The bytes from `start` up to and without `end`. */
  open (start: number, end: number): KeptBody
}

export interface KeptBody extends Body {
  /** Of one whose bytes are elsewhere: whether they could still be had when it was opened. Without this they can. */
  readonly isThere?: Promise<boolean>
}

/** Of the request that looks for an answer: what it says in a field that selects. */
export type ValueOf = (name: string) => string

export function isSelected ({ selection }: Stored, valueOf: ValueOf): boolean {
  for (const [name, value] of selection) if (valueOf(name) !== value) return false
  return true
}

/** The same for all answers that take one another's place. */
export function variantOf (selection: Selection): string {
  return selection.map(([name, value]) => `${name}:${value}`).join('\n')
}

/** Bytes that an answer holds beside its body, roughly. */
export function overheadOf ({ base, fields, selection, tags }: Stored): number {
  let chars = base.length * 2 + 512
  for (const field of fields) chars += field.length + 32
  for (const [name, value] of selection) chars += name.length + value.length + 32
  for (const tag of tags) chars += tag.length + 16
  return chars
}

export function ageMsOf ({ arrivedMs, ageMs }: Freshness, nowMs: number): number {
  return ageMs + Math.max(0, nowMs - arrivedMs)
}
