import { compile, type Fit, type Mismatch, type ValueType } from 'sentinel/sdk'

/** One line of a list, ready to be asked. */
export interface TextRule {
  /** As the operator wrote it. */
  readonly written: string
  matches (text: string): boolean
}

/** What makes a text between slashes an expression, and cannot stand in a path as it is. */
const expressionSign = /[\\^$()[\]{}|+*?]/

/** A path: exact, with everything under it, or an expression. */
export const pathRule: ValueType<TextRule> = {
  name: 'path rule',
  expected: 'a path, a path ending in "*", or a regular expression between slashes',
  example: '"/admin", "/internal/*", "/\\\\.(env|git)/"',
  json: { type: 'string' },
  parse (raw) {
    if (typeof raw !== 'string' || raw === '') return { wrong: '' }
    if (raw.length > 2 && raw.endsWith('/') && raw.startsWith('/')) return betweenSlashes(raw)
    if (!raw.startsWith('/')) return { wrong: 'it does not begin with "/"' }
    const path = asSent(raw)
    const star = path.indexOf('*')
    if (star === -1) return fit(raw, (text) => text === path)
    if (star < path.length - 1) {
      return { wrong: '"*" stands for the rest of a path and can only be its end', hint: 'use a regular expression between slashes' }
    }
    const beginning = path.slice(0, -1)
    // "/admin/*" is a fence around "/admin": the place itself is inside.
    const itself = beginning.length > 1 && beginning.endsWith('/') ? beginning.slice(0, -1) : undefined
    return fit(raw, (text) => text.startsWith(beginning) || text === itself)
  },
}

/** A part of the User-Agent, in any case, or an expression. */
export const userAgentRule: ValueType<TextRule> = {
  name: 'user agent rule',
  expected: 'a part of a user agent, or a regular expression between slashes',
  example: '"sqlmap", "/^curl\\\\/7\\\\./"',
  json: { type: 'string' },
  parse (raw) {
    if (typeof raw !== 'string' || raw.trim() === '') return { wrong: '' }
    if (raw.length > 2 && raw.startsWith('/') && raw.endsWith('/')) return expression(raw, '(?i)')
    const part = raw.toLowerCase()
    return fit(raw, (text) => text.toLowerCase().includes(part))
  },
}

/** "/admin/" reads as a path to one operator and as an expression to the next, and blocks different things. */
function betweenSlashes (raw: string): Fit<TextRule> | Mismatch {
  const inside = raw.slice(1, -1)
  if (inside === '' || expressionSign.test(inside)) return expression(raw, '')
  const hint = `write "${raw}*" for everything under it, or "/^\\\\/${inside}\\\\/$/" for this path alone`
  return { wrong: 'it could be a path or a regular expression', hint }
}

function expression (raw: string, flags: string): Fit<TextRule> | Mismatch {
  const source = raw.slice(1, -1)
  try {
    const pattern = compile(flags + source)
    return fit(raw, (text) => pattern.test(text))
  } catch (error) {
    return { wrong: `the expression is not valid: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** Paths come normalised: what is not ASCII is percent-encoded, in capitals (RFC 3986 section 6.2.2.1). */
function asSent (path: string): string {
  return path.replace(/[^\x21-\x7e]+/gu, encodeURIComponent).replace(/%[0-9a-f]{2}/gi, (escape) => escape.toUpperCase())
}

function fit (written: string, matches: (text: string) => boolean): Fit<TextRule> {
  return { value: { written, matches } }
}
