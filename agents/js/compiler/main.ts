import { readFileSync } from 'node:fs'
import { transformSync } from '@swc/wasm-typescript'

// A process of its own for one text: a text that is nested too deep ends the compiler in the middle of something, and a long one takes seconds.

/** What came of it, as JSON. Line and column begin with 1. */
export type Stripped = { readonly code: string } | { readonly message: string, readonly line?: number, readonly column?: number }

/** What the compiler throws: a plain object. */
interface Complaint {
  readonly message?: string
  readonly startLine?: number
  readonly startColumn?: number
}

function strip (text: string): Stripped {
  try {
    return { code: transformed(text) }
  } catch (error) {
    const { message = String(error), startLine: line } = error as Complaint
    return line === undefined ? { message } : { message, line, column: columnOf(error as Complaint, text) }
  }
}

function transformed (text: string): string {
  return transformSync(text, { mode: 'strip-only', module: true }).code
}

/**
 * The compiler counts as a terminal shows it, a tab as four and some characters as two; editors count UTF-16. The same mistake in a text where each counts
 * once is at the same place.
 */
function columnOf ({ message, startLine, startColumn = 0 }: Complaint, text: string): number {
  const even = text.replace(/[^\S\r\n\u2028\u2029]/g, ' ').replace(/[^\0-\x7f\s]/g, 'a')
  try {
    transformed(even)
  } catch (error) {
    const again = error as Complaint
    if (again.message === message && again.startLine === startLine) return (again.startColumn ?? startColumn) + 1
  }
  return startColumn + 1
}

process.stdout.write(JSON.stringify(strip(readFileSync(0, 'utf8'))))
