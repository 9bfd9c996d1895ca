import { compile } from 'sentinel/sdk'
import { targets, type Target } from '../engine/request.ts'
import type { PatternRule, Severity } from './rule.ts'
import { command, input, path, sql, text } from './rule.ts'

/**
 * Rules of an operator's own, as lines of text:
 *
 *     rule app-old-php
 *       severity critical
 *       targets path args
 *       pattern \.php[0-9]?$
 *
 * A line that begins with "#" is a comment. `file NAME` says where the lines that follow come from: they count from 1 again.
 */
export interface OwnRules {
  readonly rules: readonly PatternRule[]
  /** "NAME:LINE: what is wrong". */
  readonly problems: readonly string[]
}

const severities: readonly Severity[] = ['critical', 'error', 'warning', 'notice']
const transforms = { text, path, sql, command, none: [] } as const
const maxRules = 1000
const longestPattern = 4096

type Draft = { -readonly [K in 'severity' | 'paranoia' | 'description' | 'pattern' | 'targets' | 'transformations']?: PatternRule[K] } & { readonly id: string, readonly at: string }

export function readOwnRules (texts: readonly string[], taken: ReadonlySet<string>): OwnRules {
  const rules: PatternRule[] = []
  const problems: string[] = []
  const ids = new Set(taken)
  let draft: Draft | undefined
  const finish = (): void => {
    if (draft === undefined) return
    const { id, at, severity = 'critical', paranoia = 1, description = 'A rule of the operator', pattern, targets: where = input, transformations = text } = draft
    if (pattern === undefined) problems.push(`${at}: rule '${id}' has no pattern`)
    else rules.push({ id, category: 'custom', severity, paranoia, description, pattern, targets: where, transformations })
    draft = undefined
  }
  for (const [number, whole] of texts.entries()) {
    let name = `custom-rules ${number + 1}`
    let line = 0
    for (const raw of whole.split(/\r?\n/)) {
      line++
      const [, word = '', rest = ''] = /^\s*(\S+)\s*(.*?)\s*$/.exec(raw) ?? []
      const at = `${name}:${line}`
      if (word === '' || word.startsWith('#')) continue
      if (word === 'file') {
        finish()
        name = rest
        line = 0
      } else if (word === 'rule') {
        finish()
        if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(rest)) problems.push(`${at}: the id of a rule is made of letters, digits and .-_`)
        else if (ids.has(rest)) problems.push(`${at}: there is a rule '${rest}' already`)
        ids.add(rest)
        draft = { id: rest, at }
      } else {
        const wrong = draft === undefined ? outside(word) : set(draft, word, rest)
        if (wrong !== undefined) problems.push(`${at}: ${wrong}`)
      }
    }
    finish()
  }
  if (rules.length > maxRules) problems.push(`there are ${rules.length} rules; ${maxRules} are the most`)
  return { rules, problems }
}

function outside (word: string): string {
  return /^Sec[A-Z]/.test(word) ? `'${word}' is of the Core Rule Set's language, which is not read: write rule ID, severity, targets, pattern` : `'${word}' stands before the first rule`
}

/** Gives what is wrong. */
function set (draft: Draft, word: string, rest: string): string | undefined {
  switch (word) {
    case 'severity': {
      const severity = severities.find((one) => one === rest)
      if (severity === undefined) return `a severity is one of ${severities.join(', ')}`
      draft.severity = severity
      return undefined
    }
    case 'paranoia': {
      if (!/^[1-4]$/.test(rest)) return 'a paranoia level is a number from 1 to 4'
      draft.paranoia = Number(rest) as 1 | 2 | 3 | 4 // As the expression says.
      return undefined
    }
    case 'description': {
      draft.description = rest
      return undefined
    }
    case 'targets': {
      const given = rest.split(/[\s,]+/)
      const unknown = given.find((one) => !(targets as readonly string[]).includes(one))
      if (unknown !== undefined) return `there is no target '${unknown}'; there are ${targets.join(', ')}`
      draft.targets = given as Target[] // All of them were found.
      return undefined
    }
    case 'transform': {
      if (!Object.hasOwn(transforms, rest)) return `a transform is one of ${Object.keys(transforms).join(', ')}`
      draft.transformations = transforms[rest as keyof typeof transforms]
      return undefined
    }
    case 'pattern': {
      if (draft.pattern !== undefined) return 'a rule has one pattern'
      draft.pattern = rest
      return wrongPattern(rest)
    }
    default: return outside(word).startsWith("'Sec") ? outside(word) : `there is no '${word}' in a rule; there are severity, paranoia, description, targets, transform, pattern`
  }
}

function wrongPattern (pattern: string): string | undefined {
  if (pattern === '' || pattern.length > longestPattern) return `a pattern has 1 to ${longestPattern} characters`
  try {
    return compile(pattern).test('') ? 'this pattern matches everything' : undefined
  } catch (error) {
    return `the pattern does not compile: ${error instanceof Error ? error.message : String(error)}`
  }
}
