import { createRequire } from 'node:module'
import type RE2 from 're2'
import type { WrittenText } from './default-type.ts'
import type { ValueType } from './value.ts'
import { unfit } from './value.ts'

/** A compiled expression. Never backtracks: time is linear in the text, whatever the pattern. */
export interface Pattern {
  /** As it was written. */
  readonly source: string
  /** Whether it is found in the text. */
  test (text: string): boolean
  /** The text with its first match replaced; `$1` and `$<name>` stand for groups. */
  replace (text: string, by: string): string
}

const longest = 4096

/** A regular expression in RE2 syntax. */
export const regex: ValueType<Pattern, WrittenText> = {
  name: 'regular expression',
  expected: 'a regular expression',
  example: '#"^/api/v\\d+/"#',
  json: { type: 'string', format: 'regex', maxLength: longest },
  parse (raw, { secret }) {
    if (typeof raw !== 'string' || raw === '') return unfit
    if (raw.length > longest) return { wrong: `it is longer than ${longest} characters` }
    try {
      return { value: compile(raw) }
    } catch (error) {
      // The engine's message quotes the pattern, which may be a secret.
      const why = secret || !(error instanceof Error) ? '' : `: ${error.message}`
      const around = /\(\?<?[=!]|\\[1-9]/.test(raw) ? 'look-around and back-references do not exist in RE2' : undefined
      return { wrong: `it does not compile${why}`, ...(around === undefined ? {} : { hint: around }) }
    }
  },
}

/** The same, for texts that it describes from their beginning to their end. */
export const wholeRegex: ValueType<Pattern, WrittenText> = {
  ...regex,
  parse (raw, context) {
    const read = regex.parse(raw, context)
    return 'wrong' in read ? read : { ...read, value: compile(`^(?:${read.value.source})$`) }
  },
}

let engine: typeof RE2 | undefined

/** Loaded with the first expression: a native package of many megabytes, which agents without expressions need not install. */
function re2 (): typeof RE2 {
  if (engine !== undefined) return engine
  try {
    return engine = createRequire(import.meta.url)('re2') as typeof RE2
  } catch (error) {
    throw new Error('regular expressions need the package re2, which cannot be loaded here: npm install re2', { cause: error })
  }
}

/** Throws a SyntaxError for what RE2 does not take, and an Error where there is no RE2. */
export function compile (source: string): Pattern {
  // RE2 falls back to nothing and warns about nothing: "u" is its only mode, given so that it does not have to say so.
  const compiled = new (re2())(source, 'u')
  return { source, test: text => compiled.test(text), replace: (text, by) => compiled.replace(text, by) }
}

/** Many expressions, looked for in one pass over a text. */
export interface PatternSet {
  /** Indices of the expressions that are found in the text. */
  matching (text: string): readonly number[]
}

/** `undefined` when together they need more memory than RE2 gives one automaton: fewer at a time may still fit. */
export function compileSet (patterns: readonly Pattern[]): PatternSet | undefined {
  try {
    const set = new (re2()).Set(patterns.map(({ source }) => source), 'u')
    return { matching: text => set.match(text) }
  } catch {
    return undefined
  }
}
