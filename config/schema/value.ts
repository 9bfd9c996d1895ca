import type { KdlValue } from '../kdl/nodes.ts'
import type { ProblemCode } from '../kdl/position.ts'
import type { JsonObject } from '../kdl/json.ts'
import type { Written } from './default-type.ts'

export type { JsonObject, JsonValue } from '../kdl/json.ts'

/** A value that does not fit. `wrong` says why when there is more to say than the type's name; it must not repeat the value. */
export interface Mismatch {
  /** Part of a sentence, after the name of the setting. Empty: no more to say than "must be …". */
  readonly wrong: string
  /** What would be right. */
  readonly hint?: string
  /** `CONFIG_TYPE` unless given. */
  readonly code?: ProblemCode
}

/** A value that fits. */
export interface Fit<T> {
  /** What the program gets. */
  readonly value: T
  /** Set when the value is part of the language but has no effect in this version: what happens instead. */
  readonly notBuilt?: string
  /** Makes `notBuilt` an error: going on without it would serve less safely than was asked for. */
  readonly refused?: boolean
}

export interface ValueContext {
  /** Folder that relative paths start from. */
  readonly folder: string
  /** The value may come from the environment, where everything is text: "4" is a number and "true" a boolean. */
  readonly lenient: boolean
  /** The value must not be repeated in a message. */
  readonly secret: boolean
  /** The value is a default of the table. */
  readonly isDefault?: boolean
  /** Nothing outside of the text is looked at: no file that it names. */
  readonly textOnly?: boolean
}

/**
 * Knows one kind of KDL value. Plain data and a pure function: printers read the data, readers call `parse`. `W` is how its values are written, for
 * the compiler to hold defaults against.
 */
export interface ValueType<T, W extends Written = Written> {
  /** Never there: it is what `W` is known by. */
  readonly writtenAs?: W
  /** For the reference: "duration". */
  readonly name: string
  /** After "must be": `a duration`. */
  readonly expected: string
  /** After "for example": `"250ms", "30s"`. */
  readonly example?: string
  /** Bounds, for the reference: "1 to 64", "at least 1ms". */
  readonly range?: string
  /** JSON schema of the value. */
  readonly json: JsonObject
  /** All words there are, in the spelling the reference shows. */
  readonly words?: readonly string[]
  /** Those of them that have no effect in this version. */
  readonly notBuiltWords?: readonly string[]
  /** Words that cannot be had, and why. */
  readonly refusedWords?: Readonly<Record<string, string>>
  /** Kinds of named things this is the name of. */
  readonly refersTo?: readonly string[]
  /** It only speaks of it: what nobody else refers to is still unused. */
  readonly mentions?: true
  /** The thing must be of the same namespace, and can be referred to from everywhere then. */
  readonly exports?: boolean
  /** Numbers with a unit: a setting of this type may have spellings such as `timeout-ms`. */
  readonly quantity?: 'time' | 'size'
  /** Knows what to do with `${client.ip}` and its like. */
  readonly takesVariables?: true
  /** Reads one value, or says what is wrong with it. Must not throw and must not look at anything else. */
  parse (raw: KdlValue, context: ValueContext): Fit<T> | Mismatch
  /** For words: the spelling that the reference shows, of a word that is spelled in another way. */
  canonical? (raw: string): string | undefined
  /** For quantities: from a plain number of milliseconds or bytes. */
  fromNumber? (amount: number): Fit<T> | Mismatch
}

export function isMismatch (result: Fit<unknown> | Mismatch): result is Mismatch {
  return 'wrong' in result
}

/** No more to say than "must be …". */
export const unfit: Mismatch = { wrong: '' }
