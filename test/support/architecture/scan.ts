/** A piece of TypeScript as far as imports and house rules need it: comments, template text and regular expressions are gone. */
export interface Token {
  readonly kind: 'word' | 'string' | 'mark'
  readonly text: string
  /** 1-based. */
  readonly line: number
}

/** After these words a slash begins a regular expression; after any other word it divides. */
const beforeRegex = new Set(['return', 'typeof', 'case', 'in', 'of', 'do', 'else', 'void', 'delete', 'throw', 'new', 'await', 'yield', 'instanceof'])
const wordPattern = /[\p{ID_Start}$_#][\p{ID_Continue}$\u200c\u200d]*|\d[\w.]*/uy

/**
 * Splits TypeScript into tokens. It does not know the grammar: whether a slash divides is guessed from the token before it, and a wrong
 * guess costs at most the rest of the line, because no string and no regular expression runs over one.
 */
export function scan (text: string): Token[] {
  const tokens: Token[] = []
  // For each open `${`: how many braces are open inside it.
  const templates: number[] = []
  let at = 0
  let line = 1
  const push = (kind: Token['kind'], value: string): void => {
    tokens.push({ kind, text: value, line })
  }
  const skipTemplateText = (): void => {
    while (at < text.length) {
      const character = text[at]
      if (character === '\n') line++
      if (character === '`') {
        at++
        return
      }
      if (character === '$' && text[at + 1] === '{') {
        at += 2
        templates.push(0)
        return
      }
      at += character === '\\' ? 2 : 1
    }
  }
  while (at < text.length) {
    const character = text[at] ?? ''
    const next = text[at + 1] ?? ''
    if (character === '\n') {
      line++
      at++
    } else if (/\s/.test(character)) {
      at++
    } else if (character === '/' && next === '/') {
      at = endOfLine(text, at)
    } else if (character === '/' && next === '*') {
      const end = text.indexOf('*/', at + 2)
      const comment = text.slice(at, end === -1 ? text.length : end + 2)
      line += comment.split('\n').length - 1
      at += comment.length
    } else if (character === "'" || character === '"') {
      const end = endOfString(text, at, character)
      push('string', text.slice(at + 1, end))
      at = end + 1
    } else if (character === '`') {
      at++
      push('mark', '`')
      skipTemplateText()
    } else if (character === '/' && regexMayBegin(tokens.at(-1))) {
      push('mark', '/regex/')
      at = endOfRegex(text, at)
    } else {
      wordPattern.lastIndex = at
      const word = wordPattern.exec(text)?.[0]
      if (word !== undefined) {
        push('word', word)
        at += word.length
        continue
      }
      at++
      const inside = templates.length - 1
      if (character === '{' && inside >= 0) templates[inside] = (templates[inside] ?? 0) + 1
      if (character === '}' && inside >= 0) {
        if (templates[inside] === 0) {
          templates.pop()
          skipTemplateText()
          push('mark', '`')
          continue
        }
        templates[inside] = (templates[inside] ?? 0) - 1
      }
      push('mark', character)
    }
  }
  return tokens
}

function endOfLine (text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end === -1 ? text.length : end
}

function endOfString (text: string, from: number, quote: string): number {
  let at = from + 1
  while (at < text.length && text[at] !== quote && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1
  return at
}

function endOfRegex (text: string, from: number): number {
  let at = from + 1
  let inClass = false
  while (at < text.length && text[at] !== '\n') {
    if (text[at] === '\\') at++
    else if (text[at] === '[') inClass = true
    else if (text[at] === ']') inClass = false
    else if (text[at] === '/' && !inClass) return at + 1
    at++
  }
  return at
}

function regexMayBegin (before: Token | undefined): boolean {
  if (before === undefined) return true
  if (before.kind === 'word') return beforeRegex.has(before.text)
  return before.kind === 'mark' && !')]}`'.includes(before.text) && before.text !== '/regex/'
}
