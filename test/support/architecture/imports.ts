import { scan, type Token } from './scan.ts'

export interface Import {
  /** What is imported; undefined when it is computed and nobody can tell. */
  readonly specifier: string | undefined
  readonly line: number
}

/** Every import, re-export, dynamic import, type import and require of a file. */
export function importsOf (text: string): Import[] {
  const tokens = scan(text)
  const found: Import[] = []
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]
    // A property or a key of that name is no statement.
    if (token?.kind !== 'word' || isMark(tokens[at - 1], '.') || isMark(tokens[at + 1], ':')) continue
    const line = token.line
    if (token.text === 'import') {
      const next = tokens[at + 1]
      if (next?.kind === 'string') found.push({ specifier: next.text, line })
      else if (isMark(next, '(')) found.push({ specifier: argument(tokens, at + 2), line })
      else if (isMark(next, '.')) found.push(...resolved(tokens, at))
      else found.push({ specifier: source(tokens, at + 1), line })
    } else if (token.text === 'require' && isMark(tokens[at + 1], '(')) {
      found.push({ specifier: argument(tokens, at + 2), line })
    } else if (token.text === 'export') {
      const next = isWord(tokens[at + 1], 'type') ? tokens[at + 2] : tokens[at + 1]
      const specifier = isMark(next, '{') || isMark(next, '*') ? source(tokens, at + 1) : undefined
      if (specifier !== undefined) found.push({ specifier, line })
    }
  }
  return found
}

/** The string after `from`; undefined when the statement has none (`export { a }`). */
function source (tokens: readonly Token[], from: number): string | undefined {
  for (let at = from; at < tokens.length; at++) {
    const token = tokens[at]
    if (isWord(token, 'from') && tokens[at + 1]?.kind === 'string') return tokens[at + 1]?.text
    if (token?.kind === 'string' || isMark(token, '}')) {
      if (isMark(token, '}') && isWord(tokens[at + 1], 'from')) continue
      return undefined
    }
  }
  return undefined
}

function argument (tokens: readonly Token[], at: number): string | undefined {
  const token = tokens[at]
  return token?.kind === 'string' && (isMark(tokens[at + 1], ')') || isMark(tokens[at + 1], ',')) ? token.text : undefined
}

/** `import.meta.resolve('x')` reaches for a module as much as an import does; the rest of import.meta is none. */
function resolved (tokens: readonly Token[], at: number): Import[] {
  if (!isWord(tokens[at + 4], 'resolve') || !isMark(tokens[at + 5], '(')) return []
  return [{ specifier: argument(tokens, at + 6), line: tokens[at]?.line ?? 0 }]
}

function isMark (token: Token | undefined, text: string): boolean {
  return token?.kind === 'mark' && token.text === text
}

function isWord (token: Token | undefined, text: string): boolean {
  return token?.kind === 'word' && token.text === text
}
