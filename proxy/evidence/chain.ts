import { canonicalJson, canonicalMembers, sha256 } from './canonical.ts'
import type { Json } from './canonical.ts'

/**
 * The chain: every record carries its number, the hash of the record before it, and its own hash, SHA-256 over the canonical JSON
 * of the record without `hash`. A line of the file is the canonical JSON of the whole record, so that any changed byte shows.
 *
 * What a chain cannot show by itself: that its end was cut off, or that everything was written anew by somebody who may write the
 * file. Both show against a head (`hash` of the last record) that was noted elsewhere: `verifyEvidence(file, { expectHead })`.
 */

export interface Head {
  /** Number of the last record; 0 before the first. */
  readonly seq: number
  readonly hash: string
}

/** What the first record names as the one before it. */
export const GENESIS: Head = { seq: 0, hash: '0'.repeat(64) }

/** Version of the record's shape. */
export const SCHEMA = 1

/** Members of a record besides those of the chain. `kind` says which. */
export type Entry = { readonly kind: string, readonly time: string } & { readonly [name: string]: Json }

export interface Sealed {
  /** With its newline. */
  readonly line: string
  readonly head: Head
}

export function seal (entry: Entry, after: Head): Sealed {
  const seq = after.seq + 1
  // Everything is spelled once: the members of the chain, and the hash over all others, are put between those of the entry.
  const members = canonicalMembers(entry)
  insert(members, `"prev":"${after.hash}"`)
  insert(members, `"seq":${seq}`)
  insert(members, `"v":${SCHEMA}`)
  const hash = sha256(`{${members.join(',')}}`)
  insert(members, `"hash":"${hash}"`)
  return { line: `{${members.join(',')}}\n`, head: { seq, hash } }
}

/** Sorted members stay sorted. Names of entries are plain words, so comparing `"name":` compares names. */
function insert (members: string[], member: string): void {
  const place = members.findIndex((other) => other > member)
  members.splice(place < 0 ? members.length : place, 0, member)
}

export interface ReadRecord extends Head {
  readonly prev: string
  readonly kind: string
  /** What the record's content hashes to: equal to `hash` when nobody changed it. */
  readonly computed: string
  /** Whether the line is spelled as it was written. */
  readonly canonical: boolean
  readonly members: { readonly [name: string]: Json }
}

// Anything lenient would let two different files read alike: U+FFFD for broken bytes, a byte order mark that nobody sees.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A line (without newline) as a record, or why it is none. `json` says whether it is JSON at all: what a crash cut off is not. */
export function readRecord (line: Uint8Array): ReadRecord | { readonly error: string, readonly json: boolean } {
  let text: string
  let value: unknown
  try {
    text = utf8.decode(line)
    value = JSON.parse(text)
  } catch {
    return { error: 'not JSON', json: false }
  }
  if (!isJsonObject(value)) return { error: 'not a JSON object', json: true }
  const { seq, prev, hash, kind } = value
  if (!Number.isSafeInteger(seq) || typeof seq !== 'number' || seq < 1) return { error: '"seq" is not a positive whole number', json: true }
  if (typeof prev !== 'string' || !isHash(prev)) return { error: '"prev" is not a hash', json: true }
  if (typeof hash !== 'string' || !isHash(hash)) return { error: '"hash" is not a hash', json: true }
  if (typeof kind !== 'string') return { error: '"kind" is missing', json: true }
  const { hash: _, ...content } = value
  try {
    return { seq, prev, hash, kind, computed: sha256(canonicalJson(content)), canonical: canonicalJson(value) === text, members: value }
  } catch {
    return { error: 'nested too deeply', json: true }
  }
}

export function isHash (text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text)
}

/** `JSON.parse` gives nothing but JSON: what is an object and no list is a JSON object. */
function isJsonObject (value: unknown): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
