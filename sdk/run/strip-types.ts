import { createRequire } from 'node:module'
import type { transformSync } from '@swc/wasm-typescript'

type Strip = typeof transformSync

/** What the package throws: a plain object. */
interface Wrong {
  readonly message: string
  readonly snippet: string
  readonly startLine: number
  readonly startColumn: number
}

let strip: Strip | undefined

/**
 * JavaScript of a TypeScript text: blanks stand where types stood, so every line and column stays where it was. Throws a SyntaxError that begins with
 * `path:line:column`.
 */
export function stripTypes (text: string, path: string): string {
  const wrong = placeOfMistake(text, path)
  if (typeof wrong === 'object') return wrong.code
  throw new SyntaxError(wrong)
}

/** `path:line:column: what is wrong`, with the line itself; or the text without its types. */
export function placeOfMistake (text: string, path: string): string | { readonly code: string } {
  // Loaded when there is something to strip: two megabytes that a JavaScript agent has no use for.
  strip ??= (createRequire(import.meta.url)('@swc/wasm-typescript') as { readonly transformSync: Strip }).transformSync
  try {
    return { code: strip(text, { mode: 'strip-only', module: true, filename: path }).code }
  } catch (error) {
    if (!isWrong(error)) throw error
    return `${path}:${error.startLine}:${error.startColumn + 1}: ${error.message}\n${indented(error.snippet)}`
  }
}

function isWrong (error: unknown): error is Wrong {
  return typeof error === 'object' && error !== null && 'snippet' in error && 'startLine' in error && 'startColumn' in error
}

function indented (snippet: string): string {
  return snippet.trimEnd().split('\n').slice(0, 8).map((line) => `    ${line}`).join('\n')
}
