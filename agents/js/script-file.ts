import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'

export interface ScriptText {
  readonly file: string
  readonly digest: string
  /** JavaScript, every line and column where it was in the file. */
  readonly source: string
}

/** A script is a text somebody wrote. */
const mostBytes = 4 * 1024 * 1024

/** Why a script cannot be run; the message begins with its place. */
export class ScriptRefused extends Error {}

/** Content of the file, and a name for it. Throws `ScriptRefused`. */
export function readScript (file: string): { readonly text: string, readonly digest: string } {
  try {
    if (statSync(file).size > mostBytes) throw new ScriptRefused(`${file}: it is larger than ${mostBytes / 1024 / 1024} MiB`)
    const text = readFileSync(file, 'utf8')
    return { text, digest: digestOf(text) }
  } catch (error) {
    if (error instanceof ScriptRefused) throw error
    // `code` is there on errors of the file system.
    const { code } = error as NodeJS.ErrnoException
    throw new ScriptRefused(`${file}: ${code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code ?? 'unknown reason'})`}`)
  }
}

export function digestOf (text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** The script as JavaScript: what is TypeScript alone is blanked out. Throws `ScriptRefused`. */
export async function loadScript (file: string): Promise<ScriptText> {
  const { text, digest } = readScript(file)
  return { file, digest, source: /\.[cm]?ts$/.test(file) ? await stripped(text, file) : text }
}

/** What the compiler of types throws: a plain object. */
interface Complaint {
  readonly message?: string
  readonly startLine?: number
  readonly startColumn?: number
}

async function stripped (text: string, file: string): Promise<string> {
  // Loaded for scripts with types alone: it is a compiler.
  const { transform } = await import('@swc/wasm-typescript')
  try {
    return (await transform(text, { mode: 'strip-only', module: true, filename: file })).code
  } catch (error) {
    const { message = String(error), startLine, startColumn = 0 } = error as Complaint
    throw new ScriptRefused(`${file}${startLine === undefined ? '' : `:${startLine}:${startColumn + 1}`}: ${message}`)
  }
}
