/** A place in a configuration file. Lines and columns count from 1, columns and `length` in code points. Line 0 = the file as a whole. */
export interface Position {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly length: number
}

export type Severity = 'error' | 'warning' | 'note'

/** Something to tell about a configuration. `code` is stable; `message` and `hint` never contain a value that came from the environment. */
export interface Problem {
  readonly severity: Severity
  readonly code: ProblemCode
  readonly message: string
  readonly hint?: string
  readonly position: Position
  /** The other place, of two that do not go together. */
  readonly related?: { readonly message: string, readonly position: Position }
}

/** Every code a configuration problem can have, with its meaning: the source of the error page. */
export const problemCodes = {
  CONFIG_UNREADABLE: 'The file cannot be read, is not UTF-8 or is too large.',
  CONFIG_SYNTAX: 'The text is not valid KDL.',
  CONFIG_NESTING: 'Blocks are nested too deeply.',
  CONFIG_INCLUDE: 'An included file cannot be read, is included twice or in a circle, or nothing matches.',
  CONFIG_ENVIRONMENT: 'A ${…} in a string has no value.',
  CONFIG_UNKNOWN_SETTING: 'No setting, block or property has this name here.',
  CONFIG_REPEATED: 'Something that may stand once is given twice.',
  CONFIG_MISSING: 'Something required is not given.',
  CONFIG_TYPE: 'A value is not of the type the setting wants.',
  CONFIG_EXTRA: 'More is given than the setting takes.',
  CONFIG_DUPLICATE_ID: 'Two things of one kind have the same name.',
  CONFIG_UNKNOWN_REFERENCE: 'A name refers to something that does not exist.',
  CONFIG_CONTRADICTION: 'Two settings do not go together.',
  CONFIG_NO_EFFECT: 'A setting can never have an effect.',
  CONFIG_FILE: 'A file or folder that is named does not exist or cannot be used.',
  CONFIG_SCHEMA: 'A description of an API, or a JSON schema, is not valid.',
  CONFIG_REFUSED: 'An agent does not take what its `config` block says.',
  CONFIG_NOT_BUILT: 'Known to the language, not in effect in this version.',
  CONFIG_OTHER_SPELLING: 'Accepted; the reference shows another spelling.',
  CONFIG_FOR_TESTS: 'It makes requests fail on purpose, and is for tests.',
  CONFIG_DEFAULTED: 'Something was left out and this is what happens instead.',
} as const

export type ProblemCode = keyof typeof problemCodes

export function wholeFile (file: string): Position {
  return { file, line: 0, column: 0, length: 0 }
}

/** File by file, in the order of `files`, each from top to bottom; errors first where several start at one place. */
export function inOrder (problems: readonly Problem[], files: readonly string[] = []): Problem[] {
  const rank = { error: 0, warning: 1, note: 2 }
  const fileRank = (file: string): number => {
    const index = files.indexOf(file)
    return index < 0 ? files.length : index
  }
  return problems.toSorted((a, b) =>
    fileRank(a.position.file) - fileRank(b.position.file) ||
    a.position.file.localeCompare(b.position.file) ||
    a.position.line - b.position.line ||
    a.position.column - b.position.column ||
    rank[a.severity] - rank[b.severity])
}
