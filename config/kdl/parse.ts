import { InvalidKdlError, parse } from '@bgotink/kdl'
import type { KdlNode } from './nodes.ts'
import { plainNodes } from './plain-nodes.ts'
import type { Problem, Position } from './position.ts'
import { wholeFile } from './position.ts'
import type { Located } from './locate.ts'
import { locatedNodes } from './locate.ts'
import type { Scan } from './scan-state.ts'
import { maxDepth, mended, scanText } from './scan.ts'

export interface Parsed {
  /** Everything that could be read; empty when the structure of the text is broken. */
  readonly nodes: KdlNode[]
  readonly problems: Problem[]
}

/** Largest text of one file, in UTF-16 units: some hundred thousand routes. */
export const maxTextLength = 8 * 1024 * 1024

/** How often a text is read again after a token that the parser refused was taken out. Each time costs a whole parse. */
const mostRetries = 8
const mostProblems = 50

/**
 * Reads KDL 2. All syntax errors come back as problems with their place. Where the text can be understood in spite of them, `nodes` hold
 * what was meant, so that the settings can be checked in the same run; the caller drops problems on lines that have a syntax error.
 */
export function parseKdl (text: string, file: string): Parsed {
  if (text.length > maxTextLength) {
    const message = `the file is too large (${text.length} characters, at most ${maxTextLength})`
    return { nodes: [], problems: [{ severity: 'error', code: 'CONFIG_UNREADABLE', message, position: wholeFile(file) }] }
  }
  const first = tryParse(text, file)
  if (first.errors === undefined && first.depth <= maxDepth) return { nodes: first.nodes, problems: [] }
  const scan = scanText(text)
  const found = scanProblems(scan, file)
  if (scan.broken || scan.tooDeep) return { nodes: [], problems: found }
  return retry(mended(scan), file, found, text.length)
}

function depthOf (nodes: readonly KdlNode[]): number {
  return nodes.reduce((deepest, { children }) => children === undefined ? deepest : Math.max(deepest, 1 + depthOf(children)), 0)
}

/** Takes out what the parser refuses, piece by piece, to find everything that is wrong. */
function retry (mendedText: string, file: string, found: Problem[], length: number): Parsed {
  let text = mendedText
  const lines = new Set(found.map(problem => problem.position.line))
  const retries = Math.max(1, Math.min(mostRetries, Math.floor(2 * 1024 * 1024 / Math.max(1, length))))
  for (let turn = 0; turn <= retries; turn++) {
    const result = tryParse(text, file)
    if (result.errors === undefined) return { nodes: result.nodes, problems: found }
    for (const error of result.errors) {
      const position = errorPosition(error, file)
      if (lines.has(position.line) || found.length >= mostProblems) continue
      lines.add(position.line)
      found.push(libraryProblem(error, position))
    }
    const next = without(text, result.errors[0])
    if (next === undefined) break
    text = next
  }
  return { nodes: [], problems: found }
}

interface Attempt extends Located {
  readonly errors?: InvalidKdlError[]
}

function tryParse (text: string, file: string): Attempt {
  try {
    const located = locatedNodes(parse(text), text, file)
    if (located !== undefined) return located
    const nodes = plainNodes(parse(text, { storeLocations: true }).nodes, file)
    return { nodes, depth: depthOf(nodes) }
  } catch (error) {
    if (error instanceof InvalidKdlError) return { nodes: [], depth: 0, errors: Array.from(error.flat()) }
    // The library breaks down on some texts that end in the middle of a token ("/" alone), and on blocks nested so deeply that the stack ends.
    return { nodes: [], depth: 0, errors: [new InvalidKdlError('the text ends where more was expected', { start: endOf(text) })] }
  }
}

function endOf (text: string): { offset: number, line: number, column: number } {
  const lines = text.split(/\r\n|[\n\r]/)
  return { offset: text.length, line: lines.length, column: Array.from(lines.at(-1) ?? '').length + 1 }
}

function without (text: string, error: InvalidKdlError | undefined): string | undefined {
  const start = error?.start?.offset
  if (start === undefined || start >= text.length) return undefined
  const end = Math.max(start + 1, error?.end?.offset ?? start + 1)
  const blank = text.slice(start, end).replace(/[^\n\r]/g, ' ')
  if (blank === text.slice(start, end)) return undefined
  return text.slice(0, start) + blank + text.slice(end)
}

function errorPosition (error: InvalidKdlError, file: string): Position {
  const { start, end } = error
  if (start === undefined) return { file, line: 1, column: 1, length: 1 }
  const length = end !== undefined && end.line === start.line ? Math.max(1, end.column - start.column) : 1
  return { file, line: start.line, column: start.column, length }
}

function libraryProblem (error: InvalidKdlError, position: Position): Problem {
  const message = error.message.replace(/ at (?:\d+:\d+|end of input)$/, '').replace(/, did you forget to quote an identifier\?$/, '')
  const quoting = message !== error.message && /did you forget to quote/.test(error.message)
  return {
    severity: 'error',
    code: 'CONFIG_SYNTAX',
    message: `this is not valid KDL: ${message.charAt(0).toLowerCase()}${message.slice(1)}`,
    position,
    ...(quoting ? { hint: 'a value with special characters needs quotes' } : {}),
  }
}

/** One problem for each line: what follows on the same line is mostly a consequence. */
function scanProblems (scan: Scan, file: string): Problem[] {
  const problems: Problem[] = []
  const place = placer(scan.text, file)
  const lines = new Set<number>()
  for (const fault of scan.faults.toSorted((a, b) => a.offset - b.offset)) {
    const position = place(fault.offset, fault.length)
    if (lines.has(position.line) || problems.length >= mostProblems) continue
    lines.add(position.line)
    const { code, message, hint } = fault
    problems.push({ severity: 'error', code, message, position, ...(hint === undefined ? {} : { hint }) })
  }
  return problems
}

/** Turns ascending offsets into lines and columns, counted like the parser counts them. */
function placer (text: string, file: string): (offset: number, length: number) => Position {
  const ends = /\r\n|[\n\r\u0085\u000b\u000c\u2028\u2029]/g
  let line = 1
  let lineStart = text.startsWith('\uFEFF') ? 1 : 0
  let next = ends.exec(text)
  return (offset, length) => {
    while (next !== null && next.index < offset) {
      line++
      lineStart = ends.lastIndex
      next = ends.exec(text)
    }
    const column = Array.from(text.slice(lineStart, offset)).length + 1
    return { file, line, column, length: Math.max(1, Array.from(text.slice(offset, offset + length)).length) }
  }
}
