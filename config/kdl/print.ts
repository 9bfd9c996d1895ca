import type { Problem, Severity } from './position.ts'

export interface PrintOptions {
  readonly colour?: boolean
}

const colours: Record<Severity, string> = { error: '31', warning: '33', note: '36' }

/**
 * Problems as an operator reads them: place, code, sentence, the source line with a caret, the hint.
 * `sources` are the texts by file name; without one the source line is left out.
 */
export function printProblems (problems: readonly Problem[], sources: ReadonlyMap<string, string>, options: PrintOptions = {}): string {
  const lines = new Map<string, string[]>()
  const linesOf = (file: string): string[] | undefined => {
    const text = sources.get(file)
    if (text === undefined) return undefined
    let split = lines.get(file)
    if (split === undefined) lines.set(file, split = text.replace(/^\uFEFF/, '').split(/\r\n|[\n\r\u0085\u000b\u000c\u2028\u2029]/))
    return split
  }
  const cut = cutter()
  return problems.map(problem => printOne(problem, linesOf, cut, options.colour === true)).join('\n')
}

type Cut = (source: string, from: number, count: number) => string[]

/** Cuts characters out of a line. A generated file may have everything in one: it is taken apart once, not for every problem in it. */
function cutter (): Cut {
  let source: string | undefined
  let chars: readonly string[] | undefined
  return (line, from, count) => {
    if (line !== source) {
      source = line
      chars = /[\ud800-\udfff]/.test(line) ? Array.from(line) : undefined
    }
    return chars?.slice(from, from + count) ?? line.slice(from, from + count).split('')
  }
}

function printOne (problem: Problem, linesOf: (file: string) => string[] | undefined, cut: Cut, colour: boolean): string {
  const paint = (code: string, text: string): string => colour ? `\x1b[${code}m${text}\x1b[0m` : text
  const { position } = problem
  const place = position.line === 0 ? position.file : `${position.file}:${position.line}:${position.column}`
  const kind = problem.severity === 'error' ? '' : ` (${problem.severity})`
  const out = [`${paint('1', place)}: ${paint(colours[problem.severity], problem.code)}${kind}: ${printable(problem.message)}`]
  const source = linesOf(position.file)?.[position.line - 1]
  if (source !== undefined) {
    const { text, pad, mark } = excerpt(source, position.column, position.length, cut)
    const number = String(position.line).padStart(5)
    out.push(`${number} | ${text}`)
    const hint = problem.hint === undefined ? '' : ` ${printable(problem.hint)}`
    out.push(`      | ${pad}${paint(colours[problem.severity], mark)}${hint}`)
  } else if (problem.hint !== undefined) {
    out.push(`      ${printable(problem.hint)}`)
  }
  if (problem.related !== undefined) {
    const at = problem.related.position
    out.push(`      ${printable(problem.related.message)} at ${at.file}:${at.line}:${at.column}`)
  }
  return out.join('\n') + '\n'
}

/** The part of a source line around a column, with the white space that puts a mark under it. Lines can be megabytes long. */
function excerpt (source: string, column: number, length: number, cut: Cut): { text: string, pad: string, mark: string } {
  const widest = 120
  const from = column > 100 ? column - 60 : 0
  const kept = cut(source, from, widest)
  const text = (from > 0 ? '…' : '') + printable(kept.join(''))
  const before = kept.slice(0, column - 1 - from)
  // A tab stays a tab, so that the mark is right whatever its width.
  const pad = (from > 0 ? ' ' : '') + before.map(char => char === '\t' ? '\t' : ' ').join('')
  const room = Math.max(1, kept.length - before.length)
  return { text, pad, mark: '^'.repeat(Math.max(1, Math.min(length, room))) }
}

/** Keeps a hostile file from writing control sequences to the operator's terminal. */
function printable (text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\uFFFD')
}
